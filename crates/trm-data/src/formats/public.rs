//! The public implementation's names for what a model is made of (docs/REFERENCE.md section 1), both ways.

mod known;

use crate::Error;
use crate::formats::torch::{NamedTensor, is_cache, to_safetensors};
use crate::keys::parse_known;
use crate::text::foreign;
use toml::{Table, Value};
use trm::{Config, Model, Network};
use trm_ops::Device;

pub use known::Known;

/// A tensor's name in the public code; `None` if that has no such tensor.
///
/// ```
/// use trm_data::public_name;
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
        _ if public_name(public).is_some() => public.into(), // ours
        _ => return unknown(),
    };
    Ok(ours)
}

/// The tensors of a model under the public code's names.
///
/// # Errors
/// If the public code has no such model, or the device is lost.
pub fn public_tensors(model: &Model) -> Result<Vec<NamedTensor>, Error> {
    let tensors = named(model)?.into_iter().map(|tensor| {
        let name = public_name(&tensor.name).ok_or_else(|| {
            let mix = format!("{:?}", model.config().mix).to_lowercase();
            let ours = &tensor.name;
            Error::Mismatch(format!("{ours}: the public code has no network with mix = \"{mix}\""))
        })?;
        Ok(NamedTensor { name, ..tensor })
    });
    tensors.collect()
}

/// The tensors of a model under the public code's names where that has such a network, else under ours.
///
/// # Errors
/// If the device is lost.
pub fn state_dict(model: &Model) -> Result<Vec<NamedTensor>, Error> {
    let mut tensors = named(model)?;
    let names: Option<Vec<_>> = tensors.iter().map(|tensor| public_name(&tensor.name)).collect();
    for (tensor, name) in tensors.iter_mut().zip(names.into_iter().flatten()) {
        tensor.name = name;
    }
    Ok(tensors)
}

/// A model of this configuration from its tensors, under the public code's names or ours.
///
/// # Errors
/// If a tensor is missing, or its shape is not that of the configuration.
pub fn from_state_dict(
    mut tensors: Vec<NamedTensor>,
    config: &Config,
    device: &Device,
) -> Result<Model, Error> {
    tensors.retain(|tensor| !is_cache(&tensor.name));
    for tensor in &mut tensors {
        tensor.name = own_name(&tensor.name).unwrap_or_else(|_| tensor.name.clone());
    }
    built(&tensors, config, device)
}

/// A model from tensors under our names.
fn built(tensors: &[NamedTensor], config: &Config, device: &Device) -> Result<Model, Error> {
    let bytes = to_safetensors(tensors).map_err(Error::Mismatch)?;
    Ok(Model::from_safetensors(config, device, &bytes)?)
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
        && let Some(table) = tensors.iter_mut().find(|t| t.name == PUZZLE_EMBEDDING)
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
    built(&tensors, &complete(keys)?, device)
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_float().zip(b.as_integer()).is_some_and(|(a, b)| a == b as f64)
}

/// All tensors of a network under our names.
pub fn named<N: Network>(network: &N) -> Result<Vec<NamedTensor>, Error> {
    let named = |(name, tensor): (&str, &trm_ops::Tensor)| {
        let (name, shape) = (name.to_owned(), tensor.shape().to_vec());
        Ok(NamedTensor { name, shape, values: tensor.to_f32_vec()? })
    };
    network.tensors().into_iter().map(named).collect()
}

/// The table of puzzle embeddings.
pub const PUZZLE_EMBEDDING: &str = "puzzle_embedding";

/// Gives every identifier the mean of the rows, unless there are as many already.
pub fn resize(table: &mut NamedTensor, count: usize) -> Result<(), Error> {
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
