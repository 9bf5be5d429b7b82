//! Recipes: what to train and how, as overrides of defaults.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use trm::{AutoregressiveConfig, Config};
use trm_data::Dataset;
use trm_data::files::read_text;
use trm_data::text::foreign;
use trm_puzzles::Domain;

mod changes;
mod suited;
mod train_config;

pub use changes::{Changes, Said, free_folder};
pub use train_config::{LikelihoodKind, OptimizerKind, Precision, TrainConfig};

/// Everything that decides the outcome of a training run, except the data themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recipe {
    /// Seed of all random numbers.
    pub seed: u64,
    /// Folder of the data set.
    pub data: PathBuf,
    /// Folder of a model to begin with instead of random weights; sizes must agree, depth and the number of puzzle
    /// identifiers need not: other identifiers get the mean vector.
    pub init: PathBuf,
    /// A program that judges answers in validations, and its arguments; none if empty. Paths are relative to the current
    /// folder, as that of the data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub referee: Vec<String>,
    /// The network. `domain`, `vocab_size`, `seq_len` and `puzzle_identifiers` follow from the data.
    pub model: Config,
    /// An autoregressive network instead. `domain`, `vocab_size` and `seq_len` follow from the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoregressive: Option<AutoregressiveConfig>,
    /// The training.
    pub train: TrainConfig,
}

/// Keys of a network that the data set decides.
const NETWORKS: [&str; 2] = ["model", "autoregressive"];
const DECIDED_BY_DATA: [&str; 5] =
    ["domain", "vocab_size", "seq_len", "columns", "puzzle_identifiers"];

impl Recipe {
    /// Reads a recipe file and applies `key=value` overrides (`train.lr=1e-3`).
    ///
    /// # Errors
    /// If the file cannot be read or parsed, or a key is unknown or has an impossible value.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Recipe, Error> {
        let text = read_text(path)?;
        Recipe::parse(&text, overrides).map_err(|message| Error::file(path, message))
    }

    /// Whether the text of a recipe says nothing of the network nor of the training.
    pub fn is_bare(text: &str) -> bool {
        let mut sections = NETWORKS.iter().chain(&["train"]);
        text.parse::<Table>().is_ok_and(|table| sections.all(|key| !table.contains_key(*key)))
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
        for section in NETWORKS {
            let network = table.get(section).and_then(Value::as_table);
            let decided = |key: &&&str| network.is_some_and(|m| m.contains_key(**key));
            if let Some(key) = DECIDED_BY_DATA.iter().find(decided) {
                return Err(format!("{section}.{key} follows from the data set: remove it"));
            }
        }
        if NETWORKS.iter().all(|section| table.contains_key(*section)) {
            return Err("a recipe has [model] or [autoregressive], not both: remove one".into());
        }
        let recipe: Recipe = trm_data::keys::parse_known(table, &known_keys())?;
        recipe.check().map_err(|error| error.to_string())?;
        Ok(recipe)
    }

    /// Checks ranges, and that it can be written.
    ///
    /// # Errors
    /// Names the key, its value and what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        for (key, path) in [("data", &self.data), ("init", &self.init)] {
            if path.to_str().is_none() {
                let name = foreign(&path.to_string_lossy());
                return Err(Error::Recipe(format!(
                    "{key} = `{name}`: a recipe cannot hold a name that is not UTF-8: rename the \
                     folder, or make a link to it"
                )));
            }
        }
        self.train.check()?;
        let unfit = |section: &str, error: trm::Error| Error::Recipe(format!("{section}: {error}"));
        let model = self.model.clone().with_supposed_data().check();
        model.map_err(|error| unfit("model", error.into()))?;
        let config = self.autoregressive.as_ref().map_or(Ok(()), AutoregressiveConfig::check);
        config.map_err(|error| unfit("autoregressive", error.into()))
    }

    /// The network with the sizes that follow from a data set.
    pub fn model_for(&self, data: &Dataset) -> Config {
        let domain: Option<Domain> = data.metadata.domain.parse().ok();
        let columns = domain.map_or(0, |domain| domain.layout().columns);
        let config = Config {
            domain: data.metadata.domain.clone(),
            vocab_size: data.metadata.vocab_size,
            seq_len: data.metadata.seq_len,
            puzzle_identifiers: data.metadata.num_puzzle_identifiers,
            ..self.model.clone()
        };
        config.with_columns(columns)
    }

    /// The autoregressive network, if it is to be one, with the sizes that follow from a data set.
    pub fn autoregressive_for(&self, data: &Dataset) -> Option<AutoregressiveConfig> {
        self.autoregressive.as_ref().map(|config| AutoregressiveConfig {
            domain: data.metadata.domain.clone(),
            vocab_size: data.metadata.vocab_size,
            seq_len: data.metadata.seq_len,
            ..config.clone()
        })
    }

    /// Keys whose values differ, with both of them: `train.lr: 0.001, now 0.01`.
    pub fn changes(&self, now: &Recipe) -> Vec<(String, String)> {
        let values = |recipe: &Recipe| trm_data::keys::leaves(&recipe.to_table());
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
        for section in NETWORKS {
            if let Some(network) = table.get_mut(section).and_then(Value::as_table_mut) {
                DECIDED_BY_DATA.iter().for_each(|key| drop(network.remove(*key)));
            }
        }
        toml::to_string(&table).expect("a table is TOML")
    }

    fn to_table(&self) -> Table {
        let mut table = Table::try_from(self).expect("a recipe is a table");
        if self.autoregressive.is_some() {
            table.remove("model");
        }
        trm_data::keys::shorten(&mut table);
        table
    }
}

