//! A function of Python's as the judge of answers.

use crate::errors::raised;
use crate::values::{from_python, is_array};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use trm_data::{Protocol, RefereeCommand};
use trm_puzzles::{Domain, Judge, RefereeError, Ruling};

/// The exception that a function raised, kept for whoever called.
#[derive(Clone, Default)]
pub(crate) struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    /// The exception of the function, if there is one, or else that of an error.
    pub(crate) fn or(&self, error: trm_data::Error) -> PyErr {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.unwrap_or_else(|| raised(error))
    }
}

/// Calls the function.
struct Function {
    function: Py<PyAny>,
    protocol: Protocol,
    raised: Raised,
}

impl Judge for Function {
    fn judge(&self, question: &[u8], answer: &[u8]) -> Result<Ruling, RefereeError> {
        let line = self.protocol.line((question, answer));
        let asked = |py: Python<'_>| self.ask(py, &line);
        let reply = Python::try_attach(asked).ok_or_else(|| {
            RefereeError("the referee is asked, but the interpreter has ended".into())
        })?;
        let reply = reply.map_err(|exception| {
            let said = RefereeError(format!("the referee raised {exception}"));
            self.raised.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(exception);
            said
        })?;
        let ruling = self.protocol.ruling(&reply.to_string());
        ruling.map_err(|why| RefereeError(format!("the referee {why}")))
    }
}

impl Function {
    /// What the function returns, in the form of a referee's line: `True`, `False`, `None`, a word, or a table.
    fn ask(&self, py: Python<'_>, line: &str) -> PyResult<Value> {
        let asked = py.import("json")?.call_method1("loads", (line,))?;
        let asked = asked.cast::<PyDict>()?;
        let sides = (asked.get_item("question")?, asked.get_item("answer")?);
        let reply = self.function.bind(py).call1(sides)?;
        if reply.is_none() {
            return Ok(json!({"verdict": "unknown"}));
        }
        if reply.is_instance_of::<PyDict>() {
            return from_python(&reply);
        }
        if let Ok(word) = reply.cast::<PyString>() {
            return Ok(json!({"verdict": word.to_str()?}));
        }
        let right = reply.is_truthy()?; // numpy's too
        Ok(json!({"verdict": if right { "right" } else { "wrong" }}))
    }
}

/// The domain, judged by a function, or by a command as the command line has it.
pub(crate) fn judging(
    domain: Domain,
    referee: Option<&Bound<'_, PyAny>>,
    threads: usize,
) -> PyResult<(Domain, Raised)> {
    let kept = Raised::default();
    let Some(referee) = referee else { return Ok((domain, kept)) };
    if referee.is_callable() {
        let (function, protocol) = (referee.clone().unbind(), Protocol::of(&domain));
        let judge = Function { function, protocol, raised: kept.clone() };
        return Ok((domain.judged_by(judge), kept));
    }
    let command = command(&words(referee)?, threads);
    Ok((command.start(&domain).map_err(raised)?, kept))
}

/// The words of a command: a line, or a list.
pub(crate) fn words(referee: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    match referee.cast::<PyString>() {
        Ok(line) => RefereeCommand::split(line.to_str()?).map_err(raised),
        Err(_) if is_array(referee)? => {
            Err(crate::errors::unfit("referee: a function or a command"))
        }
        Err(_) => referee.extract(),
    }
}

/// A command with the usual patience.
pub(crate) fn command(words: &[String], workers: usize) -> RefereeCommand {
    RefereeCommand { words: words.to_vec(), workers, limit: RefereeCommand::LIMIT }
}
