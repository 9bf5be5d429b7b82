//! Names of what is half-written, and what killed processes have left of it.
//!
//! Whoever writes holds a lock on the temporary file or folder. The system frees it when the process ends, so what
//! can be locked is left over.

use crate::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Endings that nobody else gives to a file: of what a process writes, and of a folder that is about to be replaced.
const WRITTEN: &str = ".tmp";
const REPLACED: &str = ".trm-old.tmp";

/// Where this process writes what becomes `path`.
pub(super) fn written(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.trm-{}{WRITTEN}", name_of(path), std::process::id()))
}

/// Where a folder lies while another takes its name.
pub(super) fn replaced(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}{REPLACED}", name_of(path)))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The folder in which a path lies.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Takes hold of a file or folder while the returned file lives, if nobody else has it and the system can.
pub(super) fn hold(path: &Path) -> Option<File> {
    File::open(path).ok().filter(|file| file.try_lock().is_ok())
}

/// Removes what killed processes have left half-written in a folder, and gives folders that were to be replaced
/// their names back.
///
/// # Errors
/// If the operating system refuses.
pub fn sweep(folder: &Path) -> Result<(), Error> {
    sweep_if(folder, |_| true)
}

/// As [`sweep`], but only what was to become `path`; what cannot be removed stays.
pub(super) fn sweep_for(path: &Path) {
    let name = name_of(path);
    let _ = sweep_if(folder_of(path), |own| own == name);
}

fn sweep_if(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<(), Error> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, file) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Some(name) = own_name(&file).filter(|name| wanted(name)) else { continue };
        let Some(_held) = hold(&path) else { continue };
        let lost = folder.join(name);
        let done = match file.ends_with(REPLACED) && !lost.exists() {
            true => fs::rename(&path, lost),
            false if path.is_dir() => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        done.map_err(Error::io("remove", &path))?;
    }
    Ok(())
}

/// What a temporary file or folder was to be called; none if it is not one of ours.
fn own_name(file: &str) -> Option<&str> {
    let (name, ending) = file.strip_prefix('.')?.rsplit_once(".trm-")?;
    let process = ending.strip_suffix(WRITTEN)?;
    let is_number = !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit());
    (!name.is_empty() && (process == "old" || is_number)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let theirs = ["a.12.tmp", "mine.tmp", "notes.tmp", "old.old.tmp", ".x.trm-y.tmp"];
        let ours = [".best.trm-old.tmp", ".step-4.trm-old.tmp", "step-4", ".step-5.trm-77.tmp"];
        for name in theirs.iter().chain(&ours) {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("x"), "x").unwrap();
        }
        fs::write(at(".recipe.toml.trm-78.tmp"), "half").unwrap();
        fs::write(at(".log.trm-79.tmp"), "still being written").unwrap();
        let held = hold(&at(".log.trm-79.tmp")).unwrap();

        sweep_for(&at("recipe.toml"));
        assert_eq!(names(folder.path()).len(), theirs.len() + ours.len() + 1);
        sweep(folder.path()).unwrap();
        let mut expected = [&theirs[..], &["best", "step-4", ".log.trm-79.tmp"]].concat();
        expected.sort();
        assert_eq!(names(folder.path()), expected);
        drop(held);
        sweep(folder.path()).unwrap();
        assert!(!at(".log.trm-79.tmp").exists());
    }
}
