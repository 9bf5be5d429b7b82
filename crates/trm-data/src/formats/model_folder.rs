//! A model on disk: a folder with `config.json` and `model.safetensors`.

use crate::Error;
use crate::files::{read, write_atomic, write_atomic_by, write_folder_atomic};
use crate::formats::arrays::{Arrays, Stored};
use crate::formats::places::resolve;
use crate::formats::provenance::{Provenance, weight_digest};
use safetensors::SafeTensorError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use toml::Table;
use trm::{Autoregressive, AutoregressiveConfig, Config, Model, Network};
use trm_ops::{DType, Device};
use trm_puzzles::Domain;

/// Names and contents of files.
pub type Files = Vec<(&'static str, Content)>;

/// What a file holds.
pub enum Content {
    /// All of it.
    Bytes(Vec<u8>),
    /// A safetensors file: written array by array, without a second copy in memory.
    Arrays(Arrays),
}

impl Content {
    /// Writes a whole file.
    pub fn write(self, path: &Path) -> Result<(), Error> {
        match self {
            Content::Bytes(bytes) => write_atomic(path, &bytes),
            Content::Arrays(arrays) => write_atomic_by(path, |path| write_arrays(path, &arrays)),
        }
    }
}

fn write_arrays(path: &Path, arrays: &Arrays) -> io::Result<()> {
    // safetensors puts a file of its own in this one's place, which only its owner could read
    let permissions = File::create(path)?.metadata()?.permissions();
    let views = arrays.iter().map(|(name, stored)| (name, stored));
    safetensors::serialize_to_file(views, None, path).map_err(|error| match error {
        SafeTensorError::IoError(error) => error,
        error => io::Error::other(error),
    })?;
    if let Some(lost) = arrays.iter().find_map(|(_, stored)| stored.lost()) {
        return Err(io::Error::other(lost.clone()));
    }
    fs::set_permissions(path, permissions)
}

/// Writes the folder of a model whose origin is not known, whole or not at all.
///
/// # Errors
/// If the operating system refuses.
pub fn save_model(folder: &Path, model: &impl Network) -> Result<(), Error> {
    save_files(folder, weight_files(model))
}

/// Writes a folder, whole or not at all.
pub fn save_files(folder: &Path, files: Files) -> Result<(), Error> {
    write_folder_atomic(folder, |folder| {
        files.into_iter().try_for_each(|(name, content)| content.write(&folder.join(name)))
    })
}

/// Writes a copy of the model of `source` with its weights stored as `dtype`, its recipe and its
/// provenance, which then names the weights as they are stored.
///
/// # Errors
/// If the provenance cannot be read, or the operating system refuses.
pub fn export_model<N: Network>(
    source: &Path,
    model: &N,
    dtype: DType,
    folder: &Path,
) -> Result<(), Error> {
    save_files(folder, exported(source, model, dtype)?.0)
}

/// The files that [`export_model`] writes, and the provenance among them.
pub(super) fn exported<N: Network>(
    source: &Path,
    model: &N,
    dtype: DType,
) -> Result<(Files, Option<Provenance>), Error> {
    let config = serde_json::to_vec_pretty(model.config()).expect("a configuration is JSON");
    let weights = model.to_safetensors(dtype)?;
    let stored = N::from_safetensors(model.config(), model.device(), &weights)
        .map_err(|error| Error::Mismatch(error.to_string()))?;
    let (config, weights) = (Content::Bytes(config), Content::Bytes(weights));
    let mut files = vec![("config.json", config), ("model.safetensors", weights)];
    let Some(provenance) = Provenance::load(source)? else { return Ok((files, None)) };
    let provenance = Provenance { weights: weight_digest(&stored)?, ..provenance };
    let json = serde_json::to_vec_pretty(&provenance).expect("provenance is JSON");
    let recipe = read(&resolve(source)?.join("recipe.toml"))?;
    files.push((Provenance::FILE, Content::Bytes(json)));
    files.push(("recipe.toml", Content::Bytes(recipe)));
    Ok((files, Some(provenance)))
}

fn weight_files(model: &impl Network) -> Files {
    let config = serde_json::to_vec_pretty(model.config()).expect("a configuration is JSON");
    let tensors = model.tensors().into_iter();
    let weights = tensors.map(|(name, tensor)| (name.to_owned(), Stored::floats(tensor)));
    vec![
        ("config.json", Content::Bytes(config)),
        ("model.safetensors", Content::Arrays(weights.collect())),
    ]
}

/// The files of a trained model; `recipe` is the text of its recipe.
pub fn model_files(model: &impl Network, recipe: &str, provenance: &Provenance) -> Files {
    let mut files = weight_files(model);
    let json = serde_json::to_vec_pretty(provenance).expect("provenance is JSON");
    files.push((Provenance::FILE, Content::Bytes(json)));
    files.push(("recipe.toml", Content::Bytes(recipe.into())));
    files
}

/// Reads a model folder; of a run folder, its best model, else that of its newest checkpoint.
///
/// # Errors
/// If files are missing or damaged, or do not belong together; also if the weights are not those that
/// `provenance.json`, where there is one, was written for.
pub fn load_model(folder: &Path, device: &Device) -> Result<Model, Error> {
    load(folder, device, parse_config)
}

/// [`load_model`] of an autoregressive model.
///
/// # Errors
/// As [`load_model`].
pub fn load_autoregressive(folder: &Path, device: &Device) -> Result<Autoregressive, Error> {
    load(folder, device, parse_autoregressive)
}

/// A model of either kind.
pub enum AnyModel {
    /// Revises a draft.
    Recursive(Arc<Model>),
    /// Writes an answer token by token.
    Autoregressive(Box<Autoregressive>),
}

impl AnyModel {
    /// The name of the domain that it was trained on.
    pub fn domain(&self) -> &str {
        match self {
            AnyModel::Recursive(model) => &model.config().domain,
            AnyModel::Autoregressive(model) => &model.config().domain,
        }
    }

    /// [`weight_digest`].
    ///
    /// # Errors
    /// If the device is lost.
    pub fn digest(&self) -> Result<String, Error> {
        match self {
            AnyModel::Recursive(model) => weight_digest(&**model),
            AnyModel::Autoregressive(model) => weight_digest(&**model),
        }
    }
}

/// [`load_model`] of whichever kind the folder holds.
///
/// # Errors
/// As [`load_model`].
pub fn load_any(folder: &Path, device: &Device) -> Result<AnyModel, Error> {
    let config = read(&resolve(folder)?.join("config.json"))?;
    match has_order(&config) {
        true => Ok(AnyModel::Autoregressive(Box::new(load_autoregressive(folder, device)?))),
        false => Ok(AnyModel::Recursive(Arc::new(load_model(folder, device)?))),
    }
}

/// Whether a configuration says in which order to write.
fn has_order(config: &[u8]) -> bool {
    serde_json::from_slice(config).is_ok_and(|keys: Table| keys.contains_key("order"))
}

fn load<N: Network>(
    folder: &Path,
    device: &Device,
    parse: fn(&[u8]) -> Result<N::Config, String>,
) -> Result<N, Error> {
    let folder = resolve(folder)?;
    let path = folder.join("config.json");
    let config = parse(&read(&path)?).map_err(|message| Error::file(&path, message))?;
    let path = folder.join("model.safetensors");
    let model = N::from_safetensors(&config, device, &read(&path)?)
        .map_err(|error| Error::file(&path, error.to_string()))?;
    match Provenance::load(&folder)? {
        Some(provenance) if provenance.weights != weight_digest(&model)? => {
            let message =
                "not the weights that provenance.json was written for: damaged or replaced";
            Err(Error::file(&path, message))
        }
        _ => Ok(model),
    }
}

/// The contents of a `config.json`.
///
/// # Errors
/// One line: the key that is unknown or has an impossible value.
pub fn parse_config(bytes: &[u8]) -> Result<Config, String> {
    if has_order(bytes) {
        return Err("an autoregressive model: this needs a recursive one".into());
    }
    let config: Config = parse_known(bytes)?;
    config.check().map_err(|error| error.to_string())?;
    check_domain(&config.domain, (config.seq_len, config.vocab_size))?;
    Ok(config)
}

fn parse_autoregressive(bytes: &[u8]) -> Result<AutoregressiveConfig, String> {
    let config: AutoregressiveConfig = parse_known(bytes)?;
    config.check().map_err(|error| error.to_string())?;
    check_domain(&config.domain, (config.seq_len, config.vocab_size))?;
    Ok(config)
}

fn parse_known<C: Default + Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<C, String> {
    let table: Table = serde_json::from_slice(bytes)
        .map_err(|error| format!("not a model configuration: {error}"))?;
    let defaults = Table::try_from(C::default()).expect("a configuration is a table");
    crate::keys::parse_known(table, &crate::keys::paths(&defaults))
}

fn check_domain(domain: &str, sizes: (usize, usize)) -> Result<(), String> {
    match domain.parse::<Domain>() {
        Ok(domain) if (domain.seq_len(), domain.vocab_size()) != sizes => {
            Err(format!("seq_len and vocab_size are not those of {domain}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};
    use trm_ops::Tensor;

    #[test]
    fn weights_written_array_by_array_are_the_same_file_for_the_same_readers() {
        let config = Config { hidden: 32, heads: 1, ..Config::default() };
        let mut rng = stream(1, Purpose::Weights, 0);
        let model = Model::new(&config, &Device::cpu(1), &mut rng).unwrap();
        let folder = tempfile::tempdir().unwrap();
        save_model(folder.path(), &model).unwrap();
        let [weights, config] =
            ["model.safetensors", "config.json"].map(|name| folder.path().join(name));
        assert!(fs::read(&weights).unwrap() == model.to_safetensors(DType::F32).unwrap());
        let permissions = |path| fs::metadata(path).unwrap().permissions();
        assert_eq!(permissions(weights), permissions(config));
    }

    #[test]
    fn arrays_that_cannot_be_written_leave_nothing() {
        let device = Device::cpu(1);
        let folder = tempfile::tempdir().unwrap();
        let array = || Stored::floats(&Tensor::from_f32(&device, &[1], &[1.0]));
        let arrays = Content::Arrays(vec![("a".into(), array()), ("b".into(), array())]);
        fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(arrays.write(&folder.path().join("taken")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
