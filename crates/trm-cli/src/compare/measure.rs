//! Training one contender with one seed, and all that is measured of it.

use super::median;
use super::study::{Entry, Sizes, Study};
use crate::train::supervise;
use anyhow::Result;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use trm::{Autoregressive, Limits, Model, Network, Question, Sampling, Solver};
use trm_data::{Dataset, weight_digest};
use trm_ops::{DType, Device, Stop};
use trm_study::{FirstErrors, SampleOptions, best_of, first_errors};
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
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) training: Training,
    /// Right puzzles, when the model answers as it was trained to.
    pub(crate) exact: usize,
    /// Share of right cells.
    pub(crate) cells: f64,
    /// Accuracy against compute at test time.
    pub(crate) curves: Vec<Curve>,
    pub(crate) cost: Cost,
    /// Of a written answer.
    pub(crate) first_errors: Option<FirstErrors>,
    pub(crate) weights: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Training {
    pub(crate) steps: u64,
    pub(crate) flops: f64,
    pub(crate) seconds: f64,
}

/// What one answer takes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cost {
    /// By formula.
    pub(crate) flops: f64,
    /// As the engine counted them over the formula's.
    pub(crate) counted: f64,
    /// Median of one puzzle at a time, f32.
    pub(crate) milliseconds: f64,
    /// Of all tensors while one puzzle is answered.
    pub(crate) bytes: usize,
}

/// Right puzzles by operations spent on each.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Point {
    pub(crate) flops: f64,
    pub(crate) exact: usize,
}

/// Trains a contender, or takes up where an earlier call stopped, and measures it.
pub(crate) fn outcome(
    study: &Study,
    entry: &Entry,
    seed: u64,
    out: &Path,
    (training, test): (&Arc<Dataset>, &Dataset),
    device: &Device,
) -> Result<Option<Outcome>> {
    let folder = out.join(entry.slug()).join(format!("seed-{seed}"));
    let recipe = Recipe { seed, ..entry.recipe.clone() };
    match &entry.network {
        Sizes::Recursive(_) => {
            let Some((model, training)) =
                train::<Trainer>(&folder, recipe, entry, training.clone(), device)?
            else {
                return Ok(None);
            };
            recursive(study, &Arc::new(model), training, seed, test).map(Some)
        }
        Sizes::Autoregressive(_) => {
            let trained =
                train::<AutoregressiveTrainer>(&folder, recipe, entry, training.clone(), device)?;
            let Some((model, training)) = trained else { return Ok(None) };
            written(study, entry, &Arc::new(model), training, seed, test).map(Some)
        }
    }
}

/// `None` if it was interrupted.
fn train<L: Learner>(
    folder: &Path,
    recipe: Recipe,
    entry: &Entry,
    data: Arc<Dataset>,
    device: &Device,
) -> Result<Option<(L::Network, Training)>> {
    let flops = recipe.train.batch as f64 * entry.network.training_flops(&data);
    let mut run: Run<L> = match folder.join("recipe.toml").exists() {
        true => Run::resume(folder, None, data, recipe, device)?,
        false => Run::create(folder, recipe, data, device)?,
    };
    if supervise(&mut run)? == Ending::Interrupted {
        return Ok(None);
    }
    let progress = run.progress();
    let (steps, seconds) = (progress.step, progress.seconds);
    let training = Training { steps, flops: flops * steps as f64, seconds };
    Ok(Some((L::load(folder, device)?, training)))
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
) -> Result<Outcome> {
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
    let (milliseconds, bytes) = time(model, test, &|model, one| {
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
) -> Result<Outcome> {
    let stop = Stop::default();
    let before = model.device().flops();
    let evaluation = evaluate_autoregressive(model, test, options(1, None), &stop, &mut |_| ())?;
    let counted = (model.device().flops() - before) as f64 / test.len() as f64;
    let flops = entry.network.answer_flops(test);
    let (samples, temperature) = (study.answers, study.temperature);
    let sampling = SampleOptions { samples, temperature, seed, batch: BATCH };
    let best = best_of(model, test, sampling, &stop, &mut |_| ())?;
    let curve = |name: &str, exact: fn(&trm_study::BestOf) -> usize| Curve {
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
    let (milliseconds, bytes) = time(model, test, &|model, one| {
        Ok(write_answers(model, one, Sampling::Greedy, 1, &mut |_, _, _| ())?)
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
    answer: &dyn Fn(&Arc<N>, &Dataset) -> Result<()>,
) -> Result<(f64, usize)> {
    // a device of its own, so that nothing but this model is in its memory
    let device = Device::cpu(model.device().threads());
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
