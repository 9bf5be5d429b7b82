//! Training one contender with one seed, and all that is measured of it.

use super::study::{Entry, Sizes, Study};
use super::{Follower, Place, median};
use crate::{Error, FirstErrors, SampleOptions, best_of, first_errors};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use trm::{Autoregressive, Limits, Model, Network, Question, Sampling, Solver};
use trm_data::{Dataset, weight_digest};
use trm_ops::{DType, Device, Stop};
use trm_train::{
    AutoregressiveTrainer, Ending, EvalOptions, Learner, Recipe, Run, Trainer, evaluate,
    evaluate_autoregressive, write_answers,
};

/// Puzzles that are timed, one at a time.
const TIMED: usize = 20;
/// Puzzles at a time where it does not matter.
const BATCH: usize = 64;

/// What came of one contender with one seed.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What training took.
    pub training: Training,
    /// Right puzzles, when the model answers as it was trained to.
    pub exact: usize,
    /// Share of right cells.
    pub cells: f64,
    /// Accuracy against compute at test time.
    pub curves: Vec<Curve>,
    /// What an answer takes.
    pub cost: Cost,
    /// Of a written answer.
    pub first_errors: Option<FirstErrors>,
    /// Digest of the weights.
    pub weights: String,
}

/// What a training took.
#[derive(Clone, Debug, Serialize)]
pub struct Training {
    /// Optimiser steps.
    pub steps: u64,
    /// Operations, by formula.
    pub flops: f64,
    /// Wall time.
    pub seconds: f64,
}

/// What one answer takes.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// By formula.
    pub flops: f64,
    /// As the engine counted them over the formula's.
    pub counted: f64,
    /// Median of one puzzle at a time, f32.
    pub milliseconds: f64,
    /// Of all tensors while one puzzle is answered.
    pub bytes: usize,
}

/// Right puzzles by operations spent on each.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// What the operations are spent on.
    pub name: String,
    /// By rising operations.
    pub points: Vec<Point>,
}

/// A point of a [`Curve`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// Operations for a puzzle.
    pub flops: f64,
    /// Right puzzles.
    pub exact: usize,
}

/// Trains a contender, or takes up where an earlier call stopped, and measures it.
pub(super) fn outcome(
    study: &Study,
    entry: &Entry,
    seed: u64,
    place: &Place<'_>,
    (training, test): (&Arc<Dataset>, &Dataset),
    follower: &impl Follower,
) -> Result<Option<Outcome>, Error> {
    let &Place { out, device, .. } = place;
    let folder = out.join(entry.slug()).join(format!("seed-{seed}"));
    let recipe = Recipe { seed, ..entry.recipe.clone() };
    match &entry.network {
        Sizes::Recursive(_) => {
            let run = begin::<Trainer>(&folder, recipe, training, device)?;
            let trained = train(run, entry, training, follower)?;
            let Some((model, training)) = trained else { return Ok(None) };
            recursive(study, &Arc::new(model), training, seed, test).map(Some)
        }
        Sizes::Autoregressive(_) => {
            let run = begin::<AutoregressiveTrainer>(&folder, recipe, training, device)?;
            let trained = train(run, entry, training, follower)?;
            let Some((model, training)) = trained else { return Ok(None) };
            written(study, entry, &Arc::new(model), training, seed, test).map(Some)
        }
    }
}

/// A new run, or the one in the folder.
fn begin<L: Learner>(
    folder: &Path,
    recipe: Recipe,
    data: &Arc<Dataset>,
    device: &Device,
) -> Result<Run<L>, Error> {
    match folder.join("recipe.toml").exists() {
        true => Run::resume(folder, None, data.clone(), recipe, device),
        false => Run::create(folder, recipe, data.clone(), device),
    }
}

/// `None` if it was interrupted.
fn train<L: Learner>(
    mut run: Run<L>,
    entry: &Entry,
    data: &Dataset,
    follower: &impl Follower,
) -> Result<Option<(L::Network, Training)>, Error> {
    if follower.train(&mut run)? == Ending::Interrupted {
        return Ok(None);
    }
    let flops = run.recipe.train.batch as f64 * entry.network.training_flops(data);
    let progress = run.progress();
    let (steps, seconds) = (progress.step, progress.seconds);
    let training = Training { steps, flops: flops * steps as f64, seconds };
    let device = run.trainer().core().network().device();
    Ok(Some((L::load(&run.folder, device)?, training)))
}

fn options(steps: usize, halt: Option<f32>) -> EvalOptions {
    EvalOptions { steps, batch: BATCH, halt, dtype: DType::F32, keep_outputs: false }
}

