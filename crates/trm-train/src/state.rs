//! All that training depends on, as a list of named arrays.

use crate::learner::{Core, Learner};
use crate::train::Trainer;
use trm::Network;
use trm_data::{Arrays, Reader, Stored};

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
    let core = learner.core_mut();
    let reader = Reader::new(bytes, core.model.device())?;
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
