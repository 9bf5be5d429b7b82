//! A queue of puzzles and the batch that it keeps full.

use super::batch::Batch;
use crate::error::Error;
use crate::model::Question;
use std::collections::VecDeque;
use std::iter;
use std::ops::Range;

/// How long a puzzle is thought about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Supervision steps at most; 0 counts as 1.
    pub steps: usize,
    /// A puzzle is done at its first step with a halting probability above this, in (0, 1]; without
    /// it every puzzle gets all its steps. So does 1, above which no probability is.
    pub halt: Option<f32>,
}

impl Limits {
    /// The threshold of the public code, which stops at a halting logit above 0: exactly that, its
    /// boundary included. On the 6×6 Sudoku of docs/RESULTS.md it costs a tenth of the right answers.
    pub const PUBLISHED_HALT: f32 = 0.5;

    /// A threshold that saves most steps and loses no accuracy that could be measured: chosen on
    /// puzzles that were neither trained nor tested on, see docs/RESULTS.md.
    pub const CAREFUL_HALT: f32 = 0.95;

    /// Refuses thresholds that are no probability, and 0.
    pub(crate) fn check(self) -> Result<(), Error> {
        match self.halt {
            Some(p) if !(p > 0.0 && p <= 1.0) => Err(Error::Halt(p)),
            _ => Ok(()),
        }
    }
}

/// One puzzle's draft after one of its supervision steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Thought {
    /// Which puzzle: the number that [`Session::push`] gave it.
    pub puzzle: usize,
    /// Supervision steps that it has had, from 1.
    pub step: usize,
    /// Whether it was the last one: the draft is the puzzle's answer.
    pub last: bool,
    /// `[S]`: the likeliest token of every cell.
    pub answer: Vec<u8>,
    /// Above 0 the model holds the draft rather to be right than wrong.
    pub halt_logit: f32,
    /// `[S · V]`.
    pub logits: Vec<f32>,
}

impl Thought {
    /// The model's belief that the draft is right: the logistic function of the halting logit.
    pub fn halt_probability(&self) -> f64 {
        1.0 / (1.0 + (-f64::from(self.halt_logit)).exp())
    }

    /// Whether the halting probability is above `threshold`, the one rule by which puzzles stop.
    /// Logits are compared, ln(p / (1 - p)) being that of a probability p: a probability rounds to
    /// 0.5 or 1 where its logit is not that of 0.5 or 1.
    pub fn is_sure(&self, threshold: f32) -> bool {
        is_sure(self.halt_logit, threshold)
    }
}

/// How sure a model is of each of so many cells: the probability of the likeliest token, by the softmax of its logits
/// `[S · V]`.
///
/// ```
/// let sure = trm::sureness(&[0.0, 0.0, 0.0, 100.0], 2);
/// assert_eq!(sure, [0.5, 1.0]);
/// ```
pub fn sureness(logits: &[f32], cells: usize) -> Vec<f32> {
    let of_cell = |logits: &[f32]| {
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        1.0 / logits.iter().map(|logit| (logit - largest).exp()).sum::<f32>()
    };
    logits.chunks(logits.len() / cells.max(1)).map(of_cell).collect()
}

pub(crate) fn is_sure(halt_logit: f32, threshold: f32) -> bool {
    let threshold = f64::from(threshold);
    f64::from(halt_logit) > (threshold / (1.0 - threshold)).ln()
}

