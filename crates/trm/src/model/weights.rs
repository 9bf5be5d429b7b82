//! Weights to and from the bytes of a safetensors file.

use super::Model;
use super::build::Source;
use crate::config::Config;
use crate::error::{Error, WeightsError};
use crate::initialize::Init;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use std::borrow::Cow;
use std::collections::BTreeSet;
use trm_ops::{DType, Device, Tensor};

impl Model {
    /// All tensors of the model by name: parameters, puzzle embedding, initial states.
    pub fn tensors(&self) -> Vec<(&str, &Tensor)> {
        let parameters = self.parameters().into_iter().chain(&self.puzzle_embedding);
        let initial = [("initial_y", &self.initial_y), ("initial_z", &self.initial_z)];
        parameters.map(|p| (p.name(), p.value())).chain(initial).collect()
    }

    /// The bytes of a `model.safetensors` file with the values stored as `dtype`.
    pub fn to_safetensors(&self, dtype: DType) -> Vec<u8> {
        let tensors =
            self.tensors().into_iter().map(|(name, tensor)| (name, Stored { tensor, dtype }));
        safetensors::serialize(tensors, None).expect("names are unique and sizes are right")
    }

    /// A model from its configuration and the bytes of its `model.safetensors`.
    ///
    /// # Errors
    /// If the configuration describes no network, or a tensor is missing, unknown, of another shape
    /// or type, or holds a value that is not finite.
    pub fn from_safetensors(
        config: &Config,
        device: &Device,
        bytes: &[u8],
    ) -> Result<Model, Error> {
        let file =
            SafeTensors::deserialize(bytes).map_err(|e| WeightsError::Format(e.to_string()))?;
        let unread = file.names().into_iter().map(String::from).collect();
        let mut source = File { file, device, unread };
        let model = Model::build(config, device, &mut source)?;
        match source.unread.pop_first() {
            Some(name) => Err(WeightsError::Unexpected { name }.into()),
            None => Ok(model),
        }
    }
}

struct Stored<'a> {
    tensor: &'a Tensor,
    dtype: DType,
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            DType::F32 => Dtype::F32,
            DType::Bf16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        self.tensor.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.tensor.to_f32_vec();
        Cow::Owned(match self.dtype {
            DType::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            DType::Bf16 => values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect(),
        })
    }

    fn data_len(&self) -> usize {
        self.tensor.len() * self.dtype.size()
    }
}

struct File<'a> {
    file: SafeTensors<'a>,
    device: &'a Device,
    unread: BTreeSet<String>,
}

impl Source for File<'_> {
    fn make(&mut self, name: &str, shape: &[usize], _: Init) -> Result<Tensor, Error> {
        let name = name.to_owned();
        let Ok(view) = self.file.tensor(&name) else {
            return Err(WeightsError::Missing { name }.into());
        };
        self.unread.remove(&name);
        if view.shape() != shape {
            let (found, wanted) = (view.shape().to_vec(), shape.to_vec());
            return Err(WeightsError::Shape { name, found, wanted }.into());
        }
        let values = decode(&name, &view)?;
        if values.iter().any(|x| !x.is_finite()) {
            return Err(WeightsError::NotFinite { name }.into());
        }
        Ok(Tensor::from_f32(self.device, shape, &values))
    }
}

fn decode(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, WeightsError> {
    let bytes = view.data();
    let pairs = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
    match view.dtype() {
        Dtype::F32 => {
            let words = bytes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
            Ok(words.map(f32::from_le_bytes).collect())
        }
        Dtype::BF16 => Ok(pairs().map(|b| bf16::from_le_bytes(b).to_f32()).collect()),
        Dtype::F16 => Ok(pairs().map(|b| f16::from_le_bytes(b).to_f32()).collect()),
        other => Err(WeightsError::Type { name: name.to_owned(), found: format!("{other:?}") }),
    }
}
