//! What is known about a user's puzzle.

use std::collections::HashSet;

/// The symbol of places outside a grid that is smaller than its format.
pub(super) const OUTSIDE: char = ' ';

/// Characters that names and lines of grids use themselves.
const RESERVED: [char; 2] = [':', '/'];

/// The size, the symbols and the symmetries of a user's puzzle.
///
/// ```
/// use trm_puzzles::grid::Format;
///
/// let format = Format::from_name("grid:3x2:.#ab:dihedral:permute=ab").unwrap();
/// assert_eq!((format.width(), format.height()), (3, 2));
/// assert_eq!(format.symbols(), ['.', '#', 'a', 'b']);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    width: usize,
    height: usize,
    symbols: Vec<char>,
    dihedral: bool,
    permuted: Vec<char>,
}

/// Why something is no format, or no grid of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// No cells, or too many.
    #[error("{width}×{height} cells: sides are 1 to {}", Format::MAX_SIDE)]
    Side {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The alphabet is empty or too long.
    #[error("{found} symbols: an alphabet has 1 to {}", Format::MAX_SYMBOLS)]
    Symbols {
        /// How many there are.
        found: usize,
    },
    /// A character that cannot be a symbol.
    #[error("{0:?} cannot be a symbol: `:`, `/` and control characters are used otherwise")]
    Reserved(char),
    /// A symbol that is named twice.
    #[error("the symbol {0:?} is named twice")]
    Twice(char),
    /// A symbol to be exchanged that is not in the alphabet.
    #[error("{0:?} is to be exchanged with other symbols, but is not in the alphabet")]
    Stranger(char),
    /// A grid of another size.
    #[error("{found_width}×{found_height} cells, not {width}×{height}")]
    Size {
        /// Columns of the grid.
        found_width: usize,
        /// Rows of the grid.
        found_height: usize,
        /// Columns of the format.
        width: usize,
        /// Rows of the format.
        height: usize,
    },
    /// Rows of different lengths.
    #[error("row {row} has {found} cells where the first has {expected}")]
    Ragged {
        /// Row, from 1.
        row: usize,
        /// Its cells.
        found: usize,
        /// Cells of the first.
        expected: usize,
    },
    /// A character that is not in the alphabet.
    #[error("{found:?} at row {row} column {column}: the symbols are {symbols:?}")]
    Symbol {
        /// What stands there.
        found: char,
        /// Row, from 1.
        row: usize,
        /// Column, from 1.
        column: usize,
        /// The alphabet.
        symbols: String,
    },
    /// A token that stands for no symbol, or too many or too few tokens.
    #[error("{0} are no tokens of this puzzle")]
    Tokens(String),
}

impl Format {
    /// The longest side.
    pub const MAX_SIDE: usize = 255;
    /// The longest alphabet.
    pub const MAX_SYMBOLS: usize = 254;

