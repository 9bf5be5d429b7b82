//! Recipes: what to train and how, as overrides of defaults.

use crate::Error;
use crate::dataset::Dataset;
use crate::files::read;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use trm::{Config, Mix};
use trm_ops::{DType, Likelihood};
use trm_puzzles::Domain;

/// Everything that decides the outcome of a training run, except the data themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recipe {
    /// Seed of all random numbers.
    pub seed: u64,
    /// Folder of the data set.
    pub data: PathBuf,
    /// Folder of a model to begin with instead of random weights; sizes must agree, depth need not.
    pub init: PathBuf,
    /// The network. `domain`, `vocab_size`, `seq_len` and `puzzle_identifiers` follow from the data.
    pub model: Config,
    /// The training.
    pub train: TrainConfig,
}

/// Settings of training. Defaults are the public recipe for Sudoku (REFERENCE.md section 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainConfig {
    /// Optimiser steps.
    pub steps: u64,
    /// Rows of the persistent batch.
    pub batch: usize,
    /// Number format of activations.
    pub precision: Precision,
    /// Whether inner activations are computed again for the gradient instead of being kept: a
    /// quarter of the memory for some more work, and the same weights bit for bit.
    pub recompute: bool,
    /// Update rule of the trained parameters.
    pub optimizer: OptimizerKind,
    /// Learning rate.
    pub lr: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Learning rate of Muon's matrices.
    pub muon_lr: f32,
    /// Weight decay of Muon's matrices.
    pub muon_weight_decay: f32,
    /// Momentum of Muon.
    pub muon_momentum: f32,
    /// Newton–Schulz iterations of Muon.
    pub muon_iterations: usize,
    /// Learning rate of the puzzle embeddings (SignSGD).
    pub puzzle_lr: f32,
    /// Weight decay of the puzzle embeddings.
    pub puzzle_weight_decay: f32,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// Where the cosine ends, as a share of the learning rate; 1 keeps it constant.
    pub lr_min_ratio: f32,
    /// Largest norm of the gradient; 0 for no limit.
    pub grad_clip: f32,
    /// How logits become probabilities in the loss.
    pub likelihood: LikelihoodKind,
    /// Share of the target that is spread over all tokens.
    pub label_smoothing: f32,
    /// Weight of the halting loss.
    pub halt_weight: f32,
    /// Probability per row and step of demanding a random minimum number of steps.
    pub exploration: f32,
    /// Rate of the moving average of parameters; 0 to use the latest parameters.
    pub ema: f32,
    /// Draw a fresh symmetry of the puzzle at every visit, where the domain has any.
    pub symmetries: bool,
    /// Give every puzzle the blank identifier, to see what identifiers are worth.
    pub blank_identifiers: bool,
    /// Groups of the training set held out to validate on.
    pub validation: usize,
    /// Steps between validations; 0 for none.
    pub validate_every: u64,
    /// Exact validation accuracy at which training is done; 0 to go on.
    pub target: f32,
    /// Validations without improvement after which training stops; 0 to go on.
    pub patience: u64,
    /// Steps between checkpoints; 0 for one at the end only.
    pub checkpoint_every: u64,
    /// Checkpoints kept, the newest ones.
    pub keep: usize,
    /// Checkpoints at multiples of this many steps are kept as well; 0 for none.
    pub keep_every: u64,
    /// How often a step that is not finite may be undone: the run goes back to its last checkpoint
    /// and on from there with other examples. 0 to stop at once.
    pub rollbacks: u64,
}

/// Number format of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    F32,
    /// bfloat16 activations over f32 weights.
    Bf16,
}

/// Update rule of the trained parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// The public code's: bounded steps without an epsilon.
    AdamAtan2,
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW,
    /// Orthogonalised momentum for the network's matrices, AdamW elsewhere.
    Muon,
}

/// How logits become probabilities in the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LikelihoodKind {
    /// The public code's.
    Stablemax,
    /// The usual one.
    Softmax,
}

impl From<Precision> for DType {
    fn from(precision: Precision) -> DType {
        match precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::Bf16,
        }
    }
}

impl From<LikelihoodKind> for Likelihood {
    fn from(kind: LikelihoodKind) -> Likelihood {
        match kind {
            LikelihoodKind::Stablemax => Likelihood::Stablemax,
            LikelihoodKind::Softmax => Likelihood::Softmax,
        }
    }
}

