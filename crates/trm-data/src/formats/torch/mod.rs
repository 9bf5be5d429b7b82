//! Checkpoints of PyTorch: the files that `torch.save` writes and safetensors, read and written without Python.
//!
//! ```text
//! archive.rs, legacy.rs  both forms of torch.save    pickle.rs   the list of tensors inside
//! storage.rs             values of a tensor          save.rs     writing
//! ```

mod archive;
mod legacy;
mod pickle;
mod save;
mod storage;

use crate::text::foreign;
use archive::Archive;
use pickle::{Pickle, Place, Value};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use storage::{DType, Storages};

pub use save::encode;

/// A named tensor of a checkpoint, in f32.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Its name in the file.
    pub name: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
}

/// The weights of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// The key that holds them, where the file has more than them.
    pub under: Option<&'static str>,
    /// The tensors, but for the public code's caches.
    pub tensors: Vec<NamedTensor>,
}

/// The keys that hold weights in a file of several things, the first that is there.
const KEYS: [&str; 6] =
    ["model", "state_dict", "model_state_dict", "ema", "ema_state_dict", "model_ema"];

/// The weights of a checkpoint: a dictionary of tensors by name, or one under a usual key, in a file of
/// `torch.save` or of safetensors. Nothing in the file is executed. What is computed takes at most ten times
/// the memory of the file and 64 MiB.
///
/// # Errors
/// One line: what is wrong with the file.
pub fn decode(bytes: &[u8]) -> Result<Weights, String> {
    let len = bytes.len() as u64;
    if bytes.starts_with(b"PK") {
        let mut archive = Archive::open(bytes)?;
        let wanted: Vec<String> =
            archive.pickle.storages().map(|(key, _)| key.to_owned()).collect();
        let storages = archive.storages(wanted.into_iter(), len)?;
        tensors(&archive.pickle, &storages, len)
    } else if legacy::is_legacy(bytes) {
        let (pickle, storages) = legacy::open(bytes)?;
        tensors(&pickle, &storages, len)
    } else if bytes.get(8) == Some(&b'{') {
        Ok(Weights { under: None, tensors: safe_tensors(bytes)? })
    } else {
        Err("no checkpoint: neither a file of torch.save nor safetensors".into())
    }
}

/// The tensors of the dictionary of weights.
fn tensors(pickle: &Pickle, storages: &Storages<'_>, mut budget: u64) -> Result<Weights, String> {
    let (under, entries) = weights(pickle)?;
    let mut tensors = Vec::new();
    for (key, value) in entries {
        let Value::Text(name) = pickle.get(*key) else {
            return Err("a key that is no name: save model.state_dict()".into());
        };
        if is_cache(name) {
            continue;
        }
        let rest = budget.checked_sub(name.len() as u64);
        budget = rest.ok_or("names that are longer than the file")?;
        let tensor = storage::tensor(pickle, pickle.get(*value), storages, &mut budget);
        let (shape, values) = tensor.map_err(|message| format!("{}: {message}", foreign(name)))?;
        tensors.push(NamedTensor { name: name.clone(), shape, values });
    }
    Ok(Weights { under, tensors })
}

/// A dictionary's keys and values.
type Entries = [(Place, Place)];

/// The entries of the dictionary of weights, and the key it lies under, if any.
fn weights(pickle: &Pickle) -> Result<(Option<&'static str>, &Entries), String> {
    let Value::Dictionary(entries) = pickle.top() else {
        return Err("not a dictionary of tensors: save model.state_dict()".into());
    };
    let under = KEYS.into_iter().find_map(|key| match pickle.under(key) {
        Some(Value::Dictionary(entries)) => Some((Some(key), &entries[..])),
        _ => None,
    });
    Ok(under.unwrap_or((None, entries)))
}

