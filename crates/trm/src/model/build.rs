//! Putting a model together, from random numbers or from a file.

use super::{Block, Mixing, Model, candidates};
use crate::config::{Config, Mix, Positions};
use crate::error::Error;
use crate::initialize::Init;
use crate::network::{Builder, Draw, Source};
use rand::Rng;
use trm_ops::{Device, Rope};

/// Makes blocks of a configuration.
struct Blocks<'a, S> {
    config: &'a Config,
    make: Builder<'a, S>,
}

impl<S: Source> Blocks<'_, S> {
    fn mixing(&mut self, i: usize) -> Result<Mixing, Error> {
        let (d, len) = (self.config.hidden, self.config.len());
        let inner = self.config.inner(len);
        match self.config.mix {
            Mix::Mixer => Ok(Mixing::Mixer {
                gate_up: self.make.linear(&format!("net.{i}.token_gate_up"), 2 * inner, len)?,
                down: self.make.linear(&format!("net.{i}.token_down"), len, inner)?,
            }),
            Mix::Attention => Ok(Mixing::Attention {
                qkv: self.make.linear(&format!("net.{i}.qkv"), 3 * d, d)?,
                out: self.make.linear(&format!("net.{i}.out"), d, d)?,
                heads: self.config.heads,
                rope: (self.config.positions == Positions::Rope)
                    .then(|| Rope::new(len, d / self.config.heads, self.config.rope_base)),
            }),
            Mix::Units => {
                let [own, row, column, in_box, cell] = ["own", "row", "column", "box", "cell"]
                    .map(|unit| self.make.linear(&format!("net.{i}.{unit}"), d, d));
                let weights = Box::new([own?, row?, column?, in_box?, cell?]);
                Ok(Mixing::Units { weights, units: self.config.box_units() })
            }
            Mix::Neighbours => Ok(Mixing::Neighbours {
                out: self.make.linear(
                    &format!("net.{i}.neighbours"),
                    d,
                    self.config.heard() * d,
                )?,
                prefix: self.config.prefix_len,
                columns: self.config.columns,
            }),
        }
    }

    fn block(&mut self, i: usize) -> Result<Block, Error> {
        let (d, inner) = (self.config.hidden, self.config.inner(self.config.hidden));
        Ok(Block {
            mix: self.mixing(i)?,
            gate_up: self.make.linear(&format!("net.{i}.gate_up"), 2 * inner, d)?,
            down: self.make.linear(&format!("net.{i}.down"), d, inner)?,
        })
    }
}

impl Model {
    /// A model with random weights.
    ///
    /// # Errors
    /// If the configuration describes no network.
    pub fn new(config: &Config, device: &Device, rng: &mut impl Rng) -> Result<Model, Error> {
        Model::build(config, device, &mut Draw { device, rng })
    }

    pub(super) fn build(
        config: &Config,
        device: &Device,
        source: &mut impl Source,
    ) -> Result<Model, Error> {
        config.check()?;
        let (v, d, len) = (config.vocab_size, config.hidden, config.len());
        let [read, told] = config.units().map_or([v, v], |_| [candidates::KINDS, 1]);
        let embedding = Init::linear(d);
        let mut blocks = Blocks { config, make: Builder::new(source) };
        let net = (0..config.blocks).map(|i| blocks.block(i)).collect::<Result<_, _>>()?;
        let mut build = blocks.make;
        let lm_head = build.linear("lm_head", told, d)?;
        let token_embedding = build.parameter("token_embedding", &[read, d], embedding)?;
        let positions = (config.positions == Positions::Learned)
            .then(|| build.parameter("positions", &[len, d], embedding))
            .transpose()?;
        let q_head = [
            build.parameter("q_head.weight", &[2, d], Init::Constant(0.0))?,
            build.parameter("q_head.bias", &[2], Init::Constant(-5.0))?,
        ];
        let table = [config.puzzle_identifiers, config.puzzle_embedding];
        let puzzle_embedding = (config.prefix_len > 0)
            .then(|| build.parameter("puzzle_embedding", &table, Init::Constant(0.0)))
            .transpose()?;
        let initial_y = build.fixed("initial_y", &[d], Init::TruncatedNormal(1.0))?;
        let initial_z = build.fixed("initial_z", &[d], Init::TruncatedNormal(1.0))?;
        let (config, device) = (config.clone(), device.clone());
        let model = Model {
            config,
            device,
            token_embedding,
            positions,
            net,
            lm_head,
            q_head,
            initial_y,
            initial_z,
            puzzle_embedding,
        };
        Ok(model)
    }
}
