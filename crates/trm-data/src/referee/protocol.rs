//! The lines that go to a referee, and those that come back.

use crate::text::{foreign, one_line};
use serde::{Deserialize, Serialize};
use trm_puzzles::{Asked, Domain, Ruling};

/// What a referee is expected to write.
const EXAMPLE: &str = r#"{"verdict":"right"} or {"verdict":"wrong","broken":[[0,2]],"why":"…"}"#;

/// Turns tokens into the lines that a referee reads, and the lines that it writes into rulings.
pub struct Protocol {
    domain: Domain,
    /// By token.
    symbols: Vec<String>,
    /// Whether each of them is one character, so that a row is a text.
    short: bool,
}

/// One row of a grid: a text where all symbols are one character, else a list of symbols.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Text(String),
    Symbols(Vec<&'a str>),
}

/// What a referee reads.
#[derive(Serialize)]
struct Line<'a> {
    question: Vec<Row<'a>>,
    answer: Vec<Row<'a>>,
}

/// What a referee writes; other keys are ignored.
#[derive(Deserialize)]
struct Reply {
    verdict: Word,
    cost: Option<f64>,
    #[serde(default)]
    broken: Vec<[usize; 2]>,
    why: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Right,
    Wrong,
    Unknown,
}

impl Protocol {
    /// That of a domain.
    pub fn of(domain: &Domain) -> Protocol {
        let symbols: Vec<String> =
            (0..=u8::MAX).map(|token| domain.symbol(token).to_string()).collect();
        let short = symbols.iter().all(|symbol| symbol.chars().count() == 1);
        Protocol { domain: domain.clone(), symbols, short }
    }

    /// One line, with its end.
    pub fn line(&self, (question, answer): Asked<'_>) -> String {
        let line = Line { question: self.rows(question), answer: self.rows(answer) };
        serde_json::to_string(&line).expect("rows are JSON") + "\n"
    }

    /// The rows of a grid in the symbols of its domain.
    fn rows(&self, tokens: &[u8]) -> Vec<Row<'_>> {
        let (columns, (width, height)) = (self.domain.layout().columns, self.domain.extent(tokens));
        let symbols = |row: &[u8]| -> Row<'_> {
            let symbols = row.iter().map(|token| self.symbols[usize::from(*token)].as_str());
            if self.short { Row::Text(symbols.collect()) } else { Row::Symbols(symbols.collect()) }
        };
        (0..height).map(|y| symbols(&tokens[y * columns..][..width])).collect()
    }

    /// The ruling on a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn ruling(&self, line: &str) -> Result<Ruling, String> {
        let refuse = |why: String| format!("wrote `{}`, not {EXAMPLE}: {why}", foreign(line));
        let reply: Reply = serde_json::from_str(line).map_err(|error| refuse(error.to_string()))?;
        let columns = self.domain.layout().columns;
        let rows = self.domain.seq_len() / columns;
        if let Some([row, column]) = reply.broken.iter().find(|[y, x]| *y >= rows || *x >= columns)
        {
            return Err(refuse(format!(
                "there is no cell [{row}, {column}]: rows are 0 to {}, columns 0 to {}",
                rows - 1,
                columns - 1
            )));
        }
        let right = match reply.verdict {
            Word::Right => Some(true),
            Word::Wrong => Some(false),
            Word::Unknown => None,
        };
        Ok(Ruling {
            right,
            cost: reply.cost,
            broken: reply.broken.iter().map(|[row, column]| row * columns + column).collect(),
            why: one_line(&reply.why.unwrap_or_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(name: &str) -> Protocol {
        Protocol::of(&name.parse().unwrap())
    }

    #[test]
    fn grids_are_rows_of_symbols_and_small_ones_end_where_they_end() {
        let own = protocol("grid:3x2:.\"a");
        let line = own.line((&[1, 2, 3, 1, 1, 1], &[0; 6]));
        assert_eq!(line, "{\"question\":[\".\\\"a\",\"...\"],\"answer\":[\"???\",\"???\"]}\n");
        let long = protocol("grid:2x2to1x2:symbols=0,12");
        let line = long.line((&[1, 2, 2, 1], &[2, 0, 1, 0]));
        let expected = r#"{"question":[["0","12"],["12","0"]],"answer":[["12"],["0"]]}"#;
        assert_eq!(line.trim_end(), expected);
        let arc = protocol("arc");
        let tokens = arc.domain.parse("12/34").unwrap();
        let line = arc.line((&tokens, &tokens));
        assert_eq!(line, "{\"question\":[\"12\",\"34\"],\"answer\":[\"12\",\"34\"]}\n");
    }

    #[test]
    fn replies_are_read_and_what_is_none_is_explained() {
        let own = protocol("grid:3x2:.ab");
        let full =
            r#"{"why":"a\nb","verdict":"wrong","cost":-1.5,"broken":[[1,2],[0,0]],"more":1}"#;
        let (why, broken) = ("a\\nb".to_owned(), vec![5, 0]);
        let ruling = Ruling { right: Some(false), cost: Some(-1.5), broken, why };
        assert_eq!(own.ruling(full), Ok(ruling));
        assert_eq!(own.ruling(r#"{"verdict":"unknown"}"#), Ok(Ruling::default()));
        for (line, why) in [
            ("right", "wrote `right`, not {\"verdict\":\"right\"} or"),
            (r#"{"verdict":"good"}"#, "unknown variant `good`"),
            ("{}", "missing field `verdict`"),
            (r#"{"verdict":"right","cost":1e999}"#, "number out of range"),
            (r#"{"verdict":"right","cost":"1"}"#, "invalid type"),
            (
                r#"{"verdict":"wrong","broken":[[0,3]]}"#,
                "no cell [0, 3]: rows are 0 to 1, columns 0 to 2",
            ),
        ] {
            let error = own.ruling(line).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
