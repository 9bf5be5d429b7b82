//! The public code's settings, and what they are called here.

use crate::Error;
use crate::text::foreign;
use std::path::Path;
use toml::{Table, Value};
use trm::Config;

/// What is said of a model besides its tensors.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Keys of our configuration with their values.
    pub(super) keys: Table,
}

impl Known {
    /// Reads a configuration of the public code (`all_config.yaml`, or its `arch` alone) as YAML or JSON, or
    /// one of ours.
    ///
    /// # Errors
    /// If the file is neither.
    pub fn from_file(path: &Path) -> Result<Known, Error> {
        let bytes = crate::files::read(path)?;
        let refuse = |message: String| Error::file(path, message);
        let text = str::from_utf8(&bytes).map_err(|_| refuse("not text".into()))?;
        Known::parse(text).map_err(refuse)
    }

    /// The text of such a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Known, String> {
        let document: serde_json::Value = serde_saphyr::from_str(text).map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            format!("neither YAML nor JSON: {}", foreign(first.trim_start_matches("error: ")))
        })?;
        let settings = ["arch", "config"].iter().find_map(|key| document.get(key));
        let settings = settings.unwrap_or(&document).as_object();
        let settings = settings.ok_or("not a table of settings")?;
        let mut keys = Table::new();
        for (key, value) in settings {
            let value = match WITHOUT_EFFECT.contains(&&key[..]) {
                true => value,
                false => follow(key, value, settings)?,
            };
            if let Some((key, value)) = translate(key, value)? {
                keys.insert(key, value);
            }
        }
        Ok(Known { keys })
    }

    /// Adds what is known, or overrides it.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.keys.insert(key.into(), value.into());
    }

    /// Adds `KEY=VALUE` as it is typed.
    ///
    /// # Errors
    /// If it is not of this form.
    pub fn set_typed(&mut self, setting: &str) -> Result<(), Error> {
        let refuse = |why: String| Error::Recipe(format!("--set {}: {why}", foreign(setting)));
        let (key, value) =
            setting.split_once('=').ok_or_else(|| refuse("expected KEY=VALUE".into()))?;
        let parsed = format!("value = {value}").parse::<Table>().ok();
        let parsed = parsed.and_then(|mut table| table.remove("value"));
        let quoted = || Value::String(value.to_owned());
        let value = serde_json::to_value(parsed.unwrap_or_else(quoted))
            .map_err(|error| refuse(error.to_string()))?;
        if let Some((key, value)) = translate(key.trim(), &value).map_err(refuse)? {
            self.keys.insert(key, value);
        }
        Ok(())
    }
}

/// What a setting stands for: itself, or another of the same table as in the public code's own files, where
/// `puzzle_emb_ndim` is `${.hidden_size}`.
fn follow<'v>(
    key: &str,
    value: &'v serde_json::Value,
    settings: &'v serde_json::Map<String, serde_json::Value>,
) -> Result<&'v serde_json::Value, String> {
    let Some(reference) = value.as_str().and_then(|text| text.strip_prefix("${")) else {
        return Ok(value);
    };
    let other = reference.strip_suffix('}').map(|other| other.trim_start_matches("arch."));
    let other = other.map(|other| other.trim_start_matches('.'));
    let found = other.and_then(|other| settings.get(other)).filter(|found| !found.is_string());
    let nothing = || {
        format!(
            "{}: `{}` is nothing in this table: write its value",
            foreign(key),
            foreign(reference)
        )
    };
    found.ok_or_else(nothing)
}

/// The public code's settings that are numbers or words, and ours.
const SETTINGS: [(&str, &str); 13] = [
    ("H_cycles", "cycles"),
    ("L_cycles", "recursions"),
    ("L_layers", "blocks"),
    ("hidden_size", "hidden"),
    ("num_heads", "heads"),
    ("halt_max_steps", "supervision_steps"),
    ("puzzle_emb_len", "prefix_len"),
    ("puzzle_emb_ndim", "puzzle_embedding"),
    ("num_puzzle_identifiers", "puzzle_identifiers"),
    ("vocab_size", "vocab_size"),
    ("seq_len", "seq_len"),
    ("pos_encodings", "positions"),
    ("rope_theta", "rope_base"),
];

/// The public code's settings that do not change what a trained network computes: those of the training, and
/// `H_layers`, which it does not read.
const WITHOUT_EFFECT: [&str; 6] =
    ["loss", "halt_exploration_prob", "no_ACT_continue", "batch_size", "H_layers", "forward_dtype"];

/// The public code's settings that this network has at one value only.
fn check_fixed(key: &str, value: &serde_json::Value) -> Result<bool, String> {
    let is_usual = match key {
        "rms_norm_eps" => value.as_f64() == Some(1e-5),
        "causal" => value.as_bool() == Some(false),
        "name" => value.as_str().is_some_and(|name| {
            name.split('@').next().is_some_and(|module| module.rsplit('.').next() == Some("trm"))
        }),
        _ => return Ok(false),
    };
    let wanted = match key {
        "rms_norm_eps" => "only 1e-5 can be imported",
        "causal" => "only false can be imported",
        _ => "only recursive_reasoning.trm@… can be imported",
    };
    match is_usual {
        true => Ok(true),
        false => Err(format!("{key} = `{}`: {wanted}", foreign(&value.to_string()))),
    }
}

/// A setting, the public code's or ours, as one of ours; `None` for those without effect. An unknown one is kept:
/// it is refused by its name when the configuration is complete.
fn translate(key: &str, value: &serde_json::Value) -> Result<Option<(String, Value)>, String> {
    if value.is_null() || WITHOUT_EFFECT.contains(&key) || check_fixed(key, value)? {
        return Ok(None);
    }
    let wrong = || format!("{}: a value of the wrong kind", foreign(key));
    if key == "mlp_t" {
        let mix = if value.as_bool().ok_or_else(wrong)? { "mixer" } else { "attention" };
        return Ok(Some(("mix".into(), mix.into())));
    }
    let defaults = Table::try_from(Config::default()).expect("a configuration is a table");
    let known = SETTINGS.iter().find(|(theirs, _)| *theirs == key).map_or(key, |(_, ours)| ours);
    let value = match (known, defaults.get(known)) {
        ("rope_base", _) | (_, Some(Value::Float(_))) => value.as_f64().map(Value::Float),
        (_, Some(Value::Integer(_))) => value.as_i64().map(Value::Integer),
        (_, Some(Value::String(_))) => value.as_str().map(Value::from),
        _ => Value::try_from(value).ok(),
    };
    Ok(Some((known.into(), value.ok_or_else(wrong)?)))
}
