//! `trm eval`: accuracy by supervision step, or of written answers.

mod json;
pub(crate) mod table;
mod votes;
mod written;

use crate::Outcome;
use crate::interrupt::stoppable;
use crate::machine::{DeviceArguments, PrecisionArgument};
use crate::output::{note, out};
use crate::progress::Progress;
use crate::referee::{RefereeArguments, with_validity};
use crate::search::{SearchArguments, print_report, warn_without_rules};
use crate::team::{compare, leads, on_all, team};
use crate::writing::WritingArguments;
use anyhow::{Result, bail};
use clap::Args;
use json::{as_json, identity};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::{print, print_digests, print_heading};
use trm::{Model, Solver};
use trm_data::{AnyModel, Dataset, files::check_writable, files::write_atomic, load_any, program};
use trm_ops::level;
use trm_study::pages::compute;
use trm_study::report::{Chart, render_chart};
use trm_study::{SearchOptions, VoteOptions, Wish};
use trm_train::{EvalOptions, Outputs, evaluate_in_team, fit};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, or a run folder (its best model).
    model: PathBuf,
    /// Data set to measure on.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Which part of it.
    #[arg(long, default_value = "test")]
    split: String,
    /// Supervision steps (default: the model's), of each chain where there is a search.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Only the first N groups.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Let every puzzle stop at its first step with a halting probability above P, and the next one
    /// take its place: faster. P is above 0 and at most 1; without a number it is 0.5, the rule of
    /// the public code, which costs accuracy (`trm solve` takes 0.95). What follows --halt is taken
    /// for P unless it begins with a hyphen: MODEL comes first.
    ///
    /// Without --halt every puzzle gets all steps, as in published results. In the table, `sure of`
    /// counts halting probabilities above P, or above 0.5 without --halt; a puzzle that has stopped
    /// keeps its answer in the rows of later steps.
    #[arg(
        long,
        value_name = "P",
        num_args = 0..=1,
        default_missing_value = "0.5",
        allow_negative_numbers = true,
        value_parser = probability
    )]
    halt: Option<f32>,
    /// Puzzles at a time.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Save logits, preds and q_halt_logits of every puzzle's last step here.
    #[arg(long, value_name = "FILE.safetensors")]
    save_outputs: Option<PathBuf>,
    /// Of ARC: augmentations of a task that vote at most, the task itself first (default: all).
    #[arg(long, value_name = "N")]
    votes: Option<usize>,
    /// Of ARC: write two attempts for every test input here.
    #[arg(long, value_name = "FILE.json")]
    submission: Option<PathBuf>,
    /// Ask without saying which puzzle it is.
    #[arg(long)]
    blank_identifiers: bool,
    /// Draw accuracy against compute, beside published results.
    #[arg(long, value_name = "FILE.svg")]
    figure: Option<PathBuf>,
    /// Number format of activations.
    #[arg(long, value_enum, default_value = "auto")]
    precision: PrecisionArgument,
    /// Search: where the model's own answer breaks the rules, think again, several times at once, with
    /// noise, from other beginnings, on symmetric variants of the puzzle and with suppositions, until an answer
    /// satisfies them; with --halt=P, until the model is sure of one.
    #[arg(long, help_heading = "Search")]
    search: bool,
    #[command(flatten)]
    searching: SearchArguments,
    #[command(flatten)]
    refereeing: RefereeArguments,
    #[command(flatten)]
    writing: WritingArguments,
    #[command(flatten)]
    machine: DeviceArguments,
}

fn probability(text: &str) -> Result<f32, &'static str> {
    text.parse().map_err(|_| "not a number: name the model before --halt")
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let (model, data) = on_all(prepare(arguments))?;
    if team().size() > 1 {
        compare(&[
            ("the version of trm", program()),
            ("what computes (TRM_CPU caps it)", level().features().join(", ")),
            ("the data set (its digest)", data.digest()),
            ("the model (the digest of its weights)", model.digest()?),
        ])?;
    }
    match model {
        AnyModel::Recursive(model) => {
            recursive(arguments, &fit(model, &data.metadata.domain), data)
        }
        AnyModel::Autoregressive(model) => written::run(arguments, &model, &data),
    }
}

