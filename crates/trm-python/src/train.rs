//! Training.

use crate::data::folder;
use crate::errors::{raised, refused};
use crate::model::{Mind, PyModel, device, precision};
use crate::referee::{Raised, judging, words};
use crate::values::{Options, from_python, to_python};
use crate::work::{Done, Teller, told};
use pyo3::exceptions::{PyFileNotFoundError, PyKeyboardInterrupt};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::path::{Path, PathBuf};
use trm_data::{Dataset, Error};
use trm_ops::{DType, Device, Stop};
use trm_study::pages::{Reported, training_charts};
use trm_study::report::render_chart;
use trm_train::{
    AutoregressiveTrainer, Changes, Ending, Event, Progress, Recipe, Run, Said, StepMetrics,
    Trainer, domain_of, free_folder, read_log,
};

/// A run that has ended.
#[pyclass(frozen, module = "trm", name = "Run")]
pub(crate) struct PyRun {
    folder: PathBuf,
    ending: Ending,
    progress: Progress,
    dtype: DType,
    device: Device,
}

#[pymethods]
impl PyRun {
    /// Its folder.
    #[getter]
    fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Why it ended: finished, target or patience.
    #[getter]
    fn ending(&self) -> &'static str {
        named(self.ending)
    }

    /// Steps taken.
    #[getter]
    fn step(&self) -> u64 {
        self.progress.step
    }

    /// Seconds of training.
    #[getter]
    fn seconds(&self) -> f64 {
        self.progress.seconds
    }

    /// The best exact accuracy on held-out puzzles; None without a validation.
    #[getter]
    fn best_exact(&self) -> Option<f64> {
        Some(self.progress.best_exact).filter(|exact| *exact >= 0.0)
    }

    /// The step of the best model.
    #[getter]
    fn best_step(&self) -> u64 {
        self.progress.best_step
    }

    /// The best model, or that of the newest checkpoint.
    fn model(&self) -> PyResult<PyModel> {
        let model = trm_data::load_any(&self.folder, &self.device).map_err(raised)?;
        Ok(PyModel { mind: Mind::from(model), dtype: self.dtype })
    }

    /// The log, a table for every step and validation.
    fn history<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &read_log(&self.folder).map_err(raised)?)
    }

    fn __repr__(&self) -> String {
        let (folder, ending, step) = (self.folder.display(), self.ending(), self.progress.step);
        format!("<trm.Run {folder}: {ending} at step {step}>")
    }

    /// The loss.
    fn _repr_svg_(&self) -> PyResult<Option<String>> {
        let log = read_log(&self.folder).map_err(raised)?;
        Ok(training_charts(&log).first().map(render_chart))
    }
}

fn named(ending: Ending) -> &'static str {
    match ending {
        Ending::Finished => "finished",
        Ending::Target => "target",
        Ending::Patience => "patience",
        Ending::Interrupted => "interrupted",
    }
}

/// What of a run is told while it goes on.
enum Message {
    Step(StepMetrics),
    Validation { step: u64, puzzles: usize, exact: f64, cells: f64, best: bool },
}

/// Where a run begins.
enum Begin {
    New(PathBuf),
    Resume(PathBuf, Option<u64>),
}

/// All that a training needs, checked.
struct Order {
    begin: Begin,
    recipe: Recipe,
    device: Device,
    data: Dataset,
    /// Who is told of steps, and of validations.
    told: [bool; 2],
}

const KNOWN: [&str; 12] = [
    "data",
    "out",
    "resume",
    "from_step",
    "set",
    "seed",
    "precision",
    "threads",
    "referee",
    "on_step",
    "on_validation",
    "report",
];

/// Trains a model by a recipe, a file or a table, or goes on with a run, as `trm train` does it. Ctrl-C raises
/// KeyboardInterrupt after a checkpoint has been written; `resume=FOLDER` goes on from it.
#[pyfunction]
#[pyo3(
    signature = (recipe=None, **options),
    text_signature = "(recipe=None, *, data=None, out=None, resume=None, from_step=None, set=None, seed=None, precision=None, threads=0, referee=None, on_step=None, on_validation=None, report=True)"
)]
pub(crate) fn train(
    py: Python<'_>,
    recipe: Option<&Bound<'_, PyAny>>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyRun> {
    let options = Options::of("train", options, &KNOWN)?;
    let (order, kept) = order(py, recipe, &options)?;
    let report = options.get_or("report", true)?;
    let [on_step, on_validation] = [options.object("on_step")?, options.object("on_validation")?];
    let mut hear = |py: Python<'_>, message: Message| match message {
        Message::Step(metrics) => call(on_step.as_ref(), || to_python(py, &metrics)),
        Message::Validation { step, puzzles, exact, cells, best } => {
            call(on_validation.as_ref(), || {
                let table = PyDict::new(py);
                table.set_item("step", step)?;
                table.set_item("puzzles", puzzles)?;
                table.set_item("exact", exact)?;
                table.set_item("cells", cells)?;
                table.set_item("best", best)?;
                Ok(table.into_any())
            })
        }
    };
    let done = told(py, &mut hear, |stop, teller| match order.recipe.autoregressive {
        None => work::<Trainer>(order, report, stop, &teller),
        Some(_) => work::<AutoregressiveTrainer>(order, report, stop, &teller),
    });
    conclude(py, done, &kept)
}

fn call<'py>(
    function: Option<&Bound<'py, PyAny>>,
    argument: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<()> {
    function.map_or(Ok(()), |function| function.call1((argument()?,)).map(drop))
}

