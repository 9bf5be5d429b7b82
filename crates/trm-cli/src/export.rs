//! `trm export`: a model to give away, or to run elsewhere.

use crate::Outcome;
use crate::output::{note, out};
use crate::serve::folder_name;
use anyhow::{Result, anyhow, bail};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use trm::Network;
use trm::{Autoregressive, Model};
use trm_data::{AnyModel, export_for_hub, export_model, files, load_any, public_tensors, torch};
use trm_onnx::Weights;
use trm_ops::{DType, Device};
use trm_serve::{RUNTIME, RUNTIME_FILES};
use trm_train::Error;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, or a run folder (its best model).
    model: PathBuf,
    /// Folder to write; with --to onnx, pt-names or pt-compiled a file.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// What to write.
    #[arg(long, value_enum, default_value = "safetensors")]
    to: Form,
    /// Number format of the weights in a model folder; the files for PyTorch are always f32.
    #[arg(long, value_enum, default_value = "bf16")]
    precision: Stored,
    /// How ONNX graphs store weights; computing is f32 either way [default: f32].
    #[arg(long, value_enum)]
    weights: Option<OnnxWeights>,
    /// With --to web: the folder dist of the npm package onnxruntime-web, whose files are copied beside the page.
    #[arg(long, value_name = "FOLDER")]
    runtime: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum OnnxWeights {
    /// Single precision: the same drafts as this program.
    F32,
    /// Whole numbers, with a factor for each output of a layer: a quarter of the size, drafts that differ a little.
    Int8,
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
    /// One supervision step as an ONNX graph, for other runtimes; of an autoregressive model one token.
    Onnx,
    /// A page on which the model thinks in the browser: files for any host, without a server of their own.
    Web,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let Arguments { model: source, out, .. } = arguments;
    arguments.check()?;
    let model = load_any(source, &Device::cpu(1))?;
    let (values, stored) = match &model {
        AnyModel::Recursive(model) => (model.parameter_count().0, recursive(arguments, model)?),
        AnyModel::Autoregressive(model) => {
            (model.config().parameters(), autoregressive(arguments, model)?)
        }
    };
    out!("{}: {values} parameters as {stored}", out.display());
    Ok(Outcome::Done)
}

impl Arguments {
    /// Refuses what does not go together.
    fn check(&self) -> Result<()> {
        if self.out.exists() {
            bail!("{}: exists already: choose another --out", self.out.display());
        }
        if self.weights.is_some() && !matches!(self.to, Form::Onnx | Form::Web) {
            bail!("--weights goes with --to onnx and --to web; elsewhere --precision");
        }
        if self.runtime.is_some() && !matches!(self.to, Form::Web) {
            bail!("--runtime goes with --to web");
        }
        Ok(())
    }

    fn weights(&self) -> Weights {
        match self.weights {
            None | Some(OnnxWeights::F32) => Weights::F32,
            Some(OnnxWeights::Int8) => Weights::Int8,
        }
    }

    fn precision(&self) -> DType {
        match self.precision {
            Stored::F32 => DType::F32,
            Stored::Bf16 => DType::Bf16,
        }
    }
}

/// Writes a recursive model; says how its weights are stored.
fn recursive(arguments: &Arguments, model: &Model) -> Result<String> {
    let Arguments { model: source, out, to, .. } = arguments;
    match to {
        Form::Safetensors => export_model(source, model, arguments.precision(), out)?,
        Form::Hub => export_for_hub(source, model, arguments.precision(), out)?,
        Form::PtNames => for_pytorch(model, "", out)?,
        Form::PtCompiled => for_pytorch(model, "_orig_mod.", out)?,
        Form::Onnx => {
            files::write_atomic(out, &trm_onnx::recursive(model, arguments.weights())?)?;
        }
        Form::Web => web(arguments, model)?,
    }
    Ok(stored(arguments))
}

/// Writes an autoregressive model; says how its weights are stored.
fn autoregressive(arguments: &Arguments, model: &Autoregressive) -> Result<String> {
    let Arguments { model: source, out, to, .. } = arguments;
    let instead = match to {
        Form::Safetensors => {
            export_model(source, model, arguments.precision(), out)?;
            return Ok(stored(arguments));
        }
        Form::Hub => {
            export_for_hub(source, model, arguments.precision(), out)?;
            return Ok(stored(arguments));
        }
        Form::Onnx => {
            files::write_atomic(out, &trm_onnx::autoregressive(model, arguments.weights())?)?;
            return Ok(stored(arguments));
        }
        Form::PtNames | Form::PtCompiled => "the public code does not have: leave out --to",
        Form::Web => {
            "a page without a server cannot ask: use --to onnx, or serve it with `trm serve`"
        }
    };
    bail!("{}: an autoregressive model, which {instead}", source.display())
}

/// How weights are stored in what is written.
fn stored(arguments: &Arguments) -> String {
    match (arguments.to, arguments.weights()) {
        (Form::Safetensors | Form::Hub, _) => arguments.precision().to_string(),
        (Form::PtNames | Form::PtCompiled, _) => DType::F32.to_string(),
        (Form::Onnx | Form::Web, weights) => format!("{weights} (ONNX, opset {})", trm_onnx::OPSET),
    }
}

/// A checkpoint for the public code.
fn for_pytorch(model: &Model, before_names: &str, out: &Path) -> Result<()> {
    let mut tensors = public_tensors(model)?;
    tensors.iter_mut().for_each(|tensor| tensor.name.insert_str(0, before_names));
    let bytes = torch::encode(&tensors).map_err(Error::Mismatch)?;
    Ok(files::write_atomic(out, &bytes)?)
}

/// A page and its model, with the runtime if its folder is known.
fn web(arguments: &Arguments, model: &Model) -> Result<()> {
    let Arguments { model: source, out, runtime, .. } = arguments;
    let name = folder_name(source)?;
    let name = files::plain_name(&name).map_err(anyhow::Error::msg)?;
    let page = trm_serve::web_page(name, model, arguments.weights());
    let mut page = page.map_err(|why| anyhow!("{}: {why}", source.display()))?;
    if let Some(folder) = runtime {
        for file in RUNTIME_FILES {
            let path = folder.join(file);
            let Ok(bytes) = files::read(&path) else {
                bail!(
                    "{}: cannot be read: --runtime is the folder package/dist of what `npm pack {RUNTIME}` fetches",
                    path.display()
                )
            };
            page.push((file.into(), bytes));
        }
    }
    files::write_folder_atomic(out, |folder| {
        page.iter().try_for_each(|(name, bytes)| files::write_atomic(&folder.join(name), bytes))
    })?;
    if runtime.is_none() {
        note!(
            "put {} beside index.html: they are in package/dist of what `npm pack {RUNTIME}` fetches",
            RUNTIME_FILES.join(", ")
        );
    }
    Ok(())
}
