//! The full state of training on disk, so that a resumed run goes on as if it had never stopped.

use crate::Error;
use crate::learners::Learner;
use crate::recipe::Recipe;
use crate::run::state;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use trm::Network;
use trm_data::files::{read, write_atomic, write_folder_atomic};
use trm_data::{Arrays, Content, Provenance, checkpoints, model_files};

/// Version of the format. To be raised when an older program would misread a newer checkpoint.
const FORMAT: u32 = 1;

/// The file that is written last and says what all others must hold.
const MANIFEST: &str = "checkpoint.json";

/// Where a run stands, beside its tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Optimiser steps taken.
    pub step: u64,
    /// Examples drawn from the training set.
    pub drawn: u64,
    /// Seconds of training, over all parts of the run.
    pub seconds: f64,
    /// Step of the best validation so far.
    pub best_step: u64,
    /// Its exact accuracy; negative before the first validation.
    pub best_exact: f64,
    /// Its share of right cells, which decides where the exact accuracy is the same.
    #[serde(default)]
    pub best_cells: f64,
    /// Its loss, which decides where these are the same.
    #[serde(default)]
    pub best_loss: f64,
    /// Validations since the last one with a better exact accuracy.
    pub stale: u64,
    /// Whether the validation of this step is still to be done: the run was stopped in it.
    #[serde(default)]
    pub unvalidated: bool,
    /// Times that the run went back: a step was not finite, or the device was lost.
    pub rollbacks: u64,
    /// Where the last step was computed ([`Kernels::place`](trm_ops::Kernels::place)).
    #[serde(default)]
    pub place: String,
    /// Digest of the training set.
    pub data_digest: String,
}

impl Progress {
    /// That of a run which has not taken a step.
    pub(crate) fn start(data_digest: &str) -> Progress {
        Progress { best_exact: -1.0, data_digest: data_digest.into(), ..Progress::default() }
    }
}

/// All that a checkpoint holds. Cheap to take while training goes on.
pub(crate) struct Snapshot<N> {
    pub(crate) model: N,
    pub(crate) state: Arrays,
    pub(crate) progress: Progress,
    pub(crate) recipe: Recipe,
    pub(crate) provenance: Provenance,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    files: BTreeMap<String, Seal>,
}

/// What a file must be.
#[derive(Serialize, Deserialize)]
struct Seal {
    bytes: u64,
    blake3: String,
}

impl<N: Network> Snapshot<N> {
    /// Writes `checkpoints/step-N/` of a run, whole or not at all.
    ///
    /// # Errors
    /// If the operating system refuses; older checkpoints are then still there.
    pub(crate) fn write(self, run: &Path) -> Result<PathBuf, Error> {
        let path = folder_of(run, self.progress.step);
        let mut files = model_files(&self.model, &self.recipe.to_toml(), &self.provenance);
        let json = serde_json::to_vec_pretty(&self.progress).expect("progress is JSON");
        files.push(("progress.json", Content::Bytes(json)));
        files.push(("state.safetensors", Content::Arrays(self.state)));
        write_folder_atomic(&path, |folder| {
            let mut sealed = BTreeMap::new();
            for (name, content) in files {
                let path = folder.join(name);
                content.write(&path)?;
                sealed.insert(name.into(), Seal::of(&path).map_err(Error::io("read", &path))?);
            }
            let manifest = Manifest { format: FORMAT, files: sealed };
            let json = serde_json::to_vec_pretty(&manifest).expect("a manifest is JSON");
            write_atomic(&folder.join(MANIFEST), &json)
        })
        .map(|()| path)
    }
}

impl Seal {
    /// That of a file as it lies on disk.
    fn of(path: &Path) -> io::Result<Seal> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok(Seal { bytes: hasher.count(), blake3: hasher.finalize().to_string() })
    }
}

fn folder_of(run: &Path, step: u64) -> PathBuf {
    run.join("checkpoints").join(format!("step-{step}"))
}

/// Removes all checkpoints but the newest `keep` and those of every `keep_every` steps.
pub(crate) fn retain(run: &Path, keep: usize, keep_every: u64) -> Result<(), Error> {
    let mut older = checkpoints(run);
    older.truncate(older.len().saturating_sub(keep));
    older.retain(|(step, _)| keep_every == 0 || !step.is_multiple_of(keep_every));
    remove(older)
}

/// Removes the checkpoints after a step.
pub(crate) fn discard_after(run: &Path, step: u64) -> Result<(), Error> {
    let later = checkpoints(run).into_iter().filter(|(found, _)| *found > step);
    remove(later.collect())
}

