//! Puzzle files: `source,question,answer,rating`, one puzzle a row.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ::csv::{ReaderBuilder, StringRecord, Terminator, Trim};

use super::check::{PuzzleError, check_question};
use super::generate::Puzzle;
use super::grid::Grid;
use super::parse::ParseError;
use super::shape::Shape;
use super::verify::verify;
use crate::ConstraintVerdict;
use crate::columns::{ANSWER, QUESTION, RATING, place};

/// One row of a puzzle file.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where the puzzle comes from; may be empty.
    pub source: String,
    /// The givens.
    pub question: Grid,
    /// A full grid that solves the question.
    pub answer: Grid,
    /// The difficulty as the file states it. Scales differ between files.
    pub rating: Option<f64>,
}

impl Record {
    /// The row for a puzzle, saying where it comes from.
    pub fn new(source: impl Into<String>, puzzle: &Puzzle) -> Record {
        let &Puzzle { question, answer, rating } = puzzle;
        Record { source: source.into(), question, answer, rating: Some(rating.into()) }
    }
}

/// What is wrong with a puzzle file. Lines are counted from 1, the header being the first.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The file cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be read as rows of text.
    #[error("{file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why, and where.
        source: ::csv::Error,
    },
    /// The header lacks a column.
    #[error(
        "{file}, line 1: no column `{column}` among `{header}`; the header must name `question` \
         and `answer` (or `puzzle` and `solution`), and may name `source` and `rating`"
    )]
    MissingColumn {
        /// The file.
        file: String,
        /// The column that is missing.
        column: &'static str,
        /// The header found.
        header: String,
    },
    /// A row has more or fewer fields than the header.
    #[error("{file}, line {line}: {found} fields where the header names {expected}")]
    Fields {
        /// The file.
        file: String,
        /// The line of the row.
        line: u64,
        /// How many fields it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A question or an answer is not a grid.
    #[error("{file}, line {line}, {column}: {source}")]
    Grid {
        /// The file.
        file: String,
        /// The line of the row.
        line: u64,
        /// The column.
        column: &'static str,
        /// Why.
        source: ParseError,
    },
    /// A rating is not a number.
    #[error("{file}, line {line}: rating `{found}` is no number")]
    Rating {
        /// The file.
        file: String,
        /// The line of the row.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// A question has not exactly one solution.
    #[error("{file}, line {line}, question: {source}")]
    Question {
        /// The file.
        file: String,
        /// The line of the row.
        line: u64,
        /// Why.
        source: PuzzleError,
    },
    /// An answer does not solve its question.
    #[error("{file}, line {line}: the answer does not solve the question ({verdict})")]
    Unsolved {
        /// The file.
        file: String,
        /// The line of the row.
        line: u64,
        /// What is wrong with the answer.
        verdict: ConstraintVerdict,
    },
    /// The file cannot be written.
    #[error("cannot write puzzles: {0}")]
    Write(#[from] ::csv::Error),
}

/// Reads a puzzle file; see [`read_csv`].
pub fn read_csv_file(path: &Path) -> Result<Vec<Record>, CsvError> {
    let open_error = |source| CsvError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open_error)?;
    read_csv(file, &path.display().to_string())
}

/// Reads puzzles of one shape. Columns are found by the names in the header; `source` and
/// `rating` may be missing, and the names of the large public files are known. Every answer must be the only
/// solution of its question. Errors call the input `file`.
///
/// ```
/// use trm_puzzles::sudoku::read_csv;
///
/// let text = "question,answer\n1.....3..4.....2,1324423124133142\n";
/// let records = read_csv(text.as_bytes(), "example")?;
/// assert_eq!(records[0].question.filled(), 4);
///
/// let text = "question,answer\n1.....3..4.....2,1324423124133124\n";
/// assert_eq!(
///     read_csv(text.as_bytes(), "example").unwrap_err().to_string(),
///     "example, line 2: the answer does not solve the question (not solved: 2 of 12 rows, \
///      columns and boxes wrong, 1 given changed)"
/// );
/// # Ok::<(), trm_puzzles::sudoku::CsvError>(())
/// ```
pub fn read_csv(input: impl Read, file: &str) -> Result<Vec<Record>, CsvError> {
    let read_error = |source| CsvError::Read { file: file.to_owned(), source };
    // The reader's line numbers ignore blank lines before a row and lag behind at `\r\n`. Ending
    // every row, the last too, with `\n` makes the number after a row right.
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .trim(Trim::All)
        .terminator(Terminator::Any(b'\n'))
        .from_reader(input.chain(&b"\n"[..]));
    let header = reader.headers().map_err(read_error)?.clone();
    let columns = Columns::find(&header, file)?;
    let mut records = Vec::new();
    let mut shape = None;
    let mut row = StringRecord::new();
    while reader.read_record(&mut row).map_err(read_error)? {
        if row.len() == 1 && row[0].is_empty() {
            continue;
        }
        let line = reader.position().line() - 1;
        let record = columns.record(&row, shape, Place { file, line })?;
        shape = Some(record.question.shape());
        records.push(record);
    }
    Ok(records)
}

/// Writes puzzles so that [`read_csv`] reads them back.
pub fn write_csv<'a>(
    output: impl Write,
    records: impl IntoIterator<Item = &'a Record>,
) -> Result<(), CsvError> {
    let mut writer = ::csv::Writer::from_writer(output);
    writer.write_record(["source", "question", "answer", "rating"])?;
    for Record { source, question, answer, rating } in records {
        let rating = rating.map_or(String::new(), |rating| rating.to_string());
        writer.write_record([source, &question.to_string(), &answer.to_string(), &rating])?;
    }
    writer.flush().map_err(::csv::Error::from)?;
    Ok(())
}

