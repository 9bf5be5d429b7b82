//! What checking an answer against the rules found.

use crate::Ruling;
use std::fmt;

/// The outcome of checking an answer against its question by the rules of the puzzle, without
/// looking at a recorded answer. Printed, it is one line for a person.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Of puzzles made of constraints, such as Sudoku.
    Constraints(ConstraintVerdict),
    /// Of other puzzles.
    Judged {
        /// Whether the answer solves the question.
        right: bool,
        /// What the answer is, in words without numbers: several answers can be of a kind.
        kind: &'static str,
        /// What was found, in words.
        words: String,
    },
    /// Of a judge from outside ([`Domain::judged_by`](crate::Domain::judged_by)).
    Ruled(Ruling),
    /// There are no rules to check an answer by.
    Unchecked,
}

impl Verdict {
    /// Whether the answer solves the question; `None` where there are no rules to decide it.
    pub fn decision(&self) -> Option<bool> {
        match self {
            Verdict::Constraints(verdict) => Some(verdict.is_solved()),
            Verdict::Judged { right, .. } => Some(*right),
            Verdict::Ruled(ruling) => ruling.right,
            Verdict::Unchecked => None,
        }
    }

    /// Whether the answer is known to solve the question.
    pub fn is_solved(&self) -> bool {
        self.decision() == Some(true)
    }

    /// What a judge from outside says, if one has judged.
    pub fn ruling(&self) -> Option<&Ruling> {
        match self {
            Verdict::Ruled(ruling) => Some(ruling),
            _ => None,
        }
    }

    /// What the answer is, where the rules of the puzzle tell more than right from wrong: of a maze, "another
    /// shortest path".
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Verdict::Judged { kind, .. } => Some(kind),
            _ => None,
        }
    }

    /// Cells of the answer that are known to be at fault.
    pub fn broken(&self) -> &[usize] {
        self.ruling().map_or(&[], |ruling| &ruling.broken)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Constraints(verdict) => verdict.fmt(f),
            Verdict::Judged { words, .. } => f.write_str(words),
            Verdict::Ruled(ruling) => ruling.fmt(f),
            Verdict::Unchecked => f.write_str("not checked: there are no rules to check by"),
        }
    }
}

/// How many constraints an answer violates.
///
///
/// ```
/// use trm_puzzles::sudoku::{Grid, verify};
///
/// let question: Grid = "1.....3..4.....2".parse()?;
/// let answer: Grid = "1324423124133142".parse()?;
/// assert_eq!(
///     verify(&question, &answer).to_string(),
///     "solved: all 12 rows, columns and boxes right"
/// );
/// let answer: Grid = "132442312413314.".parse()?;
/// assert_eq!(
///     verify(&question, &answer).to_string(),
///     "not solved: 3 of 12 rows, columns and boxes wrong, 1 given changed, 1 cell blank"
/// );
/// # Ok::<(), trm_puzzles::sudoku::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConstraintVerdict {
    /// Cells filled in the question that hold something else in the answer.
    pub givens_changed: usize,
    /// Cells of the answer that hold no value.
    pub blanks: usize,
    /// How many of the `checks` failed.
    pub violations: usize,
    /// How many constraints were checked.
    pub checks: usize,
    /// What the constraints are called, in the plural: "rows, columns and boxes".
    pub checked: &'static str,
}

impl ConstraintVerdict {
    /// Whether the answer solves the question: nothing violated, nothing blank, every given kept.
    pub fn is_solved(&self) -> bool {
        self.givens_changed == 0 && self.blanks == 0 && self.violations == 0
    }
}

impl fmt::Display for ConstraintVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checks, checked, .. } = self;
        if self.is_solved() {
            return write!(f, "solved: all {checks} {checked} right");
        }
        let mut faults = Vec::new();
        if self.violations > 0 {
            faults.push(format!("{} of {checks} {checked} wrong", self.violations));
        }
        if self.givens_changed > 0 {
            let noun = if self.givens_changed == 1 { "given" } else { "givens" };
            faults.push(format!("{} {noun} changed", self.givens_changed));
        }
        if self.blanks > 0 {
            let noun = if self.blanks == 1 { "cell" } else { "cells" };
            faults.push(format!("{} {noun} blank", self.blanks));
        }
        write!(f, "not solved: {}", faults.join(", "))
    }
}
