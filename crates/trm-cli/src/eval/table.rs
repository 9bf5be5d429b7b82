//! What `trm eval` prints for people.

use super::Arguments;
use crate::display::{heading, rate};
use crate::output::out;
use crate::referee::print_validity;
use anyhow::Result;
use std::cmp::Reverse;
use trm::{Model, Network};
use trm_data::text::{duration, percent};
use trm_data::{Dataset, weight_digest};
use trm_study::wilson;
use trm_train::Evaluation;

/// A model's evaluation, whole.
pub(super) fn print(
    arguments: &Arguments,
    evaluation: &Evaluation,
    data: &Dataset,
    model: &Model,
) -> Result<()> {
    print_heading(arguments, data);
    print_steps(evaluation);
    print_validity(evaluation.validity.as_ref());
    print_kinds(evaluation);
    let sure = format!("sure (probability above {})", evaluation.sure_above());
    let steps = match evaluation.halt {
        Some(_) => format!("stopped when {sure} after {:.2} steps", evaluation.mean_steps),
        None => format!("{sure} after {:.2} steps", evaluation.mean_halt_step),
    };
    out!(
        "{} in {}: {} puzzles/s; {steps} on average, calibration error {}",
        evaluation.puzzles,
        duration(evaluation.seconds),
        rate(evaluation.puzzles as f64 / evaluation.seconds.max(1e-9)),
        percent(evaluation.calibration_error())
    );
    out!(
        "split {}, {} supervision steps, one rollout per puzzle, {} activations on {}",
        arguments.split,
        evaluation.steps.len(),
        arguments.precision.chosen(model.device()),
        model.device().kernels().place()
    );
    print_digests(data, model)
}

pub(super) fn print_heading(arguments: &Arguments, data: &Dataset) {
    heading(&format!(
        "{} on {} puzzles of {}/{}",
        arguments.model.display(),
        data.len(),
        arguments.data.display(),
        arguments.split
    ));
}

pub(super) fn print_digests(data: &Dataset, model: &impl Network) -> Result<()> {
    out!("data digest   {}", data.digest());
    out!("weight digest {}", weight_digest(model)?);
    Ok(())
}

/// A row per number of supervision steps.
pub(crate) fn print_steps(evaluation: &Evaluation) {
    out!("step    exact   (95 % interval)     cells   sure of   and right");
    for (i, step) in evaluation.steps.iter().enumerate() {
        let (low, high) = wilson(step.exact, evaluation.puzzles);
        let right = match step.halted {
            0 => "–".to_owned(),
            halted => percent(step.halted_exact as f64 / halted as f64),
        };
        out!(
            "{:4}  {:>7}   ({:>5.1}–{:>5.1} %)   {:>7}   {:>7}     {right:>7}",
            i + 1,
            percent(evaluation.share(step.exact)),
            100.0 * low,
            100.0 * high,
            percent(step.cells),
            percent(evaluation.share(step.halted)),
        );
    }
}

/// What the last drafts are, the most frequent first, where the rules tell more than right from wrong.
fn print_kinds(evaluation: &Evaluation) {
    let mut kinds: Vec<(&String, &usize)> = evaluation.kinds.iter().collect();
    kinds.sort_by_key(|(_, count)| Reverse(*count));
    let told =
        |(kind, count): (&String, &usize)| format!("{} {kind}", percent(evaluation.share(*count)));
    let told: Vec<String> = kinds.into_iter().map(told).collect();
    if !told.is_empty() {
        out!("by the rules, of the last drafts: {}", told.join(", "));
    }
}
