//! All that training depends on, as a list of named arrays.

use crate::learner::{Core, Learner};
use crate::train::Trainer;
use safetensors::tensor::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::sync::OnceLock;
use trm::Network;
use trm_ops::{DType, Device, DeviceError, Tensor};

/// Arrays of a safetensors file, by name. Cheap to take: tensors share their storage until training overwrites it.
pub(crate) type Arrays = Vec<(String, Stored)>;

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

    pub(crate) fn floats(tensor: &Tensor) -> Stored {
        Stored::new(tensor.shape(), Values::Floats(tensor.clone()))
    }

    fn bytes(values: &[u8]) -> Stored {
        Stored::new(&[values.len()], Values::Bytes(values.to_vec()))
    }

    fn integers(values: &[u32]) -> Stored {
        Stored::new(&[values.len()], Values::Integers(values.to_vec()))
    }

    /// Why what was written is not what the tensor holds, if so.
    pub(crate) fn lost(&self) -> Option<&DeviceError> {
        self.lost.get()
    }
}

/// All that the next step of a learner depends on, but for the data: weights, moments, average and carry.
pub(crate) fn state_of<L: Learner>(learner: &L) -> Arrays {
    let Core { model, optimizer, average, .. } = learner.core();
    let mut stored = Vec::new();
    for (name, tensor) in model.tensors() {
        stored.push((format!("weight/{name}"), Stored::floats(tensor)));
    }
    for (parameter, slot) in model.parameters().iter().zip(optimizer.slots()) {
        for (i, moment) in slot.moments.iter().enumerate() {
            stored.push((format!("moment{i}/{}", parameter.name()), Stored::floats(moment)));
        }
    }
    for (parameter, average) in model.parameters().iter().zip(average) {
        stored.push((format!("average/{}", parameter.name()), Stored::floats(average)));
    }
    stored.extend(learner.store());
    stored
}

/// Puts a learner where [`state_of`] it was taken.
pub(crate) fn restore<L: Learner>(learner: &mut L, bytes: &[u8]) -> Result<(), String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("damaged: {error}"))?;
    let core = learner.core_mut();
    let reader = Reader { file, device: core.model.device().clone() };
    for parameter in core.model.parameters_mut() {
        parameter.set(reader.tensor(&format!("weight/{}", parameter.name()), parameter.value())?);
    }
    let parameters = core.model.parameters();
    for (parameter, slot) in parameters.iter().zip(core.optimizer.slots_mut()) {
        for (i, moment) in slot.moments.iter_mut().enumerate() {
            *moment = reader.tensor(&format!("moment{i}/{}", parameter.name()), moment)?;
        }
    }
    for (parameter, average) in parameters.iter().zip(&mut core.average) {
        *average = reader.tensor(&format!("average/{}", parameter.name()), average)?;
    }
    learner.restore(&reader)
}

impl Trainer {
    /// The persistent batch.
    pub(crate) fn stored(&self) -> Vec<(String, Stored)> {
        let carry = &self.carry;
        let halted: Vec<u8> = carry.halted.iter().map(|h| u8::from(*h)).collect();
        vec![
            ("carry/y".into(), Stored::floats(&carry.state.y)),
            ("carry/z".into(), Stored::floats(&carry.state.z)),
            ("carry/questions".into(), Stored::bytes(&carry.questions)),
            ("carry/answers".into(), Stored::bytes(&carry.answers)),
            ("carry/puzzles".into(), Stored::integers(&carry.puzzles)),
            ("carry/steps".into(), Stored::integers(&carry.steps)),
            ("carry/halted".into(), Stored::bytes(&halted)),
        ]
    }

    /// The persistent batch, and the weights that are no parameters.
    pub(crate) fn take_back(&mut self, reader: &Reader<'_>) -> Result<(), String> {
        let model = &mut self.core.model;
        if let Some(table) = model.puzzle_embedding_mut() {
            table.set(reader.tensor(&format!("weight/{}", table.name()), table.value())?);
        }
        for (name, value) in ["initial_y", "initial_z"].into_iter().zip(model.initial_mut()) {
            *value = reader.tensor(&format!("weight/{name}"), value)?;
        }
        let carry = &mut self.carry;
        carry.state.y = reader.tensor("carry/y", &carry.state.y)?;
        carry.state.z = reader.tensor("carry/z", &carry.state.z)?;
        carry.questions = reader.bytes("carry/questions", carry.questions.len())?;
        carry.answers = reader.bytes("carry/answers", carry.answers.len())?;
        carry.puzzles = reader.integers("carry/puzzles", carry.puzzles.len())?;
        carry.steps = reader.integers("carry/steps", carry.steps.len())?;
        let halted = reader.bytes("carry/halted", carry.halted.len())?;
        carry.halted = halted.into_iter().map(|h| h != 0).collect();
        self.core.model.check(self.carry.question()).map_err(|error| error.to_string())
    }
}

/// Finds stored arrays by name.
pub struct Reader<'a> {
    file: SafeTensors<'a>,
    device: Device,
}

impl Reader<'_> {
    fn raw(&self, name: &str) -> Result<&[u8], String> {
        self.file.tensor(name).map(|t| t.data()).map_err(|_| format!("{name} is missing"))
    }

    fn bytes(&self, name: &str, len: usize) -> Result<Vec<u8>, String> {
        let data = self.raw(name)?;
        if data.len() != len {
            return Err(format!("{name} has {} values, not {len}", data.len()));
        }
        Ok(data.to_vec())
    }

    fn integers(&self, name: &str, len: usize) -> Result<Vec<u32>, String> {
        let data = self.bytes(name, 4 * len)?;
        Ok(data.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, String> {
        let data = self.raw(name)?.chunks_exact(4);
        Ok(data.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// A tensor of the shape and dtype of `like`.
    fn tensor(&self, name: &str, like: &Tensor) -> Result<Tensor, String> {
        let values = self.values(name)?;
        if values.len() != like.len() {
            return Err(format!("{name} has {} values, not {}", values.len(), like.len()));
        }
        if values.iter().any(|x| !x.is_finite()) {
            return Err(format!("{name} contains a NaN or an infinity"));
        }
        let tensor = Tensor::from_f32(&self.device, like.shape(), &values);
        Ok(if like.dtype() == DType::F32 { tensor } else { tensor.to_dtype(like.dtype()) })
    }
}
