//! Who knows the rules.

use crate::error::Error;
use rand::Rng;

/// What the rules say of a draft.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judgement {
    /// It is an answer, whatever the model thinks.
    Right {
        /// What it costs, where answers differ in that: the lower the better. With a cost the search goes on for a
        /// cheaper answer until its chains have taken all their steps; without one it ends here.
        cost: Option<f64>,
    },
    /// It is none.
    Wrong,
    /// They do not decide.
    Unknown,
}

/// Turns an answer to the augmentation of a puzzle into one to the puzzle.
pub type Undo = Box<dyn Fn(&mut [u8]) + Send>;

/// The rules of the puzzles that are searched.
pub trait Referee: Send {
    /// Judges a draft by the rules alone.
    ///
    /// # Errors
    /// If there is no judgement: the search ends, with [`Error::Referee`] to say why.
    fn judge(&mut self, question: &[u8], draft: &[u8]) -> Result<Judgement, Error>;

    /// Judges the drafts of a step, each with its question, in their order; for referees that can judge several at
    /// the same time.
    ///
    /// # Errors
    /// The first of [`judge`](Referee::judge).
    fn judge_all(&mut self, drafts: &[(&[u8], &[u8])]) -> Result<Vec<Judgement>, Error> {
        drafts.iter().map(|(question, draft)| self.judge(question, draft)).collect()
    }

    /// Puts back into a draft what the question says for certain: the givens of a Sudoku.
    fn restore_givens(&self, question: &[u8], draft: &mut [u8]) {
        let _ = (question, draft);
    }

    /// Replaces a question by a random augmentation of the same difficulty; `None` leaves it as it is.
    fn augment_question(&mut self, question: &mut [u8], rng: &mut dyn Rng) -> Option<Undo>;

    /// Whether a question with this token in a cell could as well have a token of the answer there: a
    /// blank of Sudoku. Without such tokens chains suppose nothing.
    fn is_open(&self, token: u8) -> bool {
        let _ = token;
        false
    }
}