/// What is measured, and on what.
fn prepare(arguments: &Arguments) -> Result<(AnyModel, Dataset)> {
    let Arguments { figure, save_outputs, submission, .. } = arguments;
    for path in [figure, save_outputs, submission].into_iter().flatten().filter(|_| leads()) {
        check_writable(path)?;
    }
    let device = arguments.machine.device()?;
    let model = load_any(&arguments.model, &device)?;
    let mut data = Dataset::load(&arguments.data, &arguments.split)?;
    if let Some(limit) = arguments.limit {
        let first: Vec<usize> = (0..limit.min(data.groups())).collect();
        data = data.select_groups(&first);
    }
    if data.is_empty() {
        bail!("no puzzles: --limit must be at least 1 and the split must not be empty");
    }
    if data.augmented.is_some() && arguments.refereeing.is_given() {
        bail!("tasks of ARC are voted on: --referee is for other puzzles");
    }
    arguments.refereeing.judge(&mut data, &[], device.threads())?;
    Ok((model, data))
}

/// What to do with a recursive model.
enum Plan {
    Measure(EvalOptions),
    Search(SearchOptions),
    Vote(VoteOptions),
}

fn recursive(arguments: &Arguments, model: &Arc<Model>, mut data: Dataset) -> Result<Outcome> {
    if arguments.blank_identifiers && data.augmented.is_none() {
        data.puzzle_identifiers.fill(data.metadata.blank_identifier_id);
    }
    match on_all(plan(arguments, model, &data))? {
        Plan::Measure(options) => measure(arguments, model, &data, options),
        Plan::Vote(options) => votes::run(arguments, model, &data, options),
        Plan::Search(options) => {
            let dtype = arguments.precision.on(model.device())?;
            let solver = Solver::new(model.clone(), dtype).batch(arguments.batch);
            search(arguments, &solver, &data, &options)
        }
    }
}

fn plan(arguments: &Arguments, model: &Model, data: &Dataset) -> Result<Plan> {
    arguments.writing.refuse()?;
    let steps = arguments.steps.unwrap_or(model.config().supervision_steps);
    if let (false, Some(name)) = (arguments.search, arguments.searching.first_given()) {
        bail!("--{name} is for a search: give --search too");
    }
    if steps == 0 || steps > 1 << 20 || arguments.batch == 0 {
        bail!("--steps and --batch must be at least 1, --steps at most 1048576");
    }
    let dtype = arguments.precision.on(model.device())?;
    if data.augmented.is_some() {
        return votes::options(arguments, model, steps).map(Plan::Vote);
    }
    if arguments.votes.is_some() || arguments.submission.is_some() {
        bail!("--votes and --submission are for data sets of ARC");
    }
    if arguments.search {
        if team().size() > 1 {
            bail!("a search runs in one process: start one, or leave --search out");
        }
        if arguments.save_outputs.is_some() {
            bail!("--search goes without --save-outputs");
        }
        let wish = Wish { steps: Some(steps), halt: arguments.halt, ..Wish::default() };
        let options = wish.searching(arguments.searching.options()?, model.config());
        warn_without_rules(data.judged_by_or(&model.config().domain).ok().as_ref(), &options);
        return Ok(Plan::Search(options));
    }
    Ok(Plan::Measure(EvalOptions {
        steps,
        batch: arguments.batch,
        halt: arguments.halt,
        dtype,
        keep_outputs: arguments.save_outputs.is_some(),
    }))
}

