//! Files that are either whole or not there: written under a temporary name, synced, renamed.

use crate::Error;
use crate::text::foreign;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Reads a whole file.
///
/// # Errors
/// If the operating system refuses.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::io("read", path))
}

/// Reads a text file.
///
/// # Errors
/// If it cannot be read, or is no text.
pub fn read_text(path: &Path) -> Result<String, Error> {
    String::from_utf8(read(path)?).map_err(|_| Error::file(path, "not a text file"))
}

/// Writes a whole file; whoever looks sees the old contents or the new.
///
/// # Errors
/// If the operating system refuses; then no temporary file is left.
pub fn write_atomic(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let temporary = sibling(path);
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_folder(path.parent())
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        Error::io("write", path)(error)
    })
}

/// Fills a folder under a temporary name and then gives it its own, replacing an older one.
///
/// # Errors
/// Those of `fill`, or the operating system's; then no temporary folder is left.
pub fn write_folder_atomic(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let temporary = sibling(path);
    let _ = fs::remove_dir_all(&temporary);
    fs::create_dir_all(&temporary).map_err(Error::io("create", &temporary))?;
    let finish = || {
        sync_folder(Some(&temporary))?;
        if path.exists() {
            exchange(&temporary, path)?;
            sync_folder(path.parent())?;
            fs::remove_dir_all(&temporary)
        } else {
            fs::rename(&temporary, path)?;
            sync_folder(path.parent())
        }
    };
    fill(&temporary).and_then(|()| finish().map_err(Error::io("write", path))).inspect_err(|_| {
        let _ = fs::remove_dir_all(&temporary);
    })
}

/// Swaps two folders, at once where the system can; nowhere does `path` name anything half-written.
fn exchange(new: &Path, path: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, path, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    exchange_in_steps(new, path)
}

/// Between the steps nothing has the name; [`sweep`] then gives it back to the old folder.
fn exchange_in_steps(new: &Path, path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let old = path.with_file_name(format!("{name}{OLD}"));
    let _ = fs::remove_dir_all(&old);
    fs::rename(path, &old)?;
    fs::rename(new, path).inspect_err(|_| drop(fs::rename(&old, path)))?;
    fs::rename(&old, new)
}

/// Removes what a killed process has left half-written in a folder. The folder must be locked, so
/// that nobody is still writing.
///
/// # Errors
/// If the operating system refuses.
pub fn sweep(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let lost = name.strip_suffix(OLD).map(|name| folder.join(name));
        let done = match lost {
            _ if !name.ends_with(".tmp") => continue,
            Some(lost) if !lost.exists() => fs::rename(&path, lost),
            _ if path.is_dir() => fs::remove_dir_all(&path),
            _ => fs::remove_file(&path),
        };
        done.map_err(Error::io("remove", &path))?;
    }
    Ok(())
}

/// Holds a folder until the returned file is dropped or the process ends, however it ends.
///
/// # Errors
/// If another process holds it.
pub fn lock(folder: &Path) -> Result<File, Error> {
    let file = File::open(folder).map_err(Error::io("open", folder))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = "another process is training here: wait for it, or stop it first";
            Err(Error::file(folder, message))
        }
        Err(TryLockError::Error(error)) => Err(Error::io("lock", folder)(error)),
    }
}

/// A name out of a file that becomes part of a path: it must name something in a folder, and nothing elsewhere.
///
/// # Errors
/// If it could lead elsewhere, or no file system has room for it.
pub fn plain_name(name: &str) -> Result<&str, String> {
    const LONGEST: usize = 100; // of 255 bytes; what is added to a name needs room too
    let leads_away = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    match !matches!(name, "" | "." | "..") && !name.contains(leads_away) && name.len() <= LONGEST {
        true => Ok(name),
        false => Err(format!(
            "`{}` is no plain name: at most {LONGEST} bytes, without `/`, `\\`, `:` and control characters",
            foreign(name)
        )),
    }
}

/// Creates a folder and its parents.
///
/// # Errors
/// If the operating system refuses.
pub fn create_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::io("create", path))
}

/// Ending of a folder that is about to be replaced.
const OLD: &str = ".old.tmp";

fn sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{}.tmp", std::process::id()))
}

fn sync_folder(folder: Option<&Path>) -> io::Result<()> {
    let folder = folder.filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_fill_leaves_the_old_folder_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("best");
        let fill = |text: &'static str| move |p: &Path| write_atomic(&p.join("a"), text.as_bytes());
        write_folder_atomic(&path, fill("one")).unwrap();
        write_folder_atomic(&path, fill("two")).unwrap();
        let failed = write_folder_atomic(&path, |_| Err(Error::Recipe("no".into())));
        assert!(failed.is_err());
        assert_eq!(read(&path.join("a")).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn folders_are_exchanged_in_steps_where_the_system_cannot_do_it_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let [new, path] = ["new", "best"].map(|name| folder.path().join(name));
        for (path, text) in [(&new, "new"), (&path, "old")] {
            create_folder(path).unwrap();
            write_atomic(&path.join("a"), text.as_bytes()).unwrap();
        }
        exchange_in_steps(&new, &path).unwrap();
        assert_eq!(read(&path.join("a")).unwrap(), b"new");
        assert_eq!(read(&new.join("a")).unwrap(), b"old");
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["best.old.tmp", "step-3", "step-4.old.tmp", "step-4", "step-5.77.tmp"] {
            create_folder(&at(name)).unwrap();
        }
        write_atomic(&at("step-5.77.tmp").join("state"), b"half").unwrap();
        write_atomic(&at("recipe.toml.78.tmp"), b"half").unwrap();
        sweep(folder.path()).unwrap();
        let names = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name());
        let mut names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
        names.sort();
        assert_eq!(names, ["best", "step-3", "step-4"]);
    }

    #[test]
    fn a_folder_is_locked_once() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        assert!(lock(folder.path()).unwrap_err().to_string().contains("another process"));
        drop(held);
        lock(folder.path()).unwrap();
    }
}
