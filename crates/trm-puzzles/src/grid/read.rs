//! Files of a user's puzzles: CSV or a JSON value a line.

use super::files::{Example, FileError};
use super::row::{Row, Rows, rows_of};
use crate::columns::{ANSWER, QUESTION, place};
use csv::ReaderBuilder;
use serde_json::Value;
use std::io::Read;

/// Reads the columns `input` and `output` (or `question` and `answer`). Rows of a grid are lines, or parted
/// by `/`.
///
/// ```
/// use trm_puzzles::grid::{Wanted, infer, read_csv};
///
/// let examples = read_csv("input,output\nab/.a,ba/a.\n".as_bytes())?;
/// let format = infer(&examples, &Wanted::default())?;
/// assert_eq!((format.canvas(), format.symbols().concat()), ((2, 2), ".ab".into()));
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
/// [`read_csv`], a list of rows, or a list of lists of cells, which are numbers or texts. A list of numbers is a
/// row.
///
/// # Errors
/// If a line is not of this form; it is named.
pub fn read_jsonl(text: &str) -> Result<Vec<Example>, FileError> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(line, text)| read_json(line, text)).collect()
}

/// Reads one such object.
///
/// # Errors
/// As [`read_jsonl`].
pub fn read_json(line: u64, text: &str) -> Result<Example, FileError> {
    let refuse = |message: String| FileError::Json { line, message };
    let value: Value = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
    let grid = |ours: &str, names: &[&str]| {
        let value = names.iter().find_map(|name| value.get(name));
        let value = value.ok_or_else(|| refuse(format!("no `{ours}`")))?;
        rows_of_json(value).ok_or_else(|| {
            let forms = "a text, a list of texts or numbers, or lists of texts or numbers";
            refuse(format!("`{ours}` is no grid: {forms}"))
        })
    };
    let (input, output) = (grid("input", QUESTION)?, grid("output", ANSWER)?);
    Ok(Example { line, input, output })
}

pub(super) fn rows_of_json(value: &Value) -> Option<Rows> {
    let cell = |value: &Value| match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() && !text.contains(char::is_control) => {
            Some(text.clone())
        }
        _ => None,
    };
    let cells = |cells: &[Value]| {
        let cells: Vec<String> = cells.iter().map(cell).collect::<Option<_>>()?;
        Some(Row::of(cells.iter().map(String::as_str)))
    };
    let row = |value: &Value| match value {
        Value::String(text) => Some(Row::from(&text[..])),
        Value::Array(row) => cells(row),
        _ => None,
    };
    match value {
        Value::String(text) => Some(rows_of(text)),
        Value::Array(row) if row.iter().all(Value::is_number) => Some(vec![cells(row)?]),
        Value::Array(rows) => rows.iter().map(row).collect(),
        _ => None,
    }
}
