//! Arrays of integers in NumPy's `.npy` format.

use crate::text::foreign;
use npyz::{NpyFile, TypeChar};

/// A type of integers that is written.
pub(crate) trait Integer: Copy {
    /// NumPy's name for it.
    const KIND: &str;

    /// Its bytes, the lowest first.
    fn bytes(self) -> impl IntoIterator<Item = u8>;
}

impl Integer for u8 {
    const KIND: &str = "|u1";

    fn bytes(self) -> impl IntoIterator<Item = u8> {
        [self]
    }
}

impl Integer for i32 {
    const KIND: &str = "<i4";

    fn bytes(self) -> impl IntoIterator<Item = u8> {
        self.to_le_bytes()
    }
}

/// Values of a shape as the bytes of a file, the same that NumPy writes.
///
/// # Panics
/// If there are more or fewer values than the shape holds.
pub(crate) fn encode<T: Integer>(shape: &[usize], values: impl IntoIterator<Item = T>) -> Vec<u8> {
    let extents = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let comma = if shape.len() == 1 { "," } else { "" };
    let kind = T::KIND;
    let header =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({extents}{comma}), }}");
    let len = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((len as u16).to_le_bytes());
    file.extend(format!("{header:<width$}\n", width = len - 1).bytes());
    let start = file.len();
    file.extend(values.into_iter().flat_map(T::bytes));
    let count: usize = shape.iter().product();
    assert_eq!(file.len() - start, count * size_of::<T>(), "as many values as the shape holds");
    file
}

/// An array of any integer type, flattened, if all its values fit.
///
/// # Errors
/// One line: what is wrong with the file.
pub fn decode<T: TryFrom<i64>>(bytes: &[u8]) -> Result<Vec<T>, String> {
    let damaged = |error: std::io::Error| {
        let text = error.to_string(); // of a header with a picture of the place, in several lines
        let first = text.lines().next().unwrap_or_default();
        format!(
            "not a readable .npy file: {}",
            foreign(first.split(" --> ").next().unwrap_or_default().trim_end())
        )
    };
    let Some(header) = header(bytes) else {
        return Err("not a readable .npy file: its header is missing or cut short".into());
    };
    let opened = |bracket: u8| header.iter().filter(|byte| **byte == bracket).count();
    if opened(b'[') > 0 || opened(b'(') > 1 || opened(b'{') > 1 {
        return Err("a structured array; expected integers".into());
    }
    if extents(header).is_none_or(|count| count > bytes.len() as u64) {
        return Err("cut short: the header promises more values".into());
    }
    let file = NpyFile::new(bytes).map_err(damaged)?;
    let npyz::DType::Plain(kind) = file.dtype() else {
        return Err("a structured array; expected integers".into());
    };
    if file.order() == npyz::Order::Fortran && file.shape().len() > 1 {
        return Err("stored column by column; save it in C order".into());
    }
    let size = file.len().checked_mul(kind.size_field());
    if size.is_none_or(|size| size > bytes.len() as u64) {
        return Err("cut short: the header promises more values".into());
    }
    let values = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Uint, 1) => convert::<u8, T>(file),
        (TypeChar::Uint, 2) => convert::<u16, T>(file),
        (TypeChar::Uint, 4) => convert::<u32, T>(file),
        (TypeChar::Int, 1) => convert::<i8, T>(file),
        (TypeChar::Int, 2) => convert::<i16, T>(file),
        (TypeChar::Int, 4) => convert::<i32, T>(file),
        (TypeChar::Int, 8) => convert::<i64, T>(file),
        _ => return Err(format!("an array of {kind}; expected integers")),
    };
    values.map_err(damaged)?
}

/// The dictionary at the beginning. The reader would reserve any length that is promised, and take
/// exponential time for nested brackets.
fn header(bytes: &[u8]) -> Option<&[u8]> {
    let (start, len) = match bytes.get(6)? {
        1 => (10, u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?).into()),
        _ => (12, u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize),
    };
    bytes.get(start..)?.get(..len)
}

/// How many values the shape holds; the reader would multiply it out unchecked. The shape is the only
/// thing in parentheses.
fn extents(header: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(header).ok()?;
    let (_, shape) = text.split_once('(').unwrap_or_default();
    let (shape, _) = shape.split_once(')').unwrap_or_default();
    let mut extents = shape.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    // extents of 0 must not hide an overflow before them
    extents.try_fold(1u64, |count, extent| count.checked_mul(extent.parse::<u64>().ok()?.max(1)))
}

fn convert<S, T>(file: NpyFile<&[u8]>) -> std::io::Result<Result<Vec<T>, String>>
where
    S: npyz::Deserialize + Into<i64>,
    T: TryFrom<i64>,
{
    let fit = |(i, value): (usize, S)| {
        let value = value.into();
        T::try_from(value).map_err(|_| format!("value {value} at place {i} is out of range"))
    };
    Ok(file.into_vec::<S>()?.into_iter().enumerate().map(fit).collect())
}
