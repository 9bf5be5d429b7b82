//! A study: who is compared, on what, with how much compute.

use super::names::{self, folder_name};
use super::refused;
use super::settings::Settings;
use crate::{Error, mismatch};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use trm::{AutoregressiveConfig, Config};
use trm_data::Dataset;
use trm_data::text::foreign;
use trm_puzzles::Domain;
use trm_train::Recipe;

/// How far a written model's size may be from a recursive one's.
const SIZE_TOLERANCE: f64 = 0.05;

/// A study file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Name of the report.
    pub(super) title: String,
    /// Folder of the data set, if there is one already.
    data: Option<PathBuf>,
    /// Else what follows `trm data` to make it.
    make_data: Option<String>,
    /// Every contender is trained once with each.
    pub(super) seeds: Vec<u64>,
    /// Floating-point operations of every training, forward and backward.
    pub(super) training_flops: f64,
    /// Unseen puzzles to measure on, at most.
    pub(super) test: usize,
    /// Supervision steps that recursive models are given at most.
    pub(super) steps: usize,
    /// Answers that autoregressive models choose from at most.
    pub(super) answers: usize,
    /// Temperature of all answers but the first.
    pub(super) temperature: f32,
    /// Domains of growing size, on which an answer is timed with random weights.
    #[serde(default = "larger")]
    pub(super) growth: Vec<String>,
    /// `[train]` of all recipes.
    #[serde(default)]
    train: Table,
    /// Who takes part.
    #[serde(rename = "contender")]
    contenders: Vec<Contender>,
}

/// Sudoku by size, then mazes of growing side.
fn larger() -> Vec<String> {
    let all = ["sudoku4", "sudoku6", "sudoku9", "maze10x10", "maze20x20", "maze30x30"];
    all.map(String::from).to_vec()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Contender {
    name: String,
    model: Option<Table>,
    autoregressive: Option<Table>,
    endpoint: Option<Settings>,
    #[serde(default)]
    train: Table,
}

/// A language model that takes part.
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) settings: Settings,
}

/// Who takes part, ready to train.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) recipe: Recipe,
    pub(super) network: Sizes,
}

/// The network that a recipe makes of a data set.
pub(super) enum Sizes {
    Recursive(Config),
    Autoregressive(AutoregressiveConfig),
}

impl Study {
    /// Reads a study file.
    ///
    /// # Errors
    /// If it cannot be read, or asks for what cannot be.
    pub fn load(path: &Path) -> Result<Study, Error> {
        let text = trm_data::files::read_text(path)?;
        let fail = |message: &str| Error::file(path, message.replace('\n', "; "));
        let study: Study = toml::from_str(&text).map_err(|error| fail(error.message()))?;
        study.check().map_err(|error| fail(&error.to_string()))?;
        Ok(study)
    }

    fn check(&self) -> Result<(), Error> {
        if self.data.is_some() == self.make_data.is_some() {
            return Err(refused(
                "name the data with either data = \"FOLDER\" or make_data = \"sudoku --size …\"",
            ));
        }
        let is_trained = |contender: &Contender| contender.endpoint.is_none();
        if self.seeds.is_empty() || !self.contenders.iter().any(is_trained) {
            return Err(refused("at least one seed and one [[contender]] to train are needed"));
        }
        if [self.test, self.steps, self.answers].contains(&0) {
            return Err(refused("test, steps and answers must be at least 1"));
        }
        if self.steps.max(self.answers) > 1 << 16 {
            return Err(refused("steps and answers must be at most 65536"));
        }
        if !(self.training_flops.is_finite() && self.training_flops > 0.0) {
            return Err(refused(format!(
                "training_flops = {}: must be a positive number",
                self.training_flops
            )));
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(refused(format!(
                "temperature = {}: must be a positive number",
                self.temperature
            )));
        }
        let repeated = |(i, seed): &(usize, &u64)| self.seeds[..*i].contains(seed);
        if let Some((_, seed)) = self.seeds.iter().enumerate().find(repeated) {
            return Err(refused(format!("seeds: seed {seed} occurs twice")));
        }
        for contender in &self.contenders {
            contender.check().map_err(|error| contender.refused(&error))?;
        }
        names::check(self.contenders.iter().map(|contender| &contender.name[..]))?;
        match self.growth.iter().map(|name| name.parse::<Domain>()).find_map(Result::err) {
            Some(error) => Err(refused(format!("growth: {error}"))),
            None => Ok(()),
        }
    }

    /// The language models, to be asked and not trained.
    pub(super) fn language_models(&self) -> Vec<Asked> {
        let asked = |c: &Contender| {
            let settings = c.endpoint.clone()?;
            Some(Asked { name: c.name.clone(), slug: folder_name(&c.name), settings })
        };
        self.contenders.iter().filter_map(asked).collect()
    }

    /// The data set's folder, and where it is still to be made what follows `trm data` to make it there.
    pub fn data(&self, out: &Path) -> (PathBuf, Option<Vec<String>>) {
        match (&self.data, &self.make_data) {
            (Some(folder), _) => (folder.clone(), None),
            (None, make) => {
                let folder = out.join("data");
                let words = make.as_deref().unwrap_or_default().split_whitespace();
                let words = (!folder.exists()).then(|| words.map(String::from).collect());
                (folder, words)
            }
        }
    }

