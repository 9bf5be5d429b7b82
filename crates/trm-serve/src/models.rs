//! The models that are served.

use crate::asked::Puzzle;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::{thinking, writing};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use trm::{Autoregressive, Config, Model, Network, Solver};
use trm_data::AnyModel;
use trm_ops::DType;
use trm_puzzles::{Domain, Look};
use trm_study::{Effort, SampleOptions};
use trm_train::OpenCells;

/// A model and what it is called in requests.
pub struct Named {
    /// Its name.
    pub name: String,
    /// The model.
    pub model: AnyModel,
    /// Its domain with a judge from outside, if there is one; its puzzles have one size then.
    pub judged: Option<Domain>,
    /// What the activations of a recursive model are kept in.
    pub dtype: DType,
}

/// A model that is served.
#[derive(Debug)]
pub(crate) struct Served {
    pub name: String,
    pub domain: Domain,
    pub mind: Mind,
    parameters: usize,
}

/// How a model comes to an answer, and the engine in which it does.
#[derive(Debug)]
pub(crate) enum Mind {
    /// It revises drafts.
    Recursive(Thinker),
    /// It writes cell after cell.
    Autoregressive(Engine<SampleOptions>),
}

#[derive(Debug)]
pub(crate) struct Thinker {
    pub config: Config,
    /// Whether puzzles may have another size than the domain's.
    pub any_size: bool,
    pub engine: Engine<Effort>,
    dtype: DType,
}

impl Thinker {
    fn start(
        (model, dtype): (Arc<Model>, DType),
        one_size: bool,
        batch: usize,
        metrics: Metrics,
    ) -> Thinker {
        let config = model.config().clone();
        let any_size = config.fits_any_grid() && !one_size;
        let solver = move |domain: &Domain| {
            Solver::new(trm_train::fit(model.clone(), &domain.name()), dtype).batch(batch)
        };
        let engine = Engine::start(move |asked| thinking::run(&solver, asked, &metrics));
        Thinker { config, any_size, engine, dtype }
    }
}

/// Starts the engine of an autoregressive model.
fn writer(
    model: Autoregressive,
    batch: usize,
    metrics: Metrics,
) -> Result<Engine<SampleOptions>, String> {
    let open = OpenCells::of(model.config()).map_err(|error| error.to_string())?;
    Ok(Engine::start(move |asked| writing::run(&model, &open, batch, asked, &metrics)))
}

impl Served {
    fn start(named: Named, batch: usize, metrics: &Metrics) -> Result<Served, String> {
        let Named { name, model, judged, dtype } = named;
        let one_size = judged.is_some();
        let own = || model.domain().parse::<Domain>().map_err(|error| error.to_string());
        let domain = judged.map_or_else(own, Ok)?;
        let count = |parameters: Vec<&trm_ops::Parameter>| {
            parameters.into_iter().map(|p| p.value().len()).sum()
        };
        let (parameters, mind) = match model {
            AnyModel::Recursive(model) => (
                count(model.parameters()),
                Mind::Recursive(Thinker::start((model, dtype), one_size, batch, metrics.clone())),
            ),
            AnyModel::Autoregressive(model) => (
                count(model.parameters()),
                Mind::Autoregressive(writer(*model, batch, metrics.clone())?),
            ),
        };
        Ok(Served { name, domain, mind, parameters })
    }

    /// Whether puzzles may have another size than the domain's.
    pub(crate) fn any_size(&self) -> bool {
        matches!(&self.mind, Mind::Recursive(thinker) if thinker.any_size)
    }

    /// What there is to know of the model, and of how its puzzles look.
    pub(crate) fn json(&self) -> Value {
        let (steps, precision) = match &self.mind {
            Mind::Recursive(Thinker { config, dtype, .. }) => {
                (Some(config.supervision_steps), *dtype)
            }
            Mind::Autoregressive(_) => (None, DType::F32),
        };
        Description {
            name: &self.name,
            domain: &self.domain,
            any_size: self.any_size(),
            parameters: self.parameters,
            steps,
            precision: &precision.to_string(),
        }
        .json()
    }
}

