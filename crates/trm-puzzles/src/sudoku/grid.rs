//! A grid of digits and blanks.

use std::fmt;
use std::str::FromStr;

use super::parse::ParseError;
use super::shape::{MAX_CELLS, Shape};

/// A Sudoku grid: a question, an answer or anything between. Nothing is said about its rules;
/// the same digit may stand twice in a row.
///
/// Displayed, it is one line with `.` for blanks. See [`Grid::parse`] for reading.
///
/// ```
/// use trm_puzzles::sudoku::{Grid, Shape};
///
/// let grid: Grid = "1..4 .4.. ..4. 4..1".parse()?;
/// assert_eq!(grid.shape(), Shape::Four);
/// assert_eq!((grid.get(0), grid.get(1), grid.filled()), (1, 0, 6));
/// assert_eq!(grid.to_string(), "1..4.4....4.4..1");
/// assert_eq!(grid.to_tokens()[..4], [2, 1, 1, 5]);
/// # Ok::<(), trm_puzzles::sudoku::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grid {
    shape: Shape,
    // Cells beyond the shape's stay 0, which keeps the derived comparisons right.
    cells: [u8; MAX_CELLS],
}

/// Tokens that are not a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too few or too many tokens.
    #[error("found {found} tokens: a {shape} grid has {}", shape.cells())]
    Length {
        /// How many there are.
        found: usize,
        /// The shape asked for.
        shape: Shape,
    },
    /// A token that is neither a blank nor a digit.
    #[error(
        "token {token} at row {} column {}: a {shape} grid has tokens 1 (blank) to {} (digit {})",
        cell / shape.size() + 1,
        cell % shape.size() + 1,
        shape.size() + 1,
        shape.size()
    )]
    Value {
        /// The token.
        token: u8,
        /// Where it stands, counted from 0 along the rows.
        cell: usize,
        /// The shape asked for.
        shape: Shape,
    },
}

impl Grid {
    /// A grid of blanks.
    pub const fn empty(shape: Shape) -> Grid {
        Grid { shape, cells: [0; MAX_CELLS] }
    }

    /// The shape of the grid.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The digits along the rows, 0 for blanks.
    pub fn cells(&self) -> &[u8] {
        &self.cells[..self.shape.cells()]
    }

    /// The digit in a cell, 0 if blank.
    pub fn get(&self, cell: usize) -> u8 {
        self.cells()[cell]
    }

    /// Puts a digit, or 0 for a blank, into a cell.
    ///
    /// # Panics
    /// If the shape has no such cell or digit.
    pub fn set(&mut self, cell: usize, digit: u8) {
        let shape = self.shape;
        assert!(usize::from(digit) <= shape.size(), "no digit {digit} in a {shape} grid");
        self.cells[..shape.cells()][cell] = digit;
    }

    /// How many cells hold a digit.
    pub fn filled(&self) -> usize {
        self.cells().iter().filter(|&&digit| digit != 0).count()
    }

    /// The grid as tokens: 1 for a blank, `d + 1` for digit `d`.
    pub fn to_tokens(&self) -> Vec<u8> {
        self.cells().iter().map(|digit| digit + 1).collect()
    }

    /// Reads the tokens of a puzzle, where only blanks and digits may stand.
    pub fn from_tokens(shape: Shape, tokens: &[u8]) -> Result<Grid, TokenError> {
        if tokens.len() != shape.cells() {
            return Err(TokenError::Length { found: tokens.len(), shape });
        }
        let mut grid = Grid::empty(shape);
        for (cell, &token) in tokens.iter().enumerate() {
            if token == 0 || usize::from(token) >= shape.vocab_size() {
                return Err(TokenError::Value { token, cell, shape });
            }
            grid.cells[cell] = token - 1;
        }
        Ok(grid)
    }

    /// Reads the tokens predicted by a network, where anything may stand: padding and tokens
    /// outside the vocabulary become blanks.
    ///
    /// # Panics
    /// If there are not as many tokens as cells.
    pub fn from_prediction(shape: Shape, tokens: &[u8]) -> Grid {
        assert_eq!(tokens.len(), shape.cells(), "tokens of a {shape} grid");
        let mut grid = Grid::empty(shape);
        for (cell, &token) in grid.cells.iter_mut().zip(tokens) {
            let known = token > 0 && usize::from(token) < shape.vocab_size();
            *cell = if known { token - 1 } else { 0 };
        }
        grid
    }
}

/// What a digit is printed as, `.` for a blank.
pub(crate) fn symbol(digit: u8) -> &'static str {
    const SYMBOLS: [&str; 10] = [".", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    SYMBOLS[usize::from(digit)]
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line: String = self.cells().iter().map(|&digit| symbol(digit)).collect();
        f.pad(&line)
    }
}

impl fmt::Debug for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grid({self})")
    }
}

impl FromStr for Grid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Grid, ParseError> {
        Grid::parse(text, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip() {
        let grid: Grid = "12.. ..12 ..21 21..".parse().unwrap();
        assert_eq!(Grid::from_tokens(Shape::Four, &grid.to_tokens()), Ok(grid));
        assert_eq!(Grid::from_prediction(Shape::Four, &grid.to_tokens()), grid);
    }

    #[test]
    fn a_wrong_token_is_named_with_its_place() {
        let mut tokens = vec![1; 16];
        tokens[6] = 6;
        let error = Grid::from_tokens(Shape::Four, &tokens).unwrap_err();
        let expected = "token 6 at row 2 column 3: a 4×4 grid has tokens 1 (blank) to 5 (digit 4)";
        assert_eq!(error.to_string(), expected);
        assert_eq!(Grid::from_prediction(Shape::Four, &tokens), Grid::empty(Shape::Four));
    }
}
