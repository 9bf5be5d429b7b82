//! Puzzles that a model is asked, and how.

use crate::data::PyPuzzle;
use crate::errors::{refused, unfit};
use crate::values::{Options, is_array, tokens};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use std::sync::Arc;
use std::time::Duration;
use trm::{Model, Search};
use trm_puzzles::{Domain, QuestionError, questions};
use trm_study::{Effort, SampleOptions, SearchOptions, Wish};
use trm_train::fit;

/// What of a call says how to think.
pub(crate) const THINKING: [&str; 6] =
    ["steps", "halt", "search", "referee", "batch", "identifiers"];
/// What of a call says how an autoregressive model writes.
pub(crate) const WRITING: [&str; 3] = ["samples", "temperature", "seed"];

const SEARCH: [&str; 7] =
    ["rollouts", "noise", "restart", "symmetries", "patience", "seed", "milliseconds"];

/// A puzzle as it was given.
enum Given {
    Text(String),
    Tokens(Vec<u8>),
}

/// Puzzles as they were given.
pub(crate) struct Puzzles {
    given: Vec<Given>,
    /// Whether it was a puzzle, not a list of them.
    pub(crate) single: bool,
}

impl Puzzles {
    /// A text, a [`PyPuzzle`], an array of tokens `[S]`, or several: a list of these, an array `[N, S]`.
    pub(crate) fn of(puzzles: &Bound<'_, PyAny>) -> PyResult<Puzzles> {
        if let Some(one) = one(puzzles)? {
            return Ok(Puzzles { given: vec![one], single: true });
        }
        if is_array(puzzles)? {
            let (shape, tokens) = tokens(puzzles)?;
            let [count, cells] = shape[..] else {
                return Err(refused(format!(
                    "tokens of shape {shape:?}: [S] or [N, S] are needed"
                )));
            };
            let each = (0..count).map(|i| Given::Tokens(tokens[i * cells..][..cells].to_vec()));
            return Ok(Puzzles { given: each.collect(), single: false });
        }
        let mut given = Vec::new();
        for puzzle in puzzles.try_iter().map_err(|_| no_puzzle())? {
            given.push(one(&puzzle?)?.ok_or_else(no_puzzle)?);
        }
        Ok(Puzzles { given, single: false })
    }

    /// `[N · S]` tokens in a domain.
    pub(crate) fn read(&self, domain: &Domain) -> PyResult<Vec<u8>> {
        let mut all = Vec::with_capacity(self.given.len() * domain.seq_len());
        for (i, given) in self.given.iter().enumerate() {
            let place = match self.single {
                true => "the puzzle".to_owned(),
                false => format!("puzzle {i}"),
            };
            let refuse = |why: String| refused(format!("{place}: {why}"));
            match given {
                Given::Tokens(tokens) => {
                    let checked = domain.check_question(tokens);
                    checked.map_err(|error| refuse(error.to_string()))?;
                    all.extend(tokens);
                }
                Given::Text(text) => {
                    let read = questions(domain, text);
                    let read =
                        read.map_err(|QuestionError { source, .. }| refuse(source.to_string()))?;
                    if read.len() != 1 {
                        return Err(refuse(format!(
                            "{} puzzles in one text: give a list",
                            read.len()
                        )));
                    }
                    all.extend(read.concat());
                }
            }
        }
        Ok(all)
    }

    /// The tokens, and the model of their size where its weights are those of any.
    pub(crate) fn fitted(&self, model: &Arc<Model>) -> PyResult<(Arc<Model>, Domain, Vec<u8>)> {
        let own: Domain = model.config().domain.parse().map_err(refused)?;
        let refusal = match self.read(&own) {
            Ok(tokens) => return Ok((model.clone(), own, tokens)),
            Err(refusal) => refusal,
        };
        let first = self.given.iter().find_map(|given| match given {
            Given::Text(text) => own.sized_for(text),
            Given::Tokens(_) => None,
        });
        let Some(sized) = first else { return Err(refusal) };
        let model = fit(model.clone(), &sized.name());
        let domain: Domain = model.config().domain.parse().map_err(refused)?;
        let tokens = self.read(&domain)?;
        Ok((model, domain, tokens))
    }
}

fn no_puzzle() -> PyErr {
    unfit(
        "a puzzle is a text, an array of tokens, or an element of a data set; or give a list of these",
    )
}

/// The puzzle, unless it is several.
fn one(puzzle: &Bound<'_, PyAny>) -> PyResult<Option<Given>> {
    if let Ok(text) = puzzle.cast::<PyString>() {
        return Ok(Some(Given::Text(text.to_str()?.to_owned())));
    }
    if let Ok(puzzle) = puzzle.cast::<PyPuzzle>() {
        return Ok(Some(Given::Tokens(puzzle.get().question.clone())));
    }
    if is_array(puzzle)? && puzzle.getattr("ndim").and_then(|n| n.extract()).unwrap_or(2) == 1 {
        return Ok(Some(Given::Tokens(tokens(puzzle)?.1)));
    }
    Ok(None)
}