/// One pass over all puzzles, and what comes of it.
fn measure(
    arguments: &Arguments,
    model: &Arc<Model>,
    data: &Dataset,
    options: EvalOptions,
) -> Result<Outcome> {
    let mut bar = Progress::new("evaluating", data.len() as u64);
    let team = team();
    let mut progress = |done: usize| bar.set_position((done * team.size()) as u64);
    let evaluation = stoppable(STOPPING, |stop| {
        evaluate_in_team(model, data, options, (&team, stop), &mut progress)
    })??;
    bar.finish();
    let outcome = ended(evaluation.puzzles, data.len(), "puzzles");
    if evaluation.puzzles == 0 || !team.leads() {
        return Ok(outcome);
    }
    if arguments.json {
        out!("{}", serde_json::to_string_pretty(&as_json(arguments, &evaluation, data, model)?)?);
    } else {
        print(arguments, &evaluation, data, model)?;
    }
    draw(arguments, || compute::of_evaluation(model.config(), &evaluation))?;
    if let (Some(path), Some(outputs)) = (&arguments.save_outputs, &evaluation.outputs)
        && outcome == Outcome::Done
    {
        save_outputs(path, outputs, data)?;
    }
    Ok(outcome)
}

const STOPPING: &str =
    "stopping with what is measured so far; press Ctrl-C again to stop without it";

/// Says so if not all puzzles, or tasks, are done.
fn ended(done: usize, all: usize, what: &str) -> Outcome {
    if done == all {
        return Outcome::Done;
    }
    match done {
        0 => note!("stopped before any of {all} {what} was done"),
        _ => note!("stopped after {done} of {all} {what}: what follows is of these"),
    }
    Outcome::Interrupted
}

fn search(
    arguments: &Arguments,
    solver: &Solver,
    data: &Dataset,
    options: &SearchOptions,
) -> Result<Outcome> {
    let mut bar = Progress::new("searching", data.len() as u64);
    let report = stoppable(STOPPING, |stop| {
        trm_study::search(solver, data, options, stop, &mut |done| bar.set_position(done as u64))
    })??;
    bar.finish();
    let outcome = ended(report.puzzles, data.len(), "puzzles");
    if report.puzzles == 0 {
        return Ok(outcome);
    }
    let model = &**solver.model();
    if arguments.json {
        let options = json!({
            "steps": options.search.steps,
            "halt": (!options.search.judged).then_some(options.search.halt),
            "rollouts": options.search.rollouts,
            "noise": options.search.noise,
            "restart": options.search.restart,
            "symmetries": options.search.symmetries,
            "patience": options.search.patience,
            "seed": options.search.seed,
            "milliseconds": options.time.map(|time| time.as_millis() as u64),
        });
        let mut json =
            identity(arguments, (data, model), arguments.precision.chosen(model.device()))?;
        json["puzzles"] = report.puzzles.into();
        json["search"] = options;
        json["report"] = serde_json::to_value(&report)?;
        let json = with_validity(json, report.validity.as_ref());
        out!("{}", serde_json::to_string_pretty(&json)?);
    } else {
        print_heading(arguments, data);
        print_report(&report, options, arguments.batch);
        print_digests(data, model)?;
    }
    draw(arguments, || compute::of_search(model.config(), &report))?;
    Ok(outcome)
}

fn draw(arguments: &Arguments, chart: impl FnOnce() -> Chart) -> Result<()> {
    if let Some(path) = &arguments.figure {
        write_atomic(path, render_chart(&chart()).as_bytes())?;
    }
    Ok(())
}

fn save_outputs(path: &Path, outputs: &Outputs, data: &Dataset) -> Result<()> {
    let (n, s, v) = (data.len(), data.metadata.seq_len, data.metadata.vocab_size);
    let floats = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let (logits, halt_logits) = (floats(&outputs.logits), floats(&outputs.halt_logits));
    let tensors = [
        ("logits", TensorView::new(Dtype::F32, vec![n, s, v], &logits)?),
        ("preds", TensorView::new(Dtype::U8, vec![n, s], &outputs.answers)?),
        ("q_halt_logits", TensorView::new(Dtype::F32, vec![n], &halt_logits)?),
    ];
    Ok(write_atomic(path, &safetensors::serialize(tensors, None)?)?)
}