    /// The contenders, each with as many steps as the compute allows.
    pub(super) fn entries(&self, folder: &Path, data: &Dataset) -> Result<Vec<Entry>, Error> {
        let trained = self.contenders.iter().filter(|c| c.endpoint.is_none());
        let entries: Vec<Entry> = trained
            .map(|c| self.entry(c, folder, data).map_err(|error| c.refused(&error)))
            .collect::<Result<_, Error>>()?;
        check_sizes(&entries)?;
        Ok(entries)
    }

    fn entry(&self, contender: &Contender, folder: &Path, data: &Dataset) -> Result<Entry, Error> {
        let mut train = self.train.clone();
        train.extend(contender.train.clone());
        train.insert("validation".into(), Value::Integer(0)); // nobody chooses: the last weights count
        let mut table = Table::new();
        table.insert("data".into(), Value::String(folder.to_string_lossy().into_owned()));
        table.insert("train".into(), Value::Table(train));
        match (&contender.model, &contender.autoregressive) {
            (Some(network), None) => table.insert("model".into(), Value::Table(network.clone())),
            (None, Some(network)) => {
                table.insert("autoregressive".into(), Value::Table(network.clone()))
            }
            _ => unreachable!("a contender is of one kind"),
        };
        let text = toml::to_string(&table).expect("a table is TOML");
        let mut recipe = Recipe::parse(&text, &[]).map_err(Error::Recipe)?;
        let network = match recipe.autoregressive_for(data) {
            Some(config) => Sizes::Autoregressive(config),
            None => Sizes::Recursive(recipe.model_for(data)),
        };
        network.check()?;
        let per_step = recipe.train.batch as f64 * network.training_flops(data);
        recipe.train.steps = (self.training_flops / per_step).round().max(1.0) as u64;
        Ok(Entry { name: contender.name.clone(), recipe, network })
    }
}

impl Contender {
    /// What is wrong with this contender.
    fn refused(&self, error: &Error) -> Error {
        refused(format!("contender `{}`: {error}", foreign(&self.name)))
    }

    fn check(&self) -> Result<(), Error> {
        let kinds = [self.model.is_some(), self.autoregressive.is_some(), self.endpoint.is_some()];
        if kinds.iter().filter(|kind| **kind).count() != 1 {
            return Err(refused(
                "give it one of [contender.model], [contender.autoregressive] and [contender.endpoint]",
            ));
        }
        match &self.endpoint {
            Some(_) if !self.train.is_empty() => {
                Err(refused("what is asked is not trained: remove train"))
            }
            Some(settings) => settings.check(),
            None => Ok(()),
        }
    }
}

impl Entry {
    /// The name as part of a path.
    pub(super) fn slug(&self) -> String {
        folder_name(&self.name)
    }
}

impl Sizes {
    fn check(&self) -> Result<(), Error> {
        match self {
            Sizes::Recursive(config) => config.check().map_err(mismatch),
            Sizes::Autoregressive(config) => config.check().map_err(mismatch),
        }
    }

    /// Number of trained values.
    pub(super) fn parameters(&self) -> Result<usize, Error> {
        match self {
            Sizes::Autoregressive(config) => Ok(config.parameters()),
            Sizes::Recursive(config) => {
                let mut rng = trm_data::stream(0, trm_data::Purpose::Weights, 0);
                let model = trm::Model::new(config, &trm_ops::Device::cpu(1), &mut rng)?;
                Ok(model.parameter_count().0)
            }
        }
    }

    /// Of one example of a batch.
    pub(super) fn training_flops(&self, data: &Dataset) -> f64 {
        match self {
            Sizes::Recursive(config) => config.training_flops(),
            Sizes::Autoregressive(config) => config.training_flops(mean_answer(config, data)),
        }
    }

    /// Of one answer: a recursive model takes the supervision steps that it was trained with, an
    /// autoregressive one writes once.
    pub(super) fn answer_flops(&self, data: &Dataset) -> f64 {
        match self {
            Sizes::Recursive(c) => c.supervision_steps as f64 * c.forward_flops(),
            Sizes::Autoregressive(config) => config.forward_flops(mean_answer(config, data)),
        }
    }
}

/// Tokens of a written answer, rounded mean over a data set.
fn mean_answer(config: &AutoregressiveConfig, data: &Dataset) -> usize {
    let domain: Option<Domain> = data.metadata.domain.parse().ok();
    let open =
        data.inputs.iter().filter(|t| domain.as_ref().is_some_and(|d| !d.is_given(**t))).count();
    config.answer_len((open as f64 / data.len().max(1) as f64).round() as usize)
}

/// Refuses an autoregressive model that is no recursive one's size.
fn check_sizes(entries: &[Entry]) -> Result<(), Error> {
    let recursive = entries.iter().filter(|e| matches!(e.network, Sizes::Recursive(_)));
    let sizes: Vec<usize> =
        recursive.map(|e| e.network.parameters()).collect::<Result<_, Error>>()?;
    for entry in entries.iter().filter(|e| matches!(e.network, Sizes::Autoregressive(_))) {
        let own = entry.network.parameters()?;
        let off = |size: &usize| (own as f64 / *size as f64 - 1.0).abs();
        let nearest = sizes.iter().min_by(|a, b| off(a).total_cmp(&off(b)));
        if let Some(nearest) = nearest.filter(|size| off(size) > SIZE_TOLERANCE) {
            return Err(refused(format!(
                "contender `{}` has {own} parameters, {:.0} % of the nearest recursive model's {nearest}: \
                 change hidden, expansion or blocks until it is within 5 %",
                entry.name,
                100.0 * own as f64 / *nearest as f64
            )));
        }
    }
    Ok(())
}
