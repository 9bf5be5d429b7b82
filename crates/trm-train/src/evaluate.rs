use crate::Error;
use crate::dataset::Dataset;
use crate::score::Score;
use serde::Serialize;
use std::time::Instant;
use trm::{Model, Solver};
use trm_ops::DType;

/// How to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct EvalOptions {
    /// Supervision steps; every one is scored.
    pub steps: usize,
    /// Puzzles at a time.
    pub batch: usize,
    /// Number format of activations.
    pub dtype: DType,
    /// Keep the outputs of the last step.
    pub keep_outputs: bool,
}

/// Accuracy of a model on a data set, after every supervision step.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Puzzles evaluated.
    pub puzzles: usize,
    /// Scores by supervision step, from 1.
    pub steps: Vec<StepScore>,
    /// Halting probability of the last step against the truth, in ten bins.
    pub calibration: Vec<Bin>,
    /// Mean first step at which the model holds its answer to be right (the last if never).
    pub mean_halt_step: f64,
    /// Wall time of the forward passes.
    pub seconds: f64,
    /// Outputs of the last step, if asked for.
    #[serde(skip)]
    pub outputs: Option<Outputs>,
}

/// Scores after one supervision step.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StepScore {
    /// Puzzles that are right in every cell.
    pub exact: usize,
    /// Share of cells that are right, averaged over puzzles.
    pub cells: f64,
    /// Puzzles that the model holds to be right.
    pub halted: usize,
    /// Those of them that are.
    pub halted_exact: usize,
}

/// Puzzles whose halting probability falls in a range.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Bin {
    /// Number of puzzles.
    pub puzzles: usize,
    /// Mean halting probability.
    pub probability: f64,
    /// Share of puzzles that are right.
    pub exact: f64,
}

/// What the last supervision step gave for every puzzle.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// `[N, S, V]`.
    pub logits: Vec<f32>,
    /// `[N, S]`.
    pub answers: Vec<u8>,
    /// `[N]`.
    pub halt_logits: Vec<f32>,
}

impl Evaluation {
    /// Share of puzzles right after the last step.
    pub fn exact(&self) -> f64 {
        self.share(self.steps.last().map_or(0, |s| s.exact))
    }

    /// Share of all puzzles.
    pub fn share(&self, count: usize) -> f64 {
        count as f64 / self.puzzles.max(1) as f64
    }

    /// Mean distance between halting probability and truth, weighted by puzzles.
    pub fn calibration_error(&self) -> f64 {
        let error = |bin: &Bin| bin.puzzles as f64 * (bin.probability - bin.exact).abs();
        self.calibration.iter().map(error).sum::<f64>() / self.puzzles.max(1) as f64
    }
}

/// The 95 % Wilson score interval of a share.
pub fn wilson(count: usize, total: usize) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    if total == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (total as f64, count as f64 / total as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
}

/// Refuses a data set that the model cannot read.
///
/// # Errors
/// Says what differs.
pub fn check_fit(model: &Model, data: &Dataset) -> Result<(), Error> {
    let (config, meta) = (model.config(), &data.metadata);
    let refuse = |what: &str, of_model: String, of_data: String| {
        let message = format!(
            "the model has {what} {of_model}, but the data set has {of_data}: \
             evaluate on data made for the same puzzle"
        );
        Err(Error::Mismatch(message))
    };
    if config.seq_len != meta.seq_len {
        return refuse("seq_len", config.seq_len.to_string(), meta.seq_len.to_string());
    }
    if config.vocab_size != meta.vocab_size {
        return refuse("vocab_size", config.vocab_size.to_string(), meta.vocab_size.to_string());
    }
    if !meta.domain.is_empty() && config.domain != meta.domain {
        return refuse("domain", config.domain.clone(), meta.domain.clone());
    }
    let identifiers = meta.num_puzzle_identifiers;
    if config.prefix_len > 0 && identifiers > config.puzzle_identifiers {
        let known = config.puzzle_identifiers.to_string();
        return refuse("puzzle_identifiers", known, identifiers.to_string());
    }
    Ok(())
}

