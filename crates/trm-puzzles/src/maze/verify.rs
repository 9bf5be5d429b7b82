//! Judging a marked path by the rules.

use super::grid::{Cell, Maze};
use super::path::{label, neighbours, shortest};
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

/// Judges an answer, tokens of the question's cells, without a recorded one.
///
/// # Panics
/// If there are not as many tokens as cells.
pub fn judge(question: &Maze, answer: &[u8]) -> PathVerdict {
    let Some(marks) = path(question, answer) else { return PathVerdict::Broken };
    let Some(needed) = shortest(question) else { return PathVerdict::Broken };
    match marks + 2 - needed {
        0 if label(question).is_ok_and(|label| label.to_tokens() == answer) => PathVerdict::Exact,
        0 => PathVerdict::Shortest,
        more => PathVerdict::Longer(more),
    }
}

/// How many cells an answer marks, if they are a path and everything else is as in the question.
///
/// # Panics
/// If there are not as many tokens as cells.
fn path(question: &Maze, answer: &[u8]) -> Option<usize> {
    assert_eq!(answer.len(), question.cells().len(), "a token for every cell");
    let marked = |cell: usize| answer[cell] == Cell::Path as u8;
    let kept = question.cells().iter().zip(answer).all(|(cell, token)| {
        *token == *cell as u8 || (*cell == Cell::Free && *token == Cell::Path as u8)
    });
    let marks = (0..answer.len()).filter(|cell| marked(*cell)).count();
    (kept && is_line(question, &marked, question.ends(), marks)).then_some(marks)
}

/// Whether a walk from start to goal can step on all marks, each once: at every mark but for the last there
/// is one other mark to go to.
fn is_line(
    maze: &Maze,
    marked: &impl Fn(usize) -> bool,
    (start, goal): (usize, usize),
    marks: usize,
) -> bool {
    let (mut before, mut cell) = (start, start);
    for _ in 0..marks {
        let mut next = neighbours(maze, cell).filter(|n| marked(*n) && *n != before);
        let (Some(only), None) = (next.next(), next.next()) else { return false };
        (before, cell) = (cell, only);
    }
    neighbours(maze, cell).any(|n| n == goal)
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
    fn any_tokens_are_judged() {
        let question = Maze::parse("S..\n...\n..G").unwrap();
        for token in 0..=u8::MAX {
            assert_eq!(judge(&question, &[token; 9]), PathVerdict::Broken);
        }
    }
}
