//! A file on its way here: what has come so far, and its digest.

use super::fetch::{Source, reason};
use crate::Failed;
use crate::display::progress_bar;
use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use trm_data::files;
use trm_train::Error;
use ureq::Body;
use ureq::http::Response;

/// What has come of a file so far, and its digest. No other process writes to it meanwhile.
pub(super) struct Part {
    path: PathBuf,
    file: Option<File>,
    pub(super) size: u64,
    hash: Sha256,
}

impl Part {
    pub(super) fn find(path: PathBuf) -> Result<Part> {
        let mut part = Part { path, file: None, size: 0, hash: Sha256::new() };
        if part.path.exists() {
            let file = part.open()?;
            (part.hash, part.size) = hash(&part.path)?;
            part.file = Some(file);
        }
        Ok(part)
    }

    pub(super) fn digest(&self) -> String {
        hex(self.hash.clone())
    }

    pub(super) fn forget(&mut self) {
        self.size = 0;
        self.hash = Sha256::new();
    }

    /// Appends what a server sends to what there is.
    pub(super) fn receive(&mut self, response: Response<Body>, source: &Source) -> Result<()> {
        let mut file = self.file.take().map_or_else(|| self.open(), Ok)?;
        file.set_len(self.size).map_err(|error| self.unwritten(error))?;
        let rest = response.body().content_length();
        let total = rest.map(|rest| self.size + rest).or(source.file.size);
        let template = format!("{} {{wide_bar}} {{bytes}}/{{total_bytes}}", source.file.name);
        let bar = progress_bar(total.unwrap_or(0), &template);
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = body
                .read(&mut buffer)
                .map_err(|error| source.broken(self.size, &reason(&error.into())))?;
            if count == 0 {
                break;
            }
            if self.size + count as u64 > source.file.most() {
                return self.refuse(source);
            }
            file.write_all(&buffer[..count]).map_err(|error| self.unwritten(error))?;
            self.hash.update(&buffer[..count]);
            self.size += count as u64;
            bar.set_position(self.size);
        }
        bar.finish_and_clear();
        if total.is_some_and(|total| self.size < total) {
            return Err(source.broken(self.size, "the server sends no more"));
        }
        file.sync_all().map_err(|error| self.unwritten(error))
    }

    /// What sends more than the published file has sends something else: nothing of it is kept.
    fn refuse(&self, source: &Source) -> Result<()> {
        fs::remove_file(&self.path).map_err(io_error("remove", &self.path))?;
        let most = source.file.most();
        Err(source
            .failed(&format!("the server sends more than the {most} bytes that are expected")))
    }

    fn open(&self) -> Result<File> {
        files::create_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        let open = OpenOptions::new().append(true).create(true).open(&self.path);
        let file = open.map_err(|error| self.unwritten(error))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let path = self.path.display();
            bail!("{path}: another process is fetching it: wait for it, or stop it first");
        }
        Ok(file)
    }

    pub(super) fn rename(&self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(io_error("write", path))
    }

    fn unwritten(&self, error: io::Error) -> anyhow::Error {
        let full = error.kind() == ErrorKind::StorageFull;
        let error = io_error("write", &self.path)(error);
        if full {
            Failed(format!("{error}: make room and run the command again")).into()
        } else {
            error
        }
    }
}

/// The digest of a file before it is written out, and its size.
pub(super) fn hash(path: &Path) -> Result<(Sha256, u64)> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).map_err(io_error("read", path))?;
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer).map_err(io_error("read", path))?;
        if count == 0 {
            return Ok((hash, size));
        }
        hash.update(&buffer[..count]);
        size += count as u64;
    }
}

/// In small hexadecimal digits.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> anyhow::Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }.into()
}
