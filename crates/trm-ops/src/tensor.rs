use crate::device::Device;
use crate::dtype::DType;
use crate::kernels::DeviceError;
use crate::tape::Var;
use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// An immutable, row-major, n-dimensional array. Cloning shares the storage.
#[derive(Clone)]
pub struct Tensor {
    shape: Arc<[usize]>,
    dtype: DType,
    storage: Arc<dyn Any + Send + Sync>,
    device: Device,
    var: Option<Var>,
}

impl Tensor {
    /// A tensor over storage of its device's own kind.
    pub fn new(
        device: &Device,
        shape: &[usize],
        dtype: DType,
        storage: Arc<dyn Any + Send + Sync>,
    ) -> Tensor {
        Tensor { shape: shape.into(), dtype, storage, device: device.clone(), var: None }
    }

    /// A tensor of arbitrary contents, to be filled by an operation.
    pub(crate) fn uninit(device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        device.kernels().uninit(device, shape, dtype)
    }

    /// An f32 tensor with the given values.
    ///
    /// # Panics
    /// If the number of values is not the product of the shape.
    pub fn from_f32(device: &Device, shape: &[usize], values: &[f32]) -> Tensor {
        let len = shape.iter().product::<usize>();
        assert_eq!(len, values.len(), "{shape:?} does not hold {} values", values.len());
        device.kernels().upload(device, shape, DType::F32, values)
    }

    /// A tensor of zeros.
    pub fn zeros(device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        device.kernels().zeros(device, shape, dtype)
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
    ///
    /// # Errors
    /// If the device is lost.
    pub fn to_f32_vec(&self) -> Result<Vec<f32>, DeviceError> {
        self.device.kernels().read(self)
    }

    /// All values, in row-major order, as little-endian f32: a copy only where they lie otherwise.
    ///
    /// # Errors
    /// If the device is lost.
    ///
    /// ```
    /// let device = trm_ops::Device::cpu(1);
    /// let tensor = trm_ops::Tensor::from_f32(&device, &[1], &[-2.0]);
    /// assert_eq!(*tensor.f32_bytes()?, [0, 0, 0, 0xc0]);
    /// # Ok::<(), trm_ops::DeviceError>(())
    /// ```
    pub fn f32_bytes(&self) -> Result<Cow<'_, [u8]>, DeviceError> {
        self.device.kernels().read_bytes(self)
    }

    /// Of every row along the last dimension, of at most 256 values, the place of the largest; the first of equal
    /// ones.
    ///
    /// # Errors
    /// If the device is lost.
    ///
    /// ```
    /// let device = trm_ops::Device::cpu(1);
    /// let logits = trm_ops::Tensor::from_f32(&device, &[2, 3], &[0.0, 2.0, 1.0, 4.0, -1.0, 4.0]);
    /// assert_eq!(logits.argmax()?, [1, 0]);
    /// # Ok::<(), trm_ops::DeviceError>(())
    /// ```
    pub fn argmax(&self) -> Result<Vec<u8>, DeviceError> {
        assert!(self.last_dim() <= 256, "places of {} values", self.last_dim());
        self.device.kernels().argmax(self)
    }

    /// Of every puzzle whether the likeliest token of each labelled cell is its label: 1, else 0; 0 without
    /// labels. Cells whose label equals `ignore` do not count.
    ///
    /// # Shapes
    /// self `[B, S, V]` f32, labels `[B · S]`, output `[B]` f32.
    pub fn exact_rows(&self, labels: &[u8], ignore: u8) -> Tensor {
        assert_eq!(self.len(), labels.len() * self.last_dim(), "labels of {:?}", self.shape);
        self.device.kernels().exact_rows(self, labels, ignore)
    }

