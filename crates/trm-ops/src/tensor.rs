use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::math::vectorized;
use crate::storage::Buffer;
use crate::tape::Var;
use half::bf16;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// An immutable, row-major, n-dimensional array. Cloning shares the storage.
#[derive(Clone)]
pub struct Tensor {
    shape: Arc<[usize]>,
    dtype: DType,
    storage: Arc<Buffer>,
    device: Device,
    var: Option<Var>,
}

impl Tensor {
    /// A tensor of arbitrary contents, to be filled by an operation.
    pub(crate) fn uninit(device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        let bytes = shape.iter().product::<usize>() * dtype.size();
        let storage = Arc::new(Buffer::new(device.recycler(), bytes));
        Tensor { shape: shape.into(), dtype, storage, device: device.clone(), var: None }
    }

    /// An f32 tensor with the given values.
    ///
    /// # Panics
    /// If the number of values is not the product of the shape.
    pub fn from_f32(device: &Device, shape: &[usize], values: &[f32]) -> Tensor {
        let mut tensor = Tensor::uninit(device, shape, DType::F32);
        assert_eq!(tensor.len(), values.len(), "{shape:?} does not hold {} values", values.len());
        tensor.slice_mut::<f32>().copy_from_slice(values);
        tensor
    }

    /// A tensor of zeros.
    pub fn zeros(device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        let mut tensor = Tensor::uninit(device, shape, dtype);
        match dtype {
            DType::F32 => tensor.slice_mut::<f32>().fill(0.0),
            DType::Bf16 => tensor.slice_mut::<bf16>().fill(bf16::ZERO),
        }
        tensor
    }

    /// Zeros of this tensor's shape, in f32.
    pub fn zeros_like(&self) -> Tensor {
        Tensor::zeros(&self.device, &self.shape, DType::F32)
    }

    /// The extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number format of the storage.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device that holds the storage.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The innermost extent.
    pub(crate) fn last_dim(&self) -> usize {
        *self.shape.last().expect("a tensor of at least one dimension")
    }

    /// All values, in row-major order, as f32.
    pub fn to_f32_vec(&self) -> Vec<f32> {
        match self.dtype {
            DType::F32 => self.slice::<f32>().to_vec(),
            DType::Bf16 => self.slice::<bf16>().iter().map(|x| Element::to_f32(*x)).collect(),
        }
    }

    /// All values, in row-major order, as little-endian f32: a copy only where they lie otherwise.
    ///
    /// ```
    /// let device = trm_ops::Device::cpu(1);
    /// let tensor = trm_ops::Tensor::from_f32(&device, &[1], &[-2.0]);
    /// assert_eq!(*tensor.f32_bytes(), [0, 0, 0, 0xc0]);
    /// ```
    pub fn f32_bytes(&self) -> Cow<'_, [u8]> {
        if cfg!(target_endian = "little") && self.dtype == DType::F32 {
            return Cow::Borrowed(bytemuck::cast_slice(self.slice::<f32>()));
        }
        Cow::Owned(self.to_f32_vec().iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    /// Whether no value is a NaN or an infinity.
    pub fn is_finite(&self) -> bool {
        match self.dtype {
            DType::F32 => self.slice::<f32>().iter().all(|x| x.is_finite()),
            DType::Bf16 => self.slice::<bf16>().iter().all(|x| x.is_finite()),
        }
    }

    /// The same values in another number format (itself, if it has that format already).
    pub fn to_dtype(&self, dtype: DType) -> Tensor {
        fn convert<S: Element, T: Element>(source: &[S], target: &mut [T]) {
            vectorized!({
                for (t, s) in target.iter_mut().zip(source) {
                    *t = T::from_f32(s.to_f32());
                }
            });
        }
        if dtype == self.dtype {
            return self.clone();
        }
        let mut out = Tensor::uninit(&self.device, &self.shape, dtype);
        match dtype {
            DType::F32 => convert(self.slice::<bf16>(), out.slice_mut::<f32>()),
            DType::Bf16 => convert(self.slice::<f32>(), out.slice_mut::<bf16>()),
        }
        out
    }

    /// The same values under another shape.
    ///
    /// # Panics
    /// If the number of elements differs, or if the tensor is tracked by a tape.
    pub fn reshape(mut self, shape: &[usize]) -> Tensor {
        assert_eq!(self.len(), shape.iter().product::<usize>(), "{:?} to {shape:?}", self.shape);
        assert!(self.var.is_none(), "reshape is not a recorded operation");
        self.shape = shape.into();
        self
    }

    /// The same values, unknown to any tape.
    pub fn detach(mut self) -> Tensor {
        self.var = None;
        self
    }

    /// Overwrites row `row` (an index along the first dimension) with `values` repeated to fill it.
    ///
    /// # Panics
    /// If the row does not exist or is not a whole number of `values`.
    pub fn fill_row(&mut self, row: usize, values: &[f32]) {
        fn fill<T: Element>(row: &mut [T], values: &[f32]) {
            assert_eq!(row.len() % values.len(), 0, "{} in {}", values.len(), row.len());
            for part in row.chunks_exact_mut(values.len()) {
                part.iter_mut().zip(values).for_each(|(t, v)| *t = T::from_f32(*v));
            }
        }
        let len = self.len() / self.shape[0];
        let range = row * len..(row + 1) * len;
        match self.dtype {
            DType::F32 => fill(&mut self.slice_mut::<f32>()[range], values),
            DType::Bf16 => fill(&mut self.slice_mut::<bf16>()[range], values),
        }
    }

    pub(crate) fn slice<T: Element>(&self) -> &[T] {
        assert_eq!(T::DTYPE, self.dtype, "storage type");
        self.storage.slice(self.len())
    }

    /// Whether no other tensor shares the storage.
    pub(crate) fn is_unique(&self) -> bool {
        Arc::strong_count(&self.storage) == 1
    }

    /// Write access; copies the storage first if another tensor shares it.
    pub(crate) fn slice_mut<T: Element>(&mut self) -> &mut [T] {
        assert_eq!(T::DTYPE, self.dtype, "storage type");
        let len = self.len();
        if Arc::get_mut(&mut self.storage).is_none() {
            let mut copy = Buffer::new(self.device.recycler(), len * self.dtype.size());
            copy.slice_mut::<T>(len).copy_from_slice(self.slice::<T>());
            self.storage = Arc::new(copy);
        }
        Arc::get_mut(&mut self.storage).expect("just made unique").slice_mut(len)
    }

    pub(crate) fn var(&self) -> Option<Var> {
        self.var
    }

    pub(crate) fn with_var(mut self, var: Var) -> Tensor {
        self.var = Some(var);
        self
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({:?} {})", self.shape, self.dtype)
    }
}

/// Runs a generic kernel with the element type that a dtype stands for.
macro_rules! dispatch {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::DType::Bf16 => {
                type $t = half::bf16;
                $body
            }
        }
    };
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_to_a_shared_tensor_leaves_the_other_alone() {
        let device = Device::cpu(1);
        let first = Tensor::from_f32(&device, &[2, 2], &[1.0, 2.0, 3.0, 4.0]);
        let mut second = first.clone();
        second.fill_row(1, &[9.0]);
        assert_eq!(first.to_f32_vec(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(second.to_f32_vec(), [1.0, 2.0, 9.0, 9.0]);
    }

    #[test]
    fn bf16_keeps_eight_bits() {
        let device = Device::cpu(1);
        let x = Tensor::from_f32(&device, &[3], &[1.0, 1.003, -2.5]).to_dtype(DType::Bf16);
        assert_eq!(x.to_f32_vec(), [1.0, 1.0, -2.5]);
    }
}
