//! Checkpoints of PyTorch: the archives that `torch.save` writes, read and written without Python.

mod pickle;
mod save;

use crate::text::foreign;
use crate::torch::pickle::{Pickle, Place, Value};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};
use std::io::{Cursor, Read};
use zip::{CompressionMethod, ZipArchive};

pub use save::encode;

/// A named tensor of a checkpoint, widened to f32.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Its name in the file.
    pub name: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// Its values, row by row.
    pub values: Vec<f32>,
}

/// Number formats of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DType {
    F32,
    F16,
    Bf16,
}

impl DType {
    fn of_storage(class: &str) -> Result<DType, String> {
        match class {
            "torch.FloatStorage" => Ok(DType::F32),
            "torch.HalfStorage" => Ok(DType::F16),
            "torch.BFloat16Storage" => Ok(DType::Bf16),
            other => Err(format!("{other}: weights are f32, f16 or bf16")),
        }
    }

    fn size(self) -> u64 {
        match self {
            DType::F32 => 4,
            DType::F16 | DType::Bf16 => 2,
        }
    }

    fn value(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (DType::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (DType::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
            (DType::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
            _ => unreachable!("as many bytes as a value has"),
        }
    }
}

/// The longest pickle that is read; its values take up to a hundred times as much. Some 50,000 tensors fit.
const MOST_PICKLE: usize = 8 << 20;

/// The tensors of a checkpoint, a dictionary of tensors by name. Nothing in the file is executed, and
/// values take no more memory than the file four times over, and what lists them at most 1 GiB.
///
/// # Errors
/// One line: what is wrong with the file.
pub fn decode(bytes: &[u8]) -> Result<Vec<NamedTensor>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
        format!("not an archive of torch.save (PyTorch 1.6 and later): {error}")
    })?;
    let names: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(|name| name.into_owned())).collect();
    let names = names.map_err(|error| format!("an archive with a bad name: {error}"))?;
    let folder = names.iter().find_map(|name| name.strip_suffix("data.pkl"));
    let folder = folder.ok_or("no data.pkl inside: not written by torch.save")?.to_owned();
    if names.contains(&format!("{folder}byteorder"))
        && entry(&mut archive, &format!("{folder}byteorder"))? != b"little"
    {
        return Err("its numbers are big-endian: save it on another machine".into());
    }
    let pickle = entry(&mut archive, &format!("{folder}data.pkl"))?;
    if pickle.len() > MOST_PICKLE {
        return Err(format!(
            "data.pkl has {} bytes: no list of weights is that long",
            pickle.len()
        ));
    }
    let pickle = Pickle::parse(&pickle)?;
    let entries = weights(&pickle)?;
    let mut budget = bytes.len() as u64;
    let mut tensors = Vec::new();
    for (key, value) in entries {
        let Value::Text(name) = pickle.get(*key) else {
            return Err("a key that is no name: save model.state_dict()".into());
        };
        let tensor = tensor(&pickle, pickle.get(*value), &mut budget, &mut |key| {
            entry(&mut archive, &format!("{folder}data/{key}"))
        });
        let (shape, values) = tensor.map_err(|message| format!("{}: {message}", foreign(name)))?;
        tensors.push(NamedTensor { name: name.clone(), shape, values });
    }
    Ok(tensors)
}

/// The entries of the dictionary of weights: the whole file, or what it holds under the usual names, the plain
/// model before others.
fn weights(pickle: &Pickle) -> Result<&[(Place, Place)], String> {
    let Value::Dictionary(entries) = pickle.top() else {
        return Err("not a dictionary of tensors: save model.state_dict()".into());
    };
    let under = |wanted: &str| {
        let named = |(key, _): &&(Place, Place)| matches!(pickle.get(*key), Value::Text(key) if key == wanted);
        match entries.iter().find(named).map(|(_, value)| pickle.get(*value)) {
            Some(Value::Dictionary(entries)) => Some(&entries[..]),
            _ => None,
        }
    };
    let usual = ["model", "state_dict", "model_state_dict"];
    Ok(usual.into_iter().find_map(under).unwrap_or(entries))
}

/// The bytes of a safetensors file.
pub(crate) fn to_safetensors(tensors: &[NamedTensor]) -> Result<Vec<u8>, String> {
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

/// The contents of a file of the archive.
fn entry(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>, String> {
    let damaged = |error: &dyn std::fmt::Display| format!("{name}: {error}");
    let mut file = archive.by_name(name).map_err(|error| damaged(&error))?;
    if file.compression() != CompressionMethod::Stored {
        return Err(damaged(&"compressed, which torch.save never does"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
    Ok(bytes)
}

/// Shape and values of a tensor; what it takes goes off the budget of bytes.
fn tensor(
    pickle: &Pickle,
    value: &Value,
    budget: &mut u64,
    read: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<(Vec<usize>, Vec<f32>), String> {
    let Value::Tensor { storage, offset, shape, strides } = value else {
        return Err("no tensor".into());
    };
    let Value::Storage { key, dtype, len } = pickle.get(*storage) else {
        return Err("a tensor without storage".into());
    };
    if shape.len() != strides.len() {
        return Err(format!("{} extents with {} strides", shape.len(), strides.len()));
    }
    let size = dtype.size();
    let count = shape.iter().try_fold(size, |bytes, extent| bytes.checked_mul(*extent));
    let taken = count.filter(|bytes| *bytes <= *budget);
    *budget -= taken.ok_or("larger than the file has bytes")?;
    let last = shape.iter().zip(strides).try_fold(*offset, |last, (extent, stride)| {
        last.checked_add(extent.saturating_sub(1).checked_mul(*stride)?)
    });
    let empty = shape.contains(&0);
    if !empty && last.is_none_or(|last| last >= *len) {
        return Err("reaches beyond its storage".into());
    }
    let bytes = read(key)?;
    if len.checked_mul(size).is_none_or(|wanted| wanted > bytes.len() as u64) {
        return Err(format!("{} bytes of storage for {len} values", bytes.len()));
    }
    let (shape, values) = (shape.iter().map(|extent| *extent as usize), &bytes[..]);
    let shape: Vec<usize> = shape.collect();
    let value = |place: u64| dtype.value(&values[(place * size) as usize..][..size as usize]);
    let values = places(&shape, strides, *offset).map(value).collect();
    Ok((shape, values))
}

/// Where the values of a tensor lie in its storage, row by row.
fn places(shape: &[usize], strides: &[u64], offset: u64) -> impl Iterator<Item = u64> {
    let count: usize = shape.iter().product();
    (0..count).map(move |mut i| {
        let mut place = offset;
        for (extent, stride) in shape.iter().zip(strides).rev() {
            place += (i % extent) as u64 * stride;
            i /= extent;
        }
        place
    })
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
        assert_eq!(decode(&encode(&tensors()).unwrap()).unwrap(), tensors());
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

    #[test]
    fn views_are_followed_and_stay_within_their_storage() {
        let places: Vec<u64> = places(&[2, 3], &[1, 2], 4).collect();
        assert_eq!(places, [4, 6, 8, 5, 7, 9]);
        assert_eq!(super::places(&[], &[], 3).collect::<Vec<_>>(), [3]);
        assert_eq!(super::places(&[0, 3], &[3, 1], 0).count(), 0);
    }
}
