//! Files of tasks: the Kaggle form with challenges and solutions apart, and one file per task.

use super::grid::{Grid, GridError, Pair, Task};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// What is wrong with a file of tasks.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not the JSON of tasks; the line and column are named.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Another file than one of tasks.
    #[error("no file of tasks, but {0}")]
    Other(&'static str),
    /// Two tasks of one name.
    #[error("two tasks are called `{0}`")]
    Twice(String),
    /// A grid that is none.
    #[error("task {task}, {place}: {source}")]
    Grid {
        /// The task.
        task: String,
        /// Which of its grids, such as `train pair 2, output`.
        place: String,
        /// Why.
        source: GridError,
    },
    /// A pair that shows the rule has no output.
    #[error("task {task}, train pair {pair}: no output")]
    NoOutput {
        /// The task.
        task: String,
        /// The pair, from 1.
        pair: usize,
    },
    /// A task without pairs to learn from, or without a test.
    #[error("task {0}: no {1} pairs")]
    NoPairs(String, &'static str),
    /// Solutions that do not belong to the challenges.
    #[error("solutions, task {task}: {message}")]
    Solutions {
        /// The task.
        task: String,
        /// What is wrong.
        message: String,
    },
}

type Rows = Vec<Vec<i64>>;

#[derive(Deserialize)]
struct RawTask {
    train: Vec<RawPair>,
    test: Vec<RawPair>,
}

#[derive(Deserialize)]
struct RawPair {
    input: Rows,
    output: Option<Rows>,
}

/// Reads a file of challenges, and the file of their solutions if there is one.
///
/// ```
/// use trm_puzzles::arc::read_challenges;
///
/// let challenges = r#"{"a": {"train": [{"input": [[1]], "output": [[2]]}], "test": [{"input": [[3]]}]}}"#;
/// let tasks = read_challenges(challenges.as_bytes(), Some(br#"{"a": [[[4]]]}"#))?;
/// assert_eq!(tasks[0].test[0].output.as_ref().map(ToString::to_string), Some("4".into()));
/// # Ok::<(), trm_puzzles::arc::FileError>(())
/// ```
///
/// # Errors
/// Says what is wrong, and with which task.
pub fn read_challenges(
    challenges: &[u8],
    solutions: Option<&[u8]>,
) -> Result<Vec<Task>, FileError> {
    let Entries(raw) = serde_json::from_slice(challenges)?;
    let tasks = raw.into_iter().map(|(name, raw)| task(name, raw));
    let mut tasks = tasks.collect::<Result<Vec<Task>, _>>()?;
    tasks.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = tasks.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(FileError::Twice(twice[0].name.clone()));
    }
    let Some(solutions) = solutions else { return Ok(tasks) };
    let mut outputs: BTreeMap<String, Vec<Rows>> = serde_json::from_slice(solutions)?;
    for task in &mut tasks {
        let refuse = |message: String| FileError::Solutions { task: task.name.clone(), message };
        let outputs = outputs.remove(&task.name).ok_or_else(|| refuse("none".into()))?;
        if outputs.len() != task.test.len() {
            let message = format!("{} outputs for {} inputs", outputs.len(), task.test.len());
            return Err(refuse(message));
        }
        for (i, (pair, rows)) in task.test.iter_mut().zip(outputs).enumerate() {
            let place = || format!("solution {}", i + 1);
            pair.output = Some(grid(&task.name, &rows, place)?);
        }
    }
    match outputs.pop_first() {
        Some((task, _)) => Err(FileError::Solutions { task, message: "no such challenge".into() }),
        None => Ok(tasks),
    }
}

/// Reads a file of a single task, which is called `name`, or one of challenges, with the file of their solutions if
/// there is one.
///
/// # Errors
/// Says what is wrong, or what the file is.
pub fn read_tasks(
    name: &str,
    file: &[u8],
    solutions: Option<&[u8]>,
) -> Result<Vec<Task>, FileError> {
    #[derive(Deserialize)]
    struct Parts {
        #[serde(rename = "train")]
        _train: IgnoredAny,
        #[serde(rename = "test")]
        _test: IgnoredAny,
    }
    let is_object = file.trim_ascii_start().starts_with(b"{"); // a list would do for serde
    if is_object && serde_json::from_slice::<Parts>(file).is_ok() {
        return Ok(vec![task(name.to_owned(), serde_json::from_slice(file)?)?]);
    }
    read_challenges(file, solutions).map_err(|error| match (&error, kind(file)) {
        (FileError::Json(_), Some(kind)) => FileError::Other(kind),
        _ => error,
    })
}

/// What a file is that has no tasks, if it is known.
fn kind(file: &[u8]) -> Option<&'static str> {
    let first = |list: &Value| list.as_array().and_then(|list| list.first().cloned());
    match serde_json::from_slice(file).ok()? {
        Value::Object(entries) => match first(entries.values().next()?)? {
            Value::Array(_) => Some("the solutions of one: give the file of challenges"),
            Value::Object(attempts) if attempts.contains_key("attempt_1") => {
                Some("a submission: give the file of challenges")
            }
            _ => None,
        },
        Value::Array(pairs) => pairs.first()?.get("input").map(|_| {
            "a list of pairs: a task is an object with pairs to learn from, `train`, and pairs to ask, `test`"
        }),
        _ => None,
    }
}

/// The entries of an object, those of one name too.
struct Entries(Vec<(String, RawTask)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Entries, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tasks")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Visit)
    }
}

