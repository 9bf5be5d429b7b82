//! The only path of inference: evaluation, `trm solve` and programs all go through it.

use crate::error::Error;
use crate::model::{Model, Question, State};
use trm_ops::{DType, Tape, Tensor};

/// Runs a model on questions, one supervision step at a time.
#[derive(Clone, Copy)]
pub struct Solver<'m> {
    model: &'m Model,
    dtype: DType,
}

/// A batch of questions being thought about.
pub struct Session<'m> {
    solver: Solver<'m>,
    tokens: Vec<u8>,
    puzzles: Vec<u32>,
    state: State,
}

/// The answers after a supervision step.
#[derive(Clone, Debug)]
pub struct Draft {
    /// `[B · S]`: the likeliest token of every cell.
    pub answers: Vec<u8>,
    /// `[B]`: above 0 the model holds its answer to be right.
    pub halt_logits: Vec<f32>,
    /// `[B, S, V]`, f32.
    pub logits: Tensor,
}

impl<'m> Solver<'m> {
    /// A solver that keeps its activations in `dtype`.
    pub fn new(model: &'m Model, dtype: DType) -> Solver<'m> {
        Solver { model, dtype }
    }

    /// Begins with a batch: `[B · S]` tokens, `[B]` puzzle identifiers.
    ///
    /// # Errors
    /// If tokens or identifiers do not fit the model.
    pub fn start(self, tokens: &[u8], puzzles: &[u32]) -> Result<Session<'m>, Error> {
        self.model.check(Question { tokens, puzzles })?;
        let state = self.model.initial_state(puzzles.len(), self.dtype);
        Ok(Session { solver: self, tokens: tokens.into(), puzzles: puzzles.into(), state })
    }
}

impl Session<'_> {
    /// One more supervision step for the whole batch.
    pub fn step(&mut self) -> Draft {
        let model = self.solver.model;
        let question = Question { tokens: &self.tokens, puzzles: &self.puzzles };
        let state = self.state.clone();
        let step = model
            .device()
            .install(|| model.supervision_step(&Tape::off(model.device()), question, state));
        let (answers, halt_logits) = (step.answers(), step.halt_logits());
        self.state = step.state;
        Draft { answers, halt_logits, logits: step.logits }
    }
}
