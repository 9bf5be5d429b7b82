//! What is known about a user's puzzle.

use super::augmentation::Augmentation;
use super::row::Row;
use super::symbols::{OUTSIDE, Symbols, check_twice};

/// Columns and rows.
pub type Size = (usize, usize);

/// The sizes, the symbols and the augmentations of a user's puzzle.
///
/// ```
/// use trm_puzzles::grid::Format;
///
/// let format = Format::from_name("grid:3x2:.#ab:dihedral:permute=ab").unwrap();
/// assert_eq!((format.question(), format.answer()), ((3, 2), (3, 2)));
/// assert_eq!(format.symbols(), [".", "#", "a", "b"]);
///
/// let format = Format::from_name("grid:2x2to1x3:symbols=0,7,12").unwrap();
/// assert_eq!((format.question(), format.answer(), format.canvas()), ((2, 2), (1, 3), (2, 3)));
/// assert_eq!(format.symbols(), ["0", "7", "12"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    question: Size,
    answer: Size,
    symbols: Symbols,
    augmentations: Vec<Augmentation>,
    permuted: Vec<String>,
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
    /// What cannot be a symbol.
    #[error(
        "{0:?} cannot be a symbol: where symbols have several characters, no blanks and no `␣` stand in them; `/` and \
         control characters never, `:` not where all have one"
    )]
    Reserved(String),
    /// A symbol that is named twice.
    #[error("the symbol `{0}` is named twice")]
    Twice(String),
    /// A symbol to be exchanged that is not in the alphabet.
    #[error(
        "`{0}` is to be exchanged with other symbols, but is not in the alphabet (where some have several characters, \
         commas stand between them)"
    )]
    Stranger(String),
    /// An augmentation that makes no sense for these sizes, or beside another one.
    #[error("`{augmentation}` does not fit: {why}")]
    Misfit {
        /// Its name.
        augmentation: &'static str,
        /// Why.
        why: &'static str,
    },
    /// A grid of another size.
    #[error("{}×{} cells, not {}×{}", found.0, found.1, wanted.0, wanted.1)]
    Size {
        /// That of the grid.
        found: Size,
        /// That of the format.
        wanted: Size,
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
    /// What is not in the alphabet.
    #[error("`{found}` at row {row} column {column}: the symbols are `{symbols}`")]
    Symbol {
        /// What stands there.
        found: String,
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

    /// A format for questions and answers of these sizes. Puzzles stay puzzles under the augmentations, and when the
    /// `permuted` symbols change places among each other.
    pub(super) fn new(
        [question, answer]: [Size; 2],
        symbols: Symbols,
        augmentations: &[Augmentation],
        permuted: Vec<String>,
    ) -> Result<Format, FormatError> {
        let side = 1..=Format::MAX_SIDE;
        let is_size = |(width, height): &Size| side.contains(width) && side.contains(height);
        if let Some((width, height)) = [question, answer].into_iter().find(|size| !is_size(size)) {
            return Err(FormatError::Side { width, height });
        }
        check_twice(&permuted)?;
        if let Some(stranger) = permuted.iter().find(|symbol| symbols.token(symbol).is_none()) {
            return Err(FormatError::Stranger(stranger.clone()));
        }
        augmentations.iter().try_for_each(|one| one.check([question, answer]))?;
        if [Augmentation::Dihedral, Augmentation::Reversal]
            .iter()
            .all(|a| augmentations.contains(a))
        {
            let why = "`dihedral` reverses sequences too: take one of them";
            return Err(FormatError::Misfit { augmentation: Augmentation::Reversal.name(), why });
        }
        let mut augmentations = augmentations.to_vec();
        augmentations.sort_unstable();
        augmentations.dedup();
        Ok(Format { question, answer, symbols, augmentations, permuted })
    }

    /// The same puzzle with this augmentation and no other.
    pub(super) fn with_only(&self, augmentation: Augmentation) -> Result<Format, FormatError> {
        let sizes = [self.question, self.answer];
        Format::new(sizes, self.symbols.clone(), &[augmentation], Vec::new())
    }

    /// The format in the name of a domain.
    pub fn from_name(name: &str) -> Option<Format> {
        let mut parts = name.split(':');
        let ("grid", sizes, symbols) = (parts.next()?, parts.next()?, parts.next()?) else {
            return None;
        };
        let (question, answer) = sizes.split_once("to").unwrap_or((sizes, sizes));
        let symbols = Symbols::from_name(symbols)?;
        let mut parts = parts.peekable();
        let named = |one: &Augmentation| parts.next_if_eq(&one.name()).is_some();
        let augmentations: Vec<Augmentation> =
            Augmentation::ALL.into_iter().filter(named).collect();
        let permuted = match parts.next() {
            None => Vec::new(),
            Some(part) => symbols.read(part.strip_prefix("permute=")?),
        };
        let sizes = [size_of(question)?, size_of(answer)?];
        let format = Format::new(sizes, symbols, &augmentations, permuted).ok()?;
        (format.text() == name).then_some(format)
    }

    /// The name of its domain.
    pub(super) fn text(&self) -> String {
        let size = |(width, height): Size| format!("{width}x{height}");
        let mut name = format!("grid:{}", size(self.question));
        if self.answer != self.question {
            name += &format!("to{}", size(self.answer));
        }
        name + &self.without_size()
    }

    /// What its name says besides sizes.
    pub(super) fn without_size(&self) -> String {
        let mut name = format!(":{}", self.symbols.name());
        self.augmentations.iter().for_each(|one| name += &format!(":{}", one.name()));
        if !self.permuted.is_empty() {
            name += &format!(":permute={}", self.symbols.text(&self.permuted));
        }
        name
    }

    /// The same for grids of another size, questions and answers alike.
    pub(super) fn of_size(&self, size: Size) -> Option<Format> {
        let (symbols, permuted) = (self.symbols.clone(), self.permuted.clone());
        Format::new([size, size], symbols, &self.augmentations, permuted).ok()
    }

    /// Columns and rows of questions, or of the largest one where the alphabet has a space.
    pub fn question(&self) -> Size {
        self.question
    }

    /// The same of answers.
    pub fn answer(&self) -> Size {
        self.answer
    }

    /// Columns and rows that hold both.
    pub fn canvas(&self) -> Size {
        (self.question.0.max(self.answer.0), self.question.1.max(self.answer.1))
    }

    /// The alphabet.
    pub fn symbols(&self) -> &[String] {
        self.symbols.list()
    }

    /// Whether some symbols have several characters.
    pub(super) fn has_long_symbols(&self) -> bool {
        self.symbols.are_long()
    }

    /// Whether puzzles can be changed like this.
    pub fn has(&self, augmentation: Augmentation) -> bool {
        self.augmentations.contains(&augmentation)
    }

    /// The names of all ways in which puzzles can be changed.
    pub fn changes(&self) -> Vec<&'static str> {
        let permute = (!self.permuted.is_empty()).then_some("permute");
        self.augmentations.iter().map(|one| one.name()).chain(permute).collect()
    }

    /// Tokens of the symbols that can change places.
    pub(super) fn permuted(&self) -> Vec<u8> {
        self.permuted.iter().filter_map(|symbol| self.symbols.token(symbol)).collect()
    }

    /// The token of places outside a grid that is smaller than others, if there are such grids.
    pub(super) fn outside(&self) -> Option<u8> {
        self.symbols.token(OUTSIDE)
    }

    /// The tokens of a question: `[S]`, row by row of the canvas, 0 beside the size of questions.
    ///
    /// # Errors
    /// If it has another size, or symbols that are not in the alphabet.
    pub fn question_tokens(&self, rows: &[Row]) -> Result<Vec<u8>, FormatError> {
        self.tokens(self.question, rows)
    }

    /// The tokens of an answer, likewise.
    ///
    /// # Errors
    /// If it has another size, or symbols that are not in the alphabet.
    pub fn answer_tokens(&self, rows: &[Row]) -> Result<Vec<u8>, FormatError> {
        self.tokens(self.answer, rows)
    }

    fn tokens(&self, wanted: Size, rows: &[Row]) -> Result<Vec<u8>, FormatError> {
        let (width, height) = wanted;
        let found = (rows.iter().map(Row::len).max().unwrap_or(0), rows.len());
        let outside = self.outside();
        let too_large = found.0 > width || found.1 > height;
        if too_large || (outside.is_none() && found != wanted) {
            return Err(FormatError::Size { found, wanted });
        }
        let (columns, canvas_rows) = self.canvas();
        let mut tokens = vec![0; columns * canvas_rows];
        for (row, line) in tokens.chunks_mut(columns).take(height).enumerate() {
            line[..width].fill(outside.unwrap_or(0));
            let Some(cells) = rows.get(row) else { continue };
            if outside.is_none() && cells.len() != width {
                return Err(ragged(row, cells.len(), width));
            }
            for (column, symbol) in cells.cells().enumerate() {
                line[column] =
                    self.symbols.token(symbol).ok_or_else(|| self.unknown(symbol, row, column))?;
            }
        }
        Ok(tokens)
    }

    fn unknown(&self, found: &str, row: usize, column: usize) -> FormatError {
        FormatError::Symbol {
            found: found.to_owned(),
            row: row + 1,
            column: column + 1,
            symbols: self.symbols.text(self.symbols()),
        }
    }
}

