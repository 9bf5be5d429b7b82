//! How often a model is right, by supervision step.

pub(crate) mod score;
pub(crate) mod tally;
pub(crate) mod validity;

use crate::Error;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tally::Tally;
use trm::{Limits, Model, Question, Solver, Thought};
use trm_data::{Dataset, Metadata};
use trm_ops::{DType, Stop};
use trm_puzzles::Domain;
use trm_team::Team;
use validity::Validity;

/// How to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct EvalOptions {
    /// Supervision steps at most, at least 1; every one is scored.
    pub steps: usize,
    /// Puzzles at a time; no number but the speed depends on it.
    pub batch: usize,
    /// A puzzle stops at its first step with a halting probability above this ([`Limits::halt`]).
    /// Published accuracies are those of the full number of steps, without it.
    pub halt: Option<f32>,
    /// Number format of activations.
    pub dtype: DType,
    /// Keep the outputs of every puzzle's last step.
    pub keep_outputs: bool,
}

/// Accuracy of a model on a data set, by supervision step.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Puzzles evaluated.
    pub puzzles: usize,
    /// The halting probability above which puzzles stopped, if they could.
    #[serde(serialize_with = "as_typed")]
    pub halt: Option<f32>,
    /// Scores if nothing thinks for longer than so many supervision steps, from 1: of the draft
    /// after that step, or of the last draft of a puzzle that has stopped before.
    pub steps: Vec<StepScore>,
    /// Halting probability of the last draft against the truth, in ten bins.
    pub calibration: Vec<Bin>,
    /// Mean first step at which the model is sure (the last if never).
    pub mean_halt_step: f64,
    /// Mean number of supervision steps that were computed for a puzzle.
    pub mean_steps: f64,
    /// Mean cross-entropy of a cell in the last draft, where a model gives every cell a probability of
    /// its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// What the judge of the data set says of the last drafts, if it has one ([`Dataset::referee`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity: Option<Validity>,
    /// How many of the last drafts are of each kind ([`Verdict::kind`](trm_puzzles::Verdict::kind)), where the
    /// rules of the puzzle tell more than right from wrong.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, usize>,
    /// Wall time of the forward passes.
    pub seconds: f64,
    /// Outputs of every puzzle's last step, if asked for.
    #[serde(skip)]
    pub outputs: Option<Outputs>,
}

/// Scores by a number of supervision steps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepScore {
    /// Puzzles that are right in every cell.
    pub exact: usize,
    /// Share of cells that are right, averaged over puzzles.
    pub cells: f64,
    /// Puzzles that the model is sure of ([`Evaluation::sure_above`]).
    pub halted: usize,
    /// Those of them that are right.
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

/// What the last supervision step of every puzzle gave, in the order of the data set.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// `[N, S, V]`.
    pub logits: Vec<f32>,
    /// `[N, S]`.
    pub answers: Vec<u8>,
    /// `[N]`.
    pub halt_logits: Vec<f32>,
}

/// A threshold in the digits that it was typed in: 0.95, not the nearest f32 in the digits of f64.
fn as_typed<S: Serializer>(halt: &Option<f32>, to: S) -> Result<S::Ok, S::Error> {
    halt.map(|p| p.to_string().parse().unwrap_or(f64::from(p))).serialize(to)
}

impl Evaluation {
    /// Share of puzzles right after the last step.
    pub fn exact(&self) -> f64 {
        self.share(self.steps.last().map_or(0, |s| s.exact))
    }

