use rand::{Rng, RngExt};
use std::ops::Range;
use trm::{Model, Question, State};
use trm_data::Example;
use trm_ops::DType;

/// The persistent batch (docs/REFERENCE.md section 3): rows keep their example and detached state until
/// they halt, then begin anew with a fresh one. Of a batch of B rows a process has R, all where it is alone.
#[derive(Clone, Debug)]
pub struct Carry {
    /// The rows of this process.
    pub rows: Range<usize>,
    /// Their recursive state.
    pub state: State,
    /// `[R · S]` tokens of their questions.
    pub questions: Vec<u8>,
    /// `[R · S]` tokens of their answers.
    pub answers: Vec<u8>,
    /// `[R]` their puzzle identifiers.
    pub puzzles: Vec<u32>,
    /// `[B]` supervision steps taken on the current example.
    pub steps: Vec<u32>,
    /// `[B]` whether the row is done with its example.
    pub halted: Vec<bool>,
}

/// When a row halts in training.
#[derive(Clone, Copy, Debug)]
pub struct Halting {
    /// N_sup: the last allowed step.
    pub max_steps: u32,
    /// Probability, per row and step, that a random minimum number of steps is demanded.
    pub exploration: f32,
}

impl Carry {
    /// Some rows of a batch in which every row waits for its first example.
    pub fn new(model: &Model, (batch, rows): (usize, Range<usize>), dtype: DType) -> Carry {
        let cells = rows.len() * model.config().seq_len;
        Carry {
            state: model.initial_state(rows.len(), dtype),
            questions: vec![0; cells],
            answers: vec![0; cells],
            puzzles: vec![0; rows.len()],
            rows,
            steps: vec![0; batch],
            halted: vec![true; batch],
        }
    }

    /// Gives every halted row of this process a fresh example and a fresh state; `fresh` gets its place in the batch.
    pub fn refill(&mut self, model: &Model, mut fresh: impl FnMut(usize) -> Example) {
        let cells = model.config().seq_len;
        for (row, place) in self.rows.clone().enumerate().filter(|(_, place)| self.halted[*place]) {
            let example = fresh(place);
            self.questions[row * cells..][..cells].copy_from_slice(&example.question);
            self.answers[row * cells..][..cells].copy_from_slice(&example.answer);
            self.puzzles[row] = example.puzzle;
            model.reset(&mut self.state, row);
        }
        for (steps, halted) in self.steps.iter_mut().zip(&mut self.halted) {
            if std::mem::take(halted) {
                *steps = 0;
            }
        }
    }

    /// What the model is asked.
    pub fn question(&self) -> Question<'_> {
        Question { tokens: &self.questions, puzzles: &self.puzzles }
    }

    /// Takes over the state of a supervision step and decides by the halting logits of all rows which of them halt.
    pub fn advance(
        &mut self,
        state: State,
        logits: impl Iterator<Item = f32>,
        halting: Halting,
        rng: &mut impl Rng,
    ) {
        self.state = state;
        let Halting { max_steps, exploration } = halting;
        for (row, logit) in logits.enumerate() {
            self.steps[row] += 1;
            let explore = max_steps > 1 && rng.random_bool(exploration as f64);
            let minimum = if explore { rng.random_range(2..=max_steps) } else { 0 };
            let done = self.steps[row] >= max_steps || (max_steps > 1 && logit > 0.0);
            self.halted[row] = done && self.steps[row] >= minimum;
        }
    }
}
