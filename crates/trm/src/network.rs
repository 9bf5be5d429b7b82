//! What trainers and files need of any network, and how its tensors are drawn or read.

use crate::error::{Error, WeightsError};
use crate::initialize::Init;
use half::{bf16, f16};
use rand::Rng;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeSet;
use trm_ops::{DType, Device, Parameter, Tensor};

/// A network as its trainer and its files see it.
pub trait Network: Clone + Send + Sync + 'static {
    /// Its sizes and choices.
    type Config: Serialize;

    /// Sizes and choices.
    fn config(&self) -> &Self::Config;

    /// Where it runs.
    fn device(&self) -> &Device;

    /// The parameters that gradients are taken of, by index.
    fn parameters(&self) -> Vec<&Parameter>;

    /// [`Network::parameters`] for updates.
    fn parameters_mut(&mut self) -> Vec<&mut Parameter>;

    /// All that a file holds, by name.
    fn tensors(&self) -> Vec<(&str, &Tensor)> {
        self.parameters().into_iter().map(|p| (p.name(), p.value())).collect()
    }

    /// The bytes of a `model.safetensors` file with the values stored as `dtype`.
    ///
    /// # Errors
    /// If the device is lost.
    fn to_safetensors(&self, dtype: DType) -> Result<Vec<u8>, Error> {
        let tensors = self.tensors().into_iter();
        let tensors = tensors.map(|(name, tensor)| Ok((name, Stored::new(tensor, dtype)?)));
        let tensors = tensors.collect::<Result<Vec<_>, Error>>()?;
        Ok(safetensors::serialize(tensors, None).expect("names are unique and sizes are right"))
    }

    /// A network from its configuration and the bytes of its `model.safetensors`.
    ///
    /// # Errors
    /// If the configuration describes no network, or a tensor is missing, unknown, of another shape
    /// or type, or holds a value that is not finite.
    fn from_safetensors(
        config: &Self::Config,
        device: &Device,
        bytes: &[u8],
    ) -> Result<Self, Error>;
}

/// Where tensors come from: name, shape and law of the initial values.
pub(crate) trait Source {
    fn make(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor, Error>;
}

/// Random initial values.
pub(crate) struct Draw<'a, R> {
    pub(crate) device: &'a Device,
    pub(crate) rng: &'a mut R,
}

impl<R: Rng> Source for Draw<'_, R> {
    fn make(&mut self, _: &str, shape: &[usize], init: Init) -> Result<Tensor, Error> {
        let values = init.values(shape.iter().product(), self.rng);
        Ok(Tensor::from_f32(self.device, shape, &values))
    }
}

/// Makes parameters, numbered in the order in which they are made.
pub(crate) struct Builder<'a> {
    source: &'a mut dyn Source,
    made: usize,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(source: &'a mut dyn Source) -> Self {
        Builder { source, made: 0 }
    }

    pub(crate) fn parameter(
        &mut self,
        name: &str,
        shape: &[usize],
        init: Init,
    ) -> Result<Parameter, Error> {
        let value = self.source.make(name, shape, init)?;
        self.made += 1;
        Ok(Parameter::new(self.made - 1, name, value))
    }

    /// A linear layer from k to n features.
    pub(crate) fn linear(&mut self, name: &str, n: usize, k: usize) -> Result<Parameter, Error> {
        self.parameter(name, &[n, k], Init::linear(k))
    }

    /// A tensor that is not trained.
    pub(crate) fn fixed(
        &mut self,
        name: &str,
        shape: &[usize],
        init: Init,
    ) -> Result<Tensor, Error> {
        self.source.make(name, shape, init)
    }
}

/// Builds a network from the bytes of a safetensors file, every tensor of which must be asked for.
pub(crate) fn from_file<N>(
    bytes: &[u8],
    device: &Device,
    build: impl FnOnce(&mut File<'_>) -> Result<N, Error>,
) -> Result<N, Error> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| WeightsError::Format(e.to_string()))?;
    let unread = file.names().into_iter().map(String::from).collect();
    let mut source = File { file, device, unread };
    let network = build(&mut source)?;
    match source.unread.pop_first() {
        Some(name) => Err(WeightsError::Unexpected { name }.into()),
        None => Ok(network),
    }
}

/// A tensor as it lies in a file.
struct Stored<'a> {
    shape: &'a [usize],
    dtype: DType,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Stored<'a> {
    fn new(tensor: &'a Tensor, dtype: DType) -> Result<Stored<'a>, Error> {
        let bytes = match dtype {
            DType::F32 => tensor.f32_bytes()?,
            DType::Bf16 => {
                let values = tensor.to_f32_vec()?;
                values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes()).collect()
            }
            DType::F16 => {
                let values = tensor.to_f32_vec()?;
                values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect()
            }
        };
        Ok(Stored { shape: tensor.shape(), dtype, bytes })
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            DType::F32 => Dtype::F32,
            DType::Bf16 => Dtype::BF16,
            DType::F16 => Dtype::F16,
        }
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The tensors of a file.
pub(crate) struct File<'a> {
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
