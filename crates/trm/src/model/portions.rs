//! Puzzles know nothing of each other: a batch is cut into portions, and each thread takes one through all
//! recursions, so that what an operation leaves is still in its caches for the next.

use super::{Config, Model, Question, State, Step};
use std::ops::Range;
use trm_ops::{Device, Tape, Tensor};

impl Config {
    /// How many puzzles a device takes at a time, with a gradient or without.
    pub fn portion(&self, device: &Device, training: bool) -> usize {
        let (len, [_, by_mixing]) = (self.len(), self.kept_by_mixing());
        let of_token = (2 * self.inner(self.hidden)).max(7 * self.hidden);
        device.portion(len, (of_token * len).max(by_mixing as usize), training)
    }
}

impl Model {
    /// A supervision step without a gradient, portion by portion.
    pub(super) fn step_in_portions(
        &self,
        tape: &Tape,
        question: Question<'_>,
        state: State,
    ) -> Step {
        let puzzles = question.puzzles.len();
        let portion =
            self.config.portion(&self.device, false).min(puzzles.div_ceil(self.device.threads()));
        if puzzles <= portion {
            return self.whole_step(tape, question, state);
        }
        let step = |part: Range<usize>| {
            self.whole_step(tape, question.rows(part.clone()), state.rows(part))
        };
        self.device.in_parts(puzzles, portion, &step, &Step::join)
    }
}

impl<'a> Question<'a> {
    /// Some of the puzzles that follow each other.
    ///
    /// # Panics
    /// If a puzzle does not exist.
    pub fn rows(&self, rows: Range<usize>) -> Question<'a> {
        let cells = self.tokens.len() / self.puzzles.len().max(1);
        Question {
            tokens: &self.tokens[rows.start * cells..rows.end * cells],
            puzzles: &self.puzzles[rows],
        }
    }
}

impl State {
    /// The state of some puzzles that follow each other.
    ///
    /// # Panics
    /// If a puzzle does not exist.
    pub fn rows(&self, rows: Range<usize>) -> State {
        let rows: Vec<usize> = rows.collect();
        State { y: self.y.select_rows(&rows), z: self.z.select_rows(&rows) }
    }

    /// These puzzles, then those of `other`.
    ///
    /// # Panics
    /// If they are not of one model and one number format.
    pub fn join(&self, other: &State) -> State {
        State { y: self.y.append_rows(&other.y), z: self.z.append_rows(&other.z) }
    }
}

impl Step {
    /// These puzzles, then those of `other`; detached from the tapes that made them.
    ///
    /// # Panics
    /// If they are not of one model and one number format.
    pub fn join(self, other: Step) -> Step {
        let append = |a: Tensor, b: Tensor| a.detach().append_rows(&b.detach());
        let vectors = self.puzzle_vectors.zip(other.puzzle_vectors);
        Step {
            state: self.state.join(&other.state),
            logits: append(self.logits, other.logits),
            q: append(self.q, other.q),
            puzzle_vectors: vectors.map(|(a, b)| append(a, b)),
        }
    }
}
