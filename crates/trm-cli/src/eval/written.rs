//! Accuracy of an autoregressive model: of its greedy answers, or of the best of several.

use super::table::{print_digests, print_heading};
use super::{Arguments, STOPPING, ended, identity};
use crate::Outcome;
use crate::display::rate;
use crate::interrupt::stoppable;
use crate::output::out;
use crate::progress::Progress;
use crate::referee::{print_validity, with_validity};
use crate::team::{on_all, team};
use anyhow::{Result, bail};
use serde_json::json;
use std::time::Instant;
use trm::Autoregressive;
use trm_data::Dataset;
use trm_data::text::{duration, percent};
use trm_ops::DType;
use trm_study::{BestOf, SampleOptions, best_of, wilson};
use trm_train::{EvalOptions, Precision, evaluate_autoregressive_in_team};

pub(super) fn run(
    arguments: &Arguments,
    model: &Autoregressive,
    data: &Dataset,
) -> Result<Outcome> {
    let options = on_all(options(arguments, data))?;
    match options.samples {
        1 => greedy(arguments, model, data, options),
        _ => best(arguments, model, data, options),
    }
}

fn options(arguments: &Arguments, data: &Dataset) -> Result<SampleOptions> {
    let options = arguments.writing.options(
        &arguments.model,
        arguments.batch,
        arguments.precision,
        &[
            ("search", arguments.search),
            ("steps", arguments.steps.is_some()),
            ("halt", arguments.halt.is_some()),
            ("save-outputs", arguments.save_outputs.is_some()),
            ("votes", arguments.votes.is_some()),
            ("submission", arguments.submission.is_some()),
            ("blank-identifiers", arguments.blank_identifiers),
            ("figure", arguments.figure.is_some()),
        ],
    )?;
    if data.augmented.is_some() {
        bail!(
            "{}: votes over augmentations of a task need a recursive model",
            arguments.data.display()
        );
    }
    if options.samples > 1 && team().size() > 1 {
        bail!("the best of several answers are written in one process: start one");
    }
    Ok(options)
}

fn greedy(
    arguments: &Arguments,
    model: &Autoregressive,
    data: &Dataset,
    SampleOptions { batch, .. }: SampleOptions,
) -> Result<Outcome> {
    let options =
        EvalOptions { steps: 1, batch, halt: None, dtype: DType::F32, keep_outputs: false };
    let team = team();
    let mut bar = Progress::new("writing", data.len() as u64);
    let evaluation = stoppable(STOPPING, |stop| {
        let mut progress = |done: usize| bar.set_position((done * team.size()) as u64);
        evaluate_autoregressive_in_team(model, data, options, (&team, stop), &mut progress)
    })??;
    bar.finish();
    let outcome = ended(evaluation.puzzles, data.len(), "puzzles");
    if evaluation.puzzles == 0 || !team.leads() {
        return Ok(outcome);
    }
    let score = &evaluation.steps[0];
    let (low, high) = wilson(score.exact, evaluation.puzzles);
    if arguments.json {
        let mut json = identity(arguments, (data, model), Precision::F32)?;
        json["puzzles"] = evaluation.puzzles.into();
        json["exact_accuracy"] = evaluation.exact().into();
        json["interval_95"] = json!([low, high]);
        json["cell_accuracy"] = score.cells.into();
        json["calibration_error"] = evaluation.calibration_error().into();
        json["puzzles_per_second"] = per_second(evaluation.puzzles, evaluation.seconds).into();
        let json = with_validity(json, evaluation.validity.as_ref());
        out!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(outcome);
    }
    print_heading(arguments, data);
    out!(
        "exactly right {} (95 % interval {:.1}–{:.1} %), cells {}",
        percent(evaluation.share(score.exact)),
        100.0 * low,
        100.0 * high,
        percent(score.cells)
    );
    print_validity(evaluation.validity.as_ref());
    print_speed(evaluation.puzzles, evaluation.seconds);
    out!("written greedily, calibration error {}", percent(evaluation.calibration_error()));
    print_digests(data, model)?;
    Ok(outcome)
}

fn best(
    arguments: &Arguments,
    model: &Autoregressive,
    data: &Dataset,
    options: SampleOptions,
) -> Result<Outcome> {
    let started = Instant::now();
    let mut bar = Progress::new("writing", data.len() as u64);
    let scores = stoppable(STOPPING, |stop| {
        best_of(model, data, options, stop, &mut |done| bar.set_position(done as u64))
    })??;
    bar.finish();
    let puzzles = scores.first().map_or(0, |score| score.puzzles);
    let outcome = ended(puzzles, data.len(), "puzzles");
    if puzzles == 0 {
        return Ok(outcome);
    }
    let seconds = started.elapsed().as_secs_f64();
    let SampleOptions { samples, temperature, seed, .. } = options;
    if arguments.json {
        let mut json = identity(arguments, (data, model), Precision::F32)?;
        json["puzzles"] = puzzles.into();
        json["best_of"] = json!(scores);
        json["temperature"] = temperature.into();
        json["seed"] = seed.into();
        json["puzzles_per_second"] = per_second(puzzles, seconds).into();
        out!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(outcome);
    }
    print_heading(arguments, data);
    print_scores(&scores, puzzles);
    print_speed(puzzles, seconds);
    out!("best of {samples}: one greedy, the others at temperature {temperature}, seed {seed}");
    print_digests(data, model)?;
    Ok(outcome)
}

/// A row per number of answers to choose from.
fn print_scores(scores: &[BestOf], puzzles: usize) {
    let share = |count: usize| percent(count as f64 / puzzles as f64);
    out!("answers   by the rules   (95 % interval)     by probability   any is right");
    for score in scores {
        let (low, high) = wilson(score.by_rules, puzzles);
        out!(
            "{:7}   {:>12}   ({:>5.1}–{:>5.1} %)   {:>14}   {:>12}",
            score.answers,
            share(score.by_rules),
            100.0 * low,
            100.0 * high,
            share(score.by_probability),
            share(score.any)
        );
    }
}

fn per_second(puzzles: usize, seconds: f64) -> f64 {
    puzzles as f64 / seconds.max(1e-9)
}

fn print_speed(puzzles: usize, seconds: f64) {
    let speed = rate(per_second(puzzles, seconds));
    out!("{puzzles} in {}: {speed} puzzles/s", duration(seconds));
}
