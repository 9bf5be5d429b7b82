//! `trm solve`: watch a model think.

mod show;
mod source;
mod written;

use crate::Outcome;
use crate::machine::{DeviceArguments, PrecisionArgument};
use crate::referee::RefereeArguments;
use crate::search::{SearchArguments, warn_without_rules};
use crate::writing::WritingArguments;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;
use show::Show;
use source::{Asked, Source};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trm::{Model, Search, Solver};
use trm_data::{AnyModel, HubName, load_any};
use trm_puzzles::Domain;
use trm_study::{Effort, SearchOptions, Wish, think};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, or a run folder (its best model). Without one, the models that come with this
    /// program solve 9×9 Sudoku and mazes, as the puzzle looks.
    ///
    /// Then the puzzle on one line, or `-` to read puzzles from standard input.
    #[arg(value_names = ["MODEL", "PUZZLE"], num_args = 1..=2, required_unless_present = "file")]
    model_and_puzzle: Vec<String>,
    /// Read puzzles from a file: one per line, drawn over several lines, JSON, or CSV with a column `question`.
    #[arg(long, value_name = "F")]
    file: Option<PathBuf>,
    /// Take a test puzzle of this data set: PUZZLE is then the name of an ARC task, or the number of an
    /// example, from 0. The answer is compared with the recorded one.
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    data: Option<PathBuf>,
    /// Show the model alone, as the paper has it: its drafts are shown as they are, and it stops by its own
    /// belief.
    ///
    /// Without this, where the puzzle has rules or a referee, drafts keep the given cells, and the model goes on until the rules
    /// approve: first its own chain of thought, then the others of a search.
    #[arg(long)]
    one_pass: bool,
    /// Search although the puzzle has no rules: the answer with most votes wins. With --halt the first answer wins that
    /// the model is sure of.
    #[arg(long, conflicts_with = "one_pass", help_heading = "Search")]
    search: bool,
    /// Supervision steps at most (default: the model's), of each chain where there is a search.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Let the model alone decide when it is done, in one pass or in a --search: at its first step with a halting
    /// probability above P, which is above 0 and at most 1. The higher, the longer it thinks; 1 for all steps
    /// [default: 0.95].
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    halt: Option<f32>,
    /// Puzzles at a time. One that is done leaves its place to the next; answers do not depend on
    /// the number, and are printed in the order of the puzzles.
    #[arg(long, default_value_t = 16, value_name = "N")]
    batch: usize,
    /// Print one JSON object per puzzle and line.
    #[arg(long)]
    json: bool,
    /// Number format of activations.
    #[arg(long, value_enum, default_value = "auto")]
    precision: PrecisionArgument,
    #[command(flatten)]
    searching: SearchArguments,
    #[command(flatten)]
    refereeing: RefereeArguments,
    #[command(flatten)]
    writing: WritingArguments,
    #[command(flatten)]
    machine: DeviceArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let (folder, puzzle) = model_and_puzzle(arguments)?;
    let device = arguments.machine.device()?;
    let Some(folder) = folder.map(Path::new) else {
        arguments.writing.refuse()?;
        let source = Source::read(arguments, puzzle)?;
        return recursive(arguments, source.asked_shipped(&device)?);
    };
    match load_any(folder, &device)? {
        AnyModel::Recursive(model) => {
            arguments.writing.refuse()?;
            recursive(arguments, Source::read(arguments, puzzle)?.asked(model)?)
        }
        AnyModel::Autoregressive(model) => written::run(arguments, (folder, puzzle), &model),
    }
}

fn recursive(arguments: &Arguments, (model, asked): (Arc<Model>, Asked)) -> Result<Outcome> {
    let domain = model.config().domain.parse()?;
    let domain = arguments.refereeing.judging(domain, model.device().threads())?;
    let effort = effort(arguments, &model, &domain)?;
    let dtype = arguments.precision.on(model.device())?;
    let solver = Solver::new(model, dtype).batch(arguments.batch);
    let mut show = Show::new(&domain, &asked, effort, arguments.json);
    think(&solver, &domain, asked.question(), effort, &mut |_, told| show.hear(told))?;
    Ok(show.outcome())
}

/// How to think: judged by the rules where there are any, unless the model alone was asked for.
fn effort(arguments: &Arguments, model: &Model, domain: &Domain) -> Result<Effort> {
    let usual = SearchOptions { search: Search::default(), time: None };
    let search = arguments.search.then_some(usual);
    let Arguments { steps, halt, one_pass, .. } = *arguments;
    let wish = Wish { steps, halt, alone: one_pass, search };
    if wish.steps(model.config()) == 0 || arguments.batch == 0 {
        bail!("--steps and --batch must be at least 1");
    }
    if wish.searches(domain) {
        let options = wish.searching(arguments.searching.options()?, model.config());
        warn_without_rules(Some(domain), &options);
        return Ok(Effort::Judged(options));
    }
    match arguments.searching.first_given() {
        Some(name) if one_pass => bail!("--{name} is for a search: leave out --one-pass"),
        Some(name) if halt.is_some() => bail!("--{name} is for a search: give --search too"),
        Some(name) => bail!("--{name} is for a search, and {domain} has no rules: give --search"),
        None => {}
    }
    Ok(wish.effort(model.config(), domain))
}

/// The folder of the model, if one is given, and the puzzle, unless it is in a file.
fn model_and_puzzle(arguments: &Arguments) -> Result<(Option<&str>, Option<&str>)> {
    let given: Vec<&str> = arguments.model_and_puzzle.iter().map(String::as_str).collect();
    match (given.as_slice(), &arguments.file) {
        (&[model, puzzle], None) => Ok((Some(model), Some(puzzle))),
        (&[_, puzzle], Some(_)) => bail!("both a puzzle ({puzzle}) and --file: give one of them"),
        (&[model], Some(_)) => Ok((Some(model), None)),
        (&[model], None) if Path::new(model).is_dir() || HubName::parse(model).is_some() => {
            bail!("no puzzle: give one after the model {model}, or --file")
        }
        (&[puzzle], None) => Ok((None, Some(puzzle))),
        _ => Ok((None, None)),
    }
}

/// Adds whether the answer is the recorded one, if there is one.
fn with_comparison(mut json: Value, is_recorded: Option<bool>) -> Value {
    if let Some(is_recorded) = is_recorded {
        json["recorded"] = is_recorded.into();
    }
    json
}
