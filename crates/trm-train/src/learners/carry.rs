use crate::Error;
use rand::{Rng, RngExt};
use trm::{Model, Question, State, Step};
use trm_data::Example;
use trm_ops::DType;

/// The persistent batch (docs/REFERENCE.md section 3): rows keep their example and detached state until
/// they halt, then begin anew with a fresh one.
#[derive(Clone, Debug)]
pub struct Carry {
    /// Recursive state of all rows.
    pub state: State,
    /// `[B · S]` tokens of the questions.
    pub questions: Vec<u8>,
    /// `[B · S]` tokens of the answers.
    pub answers: Vec<u8>,
    /// `[B]` puzzle identifiers.
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
    /// A batch in which every row waits for its first example.
    pub fn new(model: &Model, batch: usize, dtype: DType) -> Carry {
        let cells = batch * model.config().seq_len;
        Carry {
            state: model.initial_state(batch, dtype),
            questions: vec![0; cells],
            answers: vec![0; cells],
            puzzles: vec![0; batch],
            steps: vec![0; batch],
            halted: vec![true; batch],
        }
    }

    /// Gives every halted row a fresh example and a fresh state.
    pub fn refill(&mut self, model: &Model, mut fresh: impl FnMut(usize) -> Example) {
        let cells = model.config().seq_len;
        for row in (0..self.halted.len()).filter(|row| self.halted[*row]) {
            let example = fresh(row);
            self.questions[row * cells..][..cells].copy_from_slice(&example.question);
            self.answers[row * cells..][..cells].copy_from_slice(&example.answer);
            self.puzzles[row] = example.puzzle;
            self.steps[row] = 0;
            model.reset(&mut self.state, row);
        }
        self.halted.fill(false);
    }

    /// What the model is asked.
    pub fn question(&self) -> Question<'_> {
        Question { tokens: &self.questions, puzzles: &self.puzzles }
    }

    /// Takes over the state of a supervision step and decides which rows halt.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn advance(
        &mut self,
        step: &Step,
        halting: Halting,
        rng: &mut impl Rng,
    ) -> Result<(), Error> {
        self.state = step.state.clone();
        let Halting { max_steps, exploration } = halting;
        for (row, logit) in step.halt_logits()?.into_iter().enumerate() {
            self.steps[row] += 1;
            let explore = max_steps > 1 && rng.random_bool(exploration as f64);
            let minimum = if explore { rng.random_range(2..=max_steps) } else { 0 };
            let done = self.steps[row] >= max_steps || (max_steps > 1 && logit > 0.0);
            self.halted[row] = done && self.steps[row] >= minimum;
        }
        Ok(())
    }
}
