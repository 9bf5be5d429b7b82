//! How the cost of an answer grows with the puzzle.

use super::median;
use super::study::{Entry, Sizes};
use crate::{Error, mismatch};
use serde::Serialize;
use std::time::Instant;
use trm::{
    Autoregressive, AutoregressiveConfig, Config, Limits, Model, Order, Question, Sampling, Solver,
    generate,
};
use trm_data::{Purpose, stream};
use trm_ops::{DType, Device};
use trm_puzzles::Domain;

/// Share of a Sudoku's cells that are open, for the cost of writing them.
const OPEN: f64 = 0.65;
/// Answers that are timed.
const TIMED: usize = 3;

/// What one answer to one kind of puzzle takes.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// Whose.
    pub contender: String,
    /// The kind of puzzle.
    pub domain: String,
    /// Its cells.
    pub cells: usize,
    /// Trained values of a network for it.
    pub parameters: usize,
    /// Operations, by formula.
    pub flops: f64,
    /// Median of one puzzle at a time.
    pub milliseconds: f64,
}

/// Every contender's network, with random weights, on every kind of puzzle that it can read.
pub(super) fn growth(
    entries: &[Entry],
    domains: &[String],
    device: &Device,
) -> Result<Vec<Growth>, Error> {
    let mut all = Vec::new();
    for entry in entries {
        for name in domains {
            let domain: Domain = name.parse().map_err(mismatch)?;
            let measured = match &entry.network {
                Sizes::Recursive(config) => recursive(config, &domain, device)?,
                Sizes::Autoregressive(config) => written(config, &domain, device)?,
            };
            if let Some((parameters, flops, milliseconds)) = measured {
                all.push(Growth {
                    contender: entry.name.clone(),
                    domain: name.clone(),
                    cells: domain.seq_len(),
                    parameters,
                    flops,
                    milliseconds,
                });
            }
        }
    }
    Ok(all)
}

type Measured = Option<(usize, f64, f64)>;

fn recursive(config: &Config, domain: &Domain, device: &Device) -> Result<Measured, Error> {
    let layout = domain.layout();
    let config = Config {
        domain: domain.name(),
        seq_len: domain.seq_len(),
        vocab_size: domain.vocab_size(),
        boxes: [layout.boxes.0, layout.boxes.1],
        ..config.clone()
    };
    let config = config.with_columns(layout.columns);
    if config.check().is_err() {
        return Ok(None); // such as units of a Sudoku in a maze
    }
    let model = Model::new(&config, device, &mut stream(0, Purpose::Weights, 0))?;
    let parameters = model.parameter_count().0;
    let tokens = vec![1; config.seq_len];
    let limits = Limits { steps: config.supervision_steps, halt: None };
    let mut session = Solver::new(model, DType::F32).session();
    let milliseconds = time(|| {
        session.push(Question { tokens: &tokens, puzzles: &[0] }, limits)?;
        Ok(session.thoughts().try_for_each(|thought| thought.map(drop))?)
    })?;
    let flops = config.supervision_steps as f64 * config.forward_flops();
    Ok(Some((parameters, flops, milliseconds)))
}

fn written(
    config: &AutoregressiveConfig,
    domain: &Domain,
    device: &Device,
) -> Result<Measured, Error> {
    let config = AutoregressiveConfig {
        domain: domain.name(),
        seq_len: domain.seq_len(),
        vocab_size: domain.vocab_size(),
        ..config.clone()
    };
    let solver = config.order == Order::Solver;
    if config.check().is_err() || solver && !domain.has_solver_order() {
        return Ok(None);
    }
    let model = Autoregressive::new(&config, device, &mut stream(0, Purpose::Weights, 0))?;
    let open = (OPEN * config.seq_len as f64).round() as usize;
    let question: Vec<u8> =
        (0..config.seq_len).map(|cell| if cell < open { 1 } else { 2 }).collect();
    let prompt = [config.prompt(&question, |token| token == 1)];
    let milliseconds = time(|| {
        generate(&model, &prompt, (Sampling::Greedy, 0))?;
        Ok(())
    })?;
    Ok(Some((config.parameters(), config.forward_flops(config.answer_len(open)), milliseconds)))
}

fn time(mut answer: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let mut times = Vec::new();
    for _ in 0..TIMED {
        let started = Instant::now();
        answer()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(times))
}