/// The run, or the exception that ended it.
fn conclude(py: Python<'_>, done: Done<Result<PyRun, Error>>, kept: &Raised) -> PyResult<PyRun> {
    let run = done.result?.map_err(|error| kept.or(error));
    let Some(exception) = done.stopped else { return run };
    let run = run?; // a checkpoint that could not be written is worse news
    if !exception.is_instance_of::<PyKeyboardInterrupt>(py) {
        return Err(exception);
    }
    let (step, folder) = (run.progress.step, run.folder.display());
    Err(PyKeyboardInterrupt::new_err(format!(
        "stopped with a checkpoint at step {step}: go on with trm.train(resume=\"{folder}\")"
    )))
}

/// What is asked, with its data and its referee.
fn order(
    py: Python<'_>,
    recipe: Option<&Bound<'_, PyAny>>,
    options: &Options<'_>,
) -> PyResult<(Order, Raised)> {
    let device = device(options.get_or("threads", 0)?)?;
    let changes = Changes {
        settings: settings(options)?,
        data: options.object("data")?.map(|data| folder(&data)).transpose()?,
        precision: options
            .get::<String>("precision")?
            .map(|name| precision(Some(&name)))
            .transpose()?,
        seed: options.get("seed")?,
    };
    let (begin, mut recipe) = match options.get::<PathBuf>("resume")? {
        Some(_) if recipe.is_some() => {
            return Err(refused("a recipe or resume=FOLDER, not both: a run has its recipe"));
        }
        Some(folder) => {
            let recipe = changes.of_run(&folder).map_err(raised)?;
            (Begin::Resume(folder, options.get("from_step")?), recipe)
        }
        None => {
            let said = recipe.map_or(Ok(Said::default()), said)?;
            let made = changes.of_new(&said).map_err(missing)?.0;
            let name = said.file.unwrap_or_else(|| made.data.clone());
            let out = options.get::<PathBuf>("out")?.unwrap_or_else(|| free_folder(&name));
            (Begin::New(out), made)
        }
    };
    let mut data = recipe.load_data().map_err(missing)?;
    let given = options.object("referee")?;
    if let Some(command) = given.as_ref().filter(|given| !given.is_callable()) {
        recipe.referee = words(command)?; // a resumed run is judged by it too
    }
    let referee = match given {
        None if recipe.referee.is_empty() => None,
        None => Some(PyList::new(py, &recipe.referee)?.into_any()),
        given => given,
    };
    let mut kept = Raised::default();
    if let Some(referee) = referee {
        let domain = domain_of(&data).map_err(raised)?;
        let (judged, raised) = judging(domain, Some(&referee), device.threads())?;
        (data.referee, kept) = (Some(judged), raised);
    }
    let told = [options.object("on_step")?.is_some(), options.object("on_validation")?.is_some()];
    Ok((Order { begin, recipe, device, data, told }, kept))
}

/// A data set that is not there is a file that is not found.
fn missing(error: Error) -> PyErr {
    match error {
        Error::Failed(said) => PyFileNotFoundError::new_err(said),
        other => raised(other),
    }
}

/// `KEY=VALUE` of a list, or of a table.
fn settings(options: &Options<'_>) -> PyResult<Vec<String>> {
    let Some(given) = options.object("set")? else { return Ok(Vec::new()) };
    let Ok(table) = given.cast::<PyDict>() else { return given.extract() };
    let table = from_python(table)?;
    let table = table.as_object().into_iter().flatten();
    Ok(table.map(|(key, value)| format!("{key}={value}")).collect())
}

/// The text of a recipe.
fn said(recipe: &Bound<'_, PyAny>) -> PyResult<Said> {
    if let Ok(table) = recipe.cast::<PyDict>() {
        let text = toml::to_string(&from_python(table)?);
        let text = text.map_err(|error| refused(format!("the recipe: {error}")))?;
        return Ok(Said { text, file: None });
    }
    let file: PathBuf =
        recipe.extract().map_err(|_| crate::errors::unfit("a recipe is a file or a table"))?;
    Said::read(Some(&file)).map_err(raised)
}

/// Trains; the last state is on disk when this returns, stopped or not.
fn work<L: Reported>(
    order: Order,
    report: bool,
    stop: &Stop,
    teller: &Teller<Message>,
) -> Result<PyRun, Error> {
    let Order { begin, recipe, device, data, told: [steps, validations] } = order;
    let mut run: Run<L> = match begin {
        Begin::New(folder) => Run::create(&folder, recipe, data, &device)?,
        Begin::Resume(folder, from) => Run::resume(&folder, from, data, recipe, &device)?,
    };
    let ending = run.train(stop, &mut |event| match event {
        Event::Step(metrics) if steps => teller.tell(Message::Step(metrics.clone())),
        Event::Validation { step, evaluation, best } if validations => {
            let cells = evaluation.steps.last().map_or(0.0, |last| last.cells);
            let (puzzles, exact) = (evaluation.puzzles, evaluation.exact());
            teller.tell(Message::Validation { step, puzzles, exact, cells, best });
        }
        _ => {}
    })?;
    if report && ending != Ending::Interrupted {
        L::report(&run, &again(&run.folder))?;
    }
    let dtype = run.recipe.train.precision.on(&device);
    let (folder, progress) = (run.folder.clone(), run.progress().clone());
    Ok(PyRun { folder, ending, progress, dtype, device })
}

/// How a run is made again.
fn again(folder: &Path) -> String {
    format!("trm train {}/recipe.toml --out NEW-FOLDER", folder.display())
}