#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    line: u64,
}

/// Where the columns stand.
struct Columns {
    count: usize,
    source: Option<usize>,
    question: usize,
    answer: usize,
    rating: Option<usize>,
}

impl Columns {
    fn find(header: &StringRecord, file: &str) -> Result<Columns, CsvError> {
        let required = |names: &[&'static str]| {
            place(header, names).ok_or_else(|| CsvError::MissingColumn {
                file: file.to_owned(),
                column: names[0],
                header: header.iter().collect::<Vec<_>>().join(","),
            })
        };
        Ok(Columns {
            count: header.len(),
            source: place(header, &["source"]),
            question: required(QUESTION)?,
            answer: required(ANSWER)?,
            rating: place(header, RATING),
        })
    }

    fn record(
        &self,
        row: &StringRecord,
        shape: Option<Shape>,
        Place { file, line }: Place<'_>,
    ) -> Result<Record, CsvError> {
        let file = || file.to_owned();
        if row.len() != self.count {
            let (found, expected) = (row.len(), self.count);
            return Err(CsvError::Fields { file: file(), line, found, expected });
        }
        let grid = |column, index, shape| {
            let error = |source| CsvError::Grid { file: file(), line, column, source };
            Grid::parse(&row[index], shape).map_err(error)
        };
        let question = grid("question", self.question, shape)?;
        let answer = grid("answer", self.answer, Some(question.shape()))?;
        let verdict = verify(&question, &answer);
        if !verdict.is_solved() {
            return Err(CsvError::Unsolved { file: file(), line, verdict });
        }
        let unclear = |source| CsvError::Question { file: file(), line, source };
        check_question(&question).map_err(unclear)?;
        let rating = match self.rating.map_or("", |index| &row[index]) {
            "" => None,
            text => Some(text.parse().ok().filter(|rating: &f64| rating.is_finite()).ok_or_else(
                || {
                    let found = text.to_owned();
                    CsvError::Rating { file: file(), line, found }
                },
            )?),
        };
        let source = self.source.map_or("", |index| &row[index]).to_owned();
        Ok(Record { source, question, answer, rating })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &str = "1.....3..4.....2";
    const ANSWER: &str = "1324423124133142";

    fn message(text: &str) -> String {
        read_csv(text.as_bytes(), "a.csv").unwrap_err().to_string()
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = format!("\u{feff}rating,answer,extra,question\r\n7,{ANSWER},x,{QUESTION}\r\n");
        let records = read_csv(text.as_bytes(), "a.csv").unwrap();
        let expected = Record {
            source: String::new(),
            question: QUESTION.parse().unwrap(),
            answer: ANSWER.parse().unwrap(),
            rating: Some(7.0),
        };
        assert_eq!(records, [expected]);
    }

    #[test]
    fn the_columns_of_large_public_files_are_known() {
        for header in ["quizzes,solutions", "Puzzle,Solution", "puzzle,solution,difficulty"] {
            let extra = if header.ends_with("difficulty") { ",2.5" } else { "" };
            let text = format!("{header}\n{QUESTION},{ANSWER}{extra}\n");
            let records = read_csv(text.as_bytes(), "a.csv").unwrap();
            assert_eq!(records[0].question, QUESTION.parse().unwrap(), "{header}");
            assert_eq!(records[0].rating, (!extra.is_empty()).then_some(2.5));
        }
    }

    #[test]
    fn several_solutions_are_named_with_their_line() {
        let open = ".".repeat(16);
        let message = message(&format!("question,answer\n{QUESTION},{ANSWER}\n{open},{ANSWER}\n"));
        assert!(message.starts_with("a.csv, line 3, question: "), "{message}");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut record = Record {
            source: "a \"b\", c".to_owned(),
            question: QUESTION.parse().unwrap(),
            answer: ANSWER.parse().unwrap(),
            rating: None,
        };
        let mut records = vec![record.clone()];
        record.rating = Some(1.5);
        records.push(record);
        let mut file = Vec::new();
        write_csv(&mut file, &records).unwrap();
        assert!(file.starts_with(b"source,question,answer,rating\n"));
        assert_eq!(read_csv(&file[..], "written").unwrap(), records);
    }

    #[test]
    fn errors_name_file_and_line() {
        assert_eq!(
            message("source,question\n"),
            "a.csv, line 1: no column `answer` among `source,question`; the header must name \
             `question` and `answer` (or `puzzle` and `solution`), and may name `source` and `rating`"
        );
        let good = format!("question,answer,rating\n{QUESTION},{ANSWER},3\n");
        assert_eq!(
            message(&format!("{good}{QUESTION},{ANSWER}\n")),
            "a.csv, line 3: 2 fields where the header names 3"
        );
        assert_eq!(
            message(&format!("{good}\n{},{ANSWER},3\n", &QUESTION[1..])),
            "a.csv, line 4, question: found 15 cells: a 4×4 grid has 16"
        );
        let windows = format!("{good}\n{QUESTION},{ANSWER}").replace('\n', "\r\n");
        assert_eq!(message(&windows), "a.csv, line 4: 2 fields where the header names 3");
        assert_eq!(
            message(&format!("{good}{QUESTION},{},3\n", ANSWER.replace('4', "5"))),
            "a.csv, line 3, answer: digit 5 (character 4 of line 1) is too large for a 4×4 grid, \
             whose digits are 1 to 4"
        );
        assert_eq!(
            message(&format!("{good}{QUESTION},{ANSWER},hard\n")),
            "a.csv, line 3: rating `hard` is no number"
        );
        assert_eq!(
            message(&format!("{good}2{},{ANSWER},3\n", &QUESTION[1..])),
            "a.csv, line 3: the answer does not solve the question (not solved: 1 given changed)"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_csv_file(Path::new("no/such.csv")).unwrap_err().to_string();
        assert!(error.starts_with("cannot open no/such.csv: "), "{error}");
    }
}
