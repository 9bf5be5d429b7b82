//! Cells of a matrix hear their row and their column, which have no order: a network for tables of things against
//! things (jobs and machines, states and states), equivariant to permutations of both as the layers of Hartford et
//! al. (arXiv 1803.02879).

use super::{Mixing, check_grid};
use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::network::Builder;
use trm_ops::{Axis, Lines, Parameter, Tape, Tensor};

pub(super) struct Way;

/// Lines of a grid: rows and columns.
fn lines(config: &Config) -> f64 {
    let rows = config.seq_len.checked_div(config.columns).unwrap_or(0);
    (rows + config.columns) as f64
}

impl super::Way for Way {
    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        match config.prefix_len {
            0 => check_grid(config),
            _ => Err(ConfigError::AxesWithPrefix),
        }
    }

    fn make(
        &self,
        config: &Config,
        block: usize,
        make: &mut Builder<'_>,
    ) -> Result<Box<dyn Mixing>, Error> {
        let Config { hidden: d, columns, .. } = *config;
        Ok(Box::new(Axes {
            own: make.linear(&format!("net.{block}.own"), d, d)?,
            row: make.linear(&format!("net.{block}.row"), d, 2 * d)?,
            column: make.linear(&format!("net.{block}.column"), d, 2 * d)?,
            columns,
        }))
    }

    fn multiplications(&self, config: &Config) -> f64 {
        let (l, d) = (config.len() as f64, config.hidden as f64);
        (l + 2.0 * lines(config)) * d * d
    }

    /// What is heard, and what lines say, besides.
    fn kept(&self, config: &Config) -> [f64; 2] {
        let numbers = 3.0 * config.len() as f64 + 3.0 * lines(config);
        [numbers * config.hidden as f64, 0.0]
    }

    fn fits_any_grid(&self) -> bool {
        true
    }
}

#[derive(Clone)]
struct Axes {
    own: Parameter,    // [D, D]
    row: Parameter,    // [D, 2D]: of the mean and the largest
    column: Parameter, // [D, 2D]
    columns: usize,
}

impl Mixing for Axes {
    fn forward(&self, tape: &Tape, h: &Tensor) -> Tensor {
        let says = |lines, weight| tape.linear(&tape.lines(h, lines), weight, None);
        let row = says(Lines::rows(self.columns), &self.row); // [B, R, D]
        let column = says(Lines::columns(self.columns), &self.column); // [B, C, D]
        let own = tape.linear(h, &self.own, None);
        tape.residual_norm(h, &tape.add_lines(&own, &row, &column), Axis::Features)
    }

    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.own, &self.row, &self.column]
    }

    fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        vec![&mut self.own, &mut self.row, &mut self.column]
    }

    fn copy(&self) -> Box<dyn Mixing> {
        Box::new(self.clone())
    }
}
