//! Grids of colours, and the tasks made of them.

use super::canvas::SIDE;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A rectangle of colours 0 to 9, at most 30 × 30. In files it is its rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<i64>>", into = "Vec<Vec<i64>>")]
pub struct Grid {
    width: usize,
    cells: Vec<u8>,
}

impl TryFrom<Vec<Vec<i64>>> for Grid {
    type Error = GridError;

    fn try_from(rows: Vec<Vec<i64>>) -> Result<Grid, GridError> {
        Grid::from_rows(&rows)
    }
}

impl From<Grid> for Vec<Vec<i64>> {
    fn from(grid: Grid) -> Vec<Vec<i64>> {
        grid.rows().map(|row| row.iter().map(|colour| i64::from(*colour)).collect()).collect()
    }
}

/// Why rows of numbers are not a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// No cells.
    #[error("an empty grid")]
    Empty,
    /// More than 30 rows or columns.
    #[error("{height}×{width} cells: a grid has at most {SIDE}×{SIDE}")]
    TooLarge {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// Rows of different lengths.
    #[error("row {row} has {found} cells where the first has {expected}")]
    Ragged {
        /// Row, from 1.
        row: usize,
        /// Its cells.
        found: usize,
        /// Those of the first row.
        expected: usize,
    },
    /// A number that is no colour.
    #[error("{found} at row {row} column {column}: colours are 0 to 9")]
    Colour {
        /// What stands there.
        found: i64,
        /// Row, from 1.
        row: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A character that is no colour.
    #[error("{found:?} at row {row} column {column}: colours are 0 to 9")]
    Symbol {
        /// What stands there.
        found: char,
        /// Row, from 1.
        row: usize,
        /// Column, from 1.
        column: usize,
    },
}

impl Grid {
    /// A grid from its rows.
    ///
    /// ```
    /// use trm_puzzles::arc::Grid;
    ///
    /// let grid = Grid::from_rows(&[vec![0, 7, 0], vec![7, 7, 7]])?;
    /// assert_eq!((grid.width(), grid.height()), (3, 2));
    /// assert_eq!(grid.to_string(), "070\n777");
    /// # Ok::<(), trm_puzzles::arc::GridError>(())
    /// ```
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn from_rows(rows: &[Vec<i64>]) -> Result<Grid, GridError> {
        let (height, width) = (rows.len(), rows.first().map_or(0, Vec::len));
        if height == 0 || width == 0 {
            return Err(GridError::Empty);
        }
        if height > SIDE || width > SIDE {
            return Err(GridError::TooLarge { height, width });
        }
        let mut cells = Vec::with_capacity(height * width);
        for (row, values) in (1..).zip(rows) {
            if values.len() != width {
                return Err(GridError::Ragged { row, found: values.len(), expected: width });
            }
            for (column, &found) in (1..).zip(values) {
                let colour = u8::try_from(found).ok().filter(|colour| *colour < 10);
                cells.push(colour.ok_or(GridError::Colour { found, row, column })?);
            }
        }
        Ok(Grid { width, cells })
    }

    /// A grid from its cells, row by row.
    ///
    /// # Panics
    /// If they are no grid.
    pub(super) fn new(width: usize, cells: Vec<u8>) -> Grid {
        assert!(width > 0 && !cells.is_empty() && cells.len().is_multiple_of(width), "whole rows");
        assert!(cells.iter().all(|colour| *colour < 10), "colours");
        Grid { width, cells }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.cells.len() / self.width
    }

    /// The colours, row by row.
    pub fn cells(&self) -> &[u8] {
        &self.cells
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.cells.chunks_exact(self.width)
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, row) in self.rows().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            row.iter().try_for_each(|colour| write!(f, "{colour}"))?;
        }
        Ok(())
    }
}

/// An input and, unless it is to be found, its output.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// The question.
    pub input: Grid,
    /// The answer.
    pub output: Option<Grid>,
}

/// Pairs that show a rule, and inputs to apply it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name, such as `007bbfb7`.
    pub name: String,
    /// Pairs that show the rule; all have outputs.
    pub train: Vec<Pair>,
    /// Inputs to apply it to; outputs where they are known.
    pub test: Vec<Pair>,
}

impl Task {
    /// Whether two tasks are the same by their content: the same pairs that show the rule, in any order.
    pub fn shows_the_same(&self, other: &Task) -> bool {
        let sorted = |task: &Task| {
            let mut pairs = task.train.clone();
            pairs.sort();
            pairs
        };
        self.train.len() == other.train.len() && sorted(self) == sorted(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_grid_is_refused_with_its_place() {
        let message = |rows: &[Vec<i64>]| Grid::from_rows(rows).unwrap_err().to_string();
        assert_eq!(message(&[]), "an empty grid");
        assert_eq!(message(&[vec![]]), "an empty grid");
        assert_eq!(message(&[vec![1, 2], vec![3]]), "row 2 has 1 cells where the first has 2");
        assert_eq!(message(&[vec![1, 10]]), "10 at row 1 column 2: colours are 0 to 9");
        assert_eq!(message(&[vec![-1]]), "-1 at row 1 column 1: colours are 0 to 9");
        assert_eq!(message(&vec![vec![0; 4]; 31]), "31×4 cells: a grid has at most 30×30");
    }

    #[test]
    fn tasks_are_compared_by_what_they_show() {
        let grid = |colour| Grid::from_rows(&[vec![colour]]).unwrap();
        let pair = |a, b| Pair { input: grid(a), output: Some(grid(b)) };
        let task =
            |name: &str, train: Vec<Pair>| Task { name: name.into(), train, test: Vec::new() };
        let one = task("a", vec![pair(1, 2), pair(3, 4)]);
        assert!(one.shows_the_same(&task("b", vec![pair(3, 4), pair(1, 2)])));
        assert!(!one.shows_the_same(&task("a", vec![pair(3, 4), pair(1, 5)])));
        assert!(!one.shows_the_same(&task("a", vec![pair(3, 4)])));
    }
}
