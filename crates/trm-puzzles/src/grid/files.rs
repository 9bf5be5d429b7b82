//! What is read from files of a user's puzzles, and what can be wrong with it.

use super::augmentation::Augmentation;
use super::format::FormatError;
use super::row::Rows;

/// A question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The line of the file, from 1.
    pub line: u64,
    /// The question.
    pub input: Rows,
    /// The answer.
    pub output: Rows,
}

impl Example {
    pub(super) fn grids_mut(&mut self) -> [&mut Rows; 2] {
        [&mut self.input, &mut self.output]
    }

    pub(super) fn grids(&self) -> [&Rows; 2] {
        [&self.input, &self.output]
    }
}

/// What is wrong with a file of grids.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read as rows of text.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// The header lacks a column.
    #[error("line 1: no column `{0}`; the header must name `input` and `output`")]
    MissingColumn(&'static str),
    /// A line is no JSON, or not of the right form.
    #[error("line {line}: {message}")]
    Json {
        /// The line.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A grid is none, or not of the wanted format.
    #[error("line {line}, {side}: {source}")]
    Grid {
        /// The line.
        line: u64,
        /// `input` or `output`.
        side: &'static str,
        /// Why.
        source: FormatError,
    },
    /// An augmentation that an example does not stand.
    #[error("line {line}: {source}")]
    Augmentation {
        /// The line.
        line: u64,
        /// Why.
        source: FormatError,
    },
    /// A single row that could be a square.
    #[error(
        "line {line}: all grids are one row of {cells} cells: --width {side} if they are squares of {side} rows, \
         --width {cells} if they are rows"
    )]
    OneRow {
        /// The first line.
        line: u64,
        /// Cells of the row.
        cells: usize,
        /// Its square root.
        side: usize,
    },
    /// Blanks or commas that stand between symbols or are some.
    #[error(
        "line {line}: is `{row}` a row of {parts} symbols or of {characters} characters? --apart if {gap} stand between \
         symbols, --alphabet with {gap} among its characters if they are symbols"
    )]
    Gaps {
        /// The line of a row with several.
        line: u64,
        /// The row.
        row: String,
        /// Its parts.
        parts: usize,
        /// Its characters.
        characters: usize,
        /// Blanks or commas.
        gap: &'static str,
    },
    /// The format that is asked for is none.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Small grids are filled up with a symbol that they have themselves.
    #[error(
        "line {line}: grids of different sizes are filled up with spaces, but a space is a symbol here"
    )]
    Space {
        /// A line with a space.
        line: u64,
    },
    /// The same question with two answers.
    #[error(
        "lines {first} and {line} answer the same question differently: --two-answers keeps one of them"
    )]
    TwoAnswers {
        /// The line of the first.
        first: u64,
        /// The line of another.
        line: u64,
    },
}

/// What is asked of a format; the rest is inferred.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Columns.
    pub width: Option<usize>,
    /// Rows.
    pub height: Option<usize>,
    /// All symbols, in the order of their tokens: characters, or a list with commas where some have several.
    pub symbols: Option<String>,
    /// Whether blanks stand between symbols.
    pub apart: bool,
    /// How puzzles can be changed.
    pub augmentations: Vec<Augmentation>,
    /// Symbols that can change places among each other, written as in `symbols`.
    pub permuted: String,
}
