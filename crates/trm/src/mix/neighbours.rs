//! Cells of a grid hear the four beside them, the mean of all and that of the prefix.

use super::{Mixing, check_grid};
use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::network::Builder;
use trm_ops::{Parameter, Tape, Tensor};

pub(super) struct Way;

/// What a cell hears: itself, four cells, the mean of all, that of the prefix.
fn heard(config: &Config) -> usize {
    6 + usize::from(config.prefix_len > 0)
}

impl super::Way for Way {
    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        check_grid(config)
    }

    fn make(
        &self,
        config: &Config,
        block: usize,
        make: &mut Builder<'_>,
    ) -> Result<Box<dyn Mixing>, Error> {
        let Config { hidden: d, prefix_len: prefix, columns, .. } = *config;
        let out = make.linear(&format!("net.{block}.neighbours"), d, heard(config) * d)?;
        Ok(Box::new(Neighbours { out, prefix, columns }))
    }

    fn multiplications(&self, config: &Config) -> f64 {
        let (l, d) = (config.len() as f64, config.hidden as f64);
        heard(config) as f64 * l * d * d
    }

    /// Seven copies besides.
    fn kept(&self, config: &Config) -> [f64; 2] {
        [9.0 * config.len() as f64 * config.hidden as f64, 0.0]
    }

    fn fits_any_grid(&self) -> bool {
        true
    }
}

#[derive(Clone)]
struct Neighbours {
    out: Parameter, // [D, 6D or 7D]: own, above, …, means
    prefix: usize,
    columns: usize,
}

impl Mixing for Neighbours {
    fn forward(&self, tape: &Tape, h: &Tensor) -> Tensor {
        let heard = tape.neighbours(h, self.prefix, self.columns); // [B, L, 6D or 7D]
        tape.residual_linear(h, &heard, &self.out)
    }

    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.out]
    }

    fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        vec![&mut self.out]
    }

    fn copy(&self) -> Box<dyn Mixing> {
        Box::new(self.clone())
    }
}
