//! Non-causal self-attention.

use super::{Mixing, check_rows};
use crate::config::{Config, Positions};
use crate::error::{ConfigError, Error};
use crate::network::Builder;
use trm_ops::{Parameter, Rope, Tape, Tensor};

pub(super) struct Way;

impl super::Way for Way {
    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let Config { heads, hidden, .. } = *config;
        match config.positions {
            _ if hidden % heads != 0 => Err(ConfigError::Heads { heads, hidden }),
            Positions::Rope if hidden / heads % 2 != 0 => {
                Err(ConfigError::RotaryHead { positions: "rope", multiple: 2, heads, hidden })
            }
            Positions::Rope2d if hidden / heads % 4 != 0 => {
                Err(ConfigError::RotaryHead { positions: "rope2d", multiple: 4, heads, hidden })
            }
            Positions::Rope2d => check_rows(config),
            _ => Ok(()),
        }
    }

    fn make(
        &self,
        config: &Config,
        block: usize,
        make: &mut Builder<'_>,
    ) -> Result<Box<dyn Mixing>, Error> {
        let Config { heads, hidden: d, .. } = *config;
        Ok(Box::new(Attention {
            qkv: make.linear(&format!("net.{block}.qkv"), 3 * d, d)?,
            out: make.linear(&format!("net.{block}.out"), d, d)?,
            heads,
            rope: config.rope(),
        }))
    }

    fn reads_rows(&self, config: &Config) -> bool {
        config.positions == Positions::Rope2d
    }

    fn multiplications(&self, config: &Config) -> f64 {
        let (l, d) = (config.len() as f64, config.hidden as f64);
        4.0 * l * d * d + 2.0 * l * l * d
    }

    /// Queries, keys, values and the attended besides.
    fn kept(&self, config: &Config) -> [f64; 2] {
        [6.0 * config.len() as f64 * config.hidden as f64, 0.0]
    }
}

impl Config {
    /// The rotary embedding of queries and keys, of a checked configuration that has one.
    pub fn rope(&self) -> Option<Rope> {
        let Config { prefix_len, seq_len, columns, rope_base, .. } = *self;
        let width = self.hidden / self.heads;
        match self.positions {
            Positions::Rope => Some(Rope::new(self.len(), width, rope_base)),
            Positions::Rope2d => {
                Some(Rope::of_grid(prefix_len, [seq_len / columns, columns], width, rope_base))
            }
            Positions::None | Positions::Learned => None,
        }
    }
}

#[derive(Clone)]
struct Attention {
    qkv: Parameter, // [3D, D]
    out: Parameter, // [D, D]
    heads: usize,
    rope: Option<Rope>,
}

impl Mixing for Attention {
    fn forward(&self, tape: &Tape, h: &Tensor) -> Tensor {
        let qkv = tape.linear(h, &self.qkv, None); // [B, L, 3D]
        let attended = tape.attention(&qkv, self.heads, self.rope.as_ref());
        tape.residual_linear(h, &attended, &self.out)
    }

    fn parameters(&self) -> Vec<&Parameter> {
        vec![&self.qkv, &self.out]
    }

    fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        vec![&mut self.qkv, &mut self.out]
    }

    fn copy(&self) -> Box<dyn Mixing> {
        Box::new(self.clone())
    }
}
