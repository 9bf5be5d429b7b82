//! The full state of training on disk, so that a resumed run goes on as if it had never stopped.

use crate::Error;
use crate::files::{read, write_atomic, write_folder_atomic};
use crate::model_folder::{checkpoints, write_model_files};
use crate::train::Trainer;
use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use trm_ops::{DType, Tensor};

/// Where a run stands, beside its tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Optimiser steps taken.
    pub step: u64,
    /// Examples drawn from the training set.
    pub drawn: u64,
    /// Seconds of training, over all parts of the run.
    pub seconds: f64,
    /// Step of the best validation so far.
    pub best_step: u64,
    /// Its exact accuracy; negative before the first validation.
    pub best_exact: f64,
    /// Validations since then.
    pub stale: u64,
    /// Digest of the training set.
    pub data_digest: String,
}

/// Writes `checkpoints/step-N/` of a run and removes all but the newest `keep`.
///
/// # Errors
/// If the operating system refuses; older checkpoints are then still there.
pub fn save_checkpoint(
    run: &Path,
    trainer: &Trainer,
    progress: &Progress,
    keep: usize,
) -> Result<PathBuf, Error> {
    let path = run.join("checkpoints").join(format!("step-{}", progress.step));
    write_folder_atomic(&path, |folder| {
        write_model_files(folder, &trainer.averaged_model())?;
        write_atomic(&folder.join("state.safetensors"), &trainer.state_bytes())?;
        let json = serde_json::to_vec_pretty(progress).expect("progress is JSON");
        write_atomic(&folder.join("progress.json"), &json)
    })?;
    let mut older = checkpoints(run);
    older.truncate(older.len().saturating_sub(keep));
    for (_, folder) in older {
        fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
    }
    Ok(path)
}

/// Puts a freshly made trainer where a checkpoint stands.
///
/// # Errors
/// If the checkpoint is damaged or belongs to another recipe.
pub fn restore_checkpoint(folder: &Path, trainer: &mut Trainer) -> Result<Progress, Error> {
    let path = folder.join("progress.json");
    let progress: Progress = serde_json::from_slice(&read(&path)?)
        .map_err(|error| damaged(&path, &format!("damaged: {error}")))?;
    let path = folder.join("state.safetensors");
    trainer.restore_state(&read(&path)?).map_err(|what| damaged(&path, &what))?;
    trainer.step = progress.step;
    Ok(progress)
}

fn damaged(file: &Path, what: &str) -> Error {
    let folder = file.parent().unwrap_or(file).display();
    Error::file(file, format!("{what}; remove {folder} to resume from the checkpoint before it"))
}

/// Bytes of one stored array.
struct Blob {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Blob {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

impl Blob {
    fn tensor(tensor: &Tensor) -> Blob {
        let bytes = tensor.to_f32_vec().iter().flat_map(|x| x.to_le_bytes()).collect();
        Blob { dtype: Dtype::F32, shape: tensor.shape().to_vec(), bytes }
    }

    fn bytes(values: &[u8]) -> Blob {
        Blob { dtype: Dtype::U8, shape: vec![values.len()], bytes: values.to_vec() }
    }

    fn integers(values: &[u32]) -> Blob {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Blob { dtype: Dtype::U32, shape: vec![values.len()], bytes }
    }
}

impl Trainer {
    /// Weights, moments, average and carry as a safetensors file.
    fn state_bytes(&self) -> Vec<u8> {
        let mut blobs = Vec::new();
        for (name, tensor) in self.model.tensors() {
            blobs.push((format!("weight/{name}"), Blob::tensor(tensor)));
        }
        for (parameter, slot) in self.model.parameters().iter().zip(self.optimizer.slots()) {
            for (i, moment) in slot.moments.iter().enumerate() {
                blobs.push((format!("moment{i}/{}", parameter.name()), Blob::tensor(moment)));
            }
        }
        for (parameter, average) in self.model.parameters().iter().zip(&self.average) {
            blobs.push((format!("average/{}", parameter.name()), Blob::tensor(average)));
        }
        let carry = &self.carry;
        let halted: Vec<u8> = carry.halted.iter().map(|h| u8::from(*h)).collect();
        blobs.extend([
            ("carry/y".into(), Blob::tensor(&carry.state.y)),
            ("carry/z".into(), Blob::tensor(&carry.state.z)),
            ("carry/questions".into(), Blob::bytes(&carry.questions)),
            ("carry/answers".into(), Blob::bytes(&carry.answers)),
            ("carry/puzzles".into(), Blob::integers(&carry.puzzles)),
            ("carry/steps".into(), Blob::integers(&carry.steps)),
            ("carry/halted".into(), Blob::bytes(&halted)),
        ]);
        let views = blobs.iter().map(|(name, blob)| (name, blob));
        safetensors::serialize(views, None).expect("names are unique and sizes are right")
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<(), String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| format!("damaged: {error}"))?;
        let reader = Reader { file, like: self.carry.state.y.clone() };
        for parameter in self.model.parameters_mut() {
            parameter
                .set(reader.tensor(&format!("weight/{}", parameter.name()), parameter.value())?);
        }
        if let Some(table) = self.model.puzzle_embedding_mut() {
            table.set(reader.tensor(&format!("weight/{}", table.name()), table.value())?);
        }
        for (name, value) in ["initial_y", "initial_z"].into_iter().zip(self.model.initial_mut()) {
            *value = reader.tensor(&format!("weight/{name}"), value)?;
        }
        let parameters = self.model.parameters();
        for (parameter, slot) in parameters.iter().zip(self.optimizer.slots_mut()) {
            for (i, moment) in slot.moments.iter_mut().enumerate() {
                *moment = reader.tensor(&format!("moment{i}/{}", parameter.name()), moment)?;
            }
        }
        for (parameter, average) in parameters.iter().zip(&mut self.average) {
            *average = reader.tensor(&format!("average/{}", parameter.name()), average)?;
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
        self.model.check(self.carry.question()).map_err(|error| error.to_string())
    }
}

struct Reader<'a> {
    file: SafeTensors<'a>,
    like: Tensor,
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
        let tensor = Tensor::from_f32(self.like.device(), like.shape(), &values);
        Ok(if like.dtype() == DType::F32 { tensor } else { tensor.to_dtype(like.dtype()) })
    }
}
