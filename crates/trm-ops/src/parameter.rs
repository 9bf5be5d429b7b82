use crate::dtype::DType;
use crate::tensor::Tensor;
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// A trained tensor: an f32 master with its name, and what its device derives from it, such as the forms that
/// products want it in, made when first needed and kept until the next update.
#[derive(Clone, Debug)]
pub struct Parameter {
    index: usize,
    name: Arc<str>,
    value: Tensor,
    derived: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
}

impl Parameter {
    /// A parameter with its place in the model's list and its name in the model's file.
    ///
    /// # Panics
    /// If the value is not f32.
    pub fn new(index: usize, name: impl Into<Arc<str>>, value: Tensor) -> Parameter {
        assert_eq!(value.dtype(), DType::F32, "masters are f32");
        Parameter { index, name: name.into(), value, derived: Arc::default() }
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
        self.derived = Arc::default();
    }

    /// The rows of a table by index: `[ids.len(), width]`.
    ///
    /// # Panics
    /// If a row does not exist.
    pub fn select(&self, ids: &[u32]) -> Tensor {
        let rows: Vec<usize> = ids.iter().map(|id| *id as usize).collect();
        self.value.select_rows(&rows)
    }

    /// The master for an update in place; all that was derived is forgotten.
    pub(crate) fn value_mut(&mut self) -> &mut Tensor {
        self.derived = Arc::default();
        &mut self.value
    }

    /// What a device derives from the master and keeps until the next update.
    ///
    /// # Panics
    /// If it has kept something of another type.
    pub fn derived<T: Any + Send + Sync + Default>(&self) -> &T {
        let derived = self.derived.get_or_init(|| Box::new(T::default()));
        derived.downcast_ref().expect("a parameter belongs to one device")
    }
}
