//! Judging a marked path by the rules.

use super::grid::{Cell, Maze};
use super::path::{label, neighbours, shortest};
use crate::Verdict;
use std::fmt;

/// What the marks of an answer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathVerdict {
    /// The shortest path of the labelling rule ([`label`]).
    Exact,
    /// Another shortest path.
    Shortest,
    /// A path from start to goal with so many cells more than needed.
    Longer(usize),
    /// No path: not every mark is on one line from start to goal, or walls or ends were changed.
    Broken,
}

impl PathVerdict {
    /// Whether it is a shortest path.
    pub fn is_solved(&self) -> bool {
        matches!(self, PathVerdict::Exact | PathVerdict::Shortest)
    }

    /// Itself in words, but for the number of cells.
    pub fn kind(&self) -> &'static str {
        match self {
            PathVerdict::Exact => "the path of the labelling rule",
            PathVerdict::Shortest => "another shortest path",
            PathVerdict::Longer(_) => "a longer path",
            PathVerdict::Broken => "no path",
        }
    }
}

impl fmt::Display for PathVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathVerdict::Exact => f.write_str("a shortest path, that of the labelling rule"),
            PathVerdict::Shortest => f.write_str("a shortest path, not that of the labelling rule"),
            PathVerdict::Longer(1) => f.write_str("a path, 1 cell longer than needed"),
            PathVerdict::Longer(more) => write!(f, "a path, {more} cells longer than needed"),
            PathVerdict::Broken => f.write_str("no path from S to G"),
        }
    }
}

impl From<PathVerdict> for Verdict {
    fn from(found: PathVerdict) -> Verdict {
        Verdict::Judged { right: found.is_solved(), kind: found.kind(), words: found.to_string() }
    }
}

/// Why the marks of an answer are no path. Rows and columns are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// A cell that is no mark is another than in the question.
    #[error("row {0} column {1} is not as in the question")]
    Changed(usize, usize),
    /// A cell from which a walk could go on to several marks.
    #[error(
        "the marks are no single line from S to G: there are several ways on at row {0} column {1}"
    )]
    Forks(usize, usize),
    /// The last cell of a line that does not reach the goal.
    #[error("the marks are no single line from S to G: the line from S ends at row {0} column {1}")]
    Ends(usize, usize),
    /// Marks are left over when the goal is reached.
    #[error("the marks are no single line from S to G: some lie beside the line that reaches G")]
    LeftOver,
}

/// Judges an answer, tokens of the question's cells, without a recorded one.
///
/// # Panics
/// If there are not as many tokens as cells.
pub fn judge(question: &Maze, answer: &[u8]) -> PathVerdict {
    let Ok(path) = path(question, answer) else { return PathVerdict::Broken };
    let Some(needed) = shortest(question) else { return PathVerdict::Broken };
    match path.len() - needed {
        0 if label(question).is_ok_and(|label| label.to_tokens() == answer) => PathVerdict::Exact,
        0 => PathVerdict::Shortest,
        more => PathVerdict::Longer(more),
    }
}

/// The cells from start to goal, both ends included, if the marks of an answer are a path and everything else is as
/// in the question.
///
/// # Errors
/// Says why they are none, and where.
///
/// # Panics
/// If there are not as many tokens as cells.
pub(super) fn path(question: &Maze, answer: &[u8]) -> Result<Vec<usize>, PathFault> {
    assert_eq!(answer.len(), question.cells().len(), "a token for every cell");
    let is_kept = |(cell, token): (&Cell, &u8)| {
        *token == *cell as u8 || (*cell == Cell::Free && *token == Cell::Path as u8)
    };
    let place = |cell: usize| (cell / question.width() + 1, cell % question.width() + 1);
    if let Some(changed) = question.cells().iter().zip(answer).position(|pair| !is_kept(pair)) {
        let (row, column) = place(changed);
        return Err(PathFault::Changed(row, column));
    }
    let marks = answer.iter().filter(|token| **token == Cell::Path as u8).count();
    walk(question, answer, marks).map_err(|(cell, ways)| {
        let (row, column) = place(cell);
        match ways {
            0 if neighbours(question, cell).any(|n| n == question.ends().1) => PathFault::LeftOver,
            0 => PathFault::Ends(row, column),
            _ => PathFault::Forks(row, column),
        }
    })
}