    /// The halting probability above which the model counts as sure of a draft, in all that is
    /// said here: the one above which puzzles stopped, or [`Limits::PUBLISHED_HALT`] where none
    /// could.
    pub fn sure_above(&self) -> f32 {
        self.halt.unwrap_or(Limits::PUBLISHED_HALT)
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

/// Refuses a data set that the model cannot read.
///
/// # Errors
/// Says what differs.
pub fn check_fit(model: &Model, data: &Dataset) -> Result<(), Error> {
    let (config, meta) = (model.config(), &data.metadata);
    check_sizes((config.seq_len, config.vocab_size, &config.domain), meta)?;
    let identifiers = meta.num_puzzle_identifiers;
    if config.prefix_len > 0 && identifiers > config.puzzle_identifiers {
        let known = config.puzzle_identifiers.to_string();
        return Err(differs("puzzle_identifiers", known, identifiers.to_string()));
    }
    Ok(())
}

/// The model for a domain that is its own, or the same puzzle in another size where its weights are those of any
/// ([`Model::on_grid`]); else as it is, for [`check_fit`] to say what differs.
pub fn fit(model: Arc<Model>, domain: &str) -> Arc<Model> {
    match [&model.config().domain[..], domain].map(|name| name.parse::<Domain>()) {
        [Ok(own), Ok(wanted)] if own != wanted && own.kind() == wanted.kind() => {
            let columns = wanted.layout().columns;
            let sized = model.on_grid(domain, [wanted.seq_len() / columns, columns]);
            sized.ok().flatten().map_or(model, Arc::new)
        }
        _ => model,
    }
}

/// Refuses data of other cells, tokens or puzzles than a model's.
pub(crate) fn check_sizes(
    (seq_len, vocab_size, domain): (usize, usize, &str),
    meta: &Metadata,
) -> Result<(), Error> {
    if seq_len != meta.seq_len {
        return Err(differs("seq_len", seq_len.to_string(), meta.seq_len.to_string()));
    }
    if vocab_size != meta.vocab_size {
        return Err(differs("vocab_size", vocab_size.to_string(), meta.vocab_size.to_string()));
    }
    if ![domain, &meta.domain[..]].contains(&"") && domain != meta.domain {
        return Err(differs("domain", domain.into(), meta.domain.clone()));
    }
    Ok(())
}

fn differs(what: &str, of_model: String, of_data: String) -> Error {
    Error::Mismatch(format!(
        "the model has {what} {of_model}, but the data set has {of_data}: \
         evaluate on data made for the same puzzle"
    ))
}

/// Evaluates a model on every example. `progress` hears how many puzzles are done, after each step that some end with.
///
/// # Errors
/// If the data do not fit the model, or `options.halt` is no probability above 0.
pub fn evaluate(
    model: &Arc<Model>,
    data: &Dataset,
    options: EvalOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, Error> {
    evaluate_until(model, data, options, &Stop::default(), progress)
}

/// [`evaluate`], or when `stop` is requested what the puzzles say that are done by then.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_until(
    model: &Arc<Model>,
    data: &Dataset,
    options: EvalOptions,
    stop: &Stop,
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, Error> {
    evaluate_in_team(model, data, options, (&Team::alone(), stop), progress)
}

/// [`evaluate_until`], the puzzles shared by a team: all its processes get the result, and it does not depend on how
/// many they are. `progress` hears of those of this process.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_in_team(
    model: &Arc<Model>,
    data: &Dataset,
    options: EvalOptions,
    (team, stop): (&Team, &Stop),
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, Error> {
    check_fit(model, data)?;
    let EvalOptions { steps, batch, halt, dtype, .. } = options;
    let (identifiers, part) = (data.example_identifiers(), team.part(data.len()));
    let question = Question { tokens: &data.inputs, puzzles: &identifiers }.rows(part.clone());
    let mut tally = Tally::new(options, data);
    let (mut done, mut told) = (0, 0);
    let started = Instant::now();
    let mut session = Solver::new(model.clone(), dtype).batch(batch).until(stop).session();
    session.push(question, Limits { steps, halt })?;
    for thought in session.thoughts() {
        let thought = match thought {
            Err(trm::Error::Stopped) => break,
            thought => thought?,
        };
        tally.add(&Thought { puzzle: part.start + thought.puzzle, ..thought });
        // those that are done after the same step are told at once, or the time left would seem far too long
        done += usize::from(thought.last);
        if told < done && (!thought.last || told + batch <= done) {
            progress(done);
            told = done;
        }
    }
    if told < done {
        progress(done);
    }
    let evaluation = tally.finish(team)?;
    Ok(Evaluation { seconds: started.elapsed().as_secs_f64(), ..evaluation })
}
