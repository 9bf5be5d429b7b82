//! Files of a user's puzzles: CSV or a JSON value a line.

use super::files::{Example, FileError};
use super::format::{Format, FormatError, Size};
use super::row::{Row, Rows, rows_apart, rows_of};
use crate::columns::{ANSWER, QUESTION, place};
use crate::{Pair, Rules};
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

impl Format {
    /// An example as an object of JSON: `input` and `output`, lists of rows, which are lists of symbols, and `seed`.
    pub fn to_json(&self, [question, answer]: &Pair, seed: u32) -> String {
        let rows = |size: Size, tokens: &[u8]| -> Vec<Vec<&str>> {
            let (width, height) = self.used(size, tokens);
            let rows = tokens.chunks(self.canvas().0).take(height);
            rows.map(|row| row[..width].iter().map(|token| self.symbol(*token)).collect()).collect()
        };
        let (input, output) = (rows(self.question(), question), rows(self.answer(), answer));
        serde_json::json!({ "input": input, "output": output, "seed": seed }).to_string()
    }

    /// The example in such an object, `seed` or not; grids may be written as in a file.
    ///
    /// # Errors
    /// If it is none of this format.
    pub fn read_json(&self, text: &str) -> Result<Pair, String> {
        let mut example = read_json(0, text).map_err(|error| match error {
            FileError::Json { message, .. } => message,
            other => other.to_string(),
        })?;
        for row in example.grids_mut().into_iter().flatten().filter(|_| self.has_long_symbols()) {
            if let Some(text) = row.text() {
                *row = rows_apart(&text.replace('/', " ")).remove(0);
            }
        }
        let refuse = |side| move |error: FormatError| format!("{side}: {error}");
        let question = self.question_tokens(&example.input).map_err(refuse("input"))?;
        Ok([question, self.answer_tokens(&example.output).map_err(refuse("output"))?])
    }
}

/// Reads one such object.
fn read_json(line: u64, text: &str) -> Result<Example, FileError> {
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
