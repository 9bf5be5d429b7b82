//! A file on its way here: what has come so far, and its digest.

use super::fetch::{Source, reason};
use crate::text::hex;
use crate::{Error, files};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
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
    pub(super) fn find(path: PathBuf) -> Result<Part, Error> {
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
    pub(super) fn receive(
        &mut self,
        response: Response<Body>,
        source: &Source,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<(), Error> {
        let mut file = self.file.take().map_or_else(|| self.open(), Ok)?;
        file.set_len(self.size).map_err(|error| self.unwritten(error))?;
        let rest = response.body().content_length();
        let total = rest.map(|rest| self.size + rest).or(source.file.size);
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
            progress(self.size, total);
        }
        if total.is_some_and(|total| self.size < total) {
            return Err(source.broken(self.size, "the server sends no more"));
        }
        file.sync_all().map_err(|error| self.unwritten(error))
    }

    /// What sends more than the published file has sends something else: nothing of it is kept.
    fn refuse(&self, source: &Source) -> Result<(), Error> {
        fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))?;
        let most = source.file.most();
        Err(source
            .failed(&format!("the server sends more than the {most} bytes that are expected")))
    }

    fn open(&self) -> Result<File, Error> {
        files::create_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        let open = OpenOptions::new().append(true).create(true).open(&self.path);
        let file = open.map_err(|error| self.unwritten(error))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let message = "another process is fetching it: wait for it, or stop it first";
            return Err(Error::file(&self.path, message));
        }
        Ok(file)
    }

    pub(super) fn rename(&self, path: &Path) -> Result<(), Error> {
        fs::rename(&self.path, path).map_err(Error::io("write", path))
    }

    fn unwritten(&self, error: io::Error) -> Error {
        let full = error.kind() == ErrorKind::StorageFull;
        let error = Error::io("write", &self.path)(error);
        if full {
            Error::Failed(format!("{error}: make room and run the command again"))
        } else {
            error
        }
    }
}

/// The digest of a file before it is written out, and its size.
pub(super) fn hash(path: &Path) -> Result<(Sha256, u64), Error> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if count == 0 {
            return Ok((hash, size));
        }
        hash.update(&buffer[..count]);
        size += count as u64;
    }
}