fn task(name: String, raw: RawTask) -> Result<Task, FileError> {
    for (pairs, kind) in [(&raw.train, "train"), (&raw.test, "test")] {
        if pairs.is_empty() {
            return Err(FileError::NoPairs(name, kind));
        }
    }
    let pairs = |kind: &str, raw: Vec<RawPair>| {
        let pair = |(i, raw): (usize, RawPair)| {
            let place = |which: &str| format!("{kind} pair {i}, {which}");
            let input = grid(&name, &raw.input, || place("input"))?;
            let output =
                raw.output.map(|rows| grid(&name, &rows, || place("output"))).transpose()?;
            Ok(Pair { input, output })
        };
        (1..).zip(raw).map(pair).collect::<Result<Vec<Pair>, FileError>>()
    };
    let (train, test) = (pairs("train", raw.train)?, pairs("test", raw.test)?);
    match train.iter().position(|pair| pair.output.is_none()) {
        Some(i) => Err(FileError::NoOutput { task: name, pair: i + 1 }),
        None => Ok(Task { name, train, test }),
    }
}

fn grid(task: &str, rows: &Rows, place: impl Fn() -> String) -> Result<Grid, FileError> {
    Grid::from_rows(rows).map_err(|source| {
        let (task, place) = (task.to_owned(), place());
        FileError::Grid { task, place, source }
    })
}

/// The JSON of a submission: for every task and test input two attempts.
pub fn write_submission<'t>(tasks: impl IntoIterator<Item = (&'t str, Vec<[Grid; 2]>)>) -> Value {
    let rows = |grid: &Grid| json!(grid.rows().collect::<Vec<_>>());
    let attempts = |[one, two]: &[Grid; 2]| json!({"attempt_1": rows(one), "attempt_2": rows(two)});
    let tasks = tasks.into_iter();
    tasks
        .map(|(name, inputs)| (name.to_owned(), inputs.iter().map(attempts).collect::<Vec<_>>()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(challenges: &str, solutions: Option<&str>) -> String {
        let solutions = solutions.map(str::as_bytes);
        read_challenges(challenges.as_bytes(), solutions).unwrap_err().to_string()
    }

    fn challenge(train: &str, test: &str) -> String {
        format!(r#"{{"a": {{"train": [{train}], "test": [{test}]}}}}"#)
    }

    const PAIR: &str = r#"{"input": [[1, 2]], "output": [[3], [4]]}"#;

    #[test]
    fn faults_are_named_with_task_and_grid() {
        let ragged = r#"{"input": [[1, 2], [3]], "output": [[0]]}"#;
        assert_eq!(
            message(&challenge(&format!("{PAIR}, {ragged}"), PAIR), None),
            "task a, train pair 2, input: row 2 has 1 cells where the first has 2"
        );
        let input = r#"{"input": [[1, 12]]}"#;
        assert_eq!(
            message(&challenge(PAIR, input), None),
            "task a, test pair 1, input: 12 at row 1 column 2: colours are 0 to 9"
        );
        assert_eq!(
            message(&challenge(r#"{"input": [[1]]}"#, PAIR), None),
            "task a, train pair 1: no output"
        );
        assert_eq!(message(&challenge("", PAIR), None), "task a: no train pairs");
        assert_eq!(message(&challenge(PAIR, ""), None), "task a: no test pairs");
        assert!(message("{\"a\": 3}", None).contains("line 1 column 7"));
        assert!(message(&challenge(PAIR, PAIR)[..40], None).contains("EOF"));
        assert!(
            message(r#"{"a": {"train": [], "tests": []}}"#, None).contains("missing field `test`")
        );
        assert!(
            message(&challenge(r#"{"input": [[1.5]], "output": [[1]]}"#, PAIR), None)
                .contains("1.5")
        );
    }

    #[test]
    fn solutions_must_be_those_of_the_challenges() {
        let challenges = challenge(PAIR, r#"{"input": [[1]]}"#);
        let wrong = |solutions: &str| message(&challenges, Some(solutions));
        assert_eq!(wrong("{}"), "solutions, task a: none");
        assert_eq!(wrong(r#"{"a": []}"#), "solutions, task a: 0 outputs for 1 inputs");
        assert_eq!(
            wrong(r#"{"a": [[[1]]], "b": [[[1]]]}"#),
            "solutions, task b: no such challenge"
        );
        assert_eq!(wrong(r#"{"a": [[[]]]}"#), "task a, solution 1: an empty grid");
    }

    #[test]
    fn a_file_that_is_no_challenges_is_named_and_a_single_task_read() {
        let read = |text: &str| read_tasks("a", text.as_bytes(), None);
        let task = format!(r#"{{"name": "x", "test": [{PAIR}], "train": [{PAIR}]}}"#);
        assert_eq!(read(&task).unwrap()[0].name, "a");
        assert_eq!(read(&challenge(PAIR, PAIR)).unwrap().len(), 1);
        let other = |text: &str| read(text).unwrap_err().to_string();
        for pairs in [format!("[{PAIR}]"), format!("[{PAIR}, {PAIR}]")] {
            assert!(other(&pairs).contains("a list of pairs"));
        }
        assert!(other(r#"{"a": [[[1]]]}"#).contains("the solutions"));
        assert!(
            other(r#"{"a": [{"attempt_1": [[0]], "attempt_2": [[0]]}]}"#).contains("submission")
        );
        let twice = format!(r#"{{"a": {task}, "b": {task}, "a": {task}}}"#);
        assert_eq!(other(&twice), "two tasks are called `a`");
    }

    #[test]
    fn a_submission_has_two_attempts_per_input() {
        let grid = |colour| Grid::from_rows(&[vec![colour, 0]]).unwrap();
        let submission = write_submission([("a", vec![[grid(1), grid(2)]])]);
        assert_eq!(submission, json!({"a": [{"attempt_1": [[1, 0]], "attempt_2": [[2, 0]]}]}));
    }
}