/// Puzzles that a model thinks about, a batch of them at a time.
///
/// Push puzzles whenever there are any, step, take what has become of them. A puzzle that is done leaves the
/// batch at once and the next one takes its place. What one puzzle gets does not depend on the others, bit for bit:
/// not on who is in the batch, nor on who joins or leaves it.
///
/// ```
/// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// # use trm_ops::{DType, Device};
/// use trm::{Config, Limits, Model, Question, Solver};
/// # let config = Config { vocab_size: 6, seq_len: 16, hidden: 32, heads: 2, ..Config::default() };
/// # let mut rng = ChaCha8Rng::seed_from_u64(1);
/// # let model = Model::new(&config, &Device::cpu(1), &mut rng)?;
///
/// let mut session = Solver::new(model, DType::F32).batch(2).session();
/// let five = Question { tokens: &[1; 5 * 16], puzzles: &[0; 5] };
/// let careful = Limits { steps: 3, halt: Some(Limits::CAREFUL_HALT) };
/// assert_eq!(session.push(five, careful)?, 0..5);
/// session.step()?;
/// let one = Question { tokens: &[2; 16], puzzles: &[0] }; // another joins them
/// assert_eq!(session.push(one, Limits { steps: 1, halt: None })?, 5..6);
/// assert!(session.withdraw(4)); // and one does without an answer
///
/// let mut answers = vec![Vec::new(); 6];
/// for thought in session.thoughts() {
///     let thought = thought?;
///     answers[thought.puzzle] = thought.answer; // the last one stays
/// }
/// assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 16, 16, 0, 16]);
/// # Ok::<(), trm::Error>(())
/// ```
pub struct Session {
    batch: Batch,
    waiting: VecDeque<Waiting>,
    /// Of the batch.
    rows: Vec<Row>,
    /// Drafts that have not been taken.
    ready: VecDeque<Thought>,
    /// Puzzles so far.
    pushed: usize,
}

/// A puzzle that waits for a row.
struct Waiting {
    row: Row,
    tokens: Vec<u8>, // [S]
    identifier: u32,
}

/// A puzzle and how far it is.
struct Row {
    puzzle: usize,
    steps: usize,
    limits: Limits,
}

impl Session {
    pub(super) fn new(batch: Batch) -> Session {
        let (waiting, rows, ready) = (VecDeque::new(), Vec::new(), VecDeque::new());
        Session { batch, waiting, rows, ready, pushed: 0 }
    }

    /// Lets puzzles wait for their turn. Gives their numbers, by which drafts name them; a session counts its puzzles
    /// from 0.
    ///
    /// # Errors
    /// If tokens or identifiers do not fit the model, or `limits.halt` is no probability above 0; none of the
    /// puzzles is in the session then.
    pub fn push(&mut self, question: Question<'_>, limits: Limits) -> Result<Range<usize>, Error> {
        limits.check()?;
        self.batch.model().check(question)?;
        let first = self.pushed;
        self.pushed += question.puzzles.len();
        let waiting = question.puzzles.iter().enumerate().map(|(i, &identifier)| Waiting {
            row: Row { puzzle: first + i, steps: 0, limits },
            tokens: question.rows(i..i + 1).tokens.to_vec(),
            identifier,
        });
        self.waiting.extend(waiting);
        Ok(first..self.pushed)
    }

    /// Forgets a puzzle and its drafts; its row is free for the next step. Says whether the puzzle waited or was
    /// thought about.
    pub fn withdraw(&mut self, puzzle: usize) -> bool {
        self.ready.retain(|thought| thought.puzzle != puzzle);
        if let Ok(place) = self.waiting.binary_search_by_key(&puzzle, |w| w.row.puzzle) {
            return self.waiting.remove(place).is_some();
        }
        let keep: Vec<bool> = self.rows.iter().map(|row| row.puzzle != puzzle).collect();
        self.retain(&keep);
        keep.contains(&false)
    }

