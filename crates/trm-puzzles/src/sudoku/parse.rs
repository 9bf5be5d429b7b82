//! Reading grids as people write them.

use super::grid::Grid;
use super::shape::Shape;

/// Text that is not a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A character that stands for neither a cell nor a frame.
    #[error(
        "unexpected {found:?} (character {character} of line {line}): write digits, and `.` or \
         `0` for blanks; spaces and frame lines are skipped"
    )]
    Foreign {
        /// The character.
        found: char,
        /// Its line, counted from 1.
        line: usize,
        /// Its place in the line, counted from 1.
        character: usize,
    },
    /// Too few or too many cells.
    #[error(
        "found {found} cells: {}{}",
        expectation(*shape),
        if *dashes { "; `-` is read as a frame, write blanks as `.` or `0`" } else { "" }
    )]
    Length {
        /// How many there are.
        found: usize,
        /// The shape asked for, if any.
        shape: Option<Shape>,
        /// Whether the number would be right if `-` stood for a blank.
        dashes: bool,
    },
    /// A digit that a grid of this size does not have.
    #[error(
        "digit {digit} (character {character} of line {line}) is too large for a {shape} grid, \
         whose digits are 1 to {}",
        shape.size()
    )]
    Digit {
        /// The digit.
        digit: u8,
        /// Its line, counted from 1.
        line: usize,
        /// Its place in the line, counted from 1.
        character: usize,
        /// The shape asked for, or found by the number of cells.
        shape: Shape,
    },
}

fn expectation(shape: Option<Shape>) -> String {
    match shape {
        Some(shape) => format!("a {shape} grid has {}", shape.cells()),
        None => {
            let [four, six, nine] = Shape::ALL.map(|shape| format!("{} ({shape})", shape.cells()));
            format!("a grid has {four}, {six} or {nine}")
        }
    }
}

struct Cell {
    digit: u8,
    line: usize,
    character: usize,
}

impl Grid {
    /// Reads a grid on one line or drawn on several.
    ///
    /// Digits fill cells; `.`, `0`, `_`, `*` and `?` are blanks. White space, `|`, `-`, `+`,
    /// `=`, `,` and the box-drawing characters are frame and skipped. Without a `shape`, the
    /// number of cells decides: 16, 36 or 81.
    ///
    /// ```
    /// use trm_puzzles::sudoku::{Grid, Shape};
    ///
    /// let line = Grid::parse("1...  ..3.  .4..  ...2", None)?;
    /// let drawn = Grid::parse(
    ///     "1 . | . .
    ///      . . | 3 .
    ///      ----+----
    ///      . 4 | . .
    ///      . . | . 2",
    ///     Some(Shape::Four),
    /// )?;
    /// assert_eq!(line, drawn);
    ///
    /// let error = Grid::parse("12341234", None).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "found 8 cells: a grid has 16 (4×4), 36 (6×6) or 81 (9×9)"
    /// );
    /// # Ok::<(), trm_puzzles::sudoku::ParseError>(())
    /// ```
    pub fn parse(text: &str, shape: Option<Shape>) -> Result<Grid, ParseError> {
        let (cells, dashes) = read_cells(text)?;
        let matching = |count| match shape {
            Some(shape) => (shape.cells() == count).then_some(shape),
            None => Shape::from_cells(count),
        };
        let Some(found) = matching(cells.len()) else {
            let dashes = dashes > 0 && matching(cells.len() + dashes).is_some();
            return Err(ParseError::Length { found: cells.len(), shape, dashes });
        };
        let mut grid = Grid::empty(found);
        for (index, &Cell { digit, line, character }) in cells.iter().enumerate() {
            if usize::from(digit) > found.size() {
                return Err(ParseError::Digit { digit, line, character, shape: found });
            }
            grid.set(index, digit);
        }
        Ok(grid)
    }
}

fn read_cells(text: &str) -> Result<(Vec<Cell>, usize), ParseError> {
    let mut cells = Vec::new();
    let mut dashes = 0;
    for (line, content) in (1..).zip(text.lines()) {
        for (character, found) in (1..).zip(content.chars()) {
            let digit = match found {
                '1'..='9' => found as u8 - b'0',
                '.' | '0' | '_' | '*' | '?' => 0,
                '-' => {
                    dashes += 1;
                    continue;
                }
                '|' | '+' | '=' | ',' | '\u{2500}'..='\u{257f}' => continue,
                _ if found.is_whitespace() => continue,
                _ => return Err(ParseError::Foreign { found, line, character }),
            };
            cells.push(Cell { digit, line, character });
        }
    }
    Ok((cells, dashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, shape: Option<Shape>) -> String {
        Grid::parse(text, shape).unwrap_err().to_string()
    }

    #[test]
    fn blanks_and_frames_in_all_their_forms() {
        let expected = Grid::parse("1.....3..4.....2", None).unwrap();
        for text in [
            "1000003004000002",
            "1_____3__4_____2",
            "1*****3**4*****2\r\n",
            "╔═╤═╗ 1..│.\t.. 3. ║ .4, ,.. ... ┃ 2",
        ] {
            assert_eq!(Grid::parse(text, None), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_say_what_and_where() {
        assert_eq!(
            message("1..\n.x.", None),
            "unexpected 'x' (character 2 of line 2): write digits, and `.` or `0` for blanks; \
             spaces and frame lines are skipped"
        );
        assert_eq!(message("", None), "found 0 cells: a grid has 16 (4×4), 36 (6×6) or 81 (9×9)");
        assert_eq!(
            message("1.....3..4.....2", Some(Shape::Nine)),
            "found 16 cells: a 9×9 grid has 81"
        );
        assert_eq!(
            message("1-----3--4-----2", None),
            "found 4 cells: a grid has 16 (4×4), 36 (6×6) or 81 (9×9); `-` is read as a frame, \
             write blanks as `.` or `0`"
        );
        assert_eq!(
            message("1...\n..5.\n....\n....", None),
            "digit 5 (character 3 of line 2) is too large for a 4×4 grid, whose digits are 1 to 4"
        );
    }
}