/// What a page has to know of a model.
pub(crate) struct Description<'a> {
    pub name: &'a str,
    pub domain: &'a Domain,
    /// Whether puzzles may have another size than the domain's.
    pub any_size: bool,
    pub parameters: usize,
    /// Supervision steps; `None` of an autoregressive model.
    pub steps: Option<usize>,
    pub precision: &'a str,
}

impl Description<'_> {
    pub(crate) fn json(&self) -> Value {
        let domain = self.domain;
        let tokens = || 1..domain.vocab_size() as u8;
        let symbol = |token: u8| domain.symbol(token).to_string();
        let look = |token: u8| match domain.look(token) {
            Look::Ink => Some("ink".to_owned()),
            Look::Accent => Some("accent".to_owned()),
            Look::Colour(colour) => Some(format!("k{colour}")),
            Look::Empty | Look::Symbol(_) => None,
        };
        let looks = tokens().filter_map(|token| Some((symbol(token), look(token)?.into())));
        let layout = domain.layout();
        json!({
            "id": self.name,
            "object": "model",
            "owned_by": "trm",
            "architecture": if self.steps.is_some() { "recursive" } else { "autoregressive" },
            "domain": domain.name(),
            "kind": domain.kind(),
            "columns": layout.columns,
            "cells": domain.seq_len(),
            "boxes": [layout.boxes.0, layout.boxes.1],
            "symbols": tokens().map(symbol).collect::<Vec<_>>(),
            "open": open(domain).map(symbol),
            "looks": looks.collect::<Map<_, _>>(),
            "any_size": self.any_size,
            "has_rules": domain.has_rules(),
            "parameters": self.parameters,
            "steps": self.steps,
            "precision": self.precision,
        })
    }
}

/// What stands where a question is open. Where no cell is kept none is open: all are read, and all are written anew.
fn open(domain: &Domain) -> Option<u8> {
    let mut tokens = 1..domain.vocab_size() as u8;
    match tokens.clone().any(|token| domain.is_given(token)) {
        true => tokens.find(|token| !domain.is_given(*token)),
        false => None,
    }
}

/// All models that are served; a request that names none gets the first for puzzles of its form.
#[derive(Debug)]
pub struct Models(Vec<Served>);

impl Models {
    /// Starts an engine for every model.
    ///
    /// # Errors
    /// If there is none, two have the same name, or the domain of one is not known.
    pub(crate) fn start(
        models: Vec<Named>,
        batch: usize,
        metrics: &Metrics,
    ) -> Result<Models, String> {
        let mut all: Vec<Served> = Vec::new();
        for named in models {
            let name = named.name.clone();
            if all.iter().any(|served| served.name == name) {
                return Err(format!("two models are called `{name}`"));
            }
            let served = Served::start(named, batch, metrics);
            all.push(served.map_err(|error| format!("model `{name}`: {error}"))?);
        }
        if all.is_empty() {
            return Err("no model to serve".to_owned());
        }
        Ok(Models(all))
    }

    /// The model of this name. Without one the first, if it can read what is asked or no model is for puzzles of
    /// this form; else the first that is. So a model that reads all, as those of ARC do, takes nothing from others.
    pub(crate) fn get(&self, name: Option<&str>, puzzles: &[Puzzle]) -> Result<&Served, Refusal> {
        let Some(name) = name else {
            let is_read = puzzles.iter().any(|puzzle| puzzle.is_read_by(&self.0[0]));
            let has_form =
                |served: &&Served| puzzles.iter().any(|puzzle| puzzle.has_form_of(served));
            let other = self.iter().find(has_form).filter(|_| !is_read);
            return Ok(other.unwrap_or(&self.0[0]));
        };
        self.0.iter().find(|served| served.name == name).ok_or_else(|| {
            let known: Vec<String> =
                self.iter().map(|served| format!("`{}`", served.name)).collect();
            Refusal::unknown(format!("no model `{name}`; there are {}", known.join(", ")))
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Served> {
        self.0.iter()
    }
}
