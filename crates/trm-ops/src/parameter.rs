use crate::dtype::DType;
use crate::tensor::Tensor;
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

/// Copies of the master for products, by the activations' dtype. They hold f32 values; for bf16
/// activations these are rounded to bf16 first.
#[derive(Debug, Default)]
struct Forms {
    transposed: OnceLock<Tensor>,
    rounded: OnceLock<Tensor>,
    rounded_transposed: OnceLock<Tensor>,
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
    pub fn rows(&self, ids: &[u32]) -> Tensor {
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

    /// The matrix as stored, `[N, K]`, in the precision that `dtype` activations see.
    pub(crate) fn native(&self, dtype: DType) -> &Tensor {
        match dtype {
            DType::F32 => &self.value,
            DType::Bf16 => self
                .forms
                .rounded
                .get_or_init(|| self.value.to_dtype(DType::Bf16).to_dtype(DType::F32)),
        }
    }

    /// The transposed matrix, `[K, N]`: products with it read memory in order.
    pub(crate) fn transposed(&self, dtype: DType) -> &Tensor {
        let form = match dtype {
            DType::F32 => &self.forms.transposed,
            DType::Bf16 => &self.forms.rounded_transposed,
        };
        form.get_or_init(|| transpose(self.native(dtype)))
    }
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
        let value = Tensor::from_f32(&device, &[2, 2], &[1.0, 2.0, 3.0, 4.001]);
        let mut parameter = Parameter::new(0, "w", value);
        assert_eq!(parameter.transposed(DType::F32).to_f32_vec(), [1.0, 3.0, 2.0, 4.001]);
        assert_eq!(parameter.transposed(DType::Bf16).to_f32_vec(), [1.0, 3.0, 2.0, 4.0]);
        parameter.set(Tensor::from_f32(&device, &[2, 2], &[5.0, 6.0, 7.0, 8.0]));
        assert_eq!(parameter.transposed(DType::F32).to_f32_vec(), [5.0, 7.0, 6.0, 8.0]);
        assert_eq!(parameter.native(DType::Bf16).to_f32_vec(), [5.0, 6.0, 7.0, 8.0]);
    }
}
