//! Reading grids as people write them.

use super::grid::Grid;
use super::shape::Shape;
use crate::questions::{puzzle_lines, section};

/// Text that is not a grid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A character that stands for neither a cell nor a frame.
    #[error(
        "unexpected {found:?} (character {character} of line {line}): write digits, and `.` or \
         `0` for blanks; spaces, frames and comment lines are skipped"
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
    #[error("found {found} cells: {}", expectation(*shape))]
    Length {
        /// How many there are.
        found: usize,
        /// The shape asked for, if any.
        shape: Option<Shape>,
    },
    /// Several readings of `-` and `*` give a grid, and not the same.
    #[error("`-` and `*` may be blanks or frames here: write blanks as `.` or `0`")]
    Ambiguous,
    /// A JSON list that holds something else than cells.
    #[error("not a list of cells: write numbers from 0 to 9, `null` or text")]
    List,
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

#[derive(Clone, Copy)]
struct Cell {
    digit: u8,
    line: usize,
    character: usize,
}

/// What a character can stand for.
enum Mark {
    Digit(u8),
    Blank,
    Frame,
    /// `-` and `*`: a blank or a frame, as the number of cells tells.
    Either(usize),
}

impl Mark {
    fn of(character: char) -> Option<Mark> {
        Some(match character {
            '1'..='9' => Mark::Digit(character as u8 - b'0'),
            '.' | '0' | '_' | '?' | 'x' | 'X' | '·' | '•' => Mark::Blank,
            '-' => Mark::Either(0),
            '*' => Mark::Either(1),
            '|' | '+' | '=' | ',' | '!' | ':' | '\u{feff}' | '\u{2500}'..='\u{257f}' => Mark::Frame,
            _ if character.is_whitespace() => Mark::Frame,
            _ => return None,
        })
    }
}

/// Whether a line of a file says something about puzzles and is none.
pub(super) fn is_comment(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim_start();
    ["#", ";", "//"].iter().any(|mark| line.starts_with(mark)) || section(line).is_some()
}

impl Grid {
    /// Reads a grid on one line, drawn on several, or as a JSON list.
    ///
    /// Digits fill cells; `.`, `0`, `_`, `?`, `x` and `·` are blanks, and so are `-` and `*` where only that gives
    /// the right number of cells. White space, `|`, `+`, `=`, `,`, `:`, `!` and the box-drawing characters are frame
    /// and skipped, as are lines that begin with `#`, `;` or `//`. Of a file with sections the one called
    /// `[Puzzle]` is read. Of a line with several columns the first that is a grid is taken. Without a `shape`, the
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
    /// let list = Grid::parse("[[1,0,0,0], [0,0,3,0], [0,4,0,0], [0,0,0,2]]", None)?;
    /// assert_eq!(line, list);
    ///
    /// let error = Grid::parse("12341234", None).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "found 8 cells: a grid has 16 (4×4), 36 (6×6) or 81 (9×9)"
    /// );
    /// # Ok::<(), trm_puzzles::sudoku::ParseError>(())
    /// ```
    pub fn parse(text: &str, shape: Option<Shape>) -> Result<Grid, ParseError> {
        let bare = text.trim_start_matches('\u{feff}').trim_start();
        if bare.starts_with('[')
            && let Ok(rows) = serde_json::from_str::<Vec<serde_json::Value>>(bare)
        {
            return from_list(&rows, shape);
        }
        let says_something = |line: &str| !line.trim().is_empty() && !is_comment(line);
        let lines: Vec<_> = puzzle_lines(text).filter(|(_, line)| says_something(line)).collect();
        from_lines(&lines, shape).or_else(|error| match &lines[..] {
            [(_, line)] => a_column(line, shape).ok_or(error),
            _ => Err(error),
        })
    }
}

/// The first of several columns that is a grid by itself.
fn a_column(line: &str, shape: Option<Shape>) -> Option<Grid> {
    let apart = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '"' | '\'' | '|');
    line.split(apart).find_map(|column| from_lines(&[(1, column)], shape).ok())
}

