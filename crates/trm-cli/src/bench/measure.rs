//! One case, timed as it is used: inference through a session, training through the trainer.

use super::Work;
use super::launches::{PerRun, since};
use super::subject::Subject;
use anyhow::Result;
use rand::RngExt;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;
use std::time::Instant;
use trm::{Config, Limits, Model, Question, Session, Solver};
use trm_data::{Example, Purpose, stream};
use trm_ops::{DType, Device};
use trm_train::{Precision, TrainConfig, Trainer};

const SEED: u64 = 1;
/// Steps before the timed ones: caches, packed weights, the recycler of buffers.
const WARM_UP: usize = 2;
/// Runs that a median is taken of, if they do not take [`PATIENCE`] times as long as was asked for.
const FEWEST_RUNS: usize = 3;
pub(super) const PATIENCE: f64 = 4.0;

/// What to time.
pub(super) struct Case {
    pub(super) subject: Subject,
    pub(super) work: Work,
    pub(super) precision: Precision,
    pub(super) dtype: DType,
    pub(super) threads: usize,
    pub(super) batch: usize,
}

/// When enough is measured.
#[derive(Clone, Copy)]
pub(super) enum Duration {
    Runs(usize),
    Seconds(f64),
}

impl Duration {
    /// Whether the time asked for has passed.
    fn is_over(self, begin: Instant) -> bool {
        matches!(self, Duration::Seconds(seconds) if begin.elapsed().as_secs_f64() >= seconds)
    }
}

/// What was found, as programs read it.
#[derive(Serialize)]
pub(super) struct Measurement {
    pub(super) device: String,
    pub(super) preset: String,
    pub(super) work: Work,
    pub(super) precision: Precision,
    pub(super) threads: usize,
    pub(super) batch: usize,
    pub(super) tokens: usize,
    pub(super) parameters: usize,
    pub(super) runs: usize,
    pub(super) median_ms: f64,
    pub(super) least_ms: f64,
    pub(super) most_ms: f64,
    pub(super) ms_per_puzzle: f64,
    pub(super) puzzles_per_second: f64,
    pub(super) gflops: f64,
    pub(super) ceiling_gflops: f64,
    pub(super) share_of_ceiling: f64,
    /// Share of the device's bandwidth, where bytes are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_share: Option<f64>,
    /// What a run sends to the device, by program.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) launches: BTreeMap<String, PerRun>,
    pub(super) allocated_bytes: usize,
}

impl Case {
    /// Floating-point operations of one run.
    fn flops(&self) -> f64 {
        let config = &self.subject.config;
        let puzzle = match self.work {
            Work::Forward => config.forward_flops(),
            Work::Train => config.training_flops(),
            Work::Solve => config.forward_flops() * config.supervision_steps as f64,
        };
        puzzle * self.batch as f64
    }
}

/// For a person who waits.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, work, format) = (&self.subject.name, self.work.name(), self.dtype);
        write!(f, "{name}, {work}, {format}, batch {}", self.batch)
    }
}

/// Times a case. `ceiling` is the device's, in GFLOP/s, `bandwidth` in bytes.
pub(super) fn measure(
    case: &Case,
    device: &Device,
    duration: Duration,
    (ceiling, bandwidth): (f64, Option<f64>),
) -> Result<Measurement> {
    let mut rng = stream(SEED, Purpose::Weights, 0);
    let model = Model::new(&case.subject.config, device, &mut rng)?;
    let (parameters, _) = model.parameter_count();
    let Timed { mut times, launches } = match case.work {
        Work::Forward => time_forward(model, case, duration)?,
        Work::Solve => time_solve(model, case, duration)?,
        Work::Train => time_training(model, case, duration)?,
    };
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    let median = (times[middle] + times[(times.len() - 1) / 2]) / 2.0;
    let gflops = case.flops() / median / 1e9;
    Ok(Measurement {
        device: device.kernels().place(),
        preset: case.subject.name.clone(),
        work: case.work,
        precision: case.precision,
        threads: case.threads,
        batch: case.batch,
        tokens: case.subject.config.len(),
        parameters,
        runs: times.len(),
        median_ms: 1e3 * median,
        least_ms: 1e3 * times[0],
        most_ms: 1e3 * times[times.len() - 1],
        ms_per_puzzle: 1e3 * median / case.batch as f64,
        puzzles_per_second: case.batch as f64 / median,
        gflops,
        ceiling_gflops: ceiling,
        share_of_ceiling: gflops / ceiling,
        memory_share: bandwidth
            .map(|limit| launches.values().map(|l| l.bytes).sum::<f64>() / median / limit),
        launches,
        allocated_bytes: device.memory().bytes,
    })
}

