//! Files of a user's puzzles: CSV or a JSON value a line, and what they tell about the puzzle.

use super::format::{Format, FormatError, OUTSIDE, ragged};
use crate::Pair;
use crate::columns::{ANSWER, QUESTION, place};
use csv::ReaderBuilder;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::io::Read;

/// The symbols of a grid, row by row.
pub type Rows = Vec<Vec<char>>;

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
    #[error("lines {first} and {line} answer the same question differently")]
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
    /// All symbols, in the order of their tokens.
    pub symbols: Option<String>,
    /// Whether puzzles can be turned and mirrored.
    pub dihedral: bool,
    /// Symbols that can change places among each other.
    pub permuted: String,
}

/// Reads the columns `input` and `output` (or `question` and `answer`). Rows of a grid are lines, or parted
/// by `/`.
///
/// ```
/// use trm_puzzles::grid::{Wanted, infer, read_csv};
///
/// let examples = read_csv("input,output\nab/.a,ba/a.\n".as_bytes())?;
/// let format = infer(&examples, &Wanted::default())?;
/// assert_eq!((format.width(), format.height(), format.symbols()), (2, 2, &['.', 'a', 'b'][..]));
/// # Ok::<(), trm_puzzles::grid::FileError>(())
/// ```
///
/// # Errors
/// If something is not readable; the line is named.
pub fn read_csv(text: impl Read) -> Result<Vec<Example>, FileError> {
    let mut reader = ReaderBuilder::new().from_reader(text);
    let header = reader.headers()?.clone();
    let column = |ours, names| place(&header, names).ok_or(FileError::MissingColumn(ours));
    let (input, output) = (column("input", QUESTION)?, column("output", ANSWER)?);
    let mut examples = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, |position| position.line());
        let rows = |place: usize| rows_of(record.get(place).unwrap_or_default());
        examples.push(Example { line, input: rows(input), output: rows(output) });
    }
    Ok(examples)
}

/// Reads an object with `input` and `output` (or `question` and `answer`) a line. A grid is a text as in
/// [`read_csv`], a list of rows, or a list of lists of cells, which are numbers from 0 to 9 or characters.
///
/// # Errors
/// If a line is not of this form; it is named.
pub fn read_jsonl(text: &str) -> Result<Vec<Example>, FileError> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let example = |(line, text): (u64, &str)| {
        let refuse = |message: String| FileError::Json { line, message };
        let value: Value = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let grid = |ours: &str, names: &[&str]| {
            let value = names.iter().find_map(|name| value.get(name));
            let value = value.ok_or_else(|| refuse(format!("no `{ours}`")))?;
            rows_of_json(value).ok_or_else(|| {
                let forms =
                    "a text, a list of texts, or lists of numbers from 0 to 9 or characters";
                refuse(format!("`{ours}` is no grid: {forms}"))
            })
        };
        let (input, output) = (grid("input", QUESTION)?, grid("output", ANSWER)?);
        Ok(Example { line, input, output })
    };
    lines.map(example).collect()
}

/// Leaves out what stands between the cells of every row of every grid, as many programs print them: a blank, a
/// tab or a comma.
pub fn close_up(examples: &mut [Example]) {
    let apart = GAPS.iter().find(|gap| {
        let mut rows = examples.iter().flat_map(|e| e.input.iter().chain(&e.output));
        rows.clone().all(|row| cells_apart(row, gap).is_some()) && rows.any(|row| row.len() > 1)
    });
    let Some(gap) = apart else { return };
    for row in examples.iter_mut().flat_map(|e| e.input.iter_mut().chain(&mut e.output)) {
        *row = cells_apart(row, gap).expect("checked");
    }
}

/// Cuts grids of a single row that is longer into rows of so many cells.
pub fn cut(examples: &mut [Example], width: usize) {
    for rows in examples.iter_mut().flat_map(|e| [&mut e.input, &mut e.output]) {
        if let [row] = &rows[..]
            && width > 0
            && row.len() > width
        {
            *rows = row.chunks(width).map(<[char]>::to_vec).collect();
        }
    }
}

/// What can stand between cells.
const GAPS: [&str; 4] = [", ", ",", "\t", " "];

/// The cells of a row between gaps, if each is one character.
fn cells_apart(row: &[char], gap: &str) -> Option<Vec<char>> {
    let text: String = row.iter().collect();
    text.split(gap).map(|cell| cell.parse().ok()).collect()
}