    /// A format for grids of `(width, height)` whose cells hold `symbols`. Puzzles stay puzzles when they are
    /// turned and mirrored, if `dihedral`, and when the `permuted` symbols change places among each other.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn new(
        (width, height): (usize, usize),
        symbols: impl IntoIterator<Item = char>,
        dihedral: bool,
        permuted: impl IntoIterator<Item = char>,
    ) -> Result<Format, FormatError> {
        let symbols: Vec<char> = symbols.into_iter().collect();
        let permuted: Vec<char> = permuted.into_iter().collect();
        let side = 1..=Format::MAX_SIDE;
        if !(side.contains(&width) && side.contains(&height)) {
            return Err(FormatError::Side { width, height });
        }
        if symbols.is_empty() || symbols.len() > Format::MAX_SYMBOLS {
            return Err(FormatError::Symbols { found: symbols.len() });
        }
        for list in [&symbols, &permuted] {
            let mut seen = HashSet::new();
            if let Some(twice) = list.iter().find(|symbol| !seen.insert(**symbol)) {
                return Err(FormatError::Twice(*twice));
            }
        }
        if let Some(reserved) = symbols.iter().find(|c| c.is_control() || RESERVED.contains(c)) {
            return Err(FormatError::Reserved(*reserved));
        }
        if let Some(stranger) = permuted.iter().find(|symbol| !symbols.contains(symbol)) {
            return Err(FormatError::Stranger(*stranger));
        }
        Ok(Format { width, height, symbols, dihedral, permuted })
    }

    /// The format in the name of a domain.
    pub fn from_name(name: &str) -> Option<Format> {
        let mut parts = name.split(':');
        let ("grid", size, symbols) = (parts.next()?, parts.next()?, parts.next()?) else {
            return None;
        };
        let (width, height) = size.split_once('x')?;
        let size = (width.parse().ok()?, height.parse().ok()?);
        let mut parts = parts.peekable();
        let dihedral = parts.next_if_eq(&"dihedral").is_some();
        let permuted = match parts.next() {
            None => "",
            Some(part) => part.strip_prefix("permute=")?,
        };
        let format = Format::new(size, symbols.chars(), dihedral, permuted.chars()).ok()?;
        (format.text() == name).then_some(format)
    }

    /// The name of its domain.
    pub(super) fn text(&self) -> String {
        let text = |symbols: &[char]| symbols.iter().collect::<String>();
        let mut name = format!("grid:{}x{}:{}", self.width, self.height, text(&self.symbols));
        if self.dihedral {
            name += ":dihedral";
        }
        if !self.permuted.is_empty() {
            name += &format!(":permute={}", text(&self.permuted));
        }
        name
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The alphabet.
    pub fn symbols(&self) -> &[char] {
        &self.symbols
    }

    /// Whether puzzles can be turned and mirrored.
    pub fn dihedral(&self) -> bool {
        self.dihedral
    }

    /// Tokens of the symbols that can change places.
    pub(super) fn permuted(&self) -> Vec<u8> {
        self.permuted.iter().filter_map(|symbol| self.token(*symbol)).collect()
    }

    /// The token of a symbol.
    pub(super) fn token(&self, symbol: char) -> Option<u8> {
        let place = self.symbols.iter().position(|known| *known == symbol)?;
        Some(1 + place as u8)
    }

    /// The tokens of a grid.
    ///
    /// # Errors
    /// If it has another size, or symbols that are not in the alphabet.
    pub fn tokens(&self, rows: &[Vec<char>]) -> Result<Vec<u8>, FormatError> {
        let (width, height) = (self.width, self.height);
        let found_width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let outside = self.token(OUTSIDE);
        let too_large = found_width > width || rows.len() > height;
        if too_large || (outside.is_none() && (found_width, rows.len()) != (width, height)) {
            let found_height = rows.len();
            return Err(FormatError::Size { found_width, found_height, width, height });
        }
        let mut tokens = vec![outside.unwrap_or(0); width * height];
        for (row, symbols) in rows.iter().enumerate() {
            if outside.is_none() && symbols.len() != width {
                return Err(ragged(row, symbols.len(), width));
            }
            for (column, &found) in symbols.iter().enumerate() {
                let token = self.token(found).ok_or_else(|| FormatError::Symbol {
                    found,
                    row: row + 1,
                    column: column + 1,
                    symbols: self.symbols.iter().collect(),
                })?;
                tokens[row * width + column] = token;
            }
        }
        Ok(tokens)
    }
}

pub(super) fn ragged(row: usize, found: usize, expected: usize) -> FormatError {
    FormatError::Ragged { row: row + 1, found, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_stand_for_nothing() {
        for name in ["grid:3x2:ab", "grid:1x255: .é:dihedral", "grid:2x2:abc:permute=ca"] {
            let format = Format::from_name(name).unwrap();
            assert_eq!(format.text(), name);
        }
        for name in [
            "grid",
            "grid:3x2",
            "grid:3x2:",
            "grid:0x2:ab",
            "grid:03x2:ab",
            "grid:256x2:ab",
            "grid:3x2:aa",
            "grid:3x2:a/",
            "grid:3x2:ab:permute=ac",
            "grid:3x2:ab:permute=",
            "grid:3x2:ab:permute=ab:dihedral",
            "grid:3x2:ab:more",
            "maze3x2:ab",
        ] {
            assert_eq!(Format::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn grids_of_another_size_or_alphabet_are_refused() {
        let message = |name: &str, text: &str| {
            let rows: Vec<Vec<char>> = text.split('/').map(|row| row.chars().collect()).collect();
            Format::from_name(name).unwrap().tokens(&rows).unwrap_err().to_string()
        };
        assert_eq!(message("grid:3x2:ab", "aba"), "3×1 cells, not 3×2");
        assert_eq!(message("grid:3x2:ab", "aba/ba"), "row 2 has 2 cells where the first has 3");
        assert_eq!(
            message("grid:3x2:ab", "aba/bac"),
            "'c' at row 2 column 3: the symbols are \"ab\""
        );
        assert_eq!(message("grid:3x2:ab ", "abab"), "4×1 cells, not 3×2");
    }
}
