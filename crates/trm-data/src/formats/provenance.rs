//! Where a model comes from: enough to make it again, and to see that it is the same.

use crate::Error;
use crate::files::read;
use crate::formats::places::resolve;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use trm::Network;

/// `provenance.json` of a model folder. The recipe lies beside it as `recipe.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version and commit of the program that trained it.
    pub program: String,
    /// How to train it again, in this folder.
    pub command: String,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Folder of the data set.
    pub data: PathBuf,
    /// Digest of the training set ([`Dataset::digest`](crate::Dataset::digest)).
    pub data_digest: String,
    /// Optimiser steps taken.
    pub step: u64,
    /// Seconds of training, over all parts of the run.
    pub seconds: f64,
    /// Steps that were undone because they were not finite.
    pub rollbacks: u64,
    /// Where it was trained last.
    pub machine: Machine,
    /// The device that it was trained on last: `cpu`, or a GPU.
    #[serde(default = "cpu")]
    pub device: String,
    /// Threads that it was trained with last; the weights do not depend on them.
    pub threads: usize,
    /// Digest of the weights ([`weight_digest`]).
    pub weights: String,
}

/// What all models were trained on before there was another device.
fn cpu() -> String {
    "cpu".into()
}

impl Provenance {
    /// Name of the file in a model folder.
    pub const FILE: &str = "provenance.json";

    /// Reads that of a model folder, or of a run's model as [`load_model`](crate::load_model) takes
    /// it; `None` if it has none.
    ///
    /// # Errors
    /// If there is one that cannot be read.
    pub fn load(folder: &Path) -> Result<Option<Provenance>, Error> {
        let path = resolve(folder)?.join(Provenance::FILE);
        if !path.exists() {
            return Ok(None);
        }
        let parsed = serde_json::from_slice(&read(&path)?);
        parsed.map(Some).map_err(|error| Error::file(&path, format!("damaged: {error}")))
    }

    /// What a folder with `recipe.toml` in it says about training again on the data in a folder.
    pub fn command(data: &Path) -> String {
        format!("trm train recipe.toml --data {} --out NEW-FOLDER", data.display())
    }
}

/// Version and commit of this program.
pub fn program() -> String {
    format!("trm {} ({})", env!("CARGO_PKG_VERSION"), env!("TRM_COMMIT"))
}

/// Digest of a model's sizes and weights: 64 hexadecimal digits, equal if and only if the models are.
///
/// # Errors
/// If the device is lost.
pub fn weight_digest(model: &impl Network) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    let mut config = serde_json::to_value(model.config()).expect("a configuration is JSON");
    if let Some(keys) = config.as_object_mut().filter(|keys| keys.get("columns") == Some(&0.into()))
    {
        keys.shift_remove("columns"); // digests are older than this key
    }
    hasher.update(config.to_string().as_bytes());
    for (name, tensor) in model.tensors() {
        hasher.update(name.as_bytes());
        hasher.update(&tensor.f32_bytes()?);
    }
    Ok(hasher.finalize().to_string())
}

/// The machine that something was done on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What the processor calls itself.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Instructions that the products make use of: what the processor has, below the cap of `TRM_CPU`.
    pub features: Vec<String>,
}

impl Machine {
    /// The machine that this runs on.
    pub fn this() -> Machine {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.map(|m| m.trim_start_matches([' ', '\t', ':']));
        Machine {
            processor: model.unwrap_or(std::env::consts::ARCH).into(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            features: trm_ops::level().features().iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// What fits above a chart.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} cores", self.processor, self.cores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_model;
    use trm_ops::Device;

    #[test]
    fn digests_of_the_models_in_the_repository_stay() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let inside = |folder: &Path| -> Vec<_> {
            std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_dir())
                .collect()
        };
        let mut folders = inside(&models);
        folders.extend(folders.clone().iter().flat_map(|folder| inside(folder)));
        folders.retain(|folder| folder.join("config.json").exists());
        assert!(folders.len() >= 2);
        for folder in folders {
            let model = load_model(&folder, &Device::cpu(1)).unwrap();
            let provenance = Provenance::load(&folder).unwrap().unwrap();
            assert_eq!(weight_digest(&model).unwrap(), provenance.weights, "{folder:?}");
        }
    }
}
