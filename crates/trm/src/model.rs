//! The heart: one small network, applied again and again.
//!
//! Shapes: B puzzles, L = P prefix tokens + S cells (with `mix = "units"` S·n candidates instead), D
//! features, V tokens.

use crate::config::Config;
use crate::error::Error;
use crate::mix::Mixing;
use trm_ops::{DType, Device, Parameter, Tape, Tensor};

mod build;
mod grids;
mod parts;
mod portions;

/// A tiny recursive model: parameters and the recursion over them.
#[derive(Clone)]
pub struct Model {
    config: Config,
    device: Device,
    token_embedding: Parameter,          // [V, D]; of candidates [3, D]
    positions: Option<Parameter>,        // [L, D]
    net: Vec<Block>,                     // the one network, called T·(n + 1) times per step
    lm_head: Parameter,                  // [V, D]; of candidates [1, D]
    q_head: [Parameter; 2],              // weight [2, D], bias [2]
    initial_y: Tensor,                   // [D], fixed
    initial_z: Tensor,                   // [D], fixed
    puzzle_embedding: Option<Parameter>, // [identifiers, E]
}

/// Post-norm block: mix tokens, then transform each.
#[derive(Clone)]
struct Block {
    mixing: Box<dyn Mixing>,
    gate_up: Parameter, // [2I, D]
    down: Parameter,    // [D, I]
}

/// The recursive state between supervision steps, without gradient.
#[derive(Clone, Debug)]
pub struct State {
    /// The current answer, embedded: `[B, L, D]`.
    pub y: Tensor,
    /// The latent scratchpad: `[B, L, D]`.
    pub z: Tensor,
}

/// A batch of questions: `[B · S]` tokens and `[B]` puzzle identifiers.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// One token per cell, puzzle after puzzle.
    pub tokens: &'a [u8],
    /// One identifier per puzzle; 0 where puzzles have none of their own.
    pub puzzles: &'a [u32],
}

/// What one supervision step gives.
pub struct Step {
    /// Improved state.
    pub state: State,
    /// `[B, S, V]`, f32: the draft.
    pub logits: Tensor,
    /// `[B, 1, 2]`, f32: halting logit, and a second output kept for checkpoint compatibility.
    pub q: Tensor,
    /// `[B, E]`: the embeddings of the batch's puzzles, watched by the tape.
    pub puzzle_vectors: Option<Tensor>,
}

impl Step {
    /// `[B · S]`: the likeliest token of every cell, the lowest on ties.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn answers(&self) -> Result<Vec<u8>, Error> {
        Ok(self.logits.argmax()?)
    }

    /// `[B]`: above 0 the model holds its answer to be right.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn halt_logits(&self) -> Result<Vec<f32>, Error> {
        Ok(self.q.to_f32_vec()?.chunks_exact(2).map(|q| q[0]).collect())
    }
}

impl Block {
    /// `h = rms_norm(h + mix(h)); h = rms_norm(h + swiglu(h))`; h is `[B, L, D]`.
    fn forward(&self, tape: &Tape, h: &Tensor) -> Tensor {
        let h = self.mixing.forward(tape, h);
        tape.residual_swiglu(&h, &self.gate_up, &self.down)
    }
}

impl Model {
    /// `net(h, injection)`: the blocks applied to `h + injection`.
    fn net(&self, tape: &Tape, h: &Tensor, injection: &Tensor) -> Tensor {
        let h = tape.add(h, injection);
        let blocks = self.net.iter().take_while(|_| !tape.is_stopped());
        blocks.fold(h, |h, block| block.forward(tape, &h))
    }

    /// One cycle (paper, figure 3, `latent_recursion`): think n times, then act once.
    ///
    /// With n = 0 there is no thinking: the draft is revised from the question alone.
    fn cycle(&self, tape: &Tape, x: &Tensor, State { y, mut z }: State) -> State {
        if self.config.recursions == 0 {
            return State { y: self.net(tape, &y, x), z };
        }
        let injection = tape.add(&y, x);
        for _ in 0..self.config.recursions {
            z = self.net(tape, &z, &injection); // think: z = net(z, y + x)
        }
        State { y: self.net(tape, &y, &z), z } // act: y = net(y, z)
    }

    /// One supervision step (paper, figure 3, `deep_recursion`): T − 1 cycles without gradient,
    /// one with ([`Config::gradient_cycles`] says otherwise), then the heads. The number format of `state` decides that of the recursion.
    /// Without a gradient, puzzles are taken in [portions](Config::portion); the results are the same.
    ///
    /// # Panics
    /// If the question does not fit the model; [`Model::check`] says so beforehand.
    pub fn supervision_step(&self, tape: &Tape, question: Question<'_>, state: State) -> Step {
        match tape.is_recording() {
            true => self.whole_step(tape, question, state),
            false => self.step_in_portions(tape, question, state),
        }
    }

    fn whole_step(&self, tape: &Tape, question: Question<'_>, state: State) -> Step {
        let (x, puzzle_vectors) = self.embed(tape, question, state.y.dtype());
        let no_gradient = tape.without_gradient();
        let mut state = state;
        for left in (1..=self.config.cycles).rev() {
            let tape = if left > self.config.gradient_cycles { &no_gradient } else { tape };
            state = self.cycle(tape, &x, state);
        }
        let (logits, q) = self.heads(tape, &state.y);
        let state = State { y: state.y.detach(), z: state.z.detach() };
        Step { state, logits, q, puzzle_vectors }
    }

    /// Logits of the cells, `[B, S, V]`, and of halting, `[B, 1, 2]`.
    fn heads(&self, tape: &Tape, y: &Tensor) -> (Tensor, Tensor) {
        let cells = tape.tokens(y, self.config.prefix_len..self.config.len());
        let logits = tape.linear(&cells, &self.lm_head, None);
        let way = self.config.mix.way();
        let logits = way.logits(tape, &self.config, logits);
        let whole = way.whole(tape, y);
        let [weight, bias] = &self.q_head;
        (logits, tape.linear(&whole, weight, Some(bias)))
    }

    /// The embedded question `[B, L, D]` and the puzzle vectors in its prefix.
    fn embed(&self, tape: &Tape, question: Question<'_>, dtype: DType) -> (Tensor, Option<Tensor>) {
        let vectors = self.puzzle_embedding.as_ref();
        let vectors = vectors.map(|table| tape.watch(&table.select(question.puzzles)));
        let prefix = (self.config.prefix_len, vectors.as_ref());
        let positions = self.positions.as_ref().map(|table| (table, 0));
        let form = (question.puzzles.len(), dtype);
        let tokens = self.config.mix.way().read(&self.config, question.tokens);
        (tape.embed(&tokens, prefix, &self.token_embedding, positions, form), vectors)
    }
}