/// A session for a batch, and what lets the batch think for so many steps, none stopping early.
fn session(model: Model, case: &Case) -> (Session, impl Fn(&mut Session, usize) -> Result<()>) {
    let (tokens, puzzles) = questions(&case.subject.config, case.batch);
    let push = move |session: &mut Session, steps| {
        let question = Question { tokens: &tokens, puzzles: &puzzles };
        session.push(question, Limits { steps, halt: None })?;
        Ok(())
    };
    (Solver::new(model, case.dtype).batch(case.batch).session(), push)
}

/// Supervision steps of one batch, each from the state that the one before left.
fn time_forward(model: Model, case: &Case, duration: Duration) -> Result<Timed> {
    let device = model.device().clone();
    let (mut session, push) = session(model, case);
    push(&mut session, usize::MAX)?;
    let mut step = || Ok(black_box(session.step())?);
    warm_up(duration, &mut step)?;
    time(&device, duration, step)
}

/// All supervision steps of a batch, without stopping early.
fn time_solve(model: Model, case: &Case, duration: Duration) -> Result<Timed> {
    let device = model.device().clone();
    let (mut session, push) = session(model, case);
    let mut solve = |steps| {
        push(&mut session, steps)?;
        Ok(session.thoughts().try_for_each(|thought| black_box(thought).map(drop))?)
    };
    solve(WARM_UP)?;
    time(&device, duration, || solve(case.subject.config.supervision_steps))
}

/// Training steps of one persistent batch.
fn time_training(model: Model, case: &Case, duration: Duration) -> Result<Timed> {
    let device = model.device().clone();
    let config = model.config().clone();
    let (batch, precision) = (case.batch, case.precision);
    let settings = TrainConfig { batch, precision, ..case.subject.train.clone() };
    let mut trainer = Trainer::new(model, &settings, SEED, 0);
    let mut drawn = 0;
    let mut step = || {
        let example = |_| {
            drawn += 1;
            let [question, answer] = [2 * drawn, 2 * drawn + 1].map(|i| puzzle(&config, i));
            Example { question, answer, puzzle: 0 }
        };
        trainer.step(example)?;
        Ok(())
    };
    warm_up(duration, &mut step)?;
    time(&device, duration, step)
}

fn warm_up(duration: Duration, run: &mut impl FnMut() -> Result<()>) -> Result<()> {
    let begin = Instant::now();
    for _ in 0..WARM_UP {
        run()?;
        if duration.is_over(begin) {
            break;
        }
    }
    Ok(())
}

/// What timing gives.
struct Timed {
    /// Seconds of every run.
    times: Vec<f64>,
    launches: BTreeMap<String, PerRun>,
}

fn time(device: &Device, duration: Duration, mut run: impl FnMut() -> Result<()>) -> Result<Timed> {
    let before = device.kernels().launches();
    let mut times = Vec::new();
    let begin = Instant::now();
    loop {
        let started = Instant::now();
        run()?;
        times.push(started.elapsed().as_secs_f64());
        let enough = match duration {
            Duration::Runs(runs) => times.len() >= runs,
            Duration::Seconds(seconds) => {
                let fewest = times.len() >= FEWEST_RUNS;
                let elapsed = begin.elapsed().as_secs_f64();
                elapsed >= if fewest { seconds } else { PATIENCE * seconds }
            }
        };
        if enough {
            let launches = since(&before, device, times.len());
            return Ok(Timed { times, launches });
        }
    }
}

/// Tokens and identifiers of a random batch.
fn questions(config: &Config, batch: usize) -> (Vec<u8>, Vec<u32>) {
    let tokens = (0..batch as u64).flat_map(|i| puzzle(config, i)).collect();
    (tokens, vec![0; batch])
}

/// Random cells; none is PAD, so that all of them are learned.
fn puzzle(config: &Config, number: u64) -> Vec<u8> {
    let mut rng = stream(SEED, Purpose::Data, number);
    let first = usize::from(config.vocab_size > 1);
    (0..config.seq_len).map(|_| rng.random_range(first..config.vocab_size) as u8).collect()
}
