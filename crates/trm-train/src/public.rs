//! The public implementation's names for what a model is made of (REFERENCE.md section 1), both ways.

use crate::Error;
use crate::keys::parse_known;
use crate::text::foreign;
use crate::torch::NamedTensor;
use std::path::Path;
use toml::{Table, Value};
use trm::{Config, Model, Network};
use trm_ops::Device;

/// A tensor's name in the public code; `None` if that has no such tensor.
///
/// ```
/// use trm_train::public_name;
///
/// let name = "model.inner.L_level.layers.0.mlp.down_proj.weight";
/// assert_eq!(public_name("net.0.down").as_deref(), Some(name));
/// ```
pub fn public_name(ours: &str) -> Option<String> {
    let block = |i: &str, part: &str| format!("L_level.layers.{i}.{part}.weight");
    let name = match ours.split('.').collect::<Vec<_>>()[..] {
        ["net", i, "gate_up"] => block(i, "mlp.gate_up_proj"),
        ["net", i, "down"] => block(i, "mlp.down_proj"),
        ["net", i, "token_gate_up"] => block(i, "mlp_t.gate_up_proj"),
        ["net", i, "token_down"] => block(i, "mlp_t.down_proj"),
        ["net", i, "qkv"] => block(i, "self_attn.qkv_proj"),
        ["net", i, "out"] => block(i, "self_attn.o_proj"),
        ["lm_head"] => "lm_head.weight".into(),
        ["token_embedding"] => "embed_tokens.embedding_weight".into(),
        ["positions"] => "embed_pos.embedding_weight".into(),
        ["q_head", part] => format!("q_head.{part}"),
        ["puzzle_embedding"] => "puzzle_emb.weights".into(),
        ["initial_y"] => "H_init".into(),
        ["initial_z"] => "L_init".into(),
        _ => return None,
    };
    Some(format!("model.inner.{name}"))
}

/// Our name of one of the public code's tensors.
///
/// # Errors
/// If it is none of a tiny recursive model.
fn own_name(public: &str) -> Result<String, String> {
    let wrapped = |part: &&str| !["_orig_mod", "module"].contains(part); // torch.compile, data parallel
    let parts = public.split('.').filter(wrapped);
    let parts: Vec<&str> = parts.skip_while(|part| ["model", "inner"].contains(part)).collect();
    let unknown = || Err(format!("{}: no tensor of a tiny recursive model", foreign(public)));
    let ours = match parts[..] {
        ["L_level", "layers", i, part, projection, "weight"] if i.parse::<usize>().is_ok() => {
            let ours = match (part, projection) {
                ("mlp", "gate_up_proj") => "gate_up",
                ("mlp", "down_proj") => "down",
                ("mlp_t", "gate_up_proj") => "token_gate_up",
                ("mlp_t", "down_proj") => "token_down",
                ("self_attn", "qkv_proj") => "qkv",
                ("self_attn", "o_proj") => "out",
                _ => return unknown(),
            };
            format!("net.{i}.{ours}")
        }
        ["H_level", ..] => {
            let message = "a second network, as HRM has; a tiny recursive model has one";
            return Err(format!("{}: {message}", foreign(public)));
        }
        ["lm_head", "weight"] => "lm_head".into(),
        ["embed_tokens", "embedding_weight"] => "token_embedding".into(),
        ["embed_pos", "embedding_weight"] => "positions".into(),
        ["q_head", part @ ("weight" | "bias")] => format!("q_head.{part}"),
        ["puzzle_emb", "weights"] => "puzzle_embedding".into(),
        ["H_init"] => "initial_y".into(),
        ["L_init"] => "initial_z".into(),
        _ => return unknown(),
    };
    Ok(ours)
}

/// Whether a tensor of the public code is a cache, which carries no weights.
fn is_cache(public: &str) -> bool {
    let mut parts = public.rsplit('.');
    let (last, above) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (above == "puzzle_emb" && ["local_ids", "local_weights"].contains(&last))
        || (above == "rotary_emb" && ["cos_cached", "sin_cached", "inv_freq"].contains(&last))
}