/// Reads cells in every way that `-` and `*` can be meant, and takes the one that gives a grid.
fn from_lines(lines: &[(usize, &str)], shape: Option<Shape>) -> Result<Grid, ParseError> {
    let mut found: Result<Grid, ParseError> = Err(ParseError::Ambiguous);
    for blanks in [[false, true], [true, true], [false, false], [true, false]] {
        let grid = grid_of(&read_cells(lines, blanks)?, shape);
        match (&found, &grid) {
            (Ok(one), Ok(other)) if one != other => return Err(ParseError::Ambiguous),
            (Err(ParseError::Ambiguous), _) | (Err(_), Ok(_)) => found = grid,
            _ => {}
        }
    }
    found
}

fn grid_of(cells: &[Cell], shape: Option<Shape>) -> Result<Grid, ParseError> {
    let matching = match shape {
        Some(shape) => (shape.cells() == cells.len()).then_some(shape),
        None => Shape::from_cells(cells.len()),
    };
    let Some(shape) = matching else {
        return Err(ParseError::Length { found: cells.len(), shape });
    };
    let mut grid = Grid::empty(shape);
    for (index, &Cell { digit, line, character }) in cells.iter().enumerate() {
        if usize::from(digit) > shape.size() {
            return Err(ParseError::Digit { digit, line, character, shape });
        }
        grid.set(index, digit);
    }
    Ok(grid)
}

/// `blanks` says for `-` and for `*` whether they are blanks.
fn read_cells(lines: &[(usize, &str)], blanks: [bool; 2]) -> Result<Vec<Cell>, ParseError> {
    let mut cells = Vec::new();
    for &(line, content) in lines {
        for (character, found) in (1..).zip(content.chars()) {
            let digit = match Mark::of(found) {
                Some(Mark::Digit(digit)) => digit,
                Some(Mark::Blank) => 0,
                Some(Mark::Either(which)) if blanks[which] => 0,
                Some(Mark::Frame | Mark::Either(_)) => continue,
                None => return Err(ParseError::Foreign { found, line, character }),
            };
            cells.push(Cell { digit, line, character });
        }
    }
    Ok(cells)
}

/// A list of cells, or of rows: numbers, `null` for a blank, or text.
fn from_list(rows: &[serde_json::Value], shape: Option<Shape>) -> Result<Grid, ParseError> {
    use serde_json::Value;
    let mut text = String::new();
    for row in rows {
        for cell in row.as_array().map_or(std::slice::from_ref(row), |cells| cells) {
            match cell {
                Value::Null => text.push('.'),
                Value::Number(number) if number.as_u64().is_some_and(|digit| digit <= 9) => {
                    text.push_str(&number.to_string());
                }
                Value::String(cell) => text.push_str(if cell.is_empty() { "." } else { cell }),
                _ => return Err(ParseError::List),
            }
        }
    }
    from_lines(&[(1, &text)], shape)
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
            "1xxxXX3··4?????2",
            "1-----3--4-----2",
            "# a comment\n\n; another\n1...\n..3.\n.4..\n...2\n",
            "[Puzzle]\n1.....3..4.....2\n[State]\n1324423124133142\n",
            "*-----*\n|1.|..|\n|..|3.|\n|--+--|\n|.4|..|\n|..|.2|\n*-----*",
            "0a1b2c 1.....3..4.....2  1.5",
            "1.....3..4.....2,1324423124133142",
            "\u{feff}[[1, 0, null, 0], [0, 0, 3, 0], [\"\", 4, 0, 0], [0, 0, 0, 2]]",
            "[1,0,0,0, 0,0,3,0, 0,4,0,0, 0,0,0,2]",
            "╔═╤═╗ 1..│.\t.. 3. ║ .4, ,.. ... ┃ 2",
        ] {
            assert_eq!(Grid::parse(text, None), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_say_what_and_where() {
        assert_eq!(
            message("# a comment\n1..\n.y.", None),
            "unexpected 'y' (character 2 of line 3): write digits, and `.` or `0` for blanks; \
             spaces, frames and comment lines are skipped"
        );
        assert_eq!(message("", None), "found 0 cells: a grid has 16 (4×4), 36 (6×6) or 81 (9×9)");
        assert_eq!(
            message("1.....3..4.....2", Some(Shape::Nine)),
            "found 16 cells: a 9×9 grid has 81"
        );
        assert_eq!(
            message("123412341234-3*4-*", Some(Shape::Four)),
            "`-` and `*` may be blanks or frames here: write blanks as `.` or `0`"
        );
        assert_eq!(
            message("1...\n..5.\n....\n....", None),
            "digit 5 (character 3 of line 2) is too large for a 4×4 grid, whose digits are 1 to 4"
        );
    }
}
