//! A batch that is kept full from a queue of puzzles.

use crate::error::Error;
use crate::model::Question;
use crate::solver::{Draft, Session};
use std::collections::VecDeque;

/// How long a puzzle is thought about, and how many at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Supervision steps of a puzzle at most; 0 counts as 1.
    pub steps: usize,
    /// Puzzles at a time; 0 counts as 1. Changes speed and memory, never an answer.
    pub batch: usize,
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
    /// Which puzzle: its place in the question.
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

pub(crate) fn is_sure(halt_logit: f32, threshold: f32) -> bool {
    let threshold = f64::from(threshold);
    f64::from(halt_logit) > (threshold / (1.0 - threshold)).ln()
}

/// The drafts of all puzzles of a question, from [`Solver::solve_all`](crate::Solver::solve_all).
///
/// Each puzzle's drafts come in the order of its steps. Of several puzzles in a batch, those that
/// came first come first at every step, so puzzles end in the order of their steps, not of the
/// question.
pub struct Thoughts<'m, 'q> {
    session: Session<'m>,
    question: Question<'q>,
    limits: Limits,
    /// Puzzles that have joined; the queue is the rest.
    joined: usize,
    /// For each row of the session its puzzle and the steps it has had.
    rows: Vec<(usize, usize)>,
    /// Drafts of the last step that have not been asked for yet.
    ready: VecDeque<Thought>,
}

impl<'m, 'q> Thoughts<'m, 'q> {
    /// `session` is empty, `question` and `limits` have been checked.
    pub(crate) fn new(session: Session<'m>, question: Question<'q>, limits: Limits) -> Self {
        let limits = Limits { steps: limits.steps.max(1), batch: limits.batch.max(1), ..limits };
        let (rows, ready) = (Vec::new(), VecDeque::new());
        Thoughts { session, question, limits, joined: 0, rows, ready }
    }

    /// Fills the batch from the queue.
    fn refill(&mut self) {
        let Question { tokens, puzzles } = self.question;
        let free = self.limits.batch - self.rows.len();
        let next = self.joined..puzzles.len().min(self.joined.saturating_add(free));
        if next.is_empty() {
            return;
        }
        let cells = tokens.len() / puzzles.len();
        let tokens = &tokens[next.start * cells..next.end * cells];
        self.session.join(Question { tokens, puzzles: &puzzles[next.clone()] });
        self.rows.extend(next.clone().map(|puzzle| (puzzle, 0)));
        self.joined = next.end;
    }

    /// One supervision step of the batch; puzzles that it finishes leave.
    fn step(&mut self) -> Result<(), Error> {
        let draft = self.session.step()?;
        self.rows.iter_mut().for_each(|(_, steps)| *steps += 1);
        self.ready = self.thoughts(&draft)?;
        let keep: Vec<bool> = self.ready.iter().map(|thought| !thought.last).collect();
        self.session.retain(&keep);
        let mut kept = keep.iter();
        self.rows.retain(|_| *kept.next().expect("one flag per row"));
        Ok(())
    }

    fn thoughts(&self, draft: &Draft) -> Result<VecDeque<Thought>, Error> {
        let batch = self.rows.len();
        let logits = draft.logits.to_f32_vec()?;
        let answers = draft.answers.chunks_exact(draft.answers.len() / batch);
        let rows = self.rows.iter().zip(&draft.halt_logits);
        let thoughts = rows
            .zip(answers.zip(logits.chunks_exact(logits.len() / batch)))
            .map(|((&(puzzle, step), &halt_logit), (answer, logits))| Thought {
                puzzle,
                step,
                last: step == self.limits.steps
                    || self.limits.halt.is_some_and(|threshold| is_sure(halt_logit, threshold)),
                answer: answer.to_vec(),
                halt_logit,
                logits: logits.to_vec(),
            })
            .collect();
        Ok(thoughts)
    }
}

impl Iterator for Thoughts<'_, '_> {
    type Item = Result<Thought, Error>;

    fn next(&mut self) -> Option<Result<Thought, Error>> {
        if self.ready.is_empty() {
            self.refill();
            if !self.rows.is_empty()
                && let Err(error) = self.step()
            {
                self.rows.clear(); // nothing follows an error
                self.joined = self.question.puzzles.len();
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
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