fn known_keys() -> Vec<String> {
    let other = Some(AutoregressiveConfig::default());
    let referee = vec![String::new()];
    let recipe = Recipe { autoregressive: other, referee, ..Recipe::default() };
    trm_data::keys::paths(&Table::try_from(recipe).expect("a recipe is a table"))
}

/// Most parts of a key that `--set` looks at.
const DEEPEST: usize = 8;

/// Applies one `key=value`; the value is TOML, or a plain string.
fn set(table: &mut Table, setting: &str) -> Result<(), String> {
    let Some((key, value)) = setting.split_once('=') else {
        return Err(format!("--set {setting}: write key=value, as in train.lr=1e-3"));
    };
    let (key, value) = (key.trim(), value.trim());
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    let value = parsed.unwrap_or_else(|| Value::String(value.into()));
    let whole = whole_key(table, key)?;
    let mut place = table;
    let mut parts: Vec<&str> = whole.split('.').collect();
    if parts.len() > DEEPEST {
        return Err(format!("--set {}: no key has so many parts", foreign(key)));
    }
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let next = place.entry(part).or_insert_with(|| Value::Table(Table::new()));
        place =
            next.as_table_mut().ok_or_else(|| format!("--set {key}: {part} is not a section"))?;
    }
    place.insert(last.into(), value);
    Ok(())
}

/// The known key that ends with this one, or the key itself where there is none: `train.batch` for `batch`.
fn whole_key(table: &Table, key: &str) -> Result<String, String> {
    let other = if table.contains_key("autoregressive") { "model." } else { "autoregressive." };
    let known: Vec<String> = known_keys().into_iter().filter(|k| !k.starts_with(other)).collect();
    let ends = |known: &&String| known.strip_suffix(key).is_some_and(|rest| rest.ends_with('.'));
    let longer: Vec<&String> = known.iter().filter(ends).collect();
    match &longer[..] {
        _ if known.iter().any(|known| known == key) => Ok(key.to_owned()),
        [] => Ok(key.to_owned()),
        [one] => Ok((*one).clone()),
        several => {
            let names: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
            Err(format!("--set {key}: write {}", names.join(" or ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_key_is_enough_where_it_is_the_only_one() {
        let recipe = |settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
            Recipe::parse("", &settings)
        };
        let short = recipe(&["batch=64", "hidden=32", "seed=7"]).unwrap();
        assert_eq!((short.train.batch, short.model.hidden, short.seed), (64, 32, 7));
        let writer = recipe(&["autoregressive.order=raster", "hidden=32"]).unwrap();
        assert_eq!(writer.autoregressive.unwrap().hidden, 32);
        let error = recipe(&["bach=64"]).unwrap_err();
        assert!(error.starts_with("unknown key bach"), "{error}");
    }

    fn message(text: &str) -> String {
        Recipe::parse(text, &[]).unwrap_err()
    }

    #[test]
    fn keys_of_endless_parts_and_endless_cycles_are_refused_in_one_line() {
        let deep = format!("{}b=1", "a.".repeat(20_000));
        let error = Recipe::parse("", &[deep]).unwrap_err();
        assert!(error.contains("no key has so many parts") && error.len() < 300, "{error}");
        for setting in ["cycles=1000000000", "recursions=9223372036854775807"] {
            let recipe = Recipe::parse("", &[format!("model.{setting}")]);
            let config = recipe.map(|recipe| recipe.model.check());
            assert!(!matches!(config, Ok(Ok(()))), "{setting}");
        }
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
    fn a_referee_is_a_list_of_words_and_is_written_where_there_is_one() {
        let words = ["python3", "my referee.py"];
        let recipe = Recipe::parse("referee = [\"python3\", \"my referee.py\"]", &[]).unwrap();
        assert_eq!(recipe.referee, words);
        assert_eq!(Recipe::parse(&recipe.to_toml(), &[]).unwrap(), recipe);
        assert!(!Recipe::default().to_toml().contains("referee"));
        assert!(message("referee = \"python3\"").starts_with("referee: invalid type: string"));
        assert!(message("refere = []").ends_with("did you mean referee?"));
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
        assert_eq!(message("[trian]\nlr = 1.0"), "unknown key trian: did you mean train?");
        assert!(message("[train]\nsteps = \"3\"").ends_with("expected a whole number"));
        let mix = message("[model]\nmix = \"conv\"");
        assert!(mix.starts_with("model.mix: unknown variant `conv`"), "{mix}");
        assert_eq!(mix.matches("mix").count(), 2, "with `mixer`: {mix}");
        assert_eq!(
            message("[model]\nvocab_size = 3"),
            "model.vocab_size follows from the data set: remove it"
        );
        let heads = "[model]\nmix = \"attention\"\nheads = 3";
        assert!(message(heads).starts_with("model: heads = 3 does not divide hidden = 512"));
        assert!(Recipe::parse("", &["train.lr".into()]).unwrap_err().contains("key=value"));
    }
}
