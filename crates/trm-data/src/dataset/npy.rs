//! Arrays of integers in NumPy's `.npy` format.

use crate::text::foreign;
use std::ops::Range;

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
    let Some((header, data)) = split(bytes) else {
        return Err("not a readable .npy file: its header is missing or cut short".into());
    };
    let Header { descr, fortran, shape } = Header::parse(header)?;
    if fortran && shape.len() > 1 {
        return Err("stored column by column; save it in C order".into());
    }
    let (order, kind) = descr.split_at_checked(1).unwrap_or_default();
    let read: fn(&[u8]) -> i64 = match kind {
        "u1" => |bytes| bytes[0].into(),
        "i1" => |bytes| i64::from(bytes[0] as i8),
        "u2" => |bytes| u16::from_le_bytes(first(bytes)).into(),
        "i2" => |bytes| i16::from_le_bytes(first(bytes)).into(),
        "u4" => |bytes| u32::from_le_bytes(first(bytes)).into(),
        "i4" => |bytes| i32::from_le_bytes(first(bytes)).into(),
        "i8" => |bytes| i64::from_le_bytes(first(bytes)),
        _ => return Err(format!("an array of {}; expected integers", foreign(descr))),
    };
    let size = usize::from(kind.as_bytes()[1] - b'0');
    // extents of 0 must not hide an overflow before them
    let count = shape.iter().try_fold(1usize, |count, extent| count.checked_mul(*extent.max(&1)));
    let empty = shape.contains(&0);
    let needed = count.and_then(|count| count.checked_mul(size));
    if needed.is_none_or(|needed| !empty && needed > data.len()) {
        return Err("not a readable .npy file: cut short, its header promises more values".into());
    }
    let data = &data[..if empty { 0 } else { needed.unwrap_or(0) }];
    let value = |(place, bytes): (usize, &[u8])| {
        let mut little = [0; 8];
        little[..size].copy_from_slice(bytes);
        if order == ">" {
            little[..size].reverse();
        }
        let value = read(&little);
        T::try_from(value).map_err(|_| format!("value {value} at place {place} is out of range"))
    };
    data.chunks_exact(size).enumerate().map(value).collect()
}

/// [`decode`] of bytes; of an array of bytes without a second copy.
///
/// # Errors
/// As [`decode`].
pub(crate) fn decode_bytes(mut file: Vec<u8>) -> Result<Vec<u8>, String> {
    let Some(values) = plain_bytes(&file) else { return decode(&file) };
    file.truncate(values.end);
    file.drain(..values.start);
    Ok(file)
}

/// Where in a file the values lie, if they are as many bytes as it promises.
fn plain_bytes(file: &[u8]) -> Option<Range<usize>> {
    let (header, data) = split(file)?;
    let Header { descr, fortran, shape } = Header::parse(header).ok()?;
    let needed = shape.iter().try_fold(1usize, |count, extent| count.checked_mul(*extent))?;
    let is_plain = descr.get(1..) == Some("u1") && !(fortran && shape.len() > 1);
    let start = file.len() - data.len();
    (is_plain && needed <= data.len()).then(|| start..start + needed)
}

/// As many of the first bytes as a type has.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i])
}

/// The dictionary at the beginning, and the values.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (len, start) = match rest.first()? {
        1 => (u16::from_le_bytes(rest.get(2..4)?.try_into().ok()?).into(), 4),
        _ => (u32::from_le_bytes(rest.get(2..6)?.try_into().ok()?) as usize, 6),
    };
    let (header, data) = rest.get(start..)?.split_at_checked(len)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// What NumPy writes before the values: a dictionary of Python with three keys.
