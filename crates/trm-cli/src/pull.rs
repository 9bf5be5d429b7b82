//! `trm pull`: a model of the hub.

use crate::Outcome;
use crate::output::out;
use anyhow::{Context, Result};
use clap::Args;
use trm_data::{HubName, load_any};
use trm_ops::Device;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Which model: hf:OWNER/NAME, or hf:OWNER/NAME@REVISION for a branch, a tag or a commit.
    model: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let text = match arguments.model.starts_with("hf:") {
        true => arguments.model.clone(),
        false => format!("hf:{}", arguments.model),
    };
    let name = HubName::parse(&text).context("a name of the hub")??;
    let pulled = name.pull()?;
    load_any(&pulled.folder, &Device::cpu(1))?;
    out!("{name}: commit {}, {} bytes fetched", pulled.commit, pulled.fetched);
    out!("{}", pulled.folder.display());
    Ok(Outcome::Done)
}
