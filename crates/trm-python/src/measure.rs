//! Measuring: `evaluate`, `compare`.

use crate::asked::{batch, refuse_writing, sampling, wish};
use crate::data::split;
use crate::errors::{raised, refused};
use crate::model::{Mind, PyModel, device};
use crate::referee::{Raised, judging};
use crate::values::{Options, array, to_python};
use crate::work::{Teller, quietly, told};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use trm::{Autoregressive, Network, Solver};
use trm_data::files::check_new_folder;
use trm_data::{Dataset, Error};
use trm_ops::{DType, Stop};
use trm_study::compare::{Follower, News, Place, Study, candidates};
use trm_study::{SampleOptions, best_of, search, wilson};
use trm_train::{
    Ending, EvalOptions, Evaluation, Learner, Outputs, Run, domain_of, evaluate_autoregressive,
    evaluate_until, fit, free_folder,
};

const KNOWN: [&str; 11] = [
    "split",
    "steps",
    "limit",
    "halt",
    "batch",
    "search",
    "referee",
    "outputs",
    "samples",
    "temperature",
    "seed",
];

/// Measures a model on a data set, as `trm eval` does it, and gives the measurements as a table.
#[pyfunction]
#[pyo3(
    signature = (model, data, **options),
    text_signature = "(model, data, *, split='test', steps=None, limit=None, halt=None, batch=64, search=None, referee=None, outputs=False, samples=1, temperature=0.7, seed=1)"
)]
pub(crate) fn evaluate<'py>(
    model: &Bound<'py, PyModel>,
    data: &Bound<'py, PyAny>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, model) = (model.py(), model.get());
    let options = Options::of("evaluate", options, &KNOWN)?;
    let data = split(py, data, &options.get_or("split", "test".to_owned())?)?;
    let mut data = match options.get::<usize>("limit")? {
        Some(limit) => data.select_groups(&(0..limit.min(data.groups())).collect::<Vec<_>>()),
        None => Dataset::clone(&data),
    };
    if data.is_empty() {
        return Err(refused(
            "no puzzles: limit must be at least 1 and the split must not be empty",
        ));
    }
    if data.augmented.is_some() {
        return Err(refused("tasks of ARC are voted on: measure them with `trm eval`"));
    }
    match &model.mind {
        Mind::Recursive(recursive) => {
            let fitted = fit(recursive.clone(), &data.metadata.domain);
            let kept = judge(&mut data, &options, fitted.device().threads())?;
            let solver = Solver::new(fitted, model.dtype);
            recursive_on(py, (solver, model.dtype), &data, (&options, &kept))
        }
        Mind::Autoregressive(writer) => {
            let kept = judge(&mut data, &options, writer.device().threads())?;
            let batch = batch(&options, 64)?;
            let asked = SampleOptions { batch, ..sampling(&options)? };
            written_on(py, writer, &data, (asked, &kept))
        }
    }
}

/// Gives the data the referee of the call.
fn judge(data: &mut Dataset, options: &Options<'_>, threads: usize) -> PyResult<Raised> {
    let Some(referee) = options.object("referee")? else { return Ok(Raised::default()) };
    let domain = domain_of(data).map_err(raised)?;
    let (judged, kept) = judging(domain, Some(&referee), threads)?;
    data.referee = Some(judged);
    Ok(kept)
}

/// By supervision step, or by a search.
fn recursive_on<'py>(
    py: Python<'py>,
    (solver, dtype): (Solver, DType),
    data: &Dataset,
    (options, kept): (&Options<'py>, &Raised),
) -> PyResult<Bound<'py, PyAny>> {
    refuse_writing(options)?;
    let wish = wish(options)?;
    let (model, batch) = (solver.model().clone(), batch(options, 64)?);
    if let Some(asked) = wish.search {
        let asked = wish.searching(asked, model.config());
        let solver = solver.batch(batch);
        let report = quietly(py, |stop| search(&solver, data, &asked, stop, &mut |_| ()))?;
        return to_python(py, &report.map_err(|error| kept.or(error))?);
    }
    let steps = wish.steps(model.config());
    let keep_outputs = options.get_or("outputs", false)?;
    let asked = EvalOptions { steps, batch, halt: wish.halt, dtype, keep_outputs };
    let done = quietly(py, |stop| evaluate_until(&model, data, asked, stop, &mut |_| ()))?;
    let evaluation = done.map_err(|error| kept.or(error))?;
    let table = table(py, &evaluation)?;
    if let Some(Outputs { logits, answers, halt_logits }) = evaluation.outputs {
        let (n, s, v) = (data.len(), data.metadata.seq_len, data.metadata.vocab_size);
        table.set_item("logits", array(py, &[n, s, v], logits)?)?;
        table.set_item("preds", array(py, &[n, s], answers)?)?;
        table.set_item("q_halt_logits", array(py, &[n], halt_logits)?)?;
    }
    Ok(table)
}

