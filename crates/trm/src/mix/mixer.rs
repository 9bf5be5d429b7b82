//! A SwiGLU over the token axis (the paper's MLP variant).

use super::Mixing;
use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::network::Builder;
use trm_ops::{Parameter, Tape, Tensor};

pub(super) struct Way;

impl super::Way for Way {
    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        match config.positions.is_rotary() {
            true => Err(ConfigError::RopeWithoutAttention),
            false => Ok(()),
        }
    }

    fn make(
        &self,
        config: &Config,
        block: usize,
        make: &mut Builder<'_>,
    ) -> Result<Box<dyn Mixing>, Error> {
        let (len, inner) = (config.len(), config.inner(config.len()));
        Ok(Box::new(Mixer {
            gate_up: make.linear(&format!("net.{block}.token_gate_up"), 2 * inner, len)?,
            down: make.linear(&format!("net.{block}.token_down"), len, inner)?,
        }))
    }

    fn multiplications(&self, config: &Config) -> f64 {
        let (len, inner) = (config.len(), config.inner(config.len()));
        3.0 * len as f64 * inner as f64 * config.hidden as f64
    }

    fn kept(&self, config: &Config) -> [f64; 2] {
        let d = config.hidden as f64;
        [2.0 * config.len() as f64 * d, 2.0 * config.inner(config.len()) as f64 * d]
    }
}

#[derive(Clone)]
struct Mixer {
    gate_up: Parameter, // [2J, L]
    down: Parameter,    // [L, J]
}

impl Mixing for Mixer {
    /// The norm is over L, as in the transposed layout of the public code.
    fn forward(&self, tape: &Tape, h: &Tensor) -> Tensor {
        tape.residual_token_swiglu(h, &self.gate_up, &self.down)
    }

    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.gate_up, &self.down]
    }

    fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        vec![&mut self.gate_up, &mut self.down]
    }

    fn copy(&self) -> Box<dyn Mixing> {
        Box::new(self.clone())
    }
}
