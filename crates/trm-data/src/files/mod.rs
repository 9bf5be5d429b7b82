//! Files that are either whole or not there: written under a temporary name, synced, renamed.

mod temporary;

use crate::Error;
use crate::text::foreign;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use temporary::{folder_of, hold, replaced, sweep_for, written};

pub use temporary::sweep;

/// How a file begins that stands for one that Git LFS has not fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Reads a whole file.
///
/// # Errors
/// If the operating system refuses, or the file only stands for another.
pub fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    match bytes.starts_with(LFS_POINTER) {
        true => Err(Error::file(path, "a pointer of Git LFS, not the file: run `git lfs pull`")),
        false => Ok(bytes),
    }
}

/// Reads a text file in UTF-8, or in UTF-16 with a byte order mark.
///
/// # Errors
/// If it cannot be read, or is no text.
pub fn read_text(path: &Path) -> Result<String, Error> {
    text_of(read(path)?).ok_or_else(|| Error::file(path, "not a text file"))
}

fn text_of(bytes: Vec<u8>) -> Option<String> {
    let from_utf16 = |bytes: &[u8], word: fn([u8; 2]) -> u16| {
        let (words, rest) = bytes.as_chunks::<2>();
        let words: Vec<u16> = words.iter().map(|bytes| word(*bytes)).collect();
        String::from_utf16(&words).ok().filter(|_| rest.is_empty())
    };
    match &bytes[..] {
        [0xff, 0xfe, rest @ ..] => from_utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => from_utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok(),
    }
}

/// Writes a whole file; whoever looks sees the old contents or the new.
///
/// # Errors
/// If the operating system refuses; then no temporary file is left.
pub fn write_atomic(path: &Path, contents: &[u8]) -> Result<(), Error> {
    write_atomic_by(path, |path| File::create(path)?.write_all(contents))
}

/// [`write_atomic`] of what `fill` writes to the path it is given.
pub(crate) fn write_atomic_by(
    path: &Path,
    fill: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), Error> {
    sweep_for(path);
    let temporary = written(path);
    let write = || {
        File::create(&temporary)?;
        let _held = hold(&temporary);
        fill(&temporary)?;
        File::open(&temporary)?.sync_all()?;
        fs::rename(&temporary, path)?;
        sync_folder(folder_of(path))
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        Error::io("write", path)(error)
    })
}

/// Refuses a place where [`write_atomic`] could not write, before the work whose results shall go there.
///
/// # Errors
/// If there is a folder of that name, or the folder around it is missing or cannot be written to.
pub fn check_writable(path: &Path) -> Result<(), Error> {
    let temporary = written(path);
    let tried = match path.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => File::create(&temporary).and_then(|_| fs::remove_file(&temporary)),
    };
    tried.map_err(Error::io("write", path))
}

/// Refuses a place where no folder can be made, before the work whose results shall go there.
///
/// # Errors
/// If the nearest folder above it that exists cannot be written to, or is none.
pub fn check_new_folder(path: &Path) -> Result<(), Error> {
    let absolute = std::path::absolute(path).map_err(Error::io("find", path))?;
    let nearest = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(&absolute);
    let temporary = written(&nearest.join("new"));
    let tried = fs::create_dir(&temporary).and_then(|()| fs::remove_dir(&temporary));
    tried.map_err(Error::io("create", path))
}

/// Fills a folder under a temporary name and then gives it its own, replacing an older one.
///
/// # Errors
/// Those of `fill`, or the operating system's; then no temporary folder is left.
pub fn write_folder_atomic(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    sweep_for(path);
    let temporary = written(path);
    fs::create_dir_all(&temporary).map_err(Error::io("create", &temporary))?;
    let _held = hold(&temporary);
    let finish = || {
        sync_folder(&temporary)?;
        if path.exists() {
            exchange(&temporary, path)?;
            sync_folder(folder_of(path))?;
            fs::remove_dir_all(&temporary)
        } else {
            fs::rename(&temporary, path)?;
            sync_folder(folder_of(path))
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

/// Between the steps nothing has the name; the next sweep then gives it back to the old folder.
fn exchange_in_steps(new: &Path, path: &Path) -> io::Result<()> {
    let old = replaced(path);
    let _ = fs::remove_dir_all(&old);
    fs::rename(path, &old)?;
    fs::rename(new, path).inspect_err(|_| drop(fs::rename(&old, path)))?;
    fs::rename(&old, new)
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

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_both_encodings_are_read() {
        let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| {
            let words = ['\u{feff}'].into_iter().chain(text.chars());
            words.collect::<String>().encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
        };
        for bytes in
            [b"1.\n".to_vec(), utf16("1.\n", u16::to_le_bytes), utf16("1.\n", u16::to_be_bytes)]
        {
            assert_eq!(text_of(bytes).as_deref(), Some("1.\n"));
        }
        assert_eq!(text_of(vec![0xff, 0xfe, 0x31]), None);
        assert_eq!(text_of(vec![0xff, 0x31]), None);
    }

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
    fn a_folder_is_locked_once() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        assert!(lock(folder.path()).unwrap_err().to_string().contains("another process"));
        drop(held);
        lock(folder.path()).unwrap();
    }
}
