//! A maze with or without its path.

use std::fmt;

/// What a cell of a maze is. Its token is the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cell {
    /// `#`
    Wall = 1,
    /// A blank.
    Free = 2,
    /// `S`
    Start = 3,
    /// `G`
    Goal = 4,
    /// `o`, in answers.
    Path = 5,
}

impl Cell {
    const ALL: [(Cell, char); 5] = [
        (Cell::Wall, '#'),
        (Cell::Free, ' '),
        (Cell::Start, 'S'),
        (Cell::Goal, 'G'),
        (Cell::Path, 'o'),
    ];

    /// The character that files write for it.
    pub fn symbol(self) -> char {
        Cell::ALL[self as usize - 1].1
    }

    fn from_symbol(symbol: char) -> Option<Cell> {
        // in text that a person types, a dot is easier to see than a blank
        let symbol = if symbol == '.' { ' ' } else { symbol };
        Cell::ALL.iter().find(|(_, s)| *s == symbol).map(|(cell, _)| *cell)
    }
}

/// A rectangle of cells with one start and one goal.
///
/// Displayed, it is one line without breaks, as in the public files.
///
/// ```
/// use trm_puzzles::maze::Maze;
///
/// let maze = Maze::parse("S.#\n#..\n#.G")?;
/// assert_eq!((maze.width(), maze.height()), (3, 3));
/// assert_eq!(maze.to_string(), "S ##  # G");
/// # Ok::<(), trm_puzzles::maze::MazeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Maze {
    width: usize,
    cells: Vec<Cell>,
}

/// Why something is not a maze.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MazeError {
    /// A character or token that stands for nothing.
    #[error("{found:?} at row {row} column {column}: expected #, blank or dot, S, G or o")]
    Symbol {
        /// What stands there.
        found: char,
        /// Row, from 1.
        row: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Lines of different lengths.
    #[error("row {row} has {found} cells where the first has {expected}")]
    Ragged {
        /// Row, from 1.
        row: usize,
        /// Its cells.
        found: usize,
        /// Those of the first row.
        expected: usize,
    },
    /// A line whose cells make no square.
    #[error("{0} cells on one line: not a square; break other mazes into lines")]
    NotSquare(usize),
    /// Not one start, or not one goal.
    #[error("{found} cells {symbol}: a maze has one")]
    Ends {
        /// `S` or `G`.
        symbol: char,
        /// How many there are.
        found: usize,
    },
    /// A maze of another size than wanted.
    #[error("{found_width}×{found_height} cells, not {width}×{height}")]
    Size {
        /// Columns.
        found_width: usize,
        /// Rows.
        found_height: usize,
        /// Columns wanted.
        width: usize,
        /// Rows wanted.
        height: usize,
    },
    /// The goal cannot be reached.
    #[error("no path from S to G")]
    NoPath,
}

impl Maze {
    /// A maze from its cells, row by row.
    ///
    /// # Errors
    /// If there is not one start and one goal.
    ///
    /// # Panics
    /// If the cells are no whole number of rows.
    pub fn new(width: usize, cells: Vec<Cell>) -> Result<Maze, MazeError> {
        assert!(width > 0 && cells.len().is_multiple_of(width), "whole rows");
        for end in [Cell::Start, Cell::Goal] {
            let found = cells.iter().filter(|cell| **cell == end).count();
            if found != 1 {
                return Err(MazeError::Ends { symbol: end.symbol(), found });
            }
        }
        Ok(Maze { width, cells })
    }