/// Evaluates a model on every example, all supervision steps. `progress` hears how many puzzles are
/// done.
///
/// # Errors
/// If the data do not fit the model.
pub fn evaluate(
    model: &Model,
    data: &Dataset,
    options: EvalOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, Error> {
    check_fit(model, data)?;
    let solver = Solver::new(model, options.dtype);
    let cells = data.metadata.seq_len;
    let mut tally = Tally::new(options, data.ignore_label());
    let identifiers = data.example_identifiers();
    let started = Instant::now();
    for start in (0..data.len()).step_by(options.batch.max(1)) {
        let end = (start + options.batch.max(1)).min(data.len());
        let inputs = &data.inputs[start * cells..end * cells];
        let labels = &data.labels[start * cells..end * cells];
        let mut session = solver.start(inputs, &identifiers[start..end])?;
        let mut first_halt = vec![options.steps; end - start];
        for step in 1..=options.steps {
            let draft = session.step();
            tally.step(step, &draft, labels, &mut first_halt);
        }
        tally.evaluation.mean_halt_step += first_halt.iter().sum::<usize>() as f64;
        progress(end);
    }
    tally.evaluation.puzzles = data.len();
    tally.evaluation.seconds = started.elapsed().as_secs_f64();
    Ok(tally.finish())
}

/// Sums during an evaluation.
struct Tally {
    options: EvalOptions,
    ignore: u8,
    evaluation: Evaluation,
}

impl Tally {
    fn new(options: EvalOptions, ignore: u8) -> Tally {
        let evaluation = Evaluation {
            puzzles: 0,
            steps: vec![StepScore::default(); options.steps],
            calibration: vec![Bin::default(); 10],
            mean_halt_step: 0.0,
            seconds: 0.0,
            outputs: options.keep_outputs.then(Outputs::default),
        };
        Tally { options, ignore, evaluation }
    }

    fn step(&mut self, step: usize, draft: &trm::Draft, labels: &[u8], first_halt: &mut [usize]) {
        let batch = draft.halt_logits.len();
        let score = Score::new(&draft.answers, labels, batch, self.ignore);
        let sums = &mut self.evaluation.steps[step - 1];
        for row in 0..batch {
            let halted = draft.halt_logits[row] > 0.0;
            sums.exact += usize::from(score.exact[row]);
            sums.cells += f64::from(score.cells[row]);
            sums.halted += usize::from(halted);
            sums.halted_exact += usize::from(halted && score.exact[row]);
            if halted {
                first_halt[row] = first_halt[row].min(step);
            }
        }
        if step == self.options.steps {
            self.last_step(draft, &score);
        }
    }

    fn last_step(&mut self, draft: &trm::Draft, score: &Score) {
        for (logit, exact) in draft.halt_logits.iter().zip(&score.exact) {
            let probability = 1.0 / (1.0 + (-f64::from(*logit)).exp());
            let bin = &mut self.evaluation.calibration[((probability * 10.0) as usize).min(9)];
            bin.puzzles += 1;
            bin.probability += probability;
            bin.exact += f64::from(u8::from(*exact));
        }
        if let Some(outputs) = &mut self.evaluation.outputs {
            outputs.logits.extend(draft.logits.to_f32_vec());
            outputs.answers.extend(&draft.answers);
            outputs.halt_logits.extend(&draft.halt_logits);
        }
    }

    /// From sums to means.
    fn finish(mut self) -> Evaluation {
        let puzzles = self.evaluation.puzzles.max(1) as f64;
        self.evaluation.mean_halt_step /= puzzles;
        self.evaluation.steps.iter_mut().for_each(|s| s.cells /= puzzles);
        for bin in &mut self.evaluation.calibration {
            bin.probability /= bin.puzzles.max(1) as f64;
            bin.exact /= bin.puzzles.max(1) as f64;
        }
        self.evaluation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_intervals_are_the_textbook_ones() {
        let (low, high) = wilson(8, 10);
        assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4, "{low} {high}");
        assert_eq!(wilson(0, 50).0, 0.0);
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }
}