impl Default for TrainConfig {
    fn default() -> TrainConfig {
        TrainConfig {
            steps: 65_000,
            batch: 768,
            precision: Precision::F32,
            recompute: false,
            optimizer: OptimizerKind::AdamAtan2,
            lr: 1e-4,
            weight_decay: 1.0,
            beta1: 0.9,
            beta2: 0.95,
            muon_lr: 0.02,
            muon_weight_decay: 0.005,
            muon_momentum: 0.6,
            muon_iterations: 3,
            puzzle_lr: 1e-4,
            puzzle_weight_decay: 1.0,
            warmup: 2000,
            lr_min_ratio: 1.0,
            grad_clip: 0.0,
            likelihood: LikelihoodKind::Stablemax,
            label_smoothing: 0.0,
            halt_weight: 0.5,
            exploration: 0.1,
            ema: 0.999,
            symmetries: true,
            blank_identifiers: false,
            validation: 64,
            validate_every: 1000,
            target: 0.0,
            patience: 0,
            checkpoint_every: 1000,
            keep: 2,
            keep_every: 0,
            rollbacks: 0,
        }
    }
}

impl TrainConfig {
    /// Checks ranges.
    ///
    /// # Errors
    /// Names the key, its value and what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |key: &str, value: String, rule: &str| {
            Err(Error::Recipe(format!("train.{key} = {value}: must be {rule}")))
        };
        let positive =
            [("batch", self.batch as u64), ("steps", self.steps), ("keep", self.keep as u64)];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return refuse(key, "0".into(), "at least 1");
        }
        let shares = [
            ("beta1", self.beta1, 1.0),
            ("beta2", self.beta2, 1.0),
            ("muon_momentum", self.muon_momentum, 1.0),
            ("label_smoothing", self.label_smoothing, 1.0),
            ("ema", self.ema, 1.0),
            ("lr_min_ratio", self.lr_min_ratio, 1.0f32.next_up()),
            ("exploration", self.exploration, 1.0f32.next_up()),
            ("target", self.target, 1.0f32.next_up()),
        ];
        if self.batch > 1 << 20 {
            return refuse("batch", self.batch.to_string(), "at most 1048576");
        }
        if let Some((key, value, _)) = shares.iter().find(|(_, v, end)| !(0.0..*end).contains(v)) {
            return refuse(key, value.to_string(), "between 0 and 1");
        }
        let rates = [
            ("lr", self.lr),
            ("weight_decay", self.weight_decay),
            ("muon_lr", self.muon_lr),
            ("muon_weight_decay", self.muon_weight_decay),
            ("puzzle_lr", self.puzzle_lr),
            ("puzzle_weight_decay", self.puzzle_weight_decay),
            ("grad_clip", self.grad_clip),
            ("halt_weight", self.halt_weight),
        ];
        match rates.iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)) {
            Some((key, value)) => refuse(key, value.to_string(), "0 or a positive number"),
            None => Ok(()),
        }
    }
}

/// Keys of `[model]` that the data set decides.
const DECIDED_BY_DATA: [&str; 5] =
    ["domain", "vocab_size", "seq_len", "columns", "puzzle_identifiers"];

impl Recipe {
    /// Reads a recipe file and applies `key=value` overrides (`train.lr=1e-3`).
    ///
    /// # Errors
    /// If the file cannot be read or parsed, or a key is unknown or has an impossible value.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Recipe, Error> {
        let text = String::from_utf8(read(path)?)
            .map_err(|_| Error::file(path, "not a text file; a recipe is TOML"))?;
        Recipe::parse(&text, overrides).map_err(|message| Error::file(path, message))
    }

    /// [`Recipe::load`] from text.
    ///
    /// # Errors
    /// One line saying which key is wrong and why.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Recipe, String> {
        let mut table = text.parse::<Table>().map_err(|error| {
            let line = error.span().map_or(1, |s| text[..s.start].matches('\n').count() + 1);
            format!("line {line}: {}", error.message().replace('\n', "; "))
        })?;
        for setting in overrides {
            set(&mut table, setting)?;
        }
        let model = table.get("model").and_then(Value::as_table);
        if let Some(key) =
            DECIDED_BY_DATA.iter().find(|k| model.is_some_and(|m| m.contains_key(**k)))
        {
            return Err(format!("model.{key} follows from the data set: remove it"));
        }
        let recipe: Recipe = crate::keys::parse_known(table, &known_keys())?;
        recipe.train.check().map_err(|error| error.to_string())?;
        without_data(&recipe.model).check().map_err(|error| format!("model: {error}"))?;
        Ok(recipe)
    }

    /// The network with the sizes that follow from a data set.
    pub fn model_for(&self, data: &Dataset) -> Config {
        let domain: Option<Domain> = data.metadata.domain.parse().ok();
        let is_grid = self.model.mix == Mix::Neighbours;
        Config {
            columns: domain.filter(|_| is_grid).map_or(0, |domain| domain.layout().columns),
            domain: data.metadata.domain.clone(),
            vocab_size: data.metadata.vocab_size,
            seq_len: data.metadata.seq_len,
            puzzle_identifiers: data.metadata.num_puzzle_identifiers,
            ..self.model.clone()
        }
    }

    /// Keys whose values differ, with both of them: `train.lr: 0.001, now 0.01`.
    pub fn changes(&self, now: &Recipe) -> Vec<(String, String)> {
        let values = |recipe: &Recipe| crate::keys::leaves(&recipe.to_table());
        let before = values(self);
        let changed = values(now).into_iter().filter(|(key, now)| before.get(key) != Some(now));
        let change = |(key, now): (String, Value)| {
            let was = before.get(&key).map_or("nothing".into(), Value::to_string);
            let text = format!("{key}: {was}, now {now}");
            (key, text)
        };
        changed.map(change).collect()
    }

    /// The complete recipe as TOML, readable by [`Recipe::parse`].
    pub fn to_toml(&self) -> String {
        let mut table = self.to_table();
        if let Some(model) = table.get_mut("model").and_then(Value::as_table_mut) {
            DECIDED_BY_DATA.iter().for_each(|key| drop(model.remove(*key)));
        }
        toml::to_string(&table).expect("a table is TOML")
    }

    fn to_table(&self) -> Table {
        let mut table = Table::try_from(self).expect("a recipe is a table");
        crate::keys::shorten(&mut table);
        table
    }
}

