//! Writing answers, token by token, with a cache of keys and values.

use super::{Autoregressive, AutoregressiveConfig};
use crate::error::Error;
use crate::network::Network;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trm_ops::{DType, KvCache, Tape, Tensor};

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// The likeliest, the lowest on ties.
    Greedy,
    /// At random, by the probabilities that logits divided by a temperature give.
    Temperature {
        /// Above 0; 1 for the model's own probabilities.
        temperature: f32,
        /// Of the random numbers; a sequence's numbers depend on its place among all sequences only.
        seed: u64,
    },
}

/// An answer as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Its tokens, in the order of writing.
    pub tokens: Vec<u8>,
    /// Natural logarithm of the probability that the model gave them all.
    pub log_probability: f32,
}

/// Reads tokens and keeps what it has read.
struct Reader<'m> {
    model: &'m Autoregressive,
    tape: Tape,
    caches: Vec<KvCache>,
    batch: usize,
}

impl<'m> Reader<'m> {
    fn new(model: &'m Autoregressive, batch: usize) -> Reader<'m> {
        let AutoregressiveConfig { hidden, heads, .. } = *model.config();
        let (device, most) = (model.device(), model.config().sequence() - 1);
        let cache = || KvCache::new(device, batch, most, [heads, hidden / heads]);
        let caches = model.blocks.iter().map(|_| cache()).collect();
        Reader { model, tape: Tape::off(device), caches, batch }
    }

    /// Reads the next `[B · N]` tokens; gives logits of what follows the last, `[B, 1, tokens]`.
    fn read(&mut self, tokens: &[u8]) -> Tensor {
        let (model, tape) = (self.model, &self.tape);
        let first = self.caches[0].len();
        let mut h = model.embed(tape, tokens, first, (self.batch, DType::F32));
        for (block, cache) in model.blocks.iter().zip(&mut self.caches) {
            h = block
                .forward(tape, &h, |qkv| tape.attention_of_next(qkv, cache, Some(&model.rope)));
        }
        let last = h.shape()[1] - 1;
        model.head(tape, &h, last..last + 1)
    }
}

/// Writes on from every prompt of a batch, a token at a time.
///
/// A step is too little work to change threads for: whoever takes many does so inside
/// [`Device::install`](trm_ops::Device::install), as [`generate`] does.
pub struct Writing<'m> {
    reader: Reader<'m>,
    prompts: &'m [Vec<u8>],
    sampling: Sampling,
    rngs: Vec<ChaCha8Rng>,
    written: Vec<Written>,
    /// `[B · N]`: what is read next.
    next: Vec<u8>,
    /// The place in the sequence that is written next.
    place: usize,
}

impl<'m> Writing<'m> {
    /// Begins with prompts. `first` is the place of the batch's first sequence among all, for its random numbers.
    ///
    /// # Panics
    /// In [`step`](Writing::step), if a prompt is empty or its tokens do not fit the model.
    pub fn new(
        model: &'m Autoregressive,
        prompts: &'m [Vec<u8>],
        (sampling, first): (Sampling, u64),
    ) -> Writing<'m> {
        let rngs = (0..prompts.len() as u64).map(|i| rng(sampling, first + i)).collect();
        let empty = Written { tokens: Vec::new(), log_probability: 0.0 };
        let place = prompts.iter().map(Vec::len).min().unwrap_or(model.config().sequence());
        Writing {
            reader: Reader::new(model, prompts.len()),
            prompts,
            sampling,
            rngs,
            written: vec![empty; prompts.len()],
            next: prompts.iter().flat_map(|prompt| &prompt[..place]).copied().collect(),
            place,
        }
    }

    /// Writes the next token of every sequence; longer prompts are read first. Says whether there was one to write.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn step(&mut self) -> Result<bool, Error> {
        let config = self.reader.model.config();
        if self.place == config.sequence() {
            return Ok(false);
        }
        let logits = self.reader.read(&self.next).to_f32_vec()?;
        self.next.clear();
        let rows = logits.chunks_exact(config.tokens()).zip(&mut self.written);
        for ((row, written), (prompt, rng)) in rows.zip(self.prompts.iter().zip(&mut self.rngs)) {
            if let Some(token) = prompt.get(self.place) {
                self.next.push(*token); // read, not chosen
                continue;
            }
            let allowed = config.allowed(self.place);
            let (choice, log_probability) = choose(&row[allowed.clone()], self.sampling, rng);
            self.next.push((allowed.start + choice) as u8);
            written.tokens.extend(self.next.last());
            written.log_probability += log_probability;
        }
        self.place += 1;
        Ok(true)
    }

    /// What has been written so far, by sequence.
    pub fn written(&self) -> &[Written] {
        &self.written
    }
}

/// Goes on from every prompt of a batch to a whole sequence. Activations are f32. `first` is the place of the
/// batch's first sequence among all, for its random numbers.
///
/// # Errors
/// If the device is lost.
///
/// # Panics
/// If a prompt is empty or its tokens do not fit the model.
pub fn generate(
    model: &Autoregressive,
    prompts: &[Vec<u8>],
    (sampling, first): (Sampling, u64),
) -> Result<Vec<Written>, Error> {
    // once around all tokens: each is too little work to change threads for
    model.device().install(|| {
        let mut writing = Writing::new(model, prompts, (sampling, first));
        while writing.step()? {}
        Ok(writing.written)
    })
}

fn rng(sampling: Sampling, sequence: u64) -> ChaCha8Rng {
    let seed = match sampling {
        Sampling::Greedy => 0,
        Sampling::Temperature { seed, .. } => seed,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(sequence);
    rng
}

/// An index, and the logarithm of its probability without temperature.
fn choose(logits: &[f32], sampling: Sampling, rng: &mut impl Rng) -> (usize, f32) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |x: f32, temperature: f32| f64::from((x - max) / temperature).exp();
    let choice = match sampling {
        Sampling::Greedy => logits.iter().position(|x| *x == max),
        Sampling::Temperature { temperature, .. } => {
            let sum: f64 = logits.iter().map(|x| weight(*x, temperature)).sum();
            let mut left = rng.random::<f64>() * sum;
            logits.iter().position(|x| {
                left -= weight(*x, temperature);
                left < 0.0
            })
        }
    };
    let choice = choice.unwrap_or(logits.len() - 1);
    let sum: f64 = logits.iter().map(|x| weight(*x, 1.0)).sum();
    (choice, (f64::from(logits[choice] - max) - sum.ln()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_follow_the_probabilities() {
        let logits = [1.0f32, 0.0, 3.0, 3.0];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let sum: f32 = logits.iter().map(|x| x.exp()).sum();
        let (choice, log_probability) = choose(&logits, Sampling::Greedy, &mut rng);
        assert_eq!(choice, 2);
        assert!((log_probability - (3.0 - sum.ln())).abs() < 1e-6);

        let sampling = Sampling::Temperature { temperature: 2.0, seed: 0 };
        let mut counts = [0.0f32; 4];
        (0..20_000).for_each(|_| counts[choose(&logits, sampling, &mut rng).0] += 1.0 / 20_000.0);
        let sum: f32 = logits.iter().map(|x| (x / 2.0).exp()).sum();
        for (count, x) in counts.iter().zip(logits) {
            assert!((count - (x / 2.0).exp() / sum).abs() < 0.015, "{counts:?}");
        }
    }
}
