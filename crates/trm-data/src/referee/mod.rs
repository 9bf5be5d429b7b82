//! A program of a user's own as the judge of answers: a child process that reads a question and an answer a line, and
//! writes a verdict a line ([decision 18](../../../docs/decisions/0018-referees.md)).

mod pool;
pub(crate) mod process;
mod protocol;

pub use process::end_referees;
pub use protocol::Protocol;

use crate::Error;
use crate::text::foreign;
use pool::Pool;
use process::Process;
use std::time::Duration;
use trm_puzzles::{Domain, RefereeError};

/// How to start a referee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefereeCommand {
    /// The program and its arguments; no shell reads them. Paths are relative to the current folder.
    pub words: Vec<String>,
    /// Processes at most, at least 1. The first one starts at once, the others when several answers are to be judged
    /// at the same time.
    pub workers: usize,
    /// Time for one verdict, the start of the program included. A process that takes longer is killed.
    pub limit: Duration,
}

impl RefereeCommand {
    /// Time for one verdict where none is asked for.
    pub const LIMIT: Duration = Duration::from_secs(10);

    /// The program and its arguments from one line, split as a shell splits words.
    ///
    /// # Errors
    /// If a quote is not closed, or there is no word.
    ///
    /// ```
    /// use trm_data::RefereeCommand;
    ///
    /// let words = RefereeCommand::split("python3 'my referee.py' --fast").unwrap();
    /// assert_eq!(words, ["python3", "my referee.py", "--fast"]);
    /// assert!(RefereeCommand::split("python3 'referee.py").is_err());
    /// ```
    pub fn split(line: &str) -> Result<Vec<String>, Error> {
        let refuse = |why: &str| RefereeError(format!("the referee `{}`: {why}", foreign(line)));
        match shlex::split(line) {
            None => Err(refuse("a quote is not closed").into()),
            Some(words) if words.is_empty() => Err(refuse("names no program").into()),
            Some(words) => Ok(words),
        }
    }

    /// The same puzzle, judged by this referee. Its processes end with the last handle to the domain.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn start(&self, domain: &Domain) -> Result<Domain, Error> {
        Ok(domain.judged_by(Pool::start(self.clone(), domain)?))
    }

    /// Starts the program and asks nothing: one that cannot begin is found before it is needed.
    ///
    /// # Errors
    /// If it cannot be started, or fails as soon as its input ends.
    pub fn check(&self) -> Result<(), Error> {
        let process = Process::start(&self.words)
            .map_err(|error| self.fault(&format!("cannot be started: {error}")))?;
        match process.end_of_input() {
            Some(status) if !status.success() => {
                Err(self.fault(&format!("ended ({status}) before it was asked anything")).into())
            }
            _ => Ok(()),
        }
    }

    /// What is wrong with the referee.
    fn fault(&self, what: &str) -> RefereeError {
        RefereeError(format!("the referee `{}` {what}", foreign(&self.words.join(" "))))
    }
}
