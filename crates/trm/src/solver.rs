//! The only path of inference: evaluation, `trm solve` and programs all go through it.

use crate::error::Error;
use crate::model::{Model, Question, State};
use crate::queue::{Limits, Thoughts};
use trm_ops::{DType, Stop, Tape, Tensor};

/// Runs a model on questions, one supervision step at a time.
#[derive(Clone, Copy)]
pub struct Solver<'m> {
    model: &'m Model,
    dtype: DType,
    stop: Option<&'m Stop>,
}

/// A batch of questions being thought about. Puzzles can leave it and join it between steps; what
/// one puzzle gets does not depend on the others, bit for bit.
pub struct Session<'m> {
    solver: Solver<'m>,
    tokens: Vec<u8>,
    puzzles: Vec<u32>,
    state: State,
}

/// The answers after a supervision step, in the order in which the puzzles joined.
#[derive(Clone, Debug)]
pub struct Draft {
    /// `[B · S]`: the likeliest token of every cell.
    pub answers: Vec<u8>,
    /// `[B]`: above 0 the model holds its answer rather to be right than wrong.
    pub halt_logits: Vec<f32>,
    /// `[B, S, V]`, f32.
    pub logits: Tensor,
}

impl<'m> Solver<'m> {
    /// A solver that keeps its activations in `dtype`.
    pub fn new(model: &'m Model, dtype: DType) -> Solver<'m> {
        Solver { model, dtype, stop: None }
    }

    /// Leaves work out as soon as `stop` is requested: drafts that are made from then on mean nothing.
    pub fn until(self, stop: &'m Stop) -> Solver<'m> {
        Solver { stop: Some(stop), ..self }
    }

    /// Begins with a batch, all of which thinks for as many steps as [`Session::step`] is called:
    /// `[B · S]` tokens, `[B]` puzzle identifiers.
    ///
    /// # Errors
    /// If tokens or identifiers do not fit the model.
    pub fn start(self, tokens: &[u8], puzzles: &[u32]) -> Result<Session<'m>, Error> {
        let mut session = self.empty();
        session.push(Question { tokens, puzzles })?;
        Ok(session)
    }

    /// Solves any number of puzzles, `limits.batch` at a time: a puzzle that is done leaves the
    /// batch and the next one takes its place, so that no work is spent on finished puzzles. The
    /// iterator gives every puzzle's drafts, step after step; the batch's next step is taken when
    /// it is asked for.
    ///
    /// # Errors
    /// If tokens or identifiers do not fit the model, or `limits.halt` is no probability above 0;
    /// nothing has been computed then.
    ///
    /// ```
    /// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// # use trm_ops::{DType, Device};
    /// use trm::{Config, Limits, Model, Question, Solver};
    /// # let config = Config { vocab_size: 6, seq_len: 16, hidden: 32, heads: 2, ..Config::default() };
    /// # let mut rng = ChaCha8Rng::seed_from_u64(1);
    /// # let model = Model::new(&config, &Device::cpu(1), &mut rng)?;
    ///
    /// let question = Question { tokens: &[1; 5 * 16], puzzles: &[0; 5] }; // five puzzles
    /// let limits = Limits { steps: 3, batch: 2, halt: Some(Limits::CAREFUL_HALT) };
    /// let mut answers = vec![Vec::new(); 5];
    /// for thought in Solver::new(&model, DType::F32).solve_all(question, limits)? {
    ///     let thought = thought?;
    ///     if thought.last {
    ///         answers[thought.puzzle] = thought.answer;
    ///     }
    /// }
    /// assert!(answers.iter().all(|answer| answer.len() == 16));
    /// # Ok::<(), trm::Error>(())
    /// ```
    pub fn solve_all<'q>(
        self,
        question: Question<'q>,
        limits: Limits,
    ) -> Result<Thoughts<'m, 'q>, Error> {
        limits.check()?;
        self.model.check(question)?;
        Ok(Thoughts::new(self.empty(), question, limits))
    }

