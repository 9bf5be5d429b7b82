//! The models that are served.

use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use std::collections::BTreeMap;
use std::sync::Arc;
use trm::{Config, Model, Network};
use trm_ops::DType;
use trm_puzzles::Domain;

/// A model and what it is called in requests.
pub struct Named {
    /// Its name.
    pub name: String,
    /// The model.
    pub model: Arc<Model>,
    /// What its activations are kept in.
    pub dtype: DType,
}

/// A model that is served.
#[derive(Debug)]
pub(crate) struct Served {
    pub name: String,
    pub domain: Domain,
    pub config: Config,
    pub parameters: usize,
    pub dtype: DType,
    pub engine: Engine,
}

/// All models that are served, by name.
#[derive(Debug)]
pub struct Models {
    /// What requests get that name none.
    first: String,
    all: BTreeMap<String, Served>,
}

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
        let first = models.first().ok_or("no model to serve")?.name.clone();
        let mut all = BTreeMap::new();
        for Named { name, model, dtype } in models {
            let domain = model.config().domain.parse::<Domain>();
            let domain = domain.map_err(|error| format!("model `{name}`: {error}"))?;
            let parameters = model.parameters().iter().map(|p| p.value().len()).sum();
            let config = model.config().clone();
            let engine = Engine::start(model, dtype, batch, metrics.clone());
            let served = Served { name: name.clone(), domain, config, parameters, dtype, engine };
            if all.insert(name.clone(), served).is_some() {
                return Err(format!("two models are called `{name}`"));
            }
        }
        Ok(Models { first, all })
    }

    /// The model of this name; without one the first.
    pub(crate) fn get(&self, name: Option<&str>) -> Result<&Served, Refusal> {
        let name = name.unwrap_or(&self.first);
        self.all.get(name).ok_or_else(|| {
            let known: Vec<String> = self.all.keys().map(|name| format!("`{name}`")).collect();
            Refusal::unknown(format!("no model `{name}`; there are {}", known.join(", ")))
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Served> {
        self.all.values()
    }
}