/// The tensors of a safetensors file.
fn safe_tensors(bytes: &[u8]) -> Result<Vec<NamedTensor>, String> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("safetensors: {}", foreign(&error.to_string())))?;
    let wanted = file.iter().filter(|(name, _)| !is_cache(name));
    let tensors = wanted.map(|(name, view)| {
        let dtype = match view.dtype() {
            Dtype::F64 => DType::F64,
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::Bf16,
            other => {
                return Err(format!(
                    "{}: {other:?}: weights are f64, f32, f16 or bf16",
                    foreign(name)
                ));
            }
        };
        let values = view.data().chunks_exact(dtype.size() as usize).map(|x| dtype.value(x));
        let (name, shape) = (name.to_owned(), view.shape().to_vec());
        Ok(NamedTensor { name, shape, values: values.collect() })
    });
    tensors.collect()
}

/// The bytes of a safetensors file.
pub fn to_safetensors(tensors: &[NamedTensor]) -> Result<Vec<u8>, String> {
    let bytes = |tensor: &NamedTensor| -> Vec<u8> {
        tensor.values.iter().flat_map(|x| x.to_le_bytes()).collect()
    };
    let bytes: Vec<Vec<u8>> = tensors.iter().map(bytes).collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
        Ok((&tensor.name, view.map_err(|error| format!("{}: {error}", tensor.name))?))
    });
    let views = views.collect::<Result<Vec<_>, String>>()?;
    safetensors::serialize(views, None).map_err(|error| error.to_string())
}

/// Whether a tensor of the public code is a cache, which carries no weights.
pub(super) fn is_cache(public: &str) -> bool {
    let mut parts = public.rsplit('.');
    let (last, above) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (above == "puzzle_emb" && ["local_ids", "local_weights"].contains(&last))
        || (above == "rotary_emb" && ["cos_cached", "sin_cached", "inv_freq"].contains(&last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> Vec<NamedTensor> {
        let tensor = |name: &str, shape: &[usize], values: &[f32]| NamedTensor {
            name: name.into(),
            shape: shape.into(),
            values: values.into(),
        };
        vec![
            tensor("model.inner.H_init", &[3], &[1.0, -2.5, 1e-30]),
            tensor("b", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
            tensor("scalar", &[], &[7.0]),
        ]
    }

    #[test]
    fn what_is_written_reads_back() {
        let written = encode(&tensors()).unwrap();
        let read = decode(&written).unwrap();
        assert_eq!(read, Weights { under: None, tensors: tensors() });
        let written = to_safetensors(&tensors()).unwrap();
        let mut read = decode(&written).unwrap().tensors;
        read.sort_by_key(|tensor| tensors().iter().position(|t| t.name == tensor.name));
        assert_eq!(read, tensors());
    }

    #[test]
    fn older_files_keys_and_formats_are_understood() {
        let legacy = include_bytes!("../../../../../fuzz/corpus/checkpoint/legacy");
        let read = decode(legacy).unwrap();
        assert_eq!(read.under, Some("state_dict"));
        let found = read.tensors.iter().map(|t| (&t.name[..], &t.shape[..], &t.values[..]));
        let wanted = [
            ("model.inner.H_init", &[2][..], &[1.0, 2.0][..]),
            ("b", &[1, 2], &[3.0, 4.0]), // f64; the cache of integers is left out
        ];
        assert_eq!(found.collect::<Vec<_>>(), wanted);
        for cut in 0..legacy.len() {
            assert!(decode(&legacy[..cut]).is_err(), "{cut}");
        }
        let safe = include_bytes!("../../../../../fuzz/corpus/checkpoint/safetensors");
        assert!(decode(safe).unwrap().tensors.iter().any(|t| t.values == [3.0]));
        let message = decode(b"version of something else").unwrap_err();
        assert!(message.starts_with("no checkpoint"), "{message}");
    }

    #[test]
    fn damaged_archives_are_refused() {
        let bytes = encode(&tensors()).unwrap();
        for cut in [0, 1, 10, bytes.len() / 2, bytes.len() - 1] {
            assert!(decode(&bytes[..cut]).is_err(), "{cut}");
        }
        let find = |what: &[u8]| bytes.windows(what.len()).position(|w| w == what).unwrap();
        let with = |what: &[u8], instead: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[find(what)..][..what.len()].copy_from_slice(instead);
            decode(&bytes).unwrap_err()
        };
        // a checksum guards the pickle, so any change inside is noticed
        assert!(with(b"FloatStorage", b"FloatStorags").contains("data.pkl"));
    }
}
