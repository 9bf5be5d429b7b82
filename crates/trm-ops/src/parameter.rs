use crate::bfloat16::{PackedRhs, even_rows};
use crate::dtype::DType;
use crate::tensor::Tensor;
use half::bf16;
use std::sync::{Arc, OnceLock};

/// A trained tensor: an f32 master with its name, and the forms that products want it in, made when
/// first needed and kept until the next update.
#[derive(Clone, Debug)]
pub struct Parameter {
    index: usize,
    name: Arc<str>,
    value: Tensor,
    forms: Arc<Forms>,
}

/// Copies of the master that products read.
#[derive(Debug, Default)]
struct Forms {
    transposed: OnceLock<Tensor>,
    columns: OnceLock<Vec<PackedRhs>>,
    rows: OnceLock<PackedRhs>,
    left: OnceLock<Tensor>,
    left_transposed: OnceLock<Tensor>,
}

impl Parameter {
    /// A parameter with its place in the model's list and its name in the model's file.
    ///
    /// # Panics
    /// If the value is not f32.
    pub fn new(index: usize, name: impl Into<Arc<str>>, value: Tensor) -> Parameter {
        assert_eq!(value.dtype(), DType::F32, "masters are f32");
        Parameter { index, name: name.into(), value, forms: Arc::default() }
    }

    /// Place in the model's list of parameters; gradients are filed under it.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Name in the model's file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The f32 master.
    pub fn value(&self) -> &Tensor {
        &self.value
    }

    /// Replaces the master.
    ///
    /// # Panics
    /// If shape or dtype differ.
    pub fn set(&mut self, value: Tensor) {
        assert_eq!(value.shape(), self.value.shape(), "{}", self.name);
        assert_eq!(value.dtype(), DType::F32, "masters are f32");
        self.value = value;
        self.forms = Arc::default();
    }

    /// The rows of a table by index: `[ids.len(), width]`.
    ///
    /// # Panics
    /// If a row does not exist.
    pub fn select(&self, ids: &[u32]) -> Tensor {
        let width = self.value.last_dim();
        let table = self.value.slice::<f32>();
        let values: Vec<f32> =
            ids.iter().flat_map(|id| &table[*id as usize * width..][..width]).copied().collect();
        Tensor::from_f32(self.value.device(), &[ids.len(), width], &values)
    }

    /// The master for an update in place; all derived forms are forgotten.
    pub(crate) fn value_mut(&mut self) -> &mut Tensor {
        self.forms = Arc::default();
        &mut self.value
    }

    /// The transposed matrix, `[K, N]`, f32: products with it read memory in order.
    pub(crate) fn transposed(&self) -> &Tensor {
        self.forms.transposed.get_or_init(|| transpose(&self.value))
    }

    /// `Wᵀ` as a right operand in bf16, for `x · Wᵀ`; its columns in `parts` equal parts.
    pub(crate) fn columns(&self, parts: usize) -> &[PackedRhs] {
        let [n, k] = self.extent();
        let pack = || {
            let rounded = self.value.to_dtype(DType::Bf16);
            let parts = rounded.slice::<bf16>().chunks_exact(n / parts * k);
            parts.map(|w| PackedRhs::from_columns(self.value.device(), w, w.len() / k, k)).collect()
        };
        self.forms.columns.get_or_init(pack)
    }

    /// `W` as a right operand in bf16, for `dY · W`.
    pub(crate) fn rows(&self) -> &PackedRhs {
        let [n, k] = self.extent();
        self.forms.rows.get_or_init(|| {
            let rounded = self.value.to_dtype(DType::Bf16);
            PackedRhs::from_rows(self.value.device(), rounded.slice(), n, k)
        })
    }

    /// `W` as a left operand in bf16, rows padded to an even length, for `W · h`.
    pub(crate) fn left(&self) -> &Tensor {
        self.forms.left.get_or_init(|| left_operand(&self.value))
    }

    /// `Wᵀ` as a left operand in bf16, rows padded to an even length, for `Wᵀ · dY`.
    pub(crate) fn left_transposed(&self) -> &Tensor {
        self.forms.left_transposed.get_or_init(|| left_operand(&transpose(&self.value)))
    }

    fn extent(&self) -> [usize; 2] {
        let [n, k] = *self.value.shape() else { panic!("{} is not a matrix", self.name) };
        [n, k]
    }
}

fn left_operand(matrix: &Tensor) -> Tensor {
    let [rows, k] = *matrix.shape() else { panic!("{:?} is not a matrix", matrix.shape()) };
    let rounded = matrix.to_dtype(DType::Bf16);
    let even = even_rows(rounded.slice(), k);
    let shape = [rows, k.next_multiple_of(2)];
    let mut padded = Tensor::uninit(matrix.device(), &shape, DType::Bf16);
    padded.slice_mut::<bf16>().copy_from_slice(&even);
    padded
}

fn transpose(matrix: &Tensor) -> Tensor {
    let [rows, cols] = *matrix.shape() else { panic!("{:?} is not a matrix", matrix.shape()) };
    let mut out = Tensor::uninit(matrix.device(), &[cols, rows], DType::F32);
    let (source, target) = (matrix.slice::<f32>(), out.slice_mut::<f32>());
    for i in 0..rows {
        for j in 0..cols {
            target[j * rows + i] = source[i * cols + j];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn forms_follow_the_master() {
        let device = Device::cpu(1);
        let value = Tensor::from_f32(&device, &[2, 3], &[1.0, 2.0, 3.0, 4.001, 5.0, 6.0]);
        let mut parameter = Parameter::new(0, "w", value);
        assert_eq!(parameter.transposed().to_f32_vec(), [1.0, 4.001, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(parameter.left().to_f32_vec(), [1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0]);
        parameter.set(Tensor::from_f32(&device, &[2, 3], &[9.0; 6]));
        assert_eq!(parameter.transposed().to_f32_vec(), [9.0; 6]);
        assert_eq!(parameter.left_transposed().to_f32_vec(), [9.0; 6]);
    }
}
