//! `trm import`: a checkpoint of the public PyTorch code as a model folder.

use crate::Outcome;
use crate::output::{note, out};
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use trm_data::{Dataset, Known, files, import_tensors, save_model, torch};
use trm_ops::Device;
use trm_train::Error;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The checkpoint: a state dictionary written by torch.save, alone or under model, state_dict,
    /// model_state_dict or ema, or a safetensors file with the public names; in f64, f32, f16 or bf16.
    /// Nothing in it is executed.
    checkpoint: PathBuf,
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What the tensors do not say: the public code's all_config.yaml, as YAML or JSON. Without it all_config.yaml,
    /// config.yaml or config.json beside the checkpoint is read.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data set that the model is for: says its domain, length, vocabulary and number of puzzle
    /// identifiers. A table of embeddings for other identifiers is replaced by its mean row.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// One key of the model's configuration, such as cycles=3; can be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Files that say what a checkpoint beside them does not.
const CONFIGS: [&str; 3] = ["all_config.yaml", "config.yaml", "config.json"];

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let Arguments { checkpoint, out, .. } = arguments;
    if out.exists() {
        bail!("{}: exists already: choose another --out", out.display());
    }
    let known = known(arguments)?;
    let refuse = |message: String| Error::File { path: checkpoint.clone(), message };
    let weights = torch::decode(&files::read(checkpoint)?).map_err(refuse)?;
    let model = import_tensors(weights.tensors, &known, &Device::cpu(1))
        .map_err(|error| refuse(error.to_string()))?;
    save_model(out, &model)?;
    let (all, network) = model.parameter_count();
    let config = serde_json::to_string(model.config())?;
    let under = weights.under.map(|key| format!(", from `{key}`")).unwrap_or_default();
    out!(
        "{}: {network} parameters of the network, {all} with puzzle embeddings{under}",
        out.display()
    );
    out!("{config}");
    Ok(Outcome::Done)
}

fn known(arguments: &Arguments) -> Result<Known> {
    let beside = |name: &&str| Some(arguments.checkpoint.parent()?.join(name));
    let beside = CONFIGS.iter().filter_map(beside).find(|file| file.is_file());
    let mut known = match (&arguments.config, beside) {
        (Some(file), _) => Known::from_file(file)?,
        (None, Some(file)) => {
            note!("with {}", file.display());
            Known::from_file(&file)?
        }
        (None, None) => Known::default(),
    };
    if let Some(folder) = &arguments.data {
        let metadata = Dataset::load(folder, "train")?.metadata;
        known.set("seq_len", metadata.seq_len as i64);
        known.set("vocab_size", metadata.vocab_size as i64);
        known.set("puzzle_identifiers", metadata.num_puzzle_identifiers as i64);
        if !metadata.domain.is_empty() {
            known.set("domain", metadata.domain);
        }
    }
    for setting in &arguments.set {
        known.set_typed(setting)?;
    }
    Ok(known)
}
