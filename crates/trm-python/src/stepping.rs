//! One supervision step, for those who study latent states.

use crate::errors::{raised, refused};
use crate::values::{array, from_array};
use crate::work::shortly;
use pyo3::prelude::*;
use trm::{Model, Question, State, Step};
use trm_data::Error;
use trm_ops::{DType, Tape, Tensor};

/// Logits, halting logits, and the state.
pub(crate) type Stepped<'py> =
    (Bound<'py, PyAny>, Bound<'py, PyAny>, (Bound<'py, PyAny>, Bound<'py, PyAny>));

/// What a step gives, as numbers.
struct Numbers {
    logits: Vec<f32>,
    halt_logits: Vec<f32>,
    state: [Vec<f32>; 2],
}

/// Takes a step from a state, or the first one.
pub(crate) fn step<'py>(
    py: Python<'py>,
    (model, dtype): (&Model, DType),
    question: Question<'_>,
    state: Option<&Bound<'py, PyAny>>,
) -> PyResult<Stepped<'py>> {
    model.check(question).map_err(raised)?;
    if question.puzzles.is_empty() {
        return Err(refused("no puzzle to take a step for"));
    }
    let (rows, config) = (question.puzzles.len(), model.config());
    let shape = [rows, config.len(), config.hidden];
    let state = match state {
        Some(state) => given(model, dtype, state, &shape)?,
        None => model.initial_state(rows, dtype),
    };
    let numbers = shortly(py, || numbers(model, question, state))?.map_err(raised)?;
    let Numbers { logits, halt_logits, state: [y, z] } = numbers;
    let logits = array(py, &[rows, config.seq_len, config.vocab_size], logits)?;
    let state = (array(py, &shape, y)?, array(py, &shape, z)?);
    Ok((logits, array(py, &[rows], halt_logits)?, state))
}

fn numbers(model: &Model, question: Question<'_>, state: State) -> Result<Numbers, Error> {
    let step: Step = model.supervision_step(&Tape::off(model.device()), question, state);
    let halt_logits = step.halt_logits()?;
    let values = |tensor: &Tensor| tensor.to_f32_vec();
    let state = [values(&step.state.y)?, values(&step.state.z)?];
    Ok(Numbers { logits: values(&step.logits)?, halt_logits, state })
}

/// A state of Python's, a pair of arrays. What is kept in bf16 comes out as f32 and goes in again without a loss.
fn given(
    model: &Model,
    dtype: DType,
    state: &Bound<'_, PyAny>,
    shape: &[usize; 3],
) -> PyResult<State> {
    let (y, z): (Bound<'_, PyAny>, Bound<'_, PyAny>) = state.extract()?;
    let tensor = |name: &str, value: &Bound<'_, PyAny>| {
        let (found, values) = from_array::<f32>(value, "float32")?;
        if found != shape {
            return Err(refused(format!(
                "state: {name} has the shape {found:?}, needed is {shape:?}"
            )));
        }
        Ok(Tensor::from_f32(model.device(), shape, &values).to_dtype(dtype))
    };
    Ok(State { y: tensor("y", &y)?, z: tensor("z", &z)? })
}