fn recursive(
    study: &Study,
    model: &Arc<Model>,
    training: Training,
    seed: u64,
    test: &Dataset,
) -> Result<Outcome, Error> {
    let config = model.config();
    let own = config.supervision_steps;
    let deep = if own == 1 { 1 } else { own.max(study.steps) };
    let before = model.device().flops();
    let evaluation = evaluate(model, test, options(deep, None), &mut |_| ())?;
    let counted = (model.device().flops() - before) as f64 / (test.len() * deep) as f64;
    let flops = config.forward_flops();
    let points = evaluation.steps.iter().enumerate();
    let points = points.map(|(i, s)| Point { flops: (i + 1) as f64 * flops, exact: s.exact });
    let mut curves = vec![Curve { name: "supervision steps".into(), points: points.collect() }];
    if deep > 1 {
        let halting = options(deep, Some(Limits::CAREFUL_HALT));
        let halting = evaluate(model, test, halting, &mut |_| ())?;
        let exact = halting.steps.last().map_or(0, |s| s.exact);
        let point = Point { flops: halting.mean_steps * flops, exact };
        let name = format!("stopping when sure to {:.0} %", 100.0 * Limits::CAREFUL_HALT);
        curves.push(Curve { name, points: vec![point] });
    }
    let (milliseconds, bytes) = time(model, test, |model, one| {
        let mut session = Solver::new(model.clone(), DType::F32).batch(1).session();
        let question = Question { tokens: &one.inputs, puzzles: &one.example_identifiers() };
        session.push(question, Limits { steps: own, halt: None })?;
        Ok(session.thoughts().try_for_each(|thought| thought.map(drop))?)
    })?;
    let answered = &evaluation.steps[own - 1];
    Ok(Outcome {
        seed,
        training,
        exact: answered.exact,
        cells: answered.cells,
        curves,
        cost: Cost { flops: own as f64 * flops, counted: counted / flops, milliseconds, bytes },
        first_errors: None,
        weights: weight_digest(&**model)?,
    })
}

fn written(
    study: &Study,
    entry: &Entry,
    model: &Arc<Autoregressive>,
    training: Training,
    seed: u64,
    test: &Dataset,
) -> Result<Outcome, Error> {
    let stop = Stop::default();
    let before = model.device().flops();
    let evaluation = evaluate_autoregressive(model, test, options(1, None), &stop, &mut |_| ())?;
    let counted = (model.device().flops() - before) as f64 / test.len() as f64;
    let flops = entry.network.answer_flops(test);
    let (samples, temperature) = (study.answers, study.temperature);
    let sampling = SampleOptions { samples, temperature, seed, batch: BATCH };
    let best = best_of(model, test, sampling, &stop, &mut |_| ())?;
    let curve = |name: &str, exact: fn(&crate::BestOf) -> usize| Curve {
        name: name.into(),
        points: best
            .iter()
            .map(|b| Point { flops: b.answers as f64 * flops, exact: exact(b) })
            .collect(),
    };
    let curves = vec![
        curve("best of k by probability", |b| b.by_probability),
        curve("best of k by the rules", |b| b.by_rules),
    ];
    let (milliseconds, bytes) = time(model, test, |model, one| {
        write_answers(model, one, Sampling::Greedy, 1, &mut |_, _, _| ())
    })?;
    Ok(Outcome {
        seed,
        training,
        exact: evaluation.steps[0].exact,
        cells: evaluation.steps[0].cells,
        curves,
        cost: Cost { flops, counted: counted / flops, milliseconds, bytes },
        first_errors: Some(first_errors(model, test, BATCH)?),
        weights: weight_digest(&**model)?,
    })
}

/// Median milliseconds of answering one puzzle, and bytes of all tensors then, weights included.
fn time<N: Network>(
    model: &Arc<N>,
    test: &Dataset,
    answer: impl Fn(&Arc<N>, &Dataset) -> Result<(), Error>,
) -> Result<(f64, usize), Error> {
    // a device of its own, so that nothing but this model is in its memory
    let device = Device::cpu(if model.device().is_cpu() { model.device().threads() } else { 0 });
    let weights = model.to_safetensors(DType::F32)?;
    let model = Arc::new(N::from_safetensors(model.config(), &device, &weights)?);
    let mut times = Vec::new();
    for puzzle in 0..TIMED.min(test.groups()) {
        let one = test.select_groups(&[puzzle]);
        let started = Instant::now();
        answer(&model, &one)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok((median(times), device.memory().bytes))
}
