//! `trm export`: a model folder to give away.

use crate::Outcome;
use crate::machine::PrecisionArgument;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use trm_ops::Device;
use trm_train::{Precision, export_model, load_model};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, or a run folder (its best model).
    model: PathBuf,
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number format of the weights in the file.
    #[arg(long, value_enum, default_value = "bf16")]
    precision: PrecisionArgument,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let Arguments { model: source, out, precision } = arguments;
    if out.exists() {
        bail!("{}: exists already: choose another --out", out.display());
    }
    let model = load_model(source, &Device::cpu(1))?;
    export_model(source, &model, Precision::from(*precision).into(), out)?;
    let (values, _) = model.parameter_count();
    println!("{}: {values} parameters as {:?}", out.display(), Precision::from(*precision));
    Ok(Outcome::Done)
}