    /// The model.
    pub fn model(&self) -> &'m Model {
        self.model
    }

    /// A session without puzzles.
    pub(crate) fn empty(self) -> Session<'m> {
        let state = self.model.initial_state(0, self.dtype);
        Session { solver: self, tokens: Vec::new(), puzzles: Vec::new(), state }
    }
}

impl Session<'_> {
    /// Number of puzzles in the batch.
    pub fn len(&self) -> usize {
        self.puzzles.len()
    }

    /// Whether all puzzles have left.
    pub fn is_empty(&self) -> bool {
        self.puzzles.is_empty()
    }

    /// Lets puzzles join, behind the others and in their initial state.
    ///
    /// # Errors
    /// If tokens or identifiers do not fit the model; the batch is as before then.
    pub fn push(&mut self, question: Question<'_>) -> Result<(), Error> {
        self.solver.model.check(question)?;
        self.join(question);
        Ok(())
    }

    /// Adds noise to one puzzle's y, and to its z if `both`; `noise` gives one term after the other.
    pub(crate) fn perturb(&mut self, row: usize, both: bool, mut noise: impl FnMut() -> f32) {
        let terms = self.state.y.len() / self.len();
        let mut perturb = |tensor: &mut Tensor| {
            let terms: Vec<f32> = (0..terms).map(|_| noise()).collect();
            tensor.add_to_row(row, &terms);
        };
        perturb(&mut self.state.y);
        if both {
            perturb(&mut self.state.z);
        }
    }

    /// `[B · S]`: the questions.
    pub(crate) fn tokens(&self) -> &[u8] {
        &self.tokens
    }

    /// Replaces a token of one puzzle's question; its state stays.
    pub(crate) fn replace(&mut self, row: usize, cell: usize, token: u8) {
        let cells = self.tokens.len() / self.len();
        self.tokens[row * cells + cell] = token;
    }

    /// [`Session::push`] of a question that has been checked.
    pub(crate) fn join(&mut self, question: Question<'_>) {
        let Solver { model, dtype, .. } = self.solver;
        let fresh = model.initial_state(question.puzzles.len(), dtype);
        self.state = self.state.join(&fresh);
        self.tokens.extend(question.tokens);
        self.puzzles.extend(question.puzzles);
    }

    /// Lets puzzles leave: those whose flag is false. The others keep their order and their state.
    ///
    /// # Panics
    /// If there is not one flag per puzzle.
    pub fn retain(&mut self, keep: &[bool]) {
        assert_eq!(keep.len(), self.len(), "one flag per puzzle");
        let rows: Vec<usize> = (0..keep.len()).filter(|row| keep[*row]).collect();
        if rows.len() == keep.len() {
            return;
        }
        let cells = self.solver.model.config().seq_len;
        self.state =
            State { y: self.state.y.select_rows(&rows), z: self.state.z.select_rows(&rows) };
        self.tokens =
            rows.iter().flat_map(|row| &self.tokens[row * cells..][..cells]).copied().collect();
        self.puzzles = rows.iter().map(|row| self.puzzles[*row]).collect();
    }

    /// One more supervision step for the whole batch; nothing for an empty one.
    ///
    /// # Errors
    /// If the network computes a NaN or an infinity.
    pub fn step(&mut self) -> Result<Draft, Error> {
        let model = self.solver.model;
        if self.is_empty() {
            let shape = [0, model.config().seq_len, model.config().vocab_size];
            let logits = Tensor::zeros(model.device(), &shape, DType::F32);
            return Ok(Draft { answers: Vec::new(), halt_logits: Vec::new(), logits });
        }
        let question = Question { tokens: &self.tokens, puzzles: &self.puzzles };
        let state = self.state.clone();
        let tape = Tape::off(model.device());
        let tape = match self.solver.stop {
            Some(stop) => tape.until(stop),
            None => tape,
        };
        let step = model.device().install(|| model.supervision_step(&tape, question, state));
        let (answers, halt_logits) = (step.answers()?, step.halt_logits()?);
        if !(step.logits.is_finite()? && step.q.is_finite()?) {
            return Err(Error::NotFinite);
        }
        self.state = step.state;
        Ok(Draft { answers, halt_logits, logits: step.logits })
    }
}
