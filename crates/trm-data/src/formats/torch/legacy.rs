//! What `torch.save` wrote before PyTorch 1.6: five pickles (a mark, a version, the machine, the weights, the
//! keys of the storages), then every storage as its length and its bytes.

use super::pickle::{Pickle, Value};
use super::storage::{DType, Storages};
use crate::text::foreign;
use std::collections::HashMap;

/// The pickle of the mark.
const MARK: &[u8] = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";

pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(MARK)
}

/// The weights and the storages.
pub(super) fn open(bytes: &[u8]) -> Result<(Pickle, Storages<'_>), String> {
    let mut rest = &bytes[MARK.len()..];
    let mut next = || {
        let (pickle, len) = Pickle::parse(rest)?;
        rest = &rest[len..];
        Ok::<_, String>(pickle)
    };
    let (_version, machine, weights, keys) = (next()?, next()?, next()?, next()?);
    if machine.under("little_endian") == Some(&Value::Flag(false)) {
        return Err("its numbers are big-endian: save it on another machine".into());
    }
    let dtypes: HashMap<&str, DType> = weights.storages().collect();
    let mut storages = Storages::new();
    for key in keys.texts().ok_or("no list of storages")? {
        let cut = || format!("storage {}: cut short", foreign(key));
        let (len, bytes) = rest.split_first_chunk().ok_or_else(cut)?;
        let dtype = dtypes.get(key).ok_or_else(|| format!("{}: used nowhere", foreign(key)))?;
        let len = u64::from_le_bytes(*len).checked_mul(dtype.size());
        let len = len.and_then(|len| usize::try_from(len).ok()).ok_or_else(cut)?;
        let (bytes, after) = bytes.split_at_checked(len).ok_or_else(cut)?;
        storages.insert(key.to_owned(), bytes.into());
        rest = after;
    }
    Ok((weights, storages))
}
