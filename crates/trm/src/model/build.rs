//! Putting a model together, from random numbers or from a file.

use super::{Block, Model};
use crate::config::{Config, Positions};
use crate::error::Error;
use crate::initialize::Init;
use crate::network::{Builder, Draw, Source};
use rand::Rng;
use trm_ops::Device;

impl Block {
    fn make(config: &Config, i: usize, make: &mut Builder<'_>) -> Result<Block, Error> {
        let (d, inner) = (config.hidden, config.inner(config.hidden));
        Ok(Block {
            mixing: config.mix.way().make(config, i, make)?,
            gate_up: make.linear(&format!("net.{i}.gate_up"), 2 * inner, d)?,
            down: make.linear(&format!("net.{i}.down"), d, inner)?,
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
        let (d, len) = (config.hidden, config.len());
        let [values, read] = config.mix.way().vocabulary(config);
        let embedding = Init::linear(d);
        let mut build = Builder::new(source);
        let blocks = (0..config.blocks).map(|i| Block::make(config, i, &mut build));
        let net = blocks.collect::<Result<_, _>>()?;
        let lm_head = build.linear("lm_head", read, d)?;
        let token_embedding = build.parameter("token_embedding", &[values, d], embedding)?;
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
