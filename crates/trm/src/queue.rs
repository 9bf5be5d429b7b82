//! A batch that is kept full from a queue of puzzles.

use crate::model::Question;
use crate::solver::{Draft, Session};
use std::collections::VecDeque;

/// How long a puzzle is thought about, and how many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Supervision steps of a puzzle at most; 0 counts as 1.
    pub steps: usize,
    /// Puzzles at a time; 0 counts as 1. Changes speed and memory, never an answer.
    pub batch: usize,
    /// Whether a puzzle is done at its first step with a halting logit above 0; otherwise every
    /// puzzle gets all its steps.
    pub halt: bool,
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
    /// Above 0 the model holds the draft to be right.
    pub halt_logit: f32,
    /// `[S · V]`.
    pub logits: Vec<f32>,
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
    /// `session` is empty, `question` has been checked.
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
    fn step(&mut self) {
        let draft = self.session.step();
        self.rows.iter_mut().for_each(|(_, steps)| *steps += 1);
        self.ready = self.thoughts(&draft);
        let keep: Vec<bool> = self.ready.iter().map(|thought| !thought.last).collect();
        self.session.retain(&keep);
        let mut kept = keep.iter();
        self.rows.retain(|_| *kept.next().expect("one flag per row"));
    }

    fn thoughts(&self, draft: &Draft) -> VecDeque<Thought> {
        let batch = self.rows.len();
        let logits = draft.logits.to_f32_vec();
        let answers = draft.answers.chunks_exact(draft.answers.len() / batch);
        let rows = self.rows.iter().zip(&draft.halt_logits);
        rows.zip(answers.zip(logits.chunks_exact(logits.len() / batch)))
            .map(|((&(puzzle, step), &halt_logit), (answer, logits))| Thought {
                puzzle,
                step,
                last: step == self.limits.steps || (self.limits.halt && halt_logit > 0.0),
                answer: answer.to_vec(),
                halt_logit,
                logits: logits.to_vec(),
            })
            .collect()
    }
}

impl Iterator for Thoughts<'_, '_> {
    type Item = Thought;

    fn next(&mut self) -> Option<Thought> {
        if self.ready.is_empty() {
            self.refill();
            if !self.rows.is_empty() {
                self.step();
            }
        }
        self.ready.pop_front()
    }
}