/// The size in a name, such as `3x2`.
fn size_of(text: &str) -> Option<Size> {
    let (width, height) = text.split_once('x')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

pub(super) fn ragged(row: usize, found: usize, expected: usize) -> FormatError {
    FormatError::Ragged { row: row + 1, found, expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::row::{rows_apart, rows_of};

    #[test]
    fn names_round_trip_and_others_stand_for_nothing() {
        for name in [
            "grid:3x2:ab",
            "grid:1x255: .é:dihedral",
            "grid:2x2:abc:permute=ca",
            "grid:2x2:,ab",
            "grid:2x2:symbol=,",
            "grid:5x5to3x1:.ab:dihedral",
            "grid:2x2:symbols=0,3%3A7,12,%20,%2C,%25:permute=12,%2C",
        ] {
            let format = Format::from_name(name).expect(name);
            assert_eq!(format.text(), name);
        }
        for name in [
            "grid",
            "grid:3x2",
            "grid:3x2:",
            "grid:0x2:ab",
            "grid:03x2:ab",
            "grid:256x2:ab",
            "grid:3x2to3x2:ab",
            "grid:3x2to0x2:ab",
            "grid:3x2:aa",
            "grid:3x2:a/",
            "grid:3x2:ab:permute=ac",
            "grid:3x2:ab:permute=",
            "grid:3x2:ab:permute=ab:dihedral",
            "grid:3x2:ab:more",
            "grid:3x2:symbols=a,b",
            "grid:3x2:symbols=a,12,a",
            "grid:3x2:symbols=a,,12",
            "grid:3x2:symbols=a,1/2",
            "grid:3x2:symbols=a,1 2",
            "grid:3x2:symbols=a,1%202",
            "grid:3x2:symbols=␣,12",
            "maze3x2:ab",
        ] {
            assert_eq!(Format::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn grids_of_another_size_or_alphabet_are_refused() {
        let message = |name: &str, text: &str| {
            let format = Format::from_name(name).unwrap();
            let rows = if format.has_long_symbols() { rows_apart(text) } else { rows_of(text) };
            format.question_tokens(&rows).unwrap_err().to_string()
        };
        assert_eq!(message("grid:3x2:ab", "aba"), "3×1 cells, not 3×2");
        assert_eq!(message("grid:3x2:ab", "aba/ba"), "row 2 has 2 cells where the first has 3");
        assert_eq!(
            message("grid:3x2:ab", "aba/bac"),
            "`c` at row 2 column 3: the symbols are `ab`"
        );
        assert_eq!(message("grid:3x2:ab ", "abab"), "4×1 cells, not 3×2");
        assert_eq!(
            message("grid:2x1:symbols=0,12", "12 13"),
            "`13` at row 1 column 2: the symbols are `0,12`"
        );
    }

    #[test]
    fn tokens_are_0_beside_a_question_and_beside_an_answer() {
        let format = Format::from_name("grid:2x2to3x1:ab").unwrap();
        assert_eq!(format.canvas(), (3, 2));
        assert_eq!(format.question_tokens(&rows_of("ab/ba")), Ok(vec![1, 2, 0, 2, 1, 0]));
        assert_eq!(format.answer_tokens(&rows_of("abb")), Ok(vec![1, 2, 2, 0, 0, 0]));
        assert!(format.answer_tokens(&rows_of("ab/ba")).is_err());
    }
}
