use crate::dtype::{DType, Element};
use crate::panels::{Bf16Pairs, Bf16Wide, F32, Format, PackedRhs, grouped, widen_rows};
use crate::tensor::Tensor;
use std::sync::{Arc, OnceLock};

/// A trained tensor: an f32 master with its name, and the forms that products want it in, made when
/// first needed and kept until the next update.
#[derive(Clone, Debug)]
pub struct Parameter {
    index: usize,
    name: Arc<str>,
    value: Tensor,
    forms: Arc<AllForms>,
}

/// Copies of the master that products read, in every format.
#[derive(Debug, Default)]
pub(crate) struct AllForms {
    pub(crate) f32: Forms<F32>,
    pub(crate) pairs: Forms<Bf16Pairs>,
    pub(crate) wide: Forms<Bf16Wide>,
}

/// Those of one format.
#[derive(Debug)]
pub(crate) struct Forms<F> {
    columns: OnceLock<Vec<PackedRhs<F>>>,
    rows: OnceLock<PackedRhs<F>>,
    left: OnceLock<Tensor>,
    left_transposed: OnceLock<Tensor>,
}

impl<F> Default for Forms<F> {
    fn default() -> Forms<F> {
        Forms {
            columns: OnceLock::new(),
            rows: OnceLock::new(),
            left: OnceLock::new(),
            left_transposed: OnceLock::new(),
        }
    }
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

    /// `Wᵀ` as a right operand, for `x · Wᵀ`; its columns in `parts` equal parts.
    pub(crate) fn columns<F: Format>(&self, parts: usize) -> &[PackedRhs<F>] {
        let [n, k] = self.extent();
        F::forms(&self.forms).columns.get_or_init(|| {
            let stored = self.value.to_dtype(F::Stored::DTYPE);
            let parts = stored.slice::<F::Stored>().chunks_exact(n / parts * k);
            parts.map(|w| PackedRhs::from_columns(self.value.device(), w, w.len() / k, k)).collect()
        })
    }

    /// `W` as a right operand, for `dY · W`.
    pub(crate) fn rows<F: Format>(&self) -> &PackedRhs<F> {
        let [n, k] = self.extent();
        F::forms(&self.forms).rows.get_or_init(|| {
            let stored = self.value.to_dtype(F::Stored::DTYPE);
            PackedRhs::from_rows(self.value.device(), stored.slice(), n, k)
        })
    }

    /// `W` as a left operand, for `W · h`: rows padded to whole groups.
    pub(crate) fn left<F: Format>(&self) -> &[F::Operand] {
        F::forms(&self.forms).left.get_or_init(|| left_operand::<F>(&self.value)).slice()
    }

    /// `Wᵀ` as a left operand, for `Wᵀ · dY`: rows padded to whole groups.
    pub(crate) fn left_transposed<F: Format>(&self) -> &[F::Operand] {
        let make = || left_operand::<F>(&transpose(&self.value));
        F::forms(&self.forms).left_transposed.get_or_init(make).slice()
    }

    fn extent(&self) -> [usize; 2] {
        let [n, k] = *self.value.shape() else { panic!("{} is not a matrix", self.name) };
        [n, k]
    }
}

fn left_operand<F: Format>(matrix: &Tensor) -> Tensor {
    let [rows, k] = *matrix.shape() else { panic!("{:?} is not a matrix", matrix.shape()) };
    let stored = matrix.to_dtype(F::Stored::DTYPE);
    let shape = [rows, grouped::<F>(k)];
    let mut padded = Tensor::uninit(matrix.device(), &shape, F::Operand::DTYPE);
    widen_rows::<F>(stored.slice(), k, padded.slice_mut());
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
        assert_eq!(parameter.left::<F32>(), [1.0, 2.0, 3.0, 4.001, 5.0, 6.0]);
        assert_eq!(parameter.left_transposed::<F32>(), [1.0, 4.001, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(parameter.left::<Bf16Wide>(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let padded = parameter.left::<Bf16Pairs>().iter().map(|x| x.to_f32());
        assert_eq!(padded.collect::<Vec<_>>(), [1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0]);
        parameter.set(Tensor::from_f32(&device, &[2, 3], &[9.0; 6]));
        assert_eq!(parameter.left_transposed::<F32>(), [9.0; 6]);
    }
}