    /// Fills the batch with puzzles that wait and takes one supervision step, whose drafts can be taken then; nothing
    /// if there are no puzzles. Earlier drafts that nobody has taken are gone, but for the last one of a puzzle, its
    /// answer.
    ///
    /// # Errors
    /// [`Error::NotFinite`] names puzzles for which the network computes a NaN or an infinity: they have left the
    /// session, the others have had their step. After [`Error::Stopped`], or if the device is lost, no puzzle is left.
    pub fn step(&mut self) -> Result<(), Error> {
        self.ready.retain(|thought| thought.last);
        self.refill();
        if self.rows.is_empty() {
            return Ok(());
        }
        let drafts = self.batch.step().inspect_err(|_| {
            self.waiting.clear();
            self.retain(&vec![false; self.rows.len()]);
        })?;
        let (mut keep, mut broken) = (Vec::new(), Vec::new());
        for (row, draft) in self.rows.iter_mut().zip(drafts.rows()) {
            row.steps += 1;
            let &mut Row { puzzle, steps: step, limits } = row;
            let is_sure = |threshold| is_sure(draft.halt_logit, threshold);
            let last = step >= limits.steps || limits.halt.is_some_and(is_sure);
            keep.push(!last && draft.is_finite);
            if !draft.is_finite {
                broken.push(puzzle);
                continue;
            }
            let (answer, logits) = (draft.answer.to_vec(), draft.logits.to_vec());
            let halt_logit = draft.halt_logit;
            self.ready.push_back(Thought { puzzle, step, last, answer, halt_logit, logits });
        }
        self.retain(&keep);
        if broken.is_empty() { Ok(()) } else { Err(Error::NotFinite { puzzles: broken }) }
    }

    /// The next draft that has not been taken. Those of a step come in the order of the puzzles' numbers.
    pub fn take(&mut self) -> Option<Thought> {
        self.ready.pop_front()
    }

    /// All drafts until no puzzle is left, step after step: the next step is taken when all drafts of the last one
    /// have been. What an iterator has not given is still there for the next one.
    ///
    /// # Errors
    /// Items are those of [`Session::step`].
    pub fn thoughts(&mut self) -> impl Iterator<Item = Result<Thought, Error>> {
        iter::from_fn(|| {
            while self.ready.is_empty() && !self.is_empty() {
                if let Err(error) = self.step() {
                    return Some(Err(error));
                }
            }
            self.take().map(Ok)
        })
    }

    /// Rows of the batch that are in use.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Number of puzzles that wait or are thought about.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.rows.len()
    }

    /// Whether no puzzle waits or is thought about. There may still be drafts to take.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn refill(&mut self) {
        let next = self.waiting.drain(..self.batch.free().min(self.waiting.len()));
        let (mut tokens, mut puzzles) = (Vec::new(), Vec::new());
        for waiting in next {
            tokens.extend(waiting.tokens);
            puzzles.push(waiting.identifier);
            self.rows.push(waiting.row);
        }
        self.batch.join(Question { tokens: &tokens, puzzles: &puzzles });
    }

    /// Lets the puzzles of those rows leave whose flag is false.
    fn retain(&mut self, keep: &[bool]) {
        self.batch.retain(keep);
        let mut kept = keep.iter();
        self.rows.retain(|_| *kept.next().expect("one flag per row"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_half_is_a_logit_above_zero_and_one_is_never() {
        let tiny = f32::from_bits(1);
        let logits = [f32::NEG_INFINITY, -50.0, -tiny, -0.0, 0.0, tiny, 1e-20, 50.0, f32::INFINITY];
        for logit in logits {
            assert_eq!(is_sure(logit, Limits::PUBLISHED_HALT), logit > 0.0, "{logit}");
            assert!(!is_sure(logit, 1.0), "{logit}");
        }
        assert!(!is_sure(f32::NAN, 0.1));
    }

    #[test]
    fn the_rule_is_that_of_the_probability() {
        for threshold in [1e-6, 0.1, 0.5, 0.8, 0.95, 0.999_999] {
            for step in -2000..2000 {
                let halt_logit = step as f32 / 100.0 + 0.001;
                let (answer, logits) = (Vec::new(), Vec::new());
                let thought =
                    Thought { puzzle: 0, step: 1, last: true, answer, halt_logit, logits };
                let above = thought.halt_probability() > f64::from(threshold);
                assert_eq!(thought.is_sure(threshold), above, "{halt_logit} at {threshold}");
            }
        }
    }
}
