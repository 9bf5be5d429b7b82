//! Maze files: `source,question,answer,rating`, one maze a row.

use super::grid::{Maze, MazeError};
use super::rules::Size;
use super::verify::{PathFault, PathVerdict, judge, path};
use crate::{Domain, Pair};
use ::csv::{ReaderBuilder, StringRecord, WriterBuilder};
use std::io::{Read, Write};

/// What is wrong with a file of mazes. Lines are counted from 1, the header being the first.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The file cannot be read as rows of text, or not be written.
    #[error(transparent)]
    Rows(#[from] ::csv::Error),
    /// The header lacks a column.
    #[error("line 1: no column `{0}`; the header must name `question` and `answer`")]
    MissingColumn(&'static str),
    /// A question or an answer is not a maze.
    #[error("line {line}, {column}: {source}")]
    Maze {
        /// The line.
        line: u64,
        /// The column.
        column: &'static str,
        /// Why.
        source: MazeError,
    },
    /// Question and answer are of different sizes.
    #[error(
        "line {line}: the question has {question} cells, the answer {answer}: they must be of one size"
    )]
    Sizes {
        /// The line.
        line: u64,
        /// Columns and rows of the question.
        question: String,
        /// Columns and rows of the answer.
        answer: String,
    },
    /// The marks of an answer are no path.
    #[error("line {line}, answer: {fault}")]
    Marks {
        /// The line.
        line: u64,
        /// Why, and where.
        fault: PathFault,
    },
    /// The path of an answer is no shortest one of its question.
    #[error("line {line}: the answer has {verdict}")]
    Answer {
        /// The line.
        line: u64,
        /// What is wrong with it.
        verdict: PathVerdict,
    },
    /// A header and nothing else.
    #[error("no mazes")]
    None,
    /// Mazes that are too large.
    #[error("sides are at most {}", Size::MAX)]
    TooLarge,
    /// Mazes that are not all of one size.
    #[error("a {found}, but the first is a {first}")]
    Mixed {
        /// The domain of the first maze.
        first: Domain,
        /// The domain of another one.
        found: Domain,
    },
}

/// Reads mazes and their answers. A cell of the file holds a square maze on one line, or any maze with its
/// rows on lines of their own.
///
/// ```
/// use trm_puzzles::maze::read_csv;
///
/// let pairs = read_csv("question,answer\nS# G,S#oG\n".as_bytes())?;
/// assert_eq!(pairs[0].0.to_string(), "S# G");
/// # Ok::<(), trm_puzzles::maze::CsvError>(())
/// ```
///
/// # Errors
/// If something is no maze, or an answer none of a shortest path; the line is named.
pub fn read_csv(text: impl Read) -> Result<Vec<(Maze, Maze)>, CsvError> {
    let mut reader = ReaderBuilder::new().from_reader(text);
    let header = reader.headers()?.clone();
    let column = |name: &'static str| {
        let found = header.iter().position(|column| column.trim() == name);
        found.map(|place| (place, name)).ok_or(CsvError::MissingColumn(name))
    };
    let (question, answer) = (column("question")?, column("answer")?);
    let mut pairs = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, |position| position.line());
        let maze = |(place, column)| maze(&record, place, (line, column));
        let (question, answer) = (maze(question)?.question(), maze(answer)?);
        let [wanted, found] = [&question, &answer].map(|m| format!("{}×{}", m.width(), m.height()));
        if wanted != found {
            return Err(CsvError::Sizes { line, question: wanted, answer: found });
        }
        let tokens = answer.to_tokens();
        path(&question, &tokens).map_err(|fault| CsvError::Marks { line, fault })?;
        let verdict = judge(&question, &tokens);
        if !verdict.is_solved() {
            return Err(CsvError::Answer { line, verdict });
        }
        pairs.push((question, answer));
    }
    Ok(pairs)
}

/// Reads mazes of one size and their answers: the domain, and the tokens of both ([`read_csv`]).
///
/// # Errors
/// If the file is not of this kind, or holds no mazes, or some of several sizes.
pub fn read_pairs(file: impl Read) -> Result<(Domain, Vec<Pair>), CsvError> {
    let mazes = read_csv(file)?;
    let size = |maze: &Maze| Size { width: maze.width(), height: maze.height() };
    let mut sizes = mazes.iter().map(|(maze, _)| size(maze));
    let first = sizes.next().ok_or(CsvError::None)?;
    if !first.is_possible() {
        return Err(CsvError::TooLarge);
    }
    if let Some(found) = sizes.find(|size| *size != first) {
        return Err(CsvError::Mixed { first: Domain::new(first), found: Domain::new(found) });
    }
    let tokens = |(question, answer): &(Maze, Maze)| [question.to_tokens(), answer.to_tokens()];
    Ok((Domain::new(first), mazes.iter().map(tokens).collect()))
}

fn maze(
    record: &StringRecord,
    place: usize,
    (line, column): (u64, &'static str),
) -> Result<Maze, CsvError> {
    let text = record.get(place).unwrap_or_default();
    Maze::parse(text).map_err(|source| CsvError::Maze { line, column, source })
}

/// Writes mazes and their answers, square ones on one line as in the public files.
///
/// # Errors
/// If the operating system refuses.
pub fn write_csv(pairs: &[(Maze, Maze)], file: impl Write) -> Result<(), CsvError> {
    let mut writer = WriterBuilder::new().from_writer(file);
    writer.write_record(["source", "question", "answer", "rating"])?;
    for (question, answer) in pairs {
        writer.write_record(["", &text(question), &text(answer), ""])?;
    }
    writer.flush().map_err(::csv::Error::from)?;
    Ok(())
}

fn text(maze: &Maze) -> String {
    let line = maze.to_string();
    if maze.width() == maze.height() {
        return line;
    }
    let cells: Vec<char> = line.chars().collect();
    let rows: Vec<String> = cells.chunks(maze.width()).map(|row| row.iter().collect()).collect();
    rows.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let pair = |q: &str, a: &str| (Maze::parse(q).unwrap(), Maze::parse(a).unwrap());
        let pairs = vec![pair("S# G", "S#oG"), pair(" S#\n  G", " S#\n oG")];
        let mut file = Vec::new();
        write_csv(&pairs, &mut file).unwrap();
        assert_eq!(read_csv(&file[..]).unwrap(), pairs);
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let message = |text: &str| read_csv(text.as_bytes()).unwrap_err().to_string();
        assert!(message("question,label\n").contains("no column `answer`"));
        assert_eq!(
            message("question,answer\nS# G,S#oG\nS#xG,S#oG\n"),
            "line 3, question: 'x' at row 2 column 1: expected #, blank or dot, S, G or o"
        );
        assert_eq!(
            message("question,answer\nS# G,S# G\n"),
            "line 2, answer: the marks are no single line from S to G: the line from S ends at row 1 column 1"
        );
        assert_eq!(
            message("question,answer\nS   G                    ,SoooGoo                  \n"),
            "line 2, answer: the marks are no single line from S to G: there are several ways on at row 1 column 1"
        );
        assert_eq!(
            message("question,answer\nS# G,S  o    G\n"),
            "line 2: the question has 2×2 cells, the answer 3×3: they must be of one size"
        );
        assert_eq!(
            message("question,answer\nS# G,S\n"),
            "line 2, answer: 0 cells G: a maze has one"
        );
        assert!(message("question,answer\nS# G\n").contains("found record with 1 fields"));
    }
}
