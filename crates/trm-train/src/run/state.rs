//! All that training depends on, as a list of named arrays.

use crate::Error;
use crate::learners::{Core, Learner};
use trm::Network;
use trm_data::{Arrays, Reader, Stored};

/// All that the next step of a learner depends on, but for the data: weights, moments, average and carry.
///
/// # Errors
/// If the device is lost.
pub(crate) fn state_of<L: Learner>(learner: &L) -> Result<Arrays, Error> {
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
    stored.extend(learner.store()?);
    Ok(stored)
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