/// Of greedy answers, or of the best of several.
fn written_on<'py>(
    py: Python<'py>,
    model: &Autoregressive,
    data: &Dataset,
    (asked, kept): (SampleOptions, &Raised),
) -> PyResult<Bound<'py, PyAny>> {
    if asked.samples > 1 {
        let scores = quietly(py, |stop| best_of(model, data, asked, stop, &mut |_| ()))?;
        return to_python(py, &scores.map_err(|error| kept.or(error))?);
    }
    let (batch, dtype) = (asked.batch, DType::F32);
    let asked = EvalOptions { steps: 1, batch, halt: None, dtype, keep_outputs: false };
    let evaluation =
        quietly(py, |stop| evaluate_autoregressive(model, data, asked, stop, &mut |_| ()))?;
    table(py, &evaluation.map_err(|error| kept.or(error))?)
}

/// The measurements of `trm eval --json`; digests and the machine are left out.
fn table<'py>(py: Python<'py>, evaluation: &Evaluation) -> PyResult<Bound<'py, PyAny>> {
    let exact = evaluation.steps.last().map_or(0, |step| step.exact);
    let seconds = evaluation.seconds.max(1e-9);
    let table = json!({
        "puzzles": evaluation.puzzles,
        "supervision_steps": evaluation.steps.len(),
        "exact_accuracy": evaluation.exact(),
        "interval_95": wilson(exact, evaluation.puzzles),
        "calibration_error": evaluation.calibration_error(),
        "puzzles_per_second": evaluation.puzzles as f64 / seconds,
        "evaluation": evaluation,
    });
    to_python(py, &table)
}

/// Hears a study, and runs its trainings.
struct Listener {
    stop: Stop,
    teller: Option<Teller<String>>,
}

impl Follower for Listener {
    fn hear(&self, news: News<'_>) {
        let Some(teller) = &self.teller else { return };
        match news {
            News::Part(text) | News::Note(text) => teller.tell(text.to_owned()),
            News::Asking(questions) => teller.tell(format!("asking {questions} questions")),
            News::Answered | News::Asked => {}
        }
    }

    fn train<L: Learner>(&self, run: &mut Run<L>) -> Result<Ending, Error> {
        run.train(&self.stop, &mut |_| ())
    }
}

/// Compares several ways of thinking, as `trm compare` does it: a study is a TOML file. Gives what it finds, and
/// writes a report to the folder `out`, under which an interrupted study goes on.
#[pyfunction]
#[pyo3(
    signature = (study, **options),
    text_signature = "(study, *, out=None, threads=0, on_news=None)"
)]
pub(crate) fn compare<'py>(
    py: Python<'py>,
    study: PathBuf,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let started = Instant::now();
    let options = Options::of("compare", options, &["out", "threads", "on_news"])?;
    let (path, study) = (study.clone(), Study::load(&study).map_err(raised)?);
    let candidates = candidates(&study).map_err(raised)?;
    let out = options.get::<PathBuf>("out")?.unwrap_or_else(|| free_folder(&path));
    check_new_folder(&out).map_err(raised)?;
    let (data, words) = study.data(&out);
    if let Some(words) = words {
        py.import("trm.data")?.call_method1("_make", (words, &data))?;
    }
    let device = device(options.get_or("threads", 0)?)?;
    let on_news = options.object("on_news")?;
    let mut hear = |_: Python<'_>, text: String| match &on_news {
        Some(function) => function.call1((text,)).map(drop),
        None => Ok(()),
    };
    let (command, is_heard) = (format!("trm compare {}", path.display()), on_news.is_some());
    let done = told(py, &mut hear, |stop, teller| {
        let place = Place { data: &data, out: &out, device: &device, command, started };
        let listener = Listener { stop: stop.clone(), teller: is_heard.then_some(teller) };
        trm_study::compare::compare(&study, candidates, &place, &listener)
    });
    if let Some(exception) = done.stopped {
        return Err(exception);
    }
    let findings = done.result?.map_err(raised)?;
    to_python(py, &findings.ok_or_else(|| PyKeyboardInterrupt::new_err("stopped"))?)
}
