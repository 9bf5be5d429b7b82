//! Drafts and answers.

use crate::drawing;
use crate::values::array;
use pyo3::prelude::*;
use trm::Found;
use trm_data::text::percent;
use trm_puzzles::{Domain, Verdict};
use trm_study::{Trail, TrailStep};

/// One draft of an answer.
#[pyclass(frozen, module = "trm")]
pub(crate) struct Draft {
    pub(crate) domain: Domain,
    pub(crate) question: Vec<u8>,
    pub(crate) step: TrailStep,
}

#[pymethods]
impl Draft {
    /// The draft as a line of text.
    #[getter]
    fn answer(&self) -> String {
        self.domain.format_line(&self.step.answer)
    }

    /// The draft as an array of tokens.
    #[getter]
    fn tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array(py, &[self.step.answer.len()], self.step.answer.clone())
    }

    /// The supervision step, from 1.
    #[getter]
    fn step(&self) -> usize {
        self.step.step
    }

    /// The chain of thought, from 1, which is the model's own.
    #[getter]
    fn chain(&self) -> usize {
        self.step.chain
    }

    /// The model's belief that the draft is right.
    #[getter]
    fn halt_probability(&self) -> f64 {
        self.step.halt_probability
    }

    /// How sure the model is of every cell; None where that is not known.
    #[getter]
    fn sureness<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let sureness = &self.step.sureness;
        match sureness.is_empty() {
            true => Ok(None),
            false => array(py, &[sureness.len()], sureness.clone()).map(Some),
        }
    }

    /// Places of the cells that differ from the draft before.
    #[getter]
    fn changed(&self) -> Vec<usize> {
        self.step.changed.clone()
    }

    /// What the rules or the referee say, in words.
    #[getter]
    fn verdict(&self) -> String {
        self.step.verdict.to_string()
    }

    /// Whether the draft is right; None where nobody knows.
    #[getter]
    fn solved(&self) -> Option<bool> {
        self.step.verdict.decision()
    }

    fn __str__(&self) -> String {
        drawing::text(&self.domain, &self.step.answer)
    }

    fn __repr__(&self) -> String {
        let TrailStep { step, halt_probability, verdict, .. } = &self.step;
        format!("<trm.Draft of step {step}: sure to {}, {verdict}>", percent(*halt_probability))
    }

    fn _repr_svg_(&self) -> String {
        drawing::draft(&self.domain, &self.question, &self.step)
    }
}

/// The answer to a puzzle, and how it came about.
#[pyclass(frozen, module = "trm", name = "Result")]
pub(crate) struct Answered {
    pub(crate) domain: Domain,
    pub(crate) trail: Trail,
    pub(crate) found: Option<Found>,
    /// Of an answer that was written.
    pub(crate) probability: Option<f64>,
}

impl Answered {
    fn last(&self) -> Option<&TrailStep> {
        self.trail.steps.last()
    }

    fn judged(&self) -> Option<&Verdict> {
        self.last().map(|last| &last.verdict)
    }
}

#[pymethods]
impl Answered {
    /// The question as a line of text.
    #[getter]
    fn question(&self) -> String {
        self.domain.format_line(&self.trail.question)
    }

    /// The answer as a line of text; empty if there was no time for a draft.
    #[getter]
    fn answer(&self) -> String {
        self.last().map_or(String::new(), |last| self.domain.format_line(&last.answer))
    }

    /// The answer as an array of tokens.
    #[getter]
    fn tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let tokens = self.last().map_or(Vec::new(), |last| last.answer.clone());
        array(py, &[tokens.len()], tokens)
    }

    /// What the rules or the referee say, in words; None without a draft.
    #[getter]
    fn verdict(&self) -> Option<String> {
        self.judged().map(Verdict::to_string)
    }

    /// Whether the answer is right; None where nobody knows.
    #[getter]
    fn solved(&self) -> Option<bool> {
        self.judged().map_or(Some(false), Verdict::decision)
    }

    /// What the referee says that the answer costs, if it does.
    #[getter]
    fn cost(&self) -> Option<f64> {
        self.judged()?.ruling()?.cost
    }

    /// Supervision steps that were computed, in all chains.
    #[getter]
    fn steps(&self) -> usize {
        self.found.as_ref().map_or(self.trail.steps.len(), |found| found.steps)
    }

    /// Chains of thought that were begun.
    #[getter]
    fn chains(&self) -> usize {
        self.found.as_ref().map_or(1, |found| found.rollouts)
    }

    /// Of an autoregressive model, the probability with which it writes the answer.
    #[getter]
    fn probability(&self) -> Option<f64> {
        self.probability
    }

    /// Every draft of the model's own chain, and the answer.
    #[getter]
    fn drafts(&self) -> Vec<Draft> {
        let draft = |step: &TrailStep| Draft {
            domain: self.domain.clone(),
            question: self.trail.question.clone(),
            step: step.clone(),
        };
        self.trail.steps.iter().map(draft).collect()
    }

    fn __str__(&self) -> String {
        let tokens = self.last().map_or(&self.trail.question, |last| &last.answer);
        drawing::text(&self.domain, tokens)
    }

    fn __repr__(&self) -> String {
        let verdict = self.verdict().unwrap_or_else(|| "no draft: the time was up".into());
        format!("<trm.Result {}: {verdict}>", self.answer())
    }

    fn _repr_svg_(&self) -> String {
        drawing::trail(&self.domain, &self.trail)
    }
}
