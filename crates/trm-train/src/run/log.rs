//! The log of a run: `metrics.jsonl` for programs, event files for TensorBoard.

use crate::Error;
use crate::evaluate::Evaluation;
use crate::evaluate::validity::Validity;
use crate::learners::metrics::StepMetrics;
use crate::run::checkpoint::Progress;
use crate::run::tensorboard::EventWriter;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use trm_data::files::write_atomic;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// After an optimiser step.
    Step {
        /// Seconds of training so far.
        seconds: f64,
        /// What the step said.
        #[serde(flatten)]
        metrics: StepMetrics,
    },
    /// After a validation.
    Validation {
        /// Seconds of training so far.
        seconds: f64,
        /// Optimiser step.
        step: u64,
        /// Puzzles validated on.
        puzzles: usize,
        /// Exact accuracy after each supervision step.
        exact: Vec<f64>,
        /// Cell accuracy after each supervision step.
        cells: Vec<f64>,
        /// Share of answers that the referee holds for right, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        valid: Option<f64>,
        /// Mean cost of these, where they have one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<f64>,
    },
    /// After going back to an earlier step.
    Rollback {
        /// The step that the run went back to.
        step: u64,
        /// Seconds of training so far.
        seconds: f64,
        /// Why.
        reason: String,
    },
}

impl Line {
    fn number(&self) -> u64 {
        match self {
            Line::Step { metrics, .. } => metrics.step,
            Line::Validation { step, .. } | Line::Rollback { step, .. } => *step,
        }
    }
}

/// Reads the log of a run.
///
/// # Errors
/// If it cannot be read. Lines that are cut short are passed over.
pub fn read_log(run: &Path) -> Result<Vec<Line>, Error> {
    let path = run.join("metrics.jsonl");
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

pub(crate) struct Log {
    path: PathBuf,
    lines: BufWriter<File>,
    events: EventWriter,
}

impl Log {
    /// Opens the log of a run that stands there; what was logged beyond is dropped.
    pub(crate) fn open(run: &Path, progress: &Progress) -> Result<Log, Error> {
        let Progress { step, unvalidated, .. } = *progress;
        let path = run.join("metrics.jsonl");
        if path.exists() {
            let beyond = |line: &Line| {
                let validates = matches!(line, Line::Validation { .. });
                line.number() > step || (line.number() == step && validates && unvalidated)
            };
            let kept = read_log(run)?.into_iter().filter(|line| !beyond(line));
            let text: String = kept.map(|line| encode(&line)).collect();
            write_atomic(&path, text.as_bytes())?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let lines = BufWriter::new(file.map_err(Error::io("open", &path))?);
        let mut events = EventWriter::create(run).map_err(Error::io("write", run))?;
        if step > 0 {
            events.resume_at(step + 1).map_err(Error::io("write", run))?;
        }
        Ok(Log { path, lines, events })
    }

    /// Logs a step of a batch of `batch` rows.
    pub(crate) fn step(
        &mut self,
        metrics: &StepMetrics,
        batch: usize,
        seconds: f64,
    ) -> Result<(), Error> {
        let m = metrics;
        let halted = m.halted.max(1) as f32;
        let mut scalars = vec![
            ("train/loss", m.loss),
            ("train/lm_loss", m.lm_loss),
            ("train/halt_loss", m.halt_loss),
            ("train/grad_norm", m.grad_norm),
            ("train/weight_norm", m.weight_norm),
            ("train/lr", m.lr),
            ("train/halted", m.halted as f32 / batch as f32),
        ];
        if m.halted > 0 {
            scalars.push(("train/exact_accuracy", m.exact as f32 / halted));
            scalars.push(("train/accuracy", m.accuracy / halted));
            scalars.push(("train/steps", m.steps as f32 / halted));
        }
        self.write(m.step, &scalars, &Line::Step { seconds, metrics: m.clone() })?;
        self.flush()
    }

    pub(crate) fn validation(
        &mut self,
        step: u64,
        evaluation: &Evaluation,
        seconds: f64,
    ) -> Result<(), Error> {
        let exact: Vec<f64> = evaluation.steps.iter().map(|s| evaluation.share(s.exact)).collect();
        let cells: Vec<f64> = evaluation.steps.iter().map(|s| s.cells).collect();
        let last = |values: &[f64]| values.last().copied().unwrap_or(0.0) as f32;
        let mut scalars = vec![
            ("validation/exact_accuracy", last(&exact)),
            ("validation/accuracy", last(&cells)),
            ("validation/calibration_error", evaluation.calibration_error() as f32),
        ];
        let puzzles = evaluation.puzzles;
        let valid = evaluation.validity.as_ref().map(Validity::share);
        let cost = evaluation.validity.as_ref().and_then(|validity| validity.mean_cost);
        let judged = [("validation/valid", valid), ("validation/mean_cost", cost)];
        scalars.extend(judged.iter().filter_map(|(tag, value)| Some((*tag, (*value)? as f32))));
        let line = Line::Validation { seconds, step, puzzles, exact, cells, valid, cost };
        self.write(step, &scalars, &line)?;
        self.flush()
    }

    pub(crate) fn rollback(&mut self, step: u64, why: &str, seconds: f64) -> Result<(), Error> {
        self.write(step, &[], &Line::Rollback { step, seconds, reason: why.into() })?;
        self.flush()
    }

    fn write(&mut self, step: u64, scalars: &[(&str, f32)], line: &Line) -> Result<(), Error> {
        let mut write = || {
            self.lines.write_all(encode(line).as_bytes())?;
            scalars.iter().try_for_each(|(tag, value)| self.events.scalar(step, tag, *value))
        };
        write().map_err(Error::io("write", &self.path))
    }

    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let mut flush = || {
            self.lines.flush()?;
            self.events.flush()
        };
        flush().map_err(Error::io("write", &self.path))
    }

    /// [`Log::flush`], down to the disk.
    pub(crate) fn sync(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.lines.get_ref().sync_data().map_err(Error::io("write", &self.path))
    }
}

fn encode(line: &Line) -> String {
    serde_json::to_string(line).expect("a log line is JSON") + "\n"
}