/// The tensors of a model under the public code's names.
///
/// # Errors
/// If the public code has no such model.
pub fn public_tensors(model: &Model) -> Result<Vec<NamedTensor>, Error> {
    let tensors = model.tensors().into_iter().map(|(ours, tensor)| {
        let name = public_name(ours).ok_or_else(|| {
            let mix = format!("{:?}", model.config().mix).to_lowercase();
            Error::Mismatch(format!("{ours}: the public code has no network with mix = \"{mix}\""))
        })?;
        Ok(NamedTensor { name, shape: tensor.shape().to_vec(), values: tensor.to_f32_vec() })
    });
    tensors.collect()
}

/// What is said of a model besides its tensors.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Keys of our configuration with their values.
    keys: Table,
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
        let document: serde_json::Value = serde_saphyr::from_str(text).map_err(|error| {
            let first = error.to_string().lines().next().map(foreign).unwrap_or_default();
            refuse(format!("neither YAML nor JSON: {first}"))
        })?;
        let settings = ["arch", "config"].iter().find_map(|key| document.get(key));
        let settings = settings.unwrap_or(&document).as_object();
        let settings = settings.ok_or_else(|| refuse("not a table of settings".into()))?;
        let mut keys = Table::new();
        for (key, value) in settings {
            if let Some((key, value)) = translate(key, value).map_err(refuse)? {
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

/// A model from the tensors of a checkpoint and what is known besides. Where `puzzle_identifiers` is known
/// and the table of puzzle embeddings has other rows, it gets as many of their mean, as in the public code.
///
/// # Errors
/// If a tensor is none of a tiny recursive model, shapes contradict each other or what is known, or
/// something cannot be seen from the shapes and has not been said.
pub fn import_tensors(
    mut tensors: Vec<NamedTensor>,
    known: &Known,
    device: &Device,
) -> Result<Model, Error> {
    tensors.retain(|tensor| !is_cache(&tensor.name));
    for tensor in &mut tensors {
        tensor.name = own_name(&tensor.name).map_err(Error::Mismatch)?;
    }
    if let Some(count) = known.keys.get("puzzle_identifiers").and_then(Value::as_integer)
        && let Some(table) = tensors.iter_mut().find(|t| t.name == "puzzle_embedding")
    {
        resize(table, usize::try_from(count).unwrap_or(0))?;
    }
    let mut keys = inferred(&tensors, known)?;
    let integer = |keys: &Table, key: &str| keys.get(key).and_then(Value::as_integer).unwrap_or(0);
    let (width, hidden) = (integer(&keys, "puzzle_embedding"), integer(&keys, "hidden"));
    for (key, value) in &known.keys {
        match keys.get(key) {
            // the public code then takes as many tokens as the embedding fills
            None if key == "prefix_len" && value.as_integer() == Some(0) && width > 0 => {
                let filled = (width as u64).div_ceil(hidden.max(1) as u64);
                keys.insert(key.clone(), Value::Integer(filled as i64));
            }
            // the public code's setting, which its mixer does not look at
            Some(_) if key == "positions" && value.as_str() == Some("rope") => {}
            Some(seen) if !same(seen, value) => {
                let message = format!("{key} = {value}, but the tensors say {seen}");
                return Err(Error::Mismatch(message));
            }
            _ => drop(keys.insert(key.clone(), value.clone())),
        }
    }
    let config = complete(keys)?;
    let bytes = crate::torch::to_safetensors(&tensors).map_err(Error::Mismatch)?;
    Ok(Model::from_safetensors(&config, device, &bytes)?)
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_float().zip(b.as_integer()).is_some_and(|(a, b)| a == b as f64)
}

/// Gives every identifier the mean of the rows, unless there are as many already.
fn resize(table: &mut NamedTensor, count: usize) -> Result<(), Error> {
    const MOST: usize = 1 << 31;
    let [rows, width] = table.shape[..] else { return Ok(()) };
    if rows == count || rows == 0 {
        return Ok(());
    }
    if count == 0 || count.checked_mul(width).is_none_or(|values| values > MOST) {
        let message = format!("puzzle_identifiers = {count}: impossible for vectors of {width}");
        return Err(Error::Mismatch(message));
    }
    let column = |i: usize| table.values.iter().skip(i).step_by(width).map(|x| f64::from(*x));
    let mean = (0..width).map(|i| (column(i).sum::<f64>() / rows as f64) as f32);
    let mean: Vec<f32> = mean.collect();
    table.values = mean.repeat(count);
    table.shape = vec![count, width];
    Ok(())
}

/// What the names and shapes say about the configuration.
fn inferred(tensors: &[NamedTensor], known: &Known) -> Result<Table, Error> {
    let shape = |name: &str| tensors.iter().find(|t| t.name == name).map(|t| &t.shape[..]);
    let matrix = |name: &str| match shape(name) {
        Some(&[rows, columns]) => Ok((rows, columns)),
        Some(other) => Err(Error::Mismatch(format!("{name}: shape {other:?} is no matrix"))),
        None => Err(Error::Mismatch(format!("no tensor {name}: not a tiny recursive model"))),
    };
    let mut keys = Table::new();
    let mut say =
        |key: &str, value: usize| drop(keys.insert(key.into(), Value::Integer(value as i64)));
    let (vocab, hidden) = matrix("token_embedding")?;
    say("vocab_size", vocab);
    say("hidden", hidden);
    let blocks = (0..).take_while(|i| shape(&format!("net.{i}.down")).is_some()).count();
    say("blocks", blocks);
    let (_, inner) = matrix("net.0.down")?;
    let mixes = shape("net.0.token_down").is_some();
    if mixes {
        let (len, _) = matrix("net.0.token_down")?;
        say("len", len);
    }
    match shape("puzzle_embedding") {
        Some(&[identifiers, width]) => {
            say("puzzle_identifiers", identifiers);
            say("puzzle_embedding", width);
        }
        _ => {
            say("prefix_len", 0);
            say("puzzle_embedding", 0);
        }
    }
    let mix = if mixes { "mixer" } else { "attention" };
    keys.insert("mix".into(), Value::String(mix.into()));
    if let Some(&[len, _]) = shape("positions") {
        keys.insert("len".into(), Value::Integer(len as i64));
        keys.insert("positions".into(), Value::String("learned".into()));
    } else if mixes {
        keys.insert("positions".into(), Value::String("none".into()));
    }
    // the public preset where that gives this width, else what does
    let multiple = known.keys.get("inner_multiple").and_then(Value::as_integer);
    let multiple = multiple.and_then(|multiple| usize::try_from(multiple).ok());
    let preset = Config::default();
    let inner_multiple = multiple.filter(|m| *m > 0).unwrap_or(preset.inner_multiple);
    let guess = Config { inner_multiple, ..preset };
    if !known.keys.contains_key("expansion") && guess.inner(hidden) != inner {
        keys.insert("expansion".into(), Value::Float(1.5 * inner as f64 / hidden as f64));
    }
    Ok(keys)
}

/// The whole configuration, or what is still to be said.
fn complete(mut keys: Table) -> Result<Config, Error> {
    let integer = |keys: &Table, key: &str| keys.get(key).and_then(Value::as_integer);
    if let Some(len) = keys.remove("len").and_then(|len| len.as_integer()) {
        // S = L − P
        match (integer(&keys, "seq_len"), integer(&keys, "prefix_len")) {
            (None, Some(prefix)) => {
                drop(keys.insert("seq_len".into(), Value::Integer(len - prefix)))
            }
            (Some(cells), None) => {
                drop(keys.insert("prefix_len".into(), Value::Integer(len - cells)))
            }
            (Some(cells), Some(prefix)) if cells + prefix != len => {
                let message = format!("{cells} cells and a prefix of {prefix}, but {len} tokens");
                return Err(Error::Mismatch(message));
            }
            _ => {}
        }
    }
    let attends = keys.get("mix").and_then(Value::as_str) == Some("attention");
    let mut wanted = vec!["seq_len", "prefix_len", "cycles", "recursions", "supervision_steps"];
    wanted.extend(if attends { &["heads", "positions"][..] } else { &[] });
    let missing: Vec<&str> = wanted.into_iter().filter(|key| !keys.contains_key(*key)).collect();
    if !missing.is_empty() {
        return Err(Error::Mismatch(format!(
            "the tensors do not say {}: give the public code's all_config.yaml with --config, or \
             --set KEY=VALUE for each",
            missing.join(", ")
        )));
    }
    let defaults = Table::try_from(Config::default()).expect("a configuration is a table");
    let known = crate::keys::paths(&defaults);
    let config: Config = parse_known(keys, &known).map_err(Error::Mismatch)?;
    config.check().map_err(|error| Error::Mismatch(error.to_string()))?;
    Ok(config)
}