struct Header<'a> {
    /// Order of bytes, kind and size, such as `<i4`.
    descr: &'a str,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header<'_> {
    fn parse(text: &str) -> Result<Header<'_>, String> {
        let lacks = |what: &str| format!("not a readable .npy file: its header has no {what}");
        let descr = value_of(text, "descr").ok_or_else(|| lacks("descr"))?;
        let quote = descr.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
        let Some((descr, _)) = quote.and_then(|quote| descr[1..].split_once(quote)) else {
            return Err("a structured array; expected integers".into());
        };
        let order = value_of(text, "fortran_order").ok_or_else(|| lacks("fortran_order"))?;
        let fortran = match (order.starts_with("True"), order.starts_with("False")) {
            (false, false) => return Err(lacks("fortran_order")),
            (fortran, _) => fortran,
        };
        let shape = value_of(text, "shape").and_then(|shape| shape.strip_prefix('('));
        let (shape, _) = shape.and_then(|s| s.split_once(')')).ok_or_else(|| lacks("shape"))?;
        let extents = shape.split(',').map(str::trim).filter(|extent| !extent.is_empty());
        let shape = extents.map(|extent| extent.parse().map_err(|_| lacks("shape of numbers")));
        Ok(Header { descr, fortran, shape: shape.collect::<Result<_, _>>()? })
    }
}

/// What follows a key and its colon.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) =
        text.split_once(&format!("'{key}'")).or_else(|| text.split_once(&format!("\"{key}\"")))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        [&file, header.as_bytes(), data].concat()
    }

    #[test]
    fn integers_of_any_kind_are_read() {
        let header = |kind: &str, shape: &str| {
            format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}\n")
        };
        let read = |kind: &str, shape: &str, data: &[u8]| decode(&file(&header(kind, shape), data));
        assert_eq!(read("|u1", "2, 1", &[7, 255]), Ok(vec![7i64, 255]));
        assert_eq!(read("|i1", "2,", &[7, 255]), Ok(vec![7, -1]));
        assert_eq!(read("<i2", "1,", &[1, 255]), Ok(vec![-255]));
        assert_eq!(read(">u2", "1,", &[1, 255]), Ok(vec![511]));
        assert_eq!(read("<i8", "", &[3, 0, 0, 0, 0, 0, 0, 0]), Ok(vec![3]));
        assert_eq!(read("<u4", "0, 5", &[]), Ok(vec![]));
        assert_eq!(decode::<i64>(&encode(&[2, 2], [1, -2, 3, 4i32])), Ok(vec![1, -2, 3, 4]));
        for (kind, shape) in
            [("|u1", "2, 1"), ("|u1", "0,"), ("<i2", "1,"), ("|u1", "9,"), ("|u1", "x")]
        {
            let file = file(&header(kind, shape), &[7, 0, 9]);
            assert_eq!(decode_bytes(file.clone()), decode(&file), "{kind} {shape}");
        }
        let error = |kind: &str, shape: &str| read(kind, shape, &[1; 8]).unwrap_err();
        assert!(error("<i4", "3,").contains("promises more values"));
        assert!(error("<i4", "0, 99999999999, 99999999999").contains("promises more values"));
        assert_eq!(error("<f4", "2,"), "an array of <f4; expected integers");
        assert!(error("", "2,").contains("expected integers"));
        assert!(error("<i4", "x").contains("no shape of numbers"));
        assert_eq!(
            decode::<u8>(&file(&header("<i2", "1,"), &[0, 1])),
            Err("value 256 at place 0 is out of range".into())
        );
    }

    #[test]
    fn odd_headers_are_refused_in_one_line() {
        let error = |header: &str| decode::<u8>(&file(header, &[1; 8])).unwrap_err();
        let rest = "'fortran_order': False, 'shape': (1,)";
        assert!(error(&format!("{{'descr': [('a', '<i4')], {rest}}}")).contains("structured"));
        assert!(error("{}").contains("no descr"));
        assert!(
            error("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 2)}").contains("C order")
        );
        assert!(decode::<u8>(b"\x93NUMPY\x01\x00\xff\xff{").unwrap_err().contains("cut short"));
    }
}