/// The identifier of every puzzle: one for all, or a list; 0 where none is given.
pub(crate) fn identifiers(options: &Options<'_>, count: usize) -> PyResult<Vec<u32>> {
    let Some(given) = options.object("identifiers")? else { return Ok(vec![0; count]) };
    if let Ok(one) = given.extract::<u32>() {
        return Ok(vec![one; count]);
    }
    let all: Vec<u32> = given.extract()?;
    match all.len() == count {
        true => Ok(all),
        false => Err(refused(format!("identifiers: {} for {count} puzzles", all.len()))),
    }
}

/// Puzzles at a time.
pub(crate) fn batch(options: &Options<'_>, usual: usize) -> PyResult<usize> {
    match options.get_or("batch", usual)? {
        0 => Err(refused("steps and batch must be at least 1")),
        batch => Ok(batch),
    }
}

/// How a model is to think.
pub(crate) fn wish(options: &Options<'_>) -> PyResult<Wish> {
    let (steps, halt) = (options.get("steps")?, options.get("halt")?);
    if steps == Some(0) {
        return Err(refused("steps and batch must be at least 1"));
    }
    let asked = options.object("search")?;
    let alone = asked.as_ref().is_some_and(|asked| asked.extract::<bool>().is_ok_and(|on| !on));
    let search = asked.filter(|_| !alone).map(|asked| search(&asked)).transpose()?;
    Ok(Wish { steps, halt, alone, search })
}

/// How a model of this configuration is to think about these puzzles.
pub(crate) fn effort(options: &Options<'_>, model: &Model, domain: &Domain) -> PyResult<Effort> {
    Ok(wish(options)?.effort(model.config(), domain))
}

/// `True`, or a table of what differs from the usual search.
fn search(asked: &Bound<'_, PyAny>) -> PyResult<SearchOptions> {
    let usual = Search::default();
    let table = match asked.cast::<PyDict>() {
        Ok(table) => Some(table),
        Err(_) if asked.extract::<bool>().is_ok() => None,
        Err(_) => return Err(unfit("search: True, False, or a table such as {\"rollouts\": 8}")),
    };
    let options = Options::of("search", table, &SEARCH)?;
    let search = Search {
        rollouts: options.get_or("rollouts", usual.rollouts)?,
        noise: options.get_or("noise", usual.noise)?,
        restart: options.get_or("restart", usual.restart)?,
        symmetries: options.get_or("symmetries", usual.symmetries)?,
        patience: options.get_or("patience", usual.patience)?,
        seed: options.get_or("seed", usual.seed)?,
        ..usual
    };
    for (name, sigma) in [("noise", search.noise), ("restart", search.restart)] {
        if !(sigma.is_finite() && sigma >= 0.0) {
            return Err(refused(format!("{name} {sigma}: must be 0 or a positive number")));
        }
    }
    if search.rollouts == 0 {
        return Err(refused("rollouts must be at least 1"));
    }
    let time = options.get("milliseconds")?.map(Duration::from_millis);
    Ok(SearchOptions { search, time })
}

/// How an autoregressive model is to write.
pub(crate) fn sampling(options: &Options<'_>) -> PyResult<SampleOptions> {
    for name in ["steps", "halt", "search"] {
        if options.object(name)?.is_some() {
            return Err(refused(format!(
                "{name} is for recursive models, and this is an autoregressive one"
            )));
        }
    }
    let usual = SampleOptions::default();
    let sampling = SampleOptions {
        samples: options.get_or("samples", usual.samples)?,
        temperature: options.get_or("temperature", usual.temperature)?,
        seed: options.get_or("seed", usual.seed)?,
        batch: batch(options, 16)?,
    };
    if sampling.samples == 0 || sampling.samples > 1 << 16 {
        return Err(refused("samples must be at least 1 and at most 65536"));
    }
    if !(sampling.temperature.is_finite() && sampling.temperature > 0.0) {
        let temperature = sampling.temperature;
        return Err(refused(format!("temperature {temperature}: must be a positive number")));
    }
    Ok(sampling)
}

/// Refuses what only an autoregressive model has.
pub(crate) fn refuse_writing(options: &Options<'_>) -> PyResult<()> {
    for name in WRITING {
        if options.object(name)?.is_some() {
            return Err(refused(format!(
                "{name} is for autoregressive models, and this is a recursive one"
            )));
        }
    }
    Ok(())
}
