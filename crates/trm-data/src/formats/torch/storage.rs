//! Number formats, and the values of a tensor in its storage.

use super::pickle::{Pickle, Value};
use half::{bf16, f16};
use std::borrow::Cow;
use std::collections::HashMap;

/// The bytes of storages by their keys.
pub(super) type Storages<'b> = HashMap<String, Cow<'b, [u8]>>;

/// Number formats of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DType {
    F64,
    F32,
    F16,
    Bf16,
    /// Integers or flags of so many bytes.
    Integer(u64),
}

impl DType {
    pub(super) fn of_storage(class: &str) -> Result<DType, String> {
        match class {
            "torch.DoubleStorage" => Ok(DType::F64),
            "torch.FloatStorage" => Ok(DType::F32),
            "torch.HalfStorage" => Ok(DType::F16),
            "torch.BFloat16Storage" => Ok(DType::Bf16),
            "torch.LongStorage" => Ok(DType::Integer(8)),
            "torch.IntStorage" => Ok(DType::Integer(4)),
            "torch.ShortStorage" => Ok(DType::Integer(2)),
            "torch.CharStorage" | "torch.ByteStorage" | "torch.BoolStorage" => {
                Ok(DType::Integer(1))
            }
            other => Err(format!("{other}: weights are f64, f32, f16 or bf16")),
        }
    }

    pub(super) fn size(self) -> u64 {
        match self {
            DType::F64 => 8,
            DType::F32 => 4,
            DType::F16 | DType::Bf16 => 2,
            DType::Integer(size) => size,
        }
    }

    /// One value, rounded to f32 where it is longer.
    pub(super) fn value(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (DType::F64, &[a, b, c, d, e, f, g, h]) => {
                f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32
            }
            (DType::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (DType::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
            (DType::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
            _ => unreachable!("numbers, and as many bytes as one has"),
        }
    }
}

/// Shape and values of a tensor; the bytes that it takes go off the budget.
pub(super) fn tensor(
    pickle: &Pickle,
    value: &Value,
    storages: &Storages<'_>,
    budget: &mut u64,
) -> Result<(Vec<usize>, Vec<f32>), String> {
    let Value::Tensor { storage, offset, shape, strides } = value else {
        return Err("no tensor".into());
    };
    let Value::Storage { key, dtype, len } = pickle.get(*storage) else {
        return Err("a tensor without storage".into());
    };
    if let DType::Integer(_) = dtype {
        return Err("integers, which weights are not".into());
    }
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
    if !shape.contains(&0) && last.is_none_or(|last| last >= *len) {
        return Err("reaches beyond its storage".into());
    }
    let bytes = storages.get(key).ok_or("its storage is missing")?;
    if len.checked_mul(size).is_none_or(|wanted| wanted > bytes.len() as u64) {
        return Err(format!("{} bytes of storage for {len} values", bytes.len()));
    }
    let shape: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
    let value = |place: u64| dtype.value(&bytes[(place * size) as usize..][..size as usize]);
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
    #[test]
    fn views_are_followed_and_stay_within_their_storage() {
        let places: Vec<u64> = super::places(&[2, 3], &[1, 2], 4).collect();
        assert_eq!(places, [4, 6, 8, 5, 7, 9]);
        assert_eq!(super::places(&[], &[], 3).collect::<Vec<_>>(), [3]);
        assert_eq!(super::places(&[0, 3], &[3, 1], 0).count(), 0);
    }
}
