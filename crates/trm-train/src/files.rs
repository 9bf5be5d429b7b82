//! Files that are either whole or not there: written under a temporary name, synced, renamed.

use crate::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Reads a whole file.
///
/// # Errors
/// If the operating system refuses.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::io("read", path))
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
        if path.exists() {
            let old = path.with_extension("old.tmp");
            let _ = fs::remove_dir_all(&old);
            fs::rename(path, &old)?;
            fs::rename(&temporary, path).inspect_err(|_| drop(fs::rename(&old, path)))?;
            fs::remove_dir_all(&old)?;
        } else {
            fs::rename(&temporary, path)?;
        }
        sync_folder(path.parent())
    };
    fill(&temporary).and_then(|()| finish().map_err(Error::io("write", path))).inspect_err(|_| {
        let _ = fs::remove_dir_all(&temporary);
    })
}

/// Creates a folder and its parents.
///
/// # Errors
/// If the operating system refuses.
pub fn create_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::io("create", path))
}

fn sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{}.tmp", std::process::id()))
}

fn sync_folder(folder: Option<&Path>) -> std::io::Result<()> {
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
}
