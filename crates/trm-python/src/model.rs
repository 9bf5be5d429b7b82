//! Models: what they answer, how they think, what they are made of.

use crate::asked::{
    Puzzles, THINKING, WRITING, batch, effort, identifiers, refuse_writing, sampling,
};
use crate::errors::{raised, refused};
use crate::referee::judging;
use crate::results::Answered;
use crate::stepping;
use crate::thinking::Thinking;
use crate::values::{Options, array, from_array, from_python, to_python};
use crate::work::{quietly, shortly};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::path::PathBuf;
use std::sync::Arc;
use trm::{Autoregressive, Found, Model, Network, Question, Solver};
use trm_data::torch::NamedTensor;
use trm_data::{AnyModel, Error, Known, parse_config, save_model, weight_digest};
use trm_ops::{DType, Device};
use trm_puzzles::Domain;
use trm_study::{Chosen, Effort, Told, Trail, TrailStep, think, write_best};
use trm_train::Precision;

/// How a model comes to an answer.
#[derive(Clone)]
pub(crate) enum Mind {
    Recursive(Arc<Model>),
    Autoregressive(Arc<Autoregressive>),
}

/// A model.
#[pyclass(frozen, module = "trm", name = "Model")]
pub(crate) struct PyModel {
    pub(crate) mind: Mind,
    pub(crate) dtype: DType,
}

/// The processor, with so many threads; 0 for one per core.
pub(crate) fn device(threads: usize) -> PyResult<Device> {
    trm_ops::checked_level().map_err(refused)?;
    Device::try_cpu(threads).map_err(raised)
}

/// A number format by its name.
pub(crate) fn precision(name: Option<&str>) -> PyResult<Precision> {
    match name.unwrap_or("auto") {
        "auto" => Ok(Precision::Auto),
        "f32" => Ok(Precision::F32),
        "bf16" => Ok(Precision::Bf16),
        other => Err(refused(format!("precision = `{other}`: auto, f32 or bf16"))),
    }
}

const LOADING: [&str; 2] = ["threads", "precision"];