/// The rows of a text: lines, or separated by `/`.
pub(super) fn rows_of(text: &str) -> Rows {
    let text = text.replace('\r', "");
    text.trim_matches('\n').split(['\n', '/']).map(|row| row.chars().collect()).collect()
}

fn rows_of_json(value: &Value) -> Option<Rows> {
    let cell = |value: &Value| match value {
        Value::Number(number) => char::from_digit(u32::try_from(number.as_u64()?).ok()?, 10),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let row = |value: &Value| match value {
        Value::String(text) => Some(text.chars().collect()),
        Value::Array(cells) => cells.iter().map(cell).collect(),
        _ => None,
    };
    match value {
        Value::String(text) => Some(rows_of(text)),
        Value::Array(rows) => rows.iter().map(row).collect(),
        _ => None,
    }
}

/// The format that fits all examples.
///
/// # Errors
/// If there is none; the line is named.
pub fn infer(examples: &[Example], wanted: &Wanted) -> Result<Format, FileError> {
    let grids = || {
        examples.iter().flat_map(|e| [(e.line, "input", &e.input), (e.line, "output", &e.output)])
    };
    for (line, side, rows) in grids() {
        let first = rows.first().map_or(0, Vec::len);
        let ragged = rows.iter().enumerate().find(|(_, row)| row.len() != first);
        if let Some((row, found)) = ragged {
            return Err(FileError::Grid { line, side, source: ragged_row(row, found, first) });
        }
        if first == 0 {
            let source = FormatError::Side { width: 0, height: 0 };
            return Err(FileError::Grid { line, side, source });
        }
    }
    let sizes: BTreeSet<(usize, usize)> =
        grids().map(|(_, _, rows)| (rows[0].len(), rows.len())).collect();
    let width = wanted.width.or(sizes.iter().map(|size| size.0).max()).unwrap_or(0);
    let height = wanted.height.or(sizes.iter().map(|size| size.1).max()).unwrap_or(0);
    let side = width.isqrt();
    if wanted.width.is_none()
        && wanted.height.is_none()
        && sizes.len() == 1
        && height == 1
        && side > 1
        && side * side == width
    {
        let line = examples.first().map_or(0, |example| example.line);
        return Err(FileError::OneRow { line, cells: width, side });
    }
    let varied = sizes.iter().any(|size| *size != (width, height));
    let used: BTreeSet<char> =
        grids().flat_map(|(_, _, rows)| rows.iter().flatten()).copied().collect();
    if varied && used.contains(&OUTSIDE) {
        let has_space =
            |(_, _, rows): &(u64, &str, &Rows)| rows.iter().flatten().any(|c| *c == OUTSIDE);
        let line = grids().find(has_space).map_or(0, |(line, ..)| line);
        return Err(FileError::Space { line });
    }
    let mut symbols: Vec<char> = match &wanted.symbols {
        Some(symbols) => symbols.chars().collect(),
        None => used.into_iter().collect(),
    };
    if varied && !symbols.contains(&OUTSIDE) {
        symbols.push(OUTSIDE);
    }
    let format = Format::new((width, height), symbols, wanted.dihedral, wanted.permuted.chars())?;
    for (line, side, rows) in grids() {
        format.tokens(rows).map_err(|source| FileError::Grid { line, side, source })?;
    }
    Ok(format)
}

/// The tokens of all examples.
///
/// # Errors
/// If a grid is not of this format, or a question has two answers; the line is named.
pub fn pairs(examples: &[Example], format: &Format) -> Result<Vec<Pair>, FileError> {
    let mut known: HashMap<Vec<u8>, (u64, Vec<u8>)> = HashMap::new();
    let mut pairs = Vec::with_capacity(examples.len());
    for Example { line, input, output } in examples {
        let tokens = |side, rows| {
            format.tokens(rows).map_err(|source| FileError::Grid { line: *line, side, source })
        };
        let (question, answer) = (tokens("input", input)?, tokens("output", output)?);
        let first = known.entry(question.clone()).or_insert_with(|| (*line, answer.clone()));
        if first.1 != answer {
            return Err(FileError::TwoAnswers { first: first.0, line: *line });
        }
        pairs.push([question, answer]);
    }
    Ok(pairs)
}

fn ragged_row(row: usize, found: &[char], expected: usize) -> FormatError {
    ragged(row, found.len(), expected)
}
