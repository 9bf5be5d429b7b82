//! The archives that `torch.save` writes since PyTorch 1.6.

use super::pickle::Pickle;
use super::storage::Storages;
use std::io::{Cursor, Read};
use zip::{CompressionMethod, ZipArchive};

/// The longest pickle that is read: its instructions are bounded too, but a long text is one instruction.
const MOST_PICKLE: usize = 8 << 20;

/// An archive with the pickle inside.
pub(super) struct Archive<'b> {
    files: ZipArchive<Cursor<&'b [u8]>>,
    folder: String,
    pub(super) pickle: Pickle,
}

impl<'b> Archive<'b> {
    pub(super) fn open(bytes: &'b [u8]) -> Result<Archive<'b>, String> {
        let mut files = ZipArchive::new(Cursor::new(bytes))
            .map_err(|error| format!("an archive that is damaged or cut short: {error}"))?;
        let names: Result<Vec<String>, _> =
            files.file_names().map(|name| name.map(|name| name.into_owned())).collect();
        let names = names.map_err(|error| format!("an archive with a bad name: {error}"))?;
        let folder = names.iter().find_map(|name| name.strip_suffix("data.pkl"));
        let folder = folder.ok_or("no data.pkl inside: not written by torch.save")?.to_owned();
        let order = format!("{folder}byteorder");
        if names.contains(&order) && read(&mut files, &order)? != b"little" {
            return Err("its numbers are big-endian: save it on another machine".into());
        }
        let pickle = read(&mut files, &format!("{folder}data.pkl"))?;
        if pickle.len() > MOST_PICKLE {
            let len = pickle.len();
            return Err(format!("data.pkl has {len} bytes: no list of weights is that long"));
        }
        Ok(Archive { files, folder, pickle: Pickle::parse(&pickle)?.0 })
    }

    /// The storages of these keys, each read once; together they are no longer than the file.
    pub(super) fn storages(
        &mut self,
        keys: impl Iterator<Item = String>,
        mut budget: u64,
    ) -> Result<Storages<'b>, String> {
        let mut storages = Storages::new();
        for key in keys {
            if storages.contains_key(&key) {
                continue;
            }
            let bytes = read(&mut self.files, &format!("{}data/{key}", self.folder))?;
            let rest = budget.checked_sub(bytes.len() as u64);
            budget = rest.ok_or("storages that overlap")?;
            storages.insert(key, bytes.into());
        }
        Ok(storages)
    }
}

/// The contents of a file of the archive.
fn read(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>, String> {
    let damaged = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let mut file = archive.by_name(name).map_err(|error| damaged(&error))?;
    if file.compression() != CompressionMethod::Stored {
        return Err(damaged(&"compressed, which torch.save never does"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
    Ok(bytes)
}