/// Reads a model folder, or the best model of a run folder. Without a path, the 9×9 Sudoku model that
/// comes with the package.
#[pyfunction]
#[pyo3(signature = (path=None, **options), text_signature = "(path=None, *, threads=0, precision='auto')")]
pub(crate) fn load(
    py: Python<'_>,
    path: Option<PathBuf>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyModel> {
    let options = Options::of("load", options, &LOADING)?;
    let device = device(options.get_or("threads", 0)?)?;
    let dtype = precision(options.get::<String>("precision")?.as_deref())?.on(&device);
    let read = shortly(py, || match path {
        Some(path) => trm_data::load_any(&path, &device),
        None => trm_data::SHIPPED[0].load(&device).map(AnyModel::Recursive),
    })?;
    Ok(PyModel { mind: Mind::from(read.map_err(raised)?), dtype })
}

impl From<AnyModel> for Mind {
    fn from(model: AnyModel) -> Mind {
        match model {
            AnyModel::Recursive(model) => Mind::Recursive(model),
            AnyModel::Autoregressive(model) => Mind::Autoregressive(Arc::from(model)),
        }
    }
}

/// A model from its weights: what `state_dict` gives, or a checkpoint of the public PyTorch code, whose tensors may
/// be of any library that gives arrays. The configuration is that of a model (`Model.config`), or the public code's.
#[pyfunction]
#[pyo3(
    signature = (state_dict, config, **options),
    text_signature = "(state_dict, config, *, threads=0, precision='auto')"
)]
pub(crate) fn from_state_dict(
    py: Python<'_>,
    state_dict: &Bound<'_, PyAny>,
    config: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyModel> {
    let options = Options::of("from_state_dict", options, &LOADING)?;
    let device = device(options.get_or("threads", 0)?)?;
    let dtype = precision(options.get::<String>("precision")?.as_deref())?.on(&device);
    let mut tensors = Vec::new();
    for item in state_dict.call_method0("items")?.try_iter()? {
        let (name, value): (String, Bound<'_, PyAny>) = item?.extract()?;
        let (shape, values) = from_array::<f32>(&value, "float32")?;
        tensors.push(NamedTensor { name, shape, values });
    }
    let config = from_python(config)?.to_string();
    let model = shortly(py, || match parse_config(config.as_bytes()) {
        Ok(config) => trm_data::from_state_dict(tensors, &config, &device),
        Err(_) => {
            let known = Known::parse(&config).map_err(Error::Mismatch)?;
            trm_data::import_tensors(tensors, &known, &device)
        }
    })?;
    Ok(PyModel { mind: Mind::Recursive(Arc::new(model.map_err(raised)?)), dtype })
}

impl PyModel {
    /// The recursive model; only that has this.
    pub(crate) fn recursive(&self, what: &str) -> PyResult<&Arc<Model>> {
        match &self.mind {
            Mind::Recursive(model) => Ok(model),
            Mind::Autoregressive(_) => Err(refused(format!(
                "{what} is for recursive models, and this is an autoregressive one"
            ))),
        }
    }

    fn domain_name(&self) -> &str {
        match &self.mind {
            Mind::Recursive(model) => &model.config().domain,
            Mind::Autoregressive(model) => &model.config().domain,
        }
    }

    fn think_all(
        &self,
        py: Python<'_>,
        (model, puzzles): (&Arc<Model>, &Puzzles),
        options: &Options<'_>,
    ) -> PyResult<Vec<Answered>> {
        refuse_writing(options)?;
        let (model, domain, tokens) = puzzles.fitted(model)?;
        let threads = model.device().threads();
        let (domain, kept) = judging(domain, options.object("referee")?.as_ref(), threads)?;
        let effort = effort(options, &model, &domain)?;
        let identifiers = identifiers(options, tokens.len() / domain.seq_len().max(1))?;
        let solver = Solver::new(model, self.dtype).batch(batch(options, 16)?);
        let question = Question { tokens: &tokens, puzzles: &identifiers };
        let all = quietly(py, |stop| all(&solver.until(stop), &domain, question, effort))?;
        let all = all.map_err(|error| kept.or(error))?;
        let answered = |(trail, found)| {
            let domain = domain.clone();
            Answered { domain, trail, found, probability: None }
        };
        Ok(all.into_iter().map(answered).collect())
    }

    fn write_all(
        py: Python<'_>,
        (model, puzzles): (&Autoregressive, &Puzzles),
        options: &Options<'_>,
    ) -> PyResult<Vec<Answered>> {
        let sampling = sampling(options)?;
        let domain: Domain = model.config().domain.parse().map_err(refused)?;
        let tokens = puzzles.read(&domain)?;
        let threads = model.device().threads();
        let (domain, kept) = judging(domain, options.object("referee")?.as_ref(), threads)?;
        let questions: Vec<&[u8]> = tokens.chunks_exact(domain.seq_len()).collect();
        let mut answers = Vec::new();
        let mut take = |puzzle: usize, chosen: &Chosen| {
            answers.push(written(&domain, questions[puzzle], chosen));
        };
        let done = quietly(py, |_| write_best(model, (&domain, &questions), sampling, &mut take))?;
        done.map_err(|error| kept.or(error))?;
        Ok(answers)
    }
}

/// What becomes of all puzzles, in their order.
fn all(
    solver: &Solver,
    domain: &Domain,
    question: Question<'_>,
    effort: Effort,
) -> Result<Vec<(Trail, Option<Found>)>, Error> {
    let questions = question.tokens.chunks_exact(domain.seq_len());
    let mut all: Vec<(Trail, Option<Found>)> =
        questions.map(|q| (Trail { question: q.to_vec(), steps: Vec::new() }, None)).collect();
    think(solver, domain, question, effort, &mut |puzzle, told| match told {
        Told::Step(step) => all[puzzle].0.steps.push(step),
        Told::End(found) => all[puzzle].1 = found,
    })?;
    Ok(all)
}

/// A written answer, as the only draft.
fn written(domain: &Domain, question: &[u8], chosen: &Chosen) -> Answered {
    let probability = f64::from(chosen.written.log_probability).exp();
    let step = TrailStep {
        chain: 1,
        step: 1,
        answer: chosen.answer.clone(),
        halt_probability: probability,
        sureness: Vec::new(),
        changed: Vec::new(),
        verdict: chosen.verdict.clone().unwrap_or(trm_puzzles::Verdict::Unchecked),
    };
    let trail = Trail { question: question.to_vec(), steps: vec![step] };
    Answered { domain: domain.clone(), trail, found: None, probability: Some(probability) }
}

#[pymethods]
impl PyModel {
    /// Answers a puzzle, or a list of puzzles, as `trm solve` does it.
    #[pyo3(
        signature = (puzzles, **options),
        text_signature = "(self, puzzles, *, steps=None, halt=None, search=None, referee=None, batch=16, identifiers=None, samples=1, temperature=0.7, seed=1)"
    )]
    fn solve<'py>(
        &self,
        puzzles: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = puzzles.py();
        let options = Options::of("solve", options, &[&THINKING[..], &WRITING].concat())?;
        let puzzles = Puzzles::of(puzzles)?;
        let mut answers = match &self.mind {
            Mind::Recursive(model) => self.think_all(py, (model, &puzzles), &options)?,
            Mind::Autoregressive(model) => PyModel::write_all(py, (model, &puzzles), &options)?,
        };
        if puzzles.single {
            return Ok(Bound::new(py, answers.remove(0))?.into_any());
        }
        let answers: Vec<_> =
            answers.into_iter().map(|answer| Bound::new(py, answer)).collect::<PyResult<_>>()?;
        Ok(PyList::new(py, answers)?.into_any())
    }

    /// Thinks about one puzzle, and gives every draft as soon as it is there.
    #[pyo3(
        signature = (puzzle, **options),
        text_signature = "(self, puzzle, *, steps=None, halt=None, search=None, referee=None, identifiers=0)"
    )]
    fn think(
        &self,
        puzzle: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Thinking> {
        let options = Options::of("think", options, &THINKING)?;
        let puzzles = Puzzles::of(puzzle)?;
        if !puzzles.single {
            return Err(refused("think is for one puzzle; solve takes many"));
        }
        let (model, domain, tokens) = puzzles.fitted(self.recursive("think")?)?;
        let threads = model.device().threads();
        let (domain, kept) = judging(domain, options.object("referee")?.as_ref(), threads)?;
        let effort = effort(&options, &model, &domain)?;
        let identifier = identifiers(&options, 1)?[0];
        let solver = Solver::new(model, self.dtype).batch(batch(&options, 16)?);
        Ok(Thinking::start((solver, domain), (tokens, identifier), (effort, kept)))
    }

    /// Takes one supervision step: logits `[B, S, V]`, halting logits `[B]`, and the state, a pair y, z of `[B, L, D]`.
    /// Without a state it is the first.
    #[pyo3(
        signature = (tokens, state=None, **options),
        text_signature = "(self, tokens, state=None, *, identifiers=0)"
    )]
    fn step<'py>(
        &self,
        tokens: &Bound<'py, PyAny>,
        state: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<stepping::Stepped<'py>> {
        let py = tokens.py();
        let options = Options::of("step", options, &["identifiers"])?;
        let model = self.recursive("step")?;
        let (model, domain, tokens) = Puzzles::of(tokens)?.fitted(model)?;
        let identifiers = identifiers(&options, tokens.len() / domain.seq_len().max(1))?;
        let question = Question { tokens: &tokens, puzzles: &identifiers };
        stepping::step(py, (&model, self.dtype), question, state)
    }

    /// Sizes and choices.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match &self.mind {
            Mind::Recursive(model) => to_python(py, model.config()),
            Mind::Autoregressive(model) => to_python(py, model.config()),
        }
    }

    /// The name of the kind of puzzle.
    #[getter]
    fn domain(&self) -> &str {
        self.domain_name()
    }

    /// The number format of activations.
    #[getter]
    fn precision(&self) -> String {
        self.dtype.to_string()
    }

    /// Number of trained values.
    #[getter]
    fn parameters(&self) -> usize {
        match &self.mind {
            Mind::Recursive(model) => model.parameter_count().0,
            Mind::Autoregressive(model) => model.config().parameters(),
        }
    }

    /// The digest of the weights, as `trm eval` prints it.
    #[getter]
    fn weight_digest(&self) -> PyResult<String> {
        match &self.mind {
            Mind::Recursive(model) => weight_digest(&**model),
            Mind::Autoregressive(model) => weight_digest(&**model),
        }
        .map_err(raised)
    }

    /// All weights by name, f32: the public PyTorch code's names where it has such a network, else trm's own.
    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tensors = match &self.mind {
            Mind::Recursive(model) => trm_data::state_dict(model),
            Mind::Autoregressive(model) => trm_data::public::named(&**model),
        };
        let all = PyDict::new(py);
        for NamedTensor { name, shape, values } in tensors.map_err(raised)? {
            all.set_item(name, array(py, &shape, values)?)?;
        }
        Ok(all)
    }

    /// Writes a model folder, f32.
    fn save(&self, py: Python<'_>, folder: PathBuf) -> PyResult<()> {
        let saved = shortly(py, || match &self.mind {
            Mind::Recursive(model) => save_model(&folder, &**model),
            Mind::Autoregressive(model) => save_model(&folder, &**model),
        })?;
        saved.map_err(raised)
    }

    fn __repr__(&self) -> String {
        let way = match &self.mind {
            Mind::Recursive(_) => "recursive",
            Mind::Autoregressive(_) => "autoregressive",
        };
        let (domain, parameters) = (self.domain_name(), self.parameters());
        format!("<trm.Model: {way}, {domain}, {parameters} parameters, {}>", self.dtype)
    }
}