    /// Reads a maze whose rows are lines or separated by `/`, or a square one on a single line.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn parse(text: &str) -> Result<Maze, MazeError> {
        Maze::parse_rows(text, None)
    }

    /// [`Maze::parse`], where a single line has rows of a known length.
    pub(super) fn parse_rows(text: &str, row: Option<usize>) -> Result<Maze, MazeError> {
        let text = text.trim_matches(['\r', '\n']).replace('/', "\n");
        let lines: Vec<Vec<char>> =
            text.lines().map(|line| line.trim_end_matches('\r').chars().collect()).collect();
        let row = row.filter(|row| lines.first().is_some_and(|line| line.len() % row == 0));
        let width = match &lines[..] {
            [] => 0,
            [line] => row.unwrap_or_else(|| line.len().isqrt()),
            [first, ..] => first.len(),
        };
        if let [line] = &lines[..]
            && (width == 0
                || line.len() % width != 0
                || row.is_none() && width * width != line.len())
        {
            return Err(MazeError::NotSquare(line.len()));
        }
        for (row, line) in lines.iter().enumerate().skip(1) {
            if line.len() != width {
                let (row, found) = (row + 1, line.len());
                return Err(MazeError::Ragged { row, found, expected: width });
            }
        }
        let cell = |(i, symbol): (usize, char)| {
            let (row, column) = (i / width + 1, i % width + 1);
            Cell::from_symbol(symbol).ok_or(MazeError::Symbol { found: symbol, row, column })
        };
        let cells: Vec<Cell> =
            lines.concat().into_iter().enumerate().map(cell).collect::<Result<_, _>>()?;
        Maze::new(width.max(1), cells)
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.cells.len() / self.width
    }

    /// The cells, row by row.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// One token per cell.
    pub fn to_tokens(&self) -> Vec<u8> {
        self.cells.iter().map(|cell| *cell as u8).collect()
    }

    /// Where the start and the goal are.
    pub fn ends(&self) -> (usize, usize) {
        let place = |end| self.cells.iter().position(|cell| *cell == end).expect("checked");
        (place(Cell::Start), place(Cell::Goal))
    }

    /// The same maze with free cells where a path is marked.
    pub fn question(&self) -> Maze {
        let unmarked = |cell: &Cell| if *cell == Cell::Path { Cell::Free } else { *cell };
        Maze { width: self.width, cells: self.cells.iter().map(unmarked).collect() }
    }

    /// A maze from tokens, in rows of `width`; anything that is no cell is taken for a free one.
    ///
    /// # Errors
    /// If it has not one beginning and one end.
    pub fn from_tokens(width: usize, tokens: &[u8]) -> Result<Maze, MazeError> {
        let cell = |token: &u8| match token {
            1 => Cell::Wall,
            3 => Cell::Start,
            4 => Cell::Goal,
            5 => Cell::Path,
            _ => Cell::Free,
        };
        Maze::new(width, tokens.iter().map(cell).collect())
    }

    pub(super) fn mark(&mut self, cell: usize) {
        self.cells[cell] = Cell::Path;
    }
}

impl fmt::Display for Maze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cells.iter().try_for_each(|cell| write!(f, "{}", cell.symbol()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_several_are_read_alike() {
        let drawn = Maze::parse("S.#\r\n#..\r\n#.G\r\n").unwrap();
        assert_eq!(drawn, Maze::parse("S ##  # G").unwrap());
        assert_eq!(drawn.to_string(), "S ##  # G");
        assert_eq!(drawn.to_tokens(), [3, 2, 1, 1, 2, 2, 1, 2, 4]);
        assert_eq!(drawn.ends(), (0, 8));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let message = |text: &str| Maze::parse(text).unwrap_err().to_string();
        assert_eq!(message("S.\n.."), "0 cells G: a maze has one");
        assert_eq!(message("S.\n.GG"), "row 2 has 3 cells where the first has 2");
        assert_eq!(message("S.\nxG"), "'x' at row 2 column 1: expected #, blank or dot, S, G or o");
        assert_eq!(
            message("S.G"),
            "3 cells on one line: not a square; break other mazes into lines"
        );
        assert_eq!(message("SS\n.G"), "2 cells S: a maze has one");
        assert_eq!(message(""), "0 cells S: a maze has one");
    }
}
