//! What `trm eval --json` prints.

use super::Arguments;
use crate::referee::with_validity;
use anyhow::Result;
use serde_json::{Value, json};
use trm::{Model, Network};
use trm_data::{Dataset, Machine, program, weight_digest};
use trm_study::wilson;
use trm_train::{Evaluation, Precision};

pub(super) fn as_json(
    arguments: &Arguments,
    evaluation: &Evaluation,
    data: &Dataset,
    model: &Model,
) -> Result<Value> {
    let last = evaluation.steps.last().map_or(0, |s| s.exact);
    let (low, high) = wilson(last, evaluation.puzzles);
    let mut json = identity(arguments, (data, model), arguments.precision.chosen(model.device()))?;
    json["puzzles"] = evaluation.puzzles.into();
    json["supervision_steps"] = evaluation.steps.len().into();
    json["rollouts"] = 1.into();
    json["exact_accuracy"] = evaluation.exact().into();
    json["interval_95"] = json!([low, high]);
    json["calibration_error"] = evaluation.calibration_error().into();
    let seconds = evaluation.seconds.max(1e-9);
    json["puzzles_per_second"] = (evaluation.puzzles as f64 / seconds).into();
    json["evaluation"] = json!(evaluation);
    Ok(with_validity(json, evaluation.validity.as_ref()))
}

/// What was measured, on what, by what.
pub(super) fn identity(
    arguments: &Arguments,
    (data, model): (&Dataset, &impl Network),
    precision: Precision,
) -> Result<Value> {
    Ok(json!({
        "model": arguments.model,
        "data": arguments.data,
        "split": arguments.split,
        "puzzles": data.len(),
        "data_digest": data.digest(),
        "weight_digest": weight_digest(model)?,
        "precision": precision,
        "program": program(),
        "machine": Machine::this(),
        "device": model.device().kernels().place(),
    }))
}