/// Walks from start to goal over all marks, each once: at every mark but for the last there is one other mark to go
/// to. Fails with the cell where there is none, or are several, and their number.
fn walk(maze: &Maze, answer: &[u8], marks: usize) -> Result<Vec<usize>, (usize, usize)> {
    let (start, goal) = maze.ends();
    let (mut line, mut cell) = (vec![start], start);
    for _ in 0..marks {
        let before = line.iter().nth_back(1);
        let is_next = |n: &usize| answer[*n] == Cell::Path as u8 && Some(n) != before;
        let mut next = neighbours(maze, cell).filter(is_next);
        match (next.next(), next.count()) {
            (Some(only), 0) => cell = only,
            (None, _) => return Err((cell, 0)),
            (Some(_), others) => return Err((cell, 1 + others)),
        }
        line.push(cell);
    }
    if !neighbours(maze, cell).any(|n| n == goal) {
        return Err((cell, 0));
    }
    line.push(goal);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(question: &str, answer: &str) -> PathVerdict {
        let answer = Maze::parse(answer).unwrap().to_tokens();
        judge(&Maze::parse(question).unwrap(), &answer)
    }

    #[test]
    fn four_kinds_of_answers_are_told_apart() {
        const OPEN: &str = "S...\n....\n....\n...G";
        assert_eq!(verdict(OPEN, "S...\no...\no...\noooG"), PathVerdict::Exact);
        assert_eq!(verdict(OPEN, "Sooo\n...o\n...o\n...G"), PathVerdict::Shortest);
        assert_eq!(verdict("S.G\n...\n...", "S.G\no.o\nooo"), PathVerdict::Longer(4));
        assert_eq!(verdict(OPEN, "S...\no...\n....\noooG"), PathVerdict::Broken);
        assert_eq!(verdict(OPEN, OPEN), PathVerdict::Broken);
        // a stray mark, and a wall that was opened
        assert_eq!(verdict(OPEN, "S..o\no...\no...\noooG"), PathVerdict::Broken);
        assert_eq!(verdict("S#G\n...\n...", "SoG\n...\n..."), PathVerdict::Broken);
        assert_eq!(verdict("SG\n..", "SG\n.."), PathVerdict::Exact);
    }

    #[test]
    fn faults_of_marks_are_named_with_their_place() {
        let fault = |question: &str, answer: &str| {
            let answer = Maze::parse(answer).unwrap().to_tokens();
            path(&Maze::parse(question).unwrap(), &answer).unwrap_err()
        };
        const OPEN: &str = "S...\n....\n....\n...G";
        assert_eq!(fault(OPEN, "S...\no...\n....\noooG"), PathFault::Ends(2, 1));
        assert_eq!(fault(OPEN, OPEN), PathFault::Ends(1, 1));
        assert_eq!(fault(OPEN, "Sooo\noo.o\n...o\n...G"), PathFault::Forks(1, 1));
        assert_eq!(fault(OPEN, "S..o\no...\no...\noooG"), PathFault::LeftOver);
        assert_eq!(fault(OPEN, "S.#.\no...\no...\noooG"), PathFault::Changed(1, 3));
        assert_eq!(fault("S#G\n...\n...", "SoG\n...\n..."), PathFault::Changed(1, 2));
    }

    #[test]
    fn any_tokens_are_judged() {
        let question = Maze::parse("S..\n...\n..G").unwrap();
        for token in 0..=u8::MAX {
            assert_eq!(judge(&question, &[token; 9]), PathVerdict::Broken);
        }
    }
}
