//! Drafts while they are made.

use crate::drawing;
use crate::errors::{panicked, refused};
use crate::referee::Raised;
use crate::results::Draft;
use crate::work::wait;
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use trm::{Question, Solver};
use trm_ops::Stop;
use trm_puzzles::Domain;
use trm_study::{Effort, Told, Trail, TrailStep, think};

/// A draft, or how the thinking failed.
type Heard = Result<TrailStep, PyErr>;

/// A model that thinks about a puzzle: iterate to get its drafts.
#[pyclass(frozen, module = "trm")]
pub(crate) struct Thinking {
    domain: Domain,
    stop: Stop,
    /// Held while a draft is waited for.
    drafts: Mutex<Receiver<Heard>>,
    /// Never held while anything is waited for.
    trail: Mutex<Trail>,
}

impl Thinking {
    /// Begins to think, in another thread that is never more than a draft ahead.
    pub(crate) fn start(
        (solver, domain): (Solver, Domain),
        (question, identifier): (Vec<u8>, u32),
        (effort, kept): (Effort, Raised),
    ) -> Thinking {
        let (stop, (sender, drafts)) = (Stop::default(), sync_channel::<Heard>(0));
        let trail = Trail { question: question.clone(), steps: Vec::new() };
        let (solver, asked, own) = (solver.until(&stop), domain.clone(), stop.clone());
        std::thread::spawn(move || {
            let mut tell = |_, told| {
                if let Told::Step(step) = told
                    && sender.send(Ok(step)).is_err()
                {
                    own.request(); // nobody asks any more
                }
            };
            let question = Question { tokens: &question, puzzles: &[identifier] };
            let work = || think(&solver, &asked, question, effort, &mut tell);
            let failed = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => kept.or(error),
                Err(payload) => panicked(&*payload),
            };
            let _ = sender.send(Err(failed));
        });
        Thinking { domain, stop, drafts: Mutex::new(drafts), trail: Mutex::new(trail) }
    }
}

impl Thinking {
    fn trail(&self) -> MutexGuard<'_, Trail> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Thinking {
    fn drop(&mut self) {
        self.stop.request();
    }
}

#[pymethods]
impl Thinking {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Draft>> {
        let busy = || refused("another thread waits for the next draft already");
        let mut drafts = self.drafts.try_lock().map_err(|_| busy())?;
        let Some(heard) = wait(py, &mut drafts)? else { return Ok(None) };
        let step = heard?;
        let mut trail = self.trail();
        trail.steps.push(step.clone());
        let question = trail.question.clone();
        Ok(Some(Draft { domain: self.domain.clone(), question, step }))
    }

    fn __repr__(&self) -> String {
        format!("<trm.Thinking about {}: {} drafts so far>", self.domain, self.trail().steps.len())
    }

    /// The drafts so far.
    fn _repr_svg_(&self) -> String {
        drawing::trail(&self.domain, &self.trail())
    }
}
