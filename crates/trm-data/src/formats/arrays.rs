//! Named arrays of a safetensors file: written from where they lie, found by name.

use safetensors::tensor::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;
use trm_ops::{DType, Device, DeviceError, Tensor};

/// Arrays of a safetensors file, by name. Cheap to take: tensors share their storage until training overwrites it.
pub type Arrays = Vec<(String, Stored)>;

/// One stored array.
pub struct Stored {
    shape: Vec<usize>,
    values: Values,
    /// Why the values could not be read, once that was tried; zeros were written in their place.
    lost: OnceLock<DeviceError>,
}

enum Values {
    Floats(Tensor),
    Bytes(Vec<u8>),
    Integers(Vec<u32>),
}

impl View for &Stored {
    fn dtype(&self) -> Dtype {
        match self.values {
            Values::Floats(_) => Dtype::F32,
            Values::Bytes(_) => Dtype::U8,
            Values::Integers(_) => Dtype::U32,
        }
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        match &self.values {
            Values::Floats(tensor) => tensor.f32_bytes().unwrap_or_else(|error| {
                self.lost.get_or_init(|| error);
                Cow::Owned(vec![0; self.data_len()])
            }),
            Values::Bytes(values) => Cow::Borrowed(values),
            Values::Integers(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        }
    }
    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype().bitsize() / 8
    }
}

impl Stored {
    fn new(shape: &[usize], values: Values) -> Stored {
        Stored { shape: shape.to_vec(), values, lost: OnceLock::new() }
    }

    /// The numbers of a tensor.
    pub fn floats(tensor: &Tensor) -> Stored {
        Stored::new(tensor.shape(), Values::Floats(tensor.clone()))
    }

    /// Bytes as they are.
    pub fn bytes(values: &[u8]) -> Stored {
        Stored::new(&[values.len()], Values::Bytes(values.to_vec()))
    }

    /// Whole numbers.
    pub fn integers(values: &[u32]) -> Stored {
        Stored::new(&[values.len()], Values::Integers(values.to_vec()))
    }

    /// Why what was written is not what the tensor holds, if so.
    pub fn lost(&self) -> Option<&DeviceError> {
        self.lost.get()
    }
}

/// Finds stored arrays by name.
pub struct Reader<'a> {
    file: SafeTensors<'a>,
    device: Device,
}

impl Reader<'_> {
    /// Of the bytes of a file; tensors go to the device.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn new<'a>(bytes: &'a [u8], device: &Device) -> Result<Reader<'a>, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| format!("damaged: {error}"))?;
        Ok(Reader { file, device: device.clone() })
    }

    fn raw(&self, name: &str) -> Result<&[u8], String> {
        self.file.tensor(name).map(|t| t.data()).map_err(|_| format!("{name} is missing"))
    }

    /// As many bytes as are expected.
    ///
    /// # Errors
    /// If there are none of this name, or not as many.
    pub fn bytes(&self, name: &str, len: usize) -> Result<Vec<u8>, String> {
        let data = self.raw(name)?;
        if data.len() != len {
            return Err(format!("{name} has {} values, not {len}", data.len()));
        }
        Ok(data.to_vec())
    }

    /// As many whole numbers as are expected.
    ///
    /// # Errors
    /// As [`Reader::bytes`].
    pub fn integers(&self, name: &str, len: usize) -> Result<Vec<u32>, String> {
        let data = self.bytes(name, 4 * len)?;
        Ok(data.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, String> {
        let data = self.raw(name)?.chunks_exact(4);
        Ok(data.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// A tensor of the shape and dtype of `like`.
    ///
    /// # Errors
    /// If there is none of this name, or it has other sizes or values that are not finite.
    pub fn tensor(&self, name: &str, like: &Tensor) -> Result<Tensor, String> {
        self.part(name, like, (like.len(), 0..like.len()))
    }

    /// Some rows of a tensor that has so many: they have the shape and dtype of `like`.
    ///
    /// # Errors
    /// As [`Reader::tensor`].
    pub fn rows(
        &self,
        name: &str,
        like: &Tensor,
        (all, rows): (usize, Range<usize>),
    ) -> Result<Tensor, String> {
        let of_row = like.len() / rows.len().max(1);
        self.part(name, like, (all * of_row, rows.start * of_row..rows.end * of_row))
    }

    fn part(
        &self,
        name: &str,
        like: &Tensor,
        (len, part): (usize, Range<usize>),
    ) -> Result<Tensor, String> {
        let values = self.values(name)?;
        if values.len() != len {
            return Err(format!("{name} has {} values, not {len}", values.len()));
        }
        let values = &values[part];
        if values.iter().any(|x| !x.is_finite()) {
            return Err(format!("{name} contains a NaN or an infinity"));
        }
        let tensor = Tensor::from_f32(&self.device, like.shape(), values);
        Ok(if like.dtype() == DType::F32 { tensor } else { tensor.to_dtype(like.dtype()) })
    }
}
