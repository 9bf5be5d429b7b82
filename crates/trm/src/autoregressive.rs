//! The other way of thinking: the answer written token by token, each from all before it.
//!
//! A decoder-only transformer over the same operations as the recursive model: the question is the
//! prompt, and the loss is taken on answer tokens only. Places are told twice, by a learned vector and by
//! rotation. Shapes: B sequences of N tokens, D features,
//! H heads.

use crate::config::ROPE_BASE;
use crate::error::Error;
use crate::initialize::Init;
use crate::network::{Builder, Draw, Network, Source, from_file};
use rand::Rng;
use std::ops::Range;
use trm_ops::{DType, Device, Parameter, Rope, Tape, Tensor};

mod config;
mod generate;
mod sequence;

pub use config::{AutoregressiveConfig, Order};
pub use generate::{Sampling, Writing, Written, generate};
pub use sequence::{Lesson, UNLABELLED};

/// A causal transformer that writes answers.
#[derive(Clone)]
pub struct Autoregressive {
    config: AutoregressiveConfig,
    device: Device,
    token_embedding: Parameter, // [tokens, D]
    positions: Parameter,       // [2S - 1, D]
    blocks: Vec<Block>,
    lm_head: Option<Parameter>, // [tokens, D]; without, the embedding serves again
    rope: Rope,
}

/// Post-norm block, as in the recursive model: attend to what came before, then transform each.
#[derive(Clone)]
struct Block {
    qkv: Parameter,     // [3D, D]
    out: Parameter,     // [D, D]
    gate_up: Parameter, // [2I, D]
    down: Parameter,    // [D, I]
}

impl Block {
    /// `h = rms_norm(h + attend(h)); h = rms_norm(h + swiglu(h))`; h is `[B, N, D]`.
    fn forward(&self, tape: &Tape, h: &Tensor, attend: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let attended = attend(&tape.linear(h, &self.qkv, None));
        let h = tape.residual_linear(h, &attended, &self.out);
        tape.residual_swiglu(&h, &self.gate_up, &self.down)
    }
}

impl Autoregressive {
    /// A model with random weights.
    ///
    /// # Errors
    /// If the configuration describes no network.
    pub fn new(
        config: &AutoregressiveConfig,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Result<Autoregressive, Error> {
        Autoregressive::build(config, device, &mut Draw { device, rng })
    }

    fn build(
        config: &AutoregressiveConfig,
        device: &Device,
        source: &mut impl Source,
    ) -> Result<Autoregressive, Error> {
        config.check()?;
        let (d, inner, tokens) = (config.hidden, config.inner(), config.tokens());
        let mut make = Builder::new(source);
        let mut block = |i: usize| -> Result<Block, Error> {
            Ok(Block {
                qkv: make.linear(&format!("net.{i}.qkv"), 3 * d, d)?,
                out: make.linear(&format!("net.{i}.out"), d, d)?,
                gate_up: make.linear(&format!("net.{i}.gate_up"), 2 * inner, d)?,
                down: make.linear(&format!("net.{i}.down"), d, inner)?,
            })
        };
        let blocks = (0..config.blocks).map(&mut block).collect::<Result<_, _>>()?;
        let token_embedding = make.parameter("token_embedding", &[tokens, d], Init::linear(d))?;
        let places = [config.sequence() - 1, d];
        let positions = make.parameter("positions", &places, Init::linear(d))?;
        let lm_head = (!config.tied).then(|| make.linear("lm_head", tokens, d)).transpose()?;
        let rope = Rope::new(config.sequence() - 1, d / config.heads, ROPE_BASE);
        let (config, device) = (config.clone(), device.clone());
        Ok(Autoregressive { config, device, token_embedding, positions, blocks, lm_head, rope })
    }

    /// Logits of what follows each of the tokens in `places`, every one from all before it: `[B, places,
    /// tokens]`, f32.
    ///
    /// # Panics
    /// If there are unknown or too many tokens.
    pub fn logits(
        &self,
        tape: &Tape,
        tokens: &[u8],
        places: Range<usize>,
        (batch, dtype): (usize, DType),
    ) -> Tensor {
        let heads = self.config.heads;
        let h = self.embed(tape, tokens, 0, (batch, dtype));
        let blocks = self.blocks.iter().take_while(|_| !tape.is_stopped());
        let h = blocks.fold(h, |h, block| {
            block.forward(tape, &h, |qkv| tape.causal_attention(qkv, heads, Some(&self.rope)))
        });
        self.head(tape, &h, places)
    }

    /// Tokens from place `first` of their sequences on.
    fn embed(&self, tape: &Tape, tokens: &[u8], first: usize, form: (usize, DType)) -> Tensor {
        let positions = Some((&self.positions, first));
        tape.embed(tokens, (0, None), &self.token_embedding, positions, form)
    }

    fn head(&self, tape: &Tape, h: &Tensor, places: Range<usize>) -> Tensor {
        let head = self.lm_head.as_ref().unwrap_or(&self.token_embedding);
        tape.linear(&tape.tokens(h, places), head, None)
    }
}

impl Network for Autoregressive {
    type Config = AutoregressiveConfig;

    fn config(&self) -> &AutoregressiveConfig {
        &self.config
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn parameters(&self) -> Vec<&Parameter> {
        let blocks = self.blocks.iter().flat_map(|b| [&b.qkv, &b.out, &b.gate_up, &b.down]);
        blocks.chain([&self.token_embedding, &self.positions]).chain(&self.lm_head).collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        let blocks = self.blocks.iter_mut();
        let blocks = blocks.flat_map(|b| [&mut b.qkv, &mut b.out, &mut b.gate_up, &mut b.down]);
        let embeddings = [&mut self.token_embedding, &mut self.positions];
        blocks.chain(embeddings).chain(&mut self.lm_head).collect()
    }

    fn from_safetensors(
        config: &AutoregressiveConfig,
        device: &Device,
        bytes: &[u8],
    ) -> Result<Autoregressive, Error> {
        from_file(bytes, device, |source| Autoregressive::build(config, device, source))
    }
}
