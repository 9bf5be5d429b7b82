//! `trm bench`: how fast this machine works, beside what it could do at best.

mod launches;
mod measure;
mod show;
mod subject;

use crate::Outcome;
use crate::display::{heading, progress_bar};
use crate::machine::{Place, PrecisionArgument};
use crate::output::{note, out};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use measure::{Case, Duration, Measurement, PATIENCE, measure};
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;
use subject::Subject;
use trm_data::files::{check_writable, write_atomic};
use trm_data::text::duration as in_words;
use trm_data::{Machine, program};
use trm_ops::Device;

/// As in recipes.
const MAX_BATCH: usize = 1 << 20;

/// Times models with random weights on random puzzles. The lists, separated by commas, are
/// combined: every preset with every batch with every kind of work and so on.
#[derive(Args)]
pub(crate) struct Arguments {
    /// sudoku, attention, long; or a model folder or a recipe, for its sizes.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "sudoku")]
    preset: Vec<String>,
    /// Square grids of N by N cells, instead of the preset's.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    side: Vec<usize>,
    /// Puzzles at a time.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,16")]
    batch: Vec<usize>,
    /// What to time.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "forward,train")]
    work: Vec<Work>,
    /// Number formats of activations.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "auto")]
    precision: Vec<PrecisionArgument>,
    /// Threads to compute with; 0 for one per core.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0", value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: Vec<u16>,
    /// Where to compute: cpu; gpu, the first one; gpu:N; auto, a GPU if there is a real one.
    #[arg(long, env = "TRM_DEVICE", default_value = "cpu", value_name = "DEVICE")]
    device: Place,
    /// Instead, list what one run sends to a GPU, by program: every launch is waited for. With =count nothing runs, and
    /// the limits are those of a GPU with memory of its own: sizes can be counted that this machine does not hold.
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "time")]
    launches: Option<launches::How>,
    /// Time every case for so long, and three times at least, or for four times as long.
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    seconds: f64,
    /// Time every case so many times.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    runs: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Draw the milliseconds per puzzle over the batch, or over the tokens if --side is given.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// One supervision step without gradient.
    Forward,
    /// One training step: forward, backward, update.
    Train,
    /// All supervision steps of a puzzle.
    Solve,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Work::Forward => "forward",
            Work::Train => "train",
            Work::Solve => "solve",
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let duration = check(arguments)?;
    let cases = cases(arguments)?;
    arguments.svg.as_deref().map_or(Ok(()), check_writable)?;
    let machine = Machine::this();
    if !arguments.json {
        heading(&format!("{machine}, {}; {}", machine.features.join(" "), program()));
        note!("{}", announcement(cases.len(), duration));
        show::header();
    }
    let bar = progress_bar(cases.len() as u64, "{pos}/{len}  measuring {msg}");
    let mut ceilings = HashMap::new();
    let mut measured: Vec<Measurement> = Vec::new();
    for case in &cases {
        bar.set_message(case.to_string());
        bar.tick();
        let device = open(arguments, case.threads)?; // its own: nothing else is in its memory
        let ceiling = *ceilings
            .entry((case.threads, case.dtype))
            .or_insert_with(|| (device.ceiling(case.dtype) / 1e9, device.bandwidth()));
        let measurement = measure(case, &device, duration, ceiling)?;
        if !arguments.json {
            bar.suspend(|| show::row(&measurement));
            if let Some(how) = arguments.launches {
                bar.suspend(|| launches::table(&measurement, how));
            }
        }
        bar.inc(1);
        measured.push(measurement);
    }
    bar.finish_and_clear();
    if arguments.json {
        let all =
            serde_json::json!({ "machine": machine, "program": program(), "cases": measured });
        out!("{}", serde_json::to_string_pretty(&all)?);
    }
    if let Some(path) = &arguments.svg {
        let chart = show::chart(&measured, !arguments.side.is_empty(), &machine);
        write_atomic(path, trm_study::report::render_chart(&chart).as_bytes())?;
    }
    Ok(Outcome::Done)
}

/// How long it will take.
fn announcement(cases: usize, each: Duration) -> String {
    match each {
        Duration::Runs(runs) => format!("{cases} cases, {runs} runs of each after two to warm up"),
        Duration::Seconds(seconds) => format!(
            "{cases} cases: between {} and {}, longer only where a single step takes {}; --seconds S changes it",
            in_words(cases as f64 * (2.0 + seconds)),
            in_words(cases as f64 * (2.0 + (1.0 + PATIENCE) * seconds)),
            in_words(PATIENCE * seconds),
        ),
    }
}

fn check(arguments: &Arguments) -> Result<Duration> {
    if let Some(batch) = arguments.batch.iter().find(|b| !(1..=MAX_BATCH).contains(*b)) {
        bail!("--batch {batch}: must be between 1 and {MAX_BATCH}");
    }
    if let Some(side) = arguments.side.iter().find(|side| !(1..=1000).contains(*side)) {
        bail!("--side {side}: must be between 1 and 1000");
    }
    match arguments.runs {
        Some(0) => bail!("--runs 0: must be at least 1"),
        Some(runs) => Ok(Duration::Runs(runs)),
        None if (0.0..=3600.0).contains(&arguments.seconds) => {
            Ok(Duration::Seconds(arguments.seconds))
        }
        None => bail!("--seconds {}: must be between 0 and 3600", arguments.seconds),
    }
}

/// The device that is timed.
fn open(arguments: &Arguments, threads: usize) -> Result<Device> {
    match (arguments.launches, arguments.device) {
        (None, place) => place.open(threads),
        (Some(how), Place::Gpu(index)) => gpu_counting(index, how),
        (Some(_), _) => {
            bail!("--launches: give the GPU whose launches are meant, such as --device gpu")
        }
    }
}

#[cfg(feature = "gpu")]
fn gpu_counting(index: usize, how: launches::How) -> Result<Device> {
    use trm_gpu::{Adapter, Counting, Limits, open_within};
    let adapter = Adapter::number(index)?;
    let of_gpu = Limits::of(&adapter);
    let (counting, binding, buffer) = match how {
        launches::How::Time => (Counting::Seconds, of_gpu.binding, of_gpu.buffer),
        // what GPUs with memory of their own have
        launches::How::Count => (Counting::Dry, u64::from(u32::MAX), u64::from(u32::MAX)),
    };
    Ok(open_within(&adapter, Limits { counting, binding, buffer, ..of_gpu })?)
}

#[cfg(not(feature = "gpu"))]
fn gpu_counting(_: usize, _: launches::How) -> Result<Device> {
    bail!(crate::machine::NO_GPUS)
}

/// All combinations, batches and sides innermost, so that neighbouring rows can be compared.
fn cases(arguments: &Arguments) -> Result<Vec<Case>> {
    let subjects: Result<Vec<Subject>> = arguments.preset.iter().map(|p| p.parse()).collect();
    let subjects = subjects?;
    let subjects = subjects.iter().flat_map(|s| s.with_sides(&arguments.side));
    let mut cases = Vec::new();
    for subject in subjects {
        subject.config.check().map_err(trm::Error::from)?;
        for work in &arguments.work {
            for precision in &arguments.precision {
                for threads in &arguments.threads {
                    let device = open(arguments, usize::from(*threads))?;
                    let (threads, dtype) = (device.threads(), precision.on(&device)?);
                    let precision = precision.chosen(&device);
                    cases.extend(arguments.batch.iter().map(|batch| {
                        let (subject, work, batch) = (subject.clone(), *work, *batch);
                        Case { subject, work, precision, dtype, threads, batch }
                    }));
                }
            }
        }
    }
    Ok(cases)
}