fn remove(folders: Vec<(u64, PathBuf)>) -> Result<(), Error> {
    folders
        .iter()
        .try_for_each(|(_, folder)| fs::remove_dir_all(folder).map_err(Error::io("remove", folder)))
}

/// A checkpoint whose files are what they were when it was written.
pub(crate) struct Checkpoint {
    pub(crate) folder: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
    pub(crate) progress: Progress,
    pub(crate) recipe: Recipe,
}

impl Checkpoint {
    /// The checkpoint of a run at `step`, or its newest one; `None` if there is none at all.
    ///
    /// # Errors
    /// If there is none at `step`, or it is damaged or of a newer format. The one before is offered.
    pub(crate) fn open(run: &Path, step: Option<u64>) -> Result<Option<Checkpoint>, Error> {
        let found = checkpoints(run);
        let Some((step, folder)) = found.iter().rfind(|(n, _)| step.is_none_or(|step| *n == step))
        else {
            return match step {
                None => Ok(None),
                Some(step) => Err(Error::file(run, no_checkpoint_at(step, &found))),
            };
        };
        let before = found.iter().rfind(|(n, _)| n < step).map(|(n, _)| *n);
        Checkpoint::read(folder).map(Some).map_err(|(file, what)| {
            let advice = match before {
                Some(before) => {
                    format!("resume from the checkpoint before it with --from {before}")
                }
                None => "there is none before it: start a new run".into(),
            };
            Error::file(&folder.join(file), format!("{what}; {advice}"))
        })
    }

    fn read(folder: &Path) -> Result<Checkpoint, (String, String)> {
        let text = open_file(folder, MANIFEST)?;
        let fail = |file: &str, what: String| (file.to_owned(), what);
        let damaged = |error: serde_json::Error| fail(MANIFEST, format!("damaged: {error}"));
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let Version { format } = serde_json::from_slice(&text).map_err(damaged)?;
        if format > FORMAT {
            let what = format!("format {format} of a newer trm; this one reads {FORMAT}");
            return Err(fail(MANIFEST, what));
        }
        if format < FORMAT {
            return Err(fail(MANIFEST, format!("damaged: there is no format {format}")));
        }
        let manifest: Manifest = serde_json::from_slice(&text).map_err(damaged)?;
        let mut files = BTreeMap::new();
        for (name, seal) in manifest.files {
            let bytes = open_file(folder, &name)?;
            if bytes.len() as u64 != seal.bytes {
                let what = format!("damaged: {} bytes, not {}", bytes.len(), seal.bytes);
                return Err(fail(&name, what));
            }
            if blake3::hash(&bytes).to_string() != seal.blake3 {
                return Err(fail(&name, "damaged: its checksum differs".into()));
            }
            files.insert(name, bytes);
        }
        let file = |name: &str| {
            files.get(name).ok_or_else(|| fail(MANIFEST, format!("damaged: {name} is missing")))
        };
        let progress = serde_json::from_slice(file("progress.json")?)
            .map_err(|error| fail("progress.json", error.to_string()))?;
        let recipe = String::from_utf8_lossy(file("recipe.toml")?);
        let recipe = Recipe::parse(&recipe, &[]).map_err(|what| fail("recipe.toml", what))?;
        file("state.safetensors")?;
        Ok(Checkpoint { folder: folder.to_owned(), files, progress, recipe })
    }

    /// Puts a freshly made learner where the checkpoint stands.
    ///
    /// # Errors
    /// If the checkpoint belongs to another recipe.
    pub(crate) fn restore(&self, learner: &mut impl Learner) -> Result<(), Error> {
        let file = "state.safetensors";
        state::restore(learner, &self.files[file])
            .map_err(|what| Error::file(&self.folder.join(file), what))?;
        learner.core_mut().step = self.progress.step;
        Ok(())
    }
}

fn open_file(folder: &Path, name: &str) -> Result<Vec<u8>, (String, String)> {
    // a name with a path in it would lead elsewhere
    let plain = Path::new(name).file_name().is_some_and(|plain| plain == name);
    let bytes = if plain { read(&folder.join(name)).ok() } else { None };
    bytes.ok_or_else(|| (name.to_owned(), "damaged: the file cannot be read".into()))
}

fn no_checkpoint_at(step: u64, found: &[(u64, PathBuf)]) -> String {
    let steps: Vec<String> = found.iter().map(|(n, _)| n.to_string()).collect();
    format!("no checkpoint at step {step}; there are {}", steps.join(", "))
}
