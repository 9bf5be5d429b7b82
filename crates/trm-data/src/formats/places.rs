//! Where the files of a model lie: in a folder, in that of a run, or in the cache of the hub.

use crate::Error;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folder that a model's files lie in: a model of the hub comes from its cache, and is fetched
/// if it is not there.
pub(super) fn resolve(folder: &Path) -> Result<PathBuf, Error> {
    #[cfg(feature = "web")]
    if let Some(name) = folder.to_str().and_then(crate::HubName::parse) {
        return name?.folder();
    }
    if folder.join("config.json").exists() {
        return Ok(folder.to_owned());
    }
    let best = folder.join("best");
    if best.join("config.json").exists() {
        return Ok(best);
    }
    match newest_checkpoint(folder) {
        Some(checkpoint) => Ok(checkpoint),
        None if folder.is_dir() => {
            Err(Error::file(folder, "no model here: expected config.json, best/ or checkpoints/"))
        }
        None => Err(Error::io("read", folder)(io::ErrorKind::NotFound.into())),
    }
}

/// The checkpoint of a run with the highest step.
pub fn newest_checkpoint(run: &Path) -> Option<PathBuf> {
    checkpoints(run).pop().map(|(_, path)| path)
}

/// Checkpoints of a run by rising step.
pub fn checkpoints(run: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| {
        let name = entry.file_name();
        let step = name.to_str()?.strip_prefix("step-")?.parse().ok()?;
        Some((step, entry.path()))
    });
    let mut found: Vec<_> = numbered.collect();
    found.sort();
    found
}