    /// Whether no value is a NaN or an infinity.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn is_finite(&self) -> Result<bool, DeviceError> {
        self.device.kernels().is_finite(self)
    }

    /// Sum of squares of an f32 tensor, in f64.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn square_sum(&self) -> Result<f64, DeviceError> {
        self.device.kernels().square_sum(self)
    }

    /// Multiplies an f32 tensor in place.
    pub fn scale(&mut self, factor: f32) {
        assert_eq!(self.dtype, DType::F32, "scaled in f32");
        self.device.clone().kernels().scale(self, factor);
    }

    /// The same values in another number format (itself, if it has that format already).
    pub fn to_dtype(&self, dtype: DType) -> Tensor {
        match dtype == self.dtype {
            true => self.clone(),
            false => self.device.kernels().convert(self, dtype),
        }
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

    /// Overwrites row `row` (an index along the first dimension) with f32 `values` repeated to fill it.
    ///
    /// # Panics
    /// If the row does not exist or is not a whole number of `values`.
    pub fn fill_row(&mut self, row: usize, values: &Tensor) {
        assert!(row < self.shape[0], "row {row} of {:?}", self.shape);
        assert_eq!(self.row_len() % values.len(), 0, "{:?} in {:?}", values.shape, self.shape);
        self.device.clone().kernels().fill_row(self, row, values);
    }

    /// Some of the rows, in the order given; a row may be taken several times.
    ///
    /// # Shapes
    /// self `[R, ..]`, output `[rows.len(), ..]`.
    ///
    /// # Panics
    /// If a row does not exist, or if the tensor is tracked by a tape.
    pub fn select_rows(&self, rows: &[usize]) -> Tensor {
        assert!(self.var.is_none(), "select_rows is not a recorded operation");
        assert!(rows.iter().all(|row| *row < self.shape[0]), "a row beyond {:?}", self.shape);
        self.device.kernels().select_rows(self, rows)
    }

    /// The rows of this tensor, then those of `other`.
    ///
    /// # Shapes
    /// self `[R, ..]`, other `[Q, ..]`, output `[R + Q, ..]`.
    ///
    /// # Panics
    /// If the rows differ in shape or dtype, or if either tensor is tracked by a tape.
    pub fn append_rows(&self, other: &Tensor) -> Tensor {
        assert!(self.var.or(other.var).is_none(), "append_rows is not a recorded operation");
        let rows = |x: &Tensor| (x.shape[1..].to_vec(), x.dtype);
        assert_eq!(rows(self), rows(other), "rows");
        self.device.kernels().append_rows(self, other)
    }

    /// Adds to one row, rounding each sum to the dtype.
    ///
    /// # Panics
    /// If the row does not exist or has another length.
    pub fn add_to_row(&mut self, row: usize, terms: &[f32]) {
        assert!(row < self.shape[0], "row {row} of {:?}", self.shape);
        assert_eq!(terms.len(), self.row_len(), "a term for every element of a row");
        self.device.clone().kernels().add_to_row(self, row, terms);
    }

    /// Elements of a row.
    pub(crate) fn row_len(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// What the device keeps the values in.
    pub fn storage(&self) -> &(dyn Any + Send + Sync) {
        &*self.storage
    }

    /// The same for writing; `None` while another tensor shares it.
    pub fn storage_mut(&mut self) -> Option<&mut (dyn Any + Send + Sync)> {
        Arc::get_mut(&mut self.storage)
    }

    /// Takes the storage of a tensor of the same size and dtype.
    ///
    /// # Panics
    /// If they differ.
    pub fn take_storage(&mut self, other: Tensor) {
        let form = |x: &Tensor| (x.len(), x.dtype);
        assert_eq!(form(self), form(&other), "storage of the same size");
        self.storage = other.storage;
    }

    /// Whether no other tensor shares the storage.
    pub(crate) fn is_unique(&self) -> bool {
        Arc::strong_count(&self.storage) == 1
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::devices;

    #[test]
    fn writing_to_a_shared_tensor_leaves_the_other_alone() {
        for device in devices() {
            let first = Tensor::from_f32(&device, &[2, 2], &[1.0, 2.0, 3.0, 4.0]);
            let mut second = first.clone();
            second.fill_row(1, &Tensor::from_f32(&device, &[1], &[9.0]));
            assert_eq!(first.to_f32_vec().unwrap(), [1.0, 2.0, 3.0, 4.0]);
            assert_eq!(second.to_f32_vec().unwrap(), [1.0, 2.0, 9.0, 9.0]);
        }
    }

    #[test]
    fn bf16_keeps_eight_bits() {
        for device in devices() {
            let x = Tensor::from_f32(&device, &[3], &[1.0, 1.003, -2.5]).to_dtype(DType::Bf16);
            assert_eq!(x.to_f32_vec().unwrap(), [1.0, 1.0, -2.5]);
        }
    }

    #[test]
    fn rows_are_taken_and_appended_bit_for_bit() {
        let device = Device::cpu(1);
        for dtype in [DType::F32, DType::Bf16] {
            let tensor = |rows: usize, values: &[f32]| {
                Tensor::from_f32(&device, &[rows, 1, 2], values).to_dtype(dtype)
            };
            let x = tensor(3, &[1.0, -2.0, 3.0, 0.5, -0.0, f32::INFINITY]);
            let some = x.select_rows(&[2, 0, 0]);
            assert_eq!((some.shape(), some.dtype()), (&[3, 1, 2][..], dtype));
            assert_eq!(some.to_f32_vec().unwrap(), [-0.0, f32::INFINITY, 1.0, -2.0, 1.0, -2.0]);
            assert!(some.to_f32_vec().unwrap()[0].is_sign_negative());

            let none = x.select_rows(&[]);
            assert_eq!((none.shape(), none.len()), (&[0, 1, 2][..], 0));
            let more = none.append_rows(&x).append_rows(&tensor(1, &[7.0, 8.0]));
            assert_eq!((more.shape(), more.dtype()), (&[4, 1, 2][..], dtype));
            assert_eq!(more.select_rows(&[0, 1, 2]).to_f32_vec().unwrap(), x.to_f32_vec().unwrap());
            assert_eq!(more.select_rows(&[3]).to_f32_vec().unwrap(), [7.0, 8.0]);
        }
    }

    #[test]
    fn terms_are_added_to_one_row_alone() {
        let device = Device::cpu(1);
        for dtype in [DType::F32, DType::Bf16] {
            let mut x = Tensor::from_f32(&device, &[2, 2], &[1.0, 2.0, 3.0, 4.0]).to_dtype(dtype);
            x.add_to_row(1, &[0.5, -4.0]);
            assert_eq!(x.to_f32_vec().unwrap(), [1.0, 2.0, 3.5, 0.0]);
        }
    }

    #[test]
    #[should_panic(expected = "rows")]
    fn rows_of_other_shapes_are_not_appended() {
        let device = Device::cpu(1);
        let zeros = |shape: &[usize]| Tensor::zeros(&device, shape, DType::F32);
        zeros(&[1, 2]).append_rows(&zeros(&[1, 3]));
    }
}