/// A network to check before the data are known: those that its boxes would fit.
fn without_data(model: &Config) -> Config {
    let n = model.boxes[0].saturating_mul(model.boxes[1]);
    match model.mix {
        Mix::Units => {
            let (seq_len, vocab_size) = (n.saturating_mul(n), n.saturating_add(2));
            Config { seq_len, vocab_size, ..model.clone() }
        }
        Mix::Neighbours => Config { columns: model.seq_len, ..model.clone() },
        Mix::Mixer | Mix::Attention => model.clone(),
    }
}

fn known_keys() -> Vec<String> {
    let table = Table::try_from(Recipe::default()).expect("a recipe is a table");
    crate::keys::paths(&table)
}

/// Applies one `key=value`; the value is TOML, or a plain string.
fn set(table: &mut Table, setting: &str) -> Result<(), String> {
    let Some((key, value)) = setting.split_once('=') else {
        return Err(format!("--set {setting}: write key=value, as in train.lr=1e-3"));
    };
    let (key, value) = (key.trim(), value.trim());
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    let value = parsed.unwrap_or_else(|| Value::String(value.into()));
    let mut place = table;
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let next = place.entry(part).or_insert_with(|| Value::Table(Table::new()));
        place =
            next.as_table_mut().ok_or_else(|| format!("--set {key}: {part} is not a section"))?;
    }
    place.insert(last.into(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Recipe::parse(text, &[]).unwrap_err()
    }

    #[test]
    fn overrides_change_defaults_and_the_resolved_recipe_reads_back() {
        let text = "seed = 7\n[model]\nhidden = 64\nmix = \"mixer\"\n[train]\nlr = 1e-3\n";
        let sets = ["train.batch=32".into(), "data=some/folder".into()];
        let recipe = Recipe::parse(text, &sets).unwrap();
        assert_eq!((recipe.seed, recipe.model.hidden, recipe.train.batch), (7, 64, 32));
        assert_eq!(recipe.data, Path::new("some/folder"));
        assert_eq!(Recipe::parse(&recipe.to_toml(), &[]).unwrap(), recipe);
    }

    #[test]
    fn mistakes_are_named_in_one_line() {
        assert_eq!(
            message("[model]\nhiden = 3"),
            "unknown key model.hiden: did you mean model.hidden?"
        );
        assert_eq!(message("[train]\nbatch = 0"), "train.batch = 0: must be at least 1");
        assert_eq!(message("[train]\nema = 1.5"), "train.ema = 1.5: must be between 0 and 1");
        assert!(message("[train]\nlr = \"fast\"").starts_with("train.lr: invalid type: string"));
        assert!(message("[train\nlr = 1").starts_with("line 1: "));
        assert!(
            message("[model]\nmix = \"conv\"").starts_with("model.mix: unknown variant `conv`")
        );
        assert_eq!(
            message("[model]\nvocab_size = 3"),
            "model.vocab_size follows from the data set: remove it"
        );
        let heads = "[model]\nmix = \"attention\"\nheads = 3";
        assert!(message(heads).starts_with("model: heads = 3 does not divide hidden = 512"));
        assert!(Recipe::parse("", &["train.lr".into()]).unwrap_err().contains("key=value"));
    }
}
