//! Rows that take their supervision steps together.

use super::Solver;
use crate::error::Error;
use crate::model::{Model, Question, State};
use trm_ops::{Tape, Tensor};

/// A batch of B questions. Rows join and leave between steps; what one of them gets does not depend on the
/// others, bit for bit.
pub(super) struct Batch {
    solver: Solver,
    tokens: Vec<u8>,   // [B · S]
    puzzles: Vec<u32>, // [B]
    state: State,
}

/// What a supervision step gives, row after row.
pub(super) struct Drafts {
    answers: Vec<u8>, // [B · S]
    q: Vec<f32>,      // [B · 2]
    logits: Vec<f32>, // [B · S · V]
}

/// What it gives one row.
pub(super) struct Draft<'a> {
    /// `[S]`: the likeliest token of every cell.
    pub(super) answer: &'a [u8],
    /// Above 0 the model holds the answer rather to be right than wrong.
    pub(super) halt_logit: f32,
    /// `[S · V]`.
    pub(super) logits: &'a [f32],
    /// Whether the network has computed numbers.
    pub(super) is_finite: bool,
}

impl Drafts {
    /// In the order in which the rows joined.
    pub(super) fn rows(&self) -> impl Iterator<Item = Draft<'_>> {
        let rows = self.q.len() / 2;
        let answers = self.answers.chunks_exact(self.answers.len() / rows);
        let logits = self.logits.chunks_exact(self.logits.len() / rows);
        answers.zip(logits).zip(self.q.chunks_exact(2)).map(|((answer, logits), q)| {
            let is_finite = logits.iter().chain(q).all(|x| x.is_finite());
            Draft { answer, halt_logit: q[0], logits, is_finite }
        })
    }
}

impl Batch {
    /// Without rows.
    pub(super) fn new(solver: Solver) -> Batch {
        let state = solver.model.initial_state(0, solver.dtype);
        Batch { solver, tokens: Vec::new(), puzzles: Vec::new(), state }
    }

    pub(super) fn model(&self) -> &Model {
        &self.solver.model
    }

    /// How many more rows there is room for.
    pub(super) fn free(&self) -> usize {
        self.solver.batch - self.puzzles.len()
    }

    /// Lets rows join, behind the others and in their initial state. The model can read them.
    pub(super) fn join(&mut self, question: Question<'_>) {
        if question.puzzles.is_empty() {
            return;
        }
        let fresh = self.model().initial_state(question.puzzles.len(), self.solver.dtype);
        self.state = self.state.join(&fresh);
        self.tokens.extend(question.tokens);
        self.puzzles.extend(question.puzzles);
    }

    /// Lets the rows leave whose flag is false. The others keep their order and their state.
    pub(super) fn retain(&mut self, keep: &[bool]) {
        let rows: Vec<usize> = (0..keep.len()).filter(|row| keep[*row]).collect();
        if rows.len() == keep.len() {
            return;
        }
        let cells = self.model().config().seq_len;
        let State { y, z } = &self.state;
        self.state = State { y: y.select_rows(&rows), z: z.select_rows(&rows) };
        self.tokens =
            rows.iter().flat_map(|row| &self.tokens[row * cells..][..cells]).copied().collect();
        self.puzzles = rows.iter().map(|row| self.puzzles[*row]).collect();
    }

    /// One more supervision step for all rows, of which there is at least one.
    ///
    /// # Errors
    /// [`Error::Stopped`], or if the device is lost; the rows are as before then.
    pub(super) fn step(&mut self) -> Result<Drafts, Error> {
        let Solver { model, stop, .. } = &self.solver;
        let question = Question { tokens: &self.tokens, puzzles: &self.puzzles };
        let (tape, state) = (Tape::off(model.device()).until(stop), self.state.clone());
        let step = model.device().install(|| model.supervision_step(&tape, question, state));
        if stop.is_requested() {
            return Err(Error::Stopped); // what has been computed means nothing
        }
        let (answers, q) = (step.answers()?, step.q.to_f32_vec()?);
        let logits = step.logits.to_f32_vec()?;
        self.state = step.state;
        Ok(Drafts { answers, q, logits })
    }

    /// `[S]`: the question of a row.
    pub(super) fn question(&self, row: usize) -> &[u8] {
        let cells = self.model().config().seq_len;
        &self.tokens[row * cells..][..cells]
    }

    /// Replaces a token of a row's question; its state stays.
    pub(super) fn replace(&mut self, row: usize, cell: usize, token: u8) {
        let cells = self.model().config().seq_len;
        self.tokens[row * cells + cell] = token;
    }

    /// Adds noise to a row's y, and to its z if `both`; `noise` gives one term after the other.
    pub(super) fn perturb(&mut self, row: usize, both: bool, mut noise: impl FnMut() -> f32) {
        let terms = self.state.y.len() / self.puzzles.len();
        let mut perturb = |tensor: &mut Tensor| {
            let terms: Vec<f32> = (0..terms).map(|_| noise()).collect();
            tensor.add_to_row(row, &terms);
        };
        perturb(&mut self.state.y);
        if both {
            perturb(&mut self.state.z);
        }
    }
}
