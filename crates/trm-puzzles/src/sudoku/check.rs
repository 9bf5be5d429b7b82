//! Whether a question is a puzzle: no clash, and exactly one solution.

use std::fmt;

use super::grid::Grid;
use super::shape::{Shape, Unit};
use super::solve::{Solutions, solutions};

/// Why a grid is not a puzzle with one solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PuzzleError {
    /// Two givens of one unit are the same.
    #[error("two {digit}s in {unit} ({}): correct or remove one", Pair(self))]
    Clash {
        /// The digit.
        digit: u8,
        /// The row, column or box.
        unit: Unit,
        /// The first cell, counted from 0 along the rows.
        first: usize,
        /// The second cell.
        second: usize,
        /// The shape of the grid.
        shape: Shape,
    },
    /// The givens contradict one another.
    #[error("no solution: some of the givens must be wrong")]
    NoSolution,
    /// The givens leave a choice.
    #[error(
        "several solutions: row {row} column {column} can be {} or {}; more givens are needed",
        digits[0], digits[1]
    )]
    SeveralSolutions {
        /// The row of the first cell where two solutions differ, counted from 1.
        row: usize,
        /// The column of that cell, counted from 1.
        column: usize,
        /// What stands there in the two solutions, ascending.
        digits: [u8; 2],
    },
}

/// The places of a clash, in words.
struct Pair<'a>(&'a PuzzleError);

impl fmt::Display for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &PuzzleError::Clash { unit, first, second, shape, .. } = self.0 else {
            return Ok(());
        };
        let [(row_1, column_1), (row_2, column_2)] =
            [first, second].map(|cell| (cell / shape.size() + 1, cell % shape.size() + 1));
        match unit {
            Unit::Row(_) => write!(f, "columns {column_1} and {column_2}"),
            Unit::Column(_) => write!(f, "rows {row_1} and {row_2}"),
            Unit::Box(_) => {
                write!(f, "row {row_1} column {column_1} and row {row_2} column {column_2}")
            }
        }
    }
}

/// Checks that a question has exactly one solution, and returns it.
///
/// ```
/// use trm_puzzles::sudoku::{Grid, check_question};
///
/// let question: Grid = "1.....3..4.....2".parse()?;
/// assert_eq!(check_question(&question)?.to_string(), "1324423124133142");
///
/// let clash: Grid = "1..1..3..4.....2".parse()?;
/// assert_eq!(
///     check_question(&clash).unwrap_err().to_string(),
///     "two 1s in row 1 (columns 1 and 4): correct or remove one"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_question(question: &Grid) -> Result<Grid, PuzzleError> {
    if let Some(clash) = find_clash(question) {
        return Err(clash);
    }
    let (first, other) = match solutions(question) {
        Solutions::None => return Err(PuzzleError::NoSolution),
        Solutions::One(solution, _) => return Ok(solution),
        Solutions::Several(first, other) => (first, other),
    };
    let size = question.shape().size();
    let pairs = first.cells().iter().zip(other.cells());
    let (cell, (&one, &two)) =
        pairs.enumerate().find(|(_, (one, two))| one != two).expect("solutions differ");
    let (row, column) = (cell / size + 1, cell % size + 1);
    Err(PuzzleError::SeveralSolutions { row, column, digits: [one.min(two), one.max(two)] })
}

fn find_clash(question: &Grid) -> Option<PuzzleError> {
    let shape = question.shape();
    shape.units().find_map(|unit| {
        let mut seen = [None; 10];
        unit.cells(shape).filter(|&cell| question.get(cell) != 0).find_map(|second| {
            let digit = question.get(second);
            let first = seen[usize::from(digit)].replace(second)?;
            Some(PuzzleError::Clash { digit, unit, first, second, shape })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(question: &str) -> String {
        check_question(&question.parse().unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn clashes_are_named_by_unit_and_cells() {
        let nine = |row: usize, line: &str| {
            let mut rows = ["........."; 9].map(String::from);
            rows[row] = line.to_owned();
            rows.concat()
        };
        assert_eq!(
            message(&nine(2, ".5....5..")),
            "two 5s in row 3 (columns 2 and 7): correct or remove one"
        );
        assert_eq!(
            message("...3 .... ...3 ...."),
            "two 3s in column 4 (rows 1 and 3): correct or remove one"
        );
        assert_eq!(
            message("...... ...... ...... ...... ....2. ...2.."),
            "two 2s in box 6 (row 5 column 5 and row 6 column 4): correct or remove one"
        );
    }

    #[test]
    fn too_much_and_too_little() {
        assert_eq!(message("12.. ...3 .... ...."), "no solution: some of the givens must be wrong");
        assert_eq!(
            message("..34 3412 ..43 4321"),
            "several solutions: row 1 column 1 can be 1 or 2; more givens are needed"
        );
    }
}
