//! `trm export`: a model folder to give away.

use crate::Outcome;
use crate::output::out;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use trm::Network;
use trm_data::{AnyModel, export_for_hub, export_model, files, load_any, public_tensors, torch};
use trm_ops::{DType, Device};
use trm_train::Error;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, or a run folder (its best model).
    model: PathBuf,
    /// Folder to write; with --to pt-names or pt-compiled a file.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// What to write.
    #[arg(long, value_enum, default_value = "safetensors")]
    to: Form,
    /// Number format of the weights; the files for PyTorch are always f32.
    #[arg(long, value_enum, default_value = "bf16")]
    precision: Stored,
}

#[derive(Clone, Copy, ValueEnum)]
enum Stored {
    /// Single precision.
    F32,
    /// bfloat16.
    Bf16,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// A model folder of this program: config.json and model.safetensors.
    Safetensors,
    /// The same with a model card, ready to be uploaded to a hub.
    Hub,
    /// A checkpoint with the names of the public PyTorch code, which loads it with DISABLE_COMPILE=1.
    PtNames,
    /// The same with _orig_mod. before every name: what the public code loads by default, since it compiles the
    /// model first.
    PtCompiled,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let Arguments { model: source, out, to, precision } = arguments;
    if out.exists() {
        bail!("{}: exists already: choose another --out", out.display());
    }
    let model = load_any(source, &Device::cpu(1))?;
    let precision = match precision {
        Stored::F32 => DType::F32,
        Stored::Bf16 => DType::Bf16,
    };
    let (values, stored) = match (to, &model) {
        (Form::Safetensors, AnyModel::Recursive(model)) => {
            export_model(source, &**model, precision, out)?;
            (model.parameter_count().0, precision)
        }
        (Form::Safetensors, AnyModel::Autoregressive(model)) => {
            export_model(source, &**model, precision, out)?;
            (model.config().parameters(), precision)
        }
        (Form::Hub, AnyModel::Recursive(model)) => {
            export_for_hub(source, &**model, precision, out)?;
            (model.parameter_count().0, precision)
        }
        (Form::Hub, AnyModel::Autoregressive(model)) => {
            export_for_hub(source, &**model, precision, out)?;
            (model.config().parameters(), precision)
        }
        (Form::PtNames | Form::PtCompiled, AnyModel::Recursive(model)) => {
            let mut tensors = public_tensors(model)?;
            if let Form::PtCompiled = to {
                tensors.iter_mut().for_each(|tensor| tensor.name.insert_str(0, "_orig_mod."));
            }
            let bytes = torch::encode(&tensors).map_err(Error::Mismatch)?;
            files::write_atomic(out, &bytes)?;
            (model.parameter_count().0, DType::F32)
        }
        (Form::PtNames | Form::PtCompiled, AnyModel::Autoregressive(_)) => bail!(
            "{}: an autoregressive model, which the public code does not have: leave out --to",
            source.display()
        ),
    };
    out!("{}: {values} parameters as {stored}", out.display());
    Ok(Outcome::Done)
}
