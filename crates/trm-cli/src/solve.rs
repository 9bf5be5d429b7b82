//! `trm solve`: watch a model think.

mod show;
mod written;

use crate::Outcome;
use crate::machine::{DeviceArguments, PrecisionArgument};
use crate::referee::RefereeArguments;
use crate::search::{SearchArguments, warn_without_rules};
use crate::writing::WritingArguments;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde_json::Value;
use show::Show;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trm::{Model, Question, Search, Solver};
use trm_data::{AnyModel, Dataset, HubName, SHIPPED, Shipped, load_any};
use trm_ops::Device;
use trm_puzzles::{Domain, QuestionError};
use trm_study::{Effort, SearchOptions, Wish, think};
use trm_train::{check_fit, fit};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, or a run folder (its best model). Without one, the models that come with this
    /// program solve 9×9 Sudoku and mazes, as the puzzle looks.
    ///
    /// Then the puzzle on one line, or `-` to read puzzles from standard input.
    #[arg(value_names = ["MODEL", "PUZZLE"], num_args = 1..=2, required_unless_present = "file")]
    model_and_puzzle: Vec<String>,
    /// Read puzzles from a file: one per line, or a single one drawn over several lines.
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
    /// Search although the puzzle has no rules: the answer with most votes wins.
    #[arg(long, conflicts_with = "one_pass", help_heading = "Search")]
    search: bool,
    /// Supervision steps at most (default: the model's; for a chain of a search, twice as many).
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Let the model alone decide when it is done (as with --one-pass): at its first step with a halting
    /// probability above P, which is above 0 and at most 1. The higher, the longer it thinks; 1 for all steps
    /// [default: 0.95].
    #[arg(long, value_name = "P", allow_negative_numbers = true, conflicts_with = "search")]
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
        return shipped(arguments, puzzle, &device);
    };
    match load_any(folder, &device)? {
        AnyModel::Recursive(model) => {
            arguments.writing.refuse()?;
            recursive(arguments, asked(arguments, puzzle, model)?)
        }
        AnyModel::Autoregressive(model) => written::run(arguments, (folder, puzzle), &model),
    }
}

/// Solves with the shipped model for puzzles of this form.
fn shipped(arguments: &Arguments, puzzle: Option<&str>, device: &Device) -> Result<Outcome> {
    let asked = match &arguments.data {
        Some(folder) => {
            let data = Dataset::load(folder, "test")?;
            let shipped = Shipped::of_domain(&data.metadata.domain).unwrap_or(SHIPPED[0]);
            asked(arguments, puzzle, shipped.load(device)?)?
        }
        None => {
            let (place, text) = text(arguments, puzzle)?;
            let shipped = Shipped::of(&text);
            let (own, model) = (shipped.domain(), shipped.load(device)?);
            of_text(model, &place, &text).map_err(|error| with_sizes(error, &text, &own))?
        }
    };
    recursive(arguments, asked)
}

/// Adds what to do about a puzzle of another size than that of the shipped model, whose domain this is.
fn with_sizes(error: anyhow::Error, text: &str, own: &Domain) -> anyhow::Error {
    if own.sized_for(text).is_none_or(|sized| sized == *own) {
        return error;
    }
    let columns = own.layout().columns;
    let rows = own.seq_len() / columns;
    anyhow!(
        "{error}; the shipped model is for {columns}×{rows}: name another model before the puzzle"
    )
}

/// The puzzles that are asked, and the model, of their size where its weights are those of any.
fn asked(
    arguments: &Arguments,
    puzzle: Option<&str>,
    model: Arc<Model>,
) -> Result<(Arc<Model>, Asked)> {
    let Some(folder) = &arguments.data else {
        let (place, text) = text(arguments, puzzle)?;
        return of_text(model, &place, &text);
    };
    let data = Dataset::load(folder, "test")?;
    let model = fit(model, &data.metadata.domain);
    check_fit(&model, &data)?;
    let asked = Asked::of_data(&data, folder, puzzle.unwrap_or_default())?;
    Ok((model, asked))
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

/// The puzzles of a text for a model; if they are of another size the model with that size, where its weights are
/// those of any.
fn of_text(model: Arc<Model>, place: &str, text: &str) -> Result<(Arc<Model>, Asked)> {
    let own: Domain = model.config().domain.parse()?;
    let refused = match questions(&own, place, text) {
        Ok(questions) => return Ok((model, Asked::of_text(questions))),
        Err(refused) => refused,
    };
    let sized = own.sized_for(text).ok_or(refused)?;
    let model = fit(model, &sized.name());
    let questions = questions(&model.config().domain.parse()?, place, text)?;
    Ok((model, Asked::of_text(questions)))
}

/// How to think: judged by the rules where there are any, unless the model alone was asked for.
fn effort(arguments: &Arguments, model: &Model, domain: &Domain) -> Result<Effort> {
    let alone = arguments.one_pass || arguments.halt.is_some();
    let usual = SearchOptions { search: Search::default(), time: None };
    let search = arguments.search.then_some(usual);
    let Arguments { steps, halt, one_pass, .. } = *arguments;
    let wish = Wish { steps, halt, alone: one_pass, search };
    let steps = wish.steps(model.config(), domain);
    if steps == 0 || arguments.batch == 0 {
        bail!("--steps and --batch must be at least 1");
    }
    if wish.searches(domain) {
        let options = arguments.searching.options(steps)?;
        warn_without_rules(Some(domain), &options);
        return Ok(Effort::Judged(options));
    }
    match arguments.searching.first_given() {
        Some(name) if alone => bail!("--{name} is for a search: leave out --one-pass and --halt"),
        Some(name) => bail!("--{name} is for a search, and {domain} has no rules: give --search"),
        None => {}
    }
    Ok(wish.effort(model.config(), domain))
}

/// Puzzles, who they are, and their answers where a data set has them.
struct Asked {
    tokens: Vec<u8>,
    puzzles: Vec<u32>,
    answers: Vec<Vec<u8>>,
}

impl Asked {
    fn of_text(questions: Vec<Vec<u8>>) -> Asked {
        Asked { tokens: questions.concat(), puzzles: vec![0; questions.len()], answers: Vec::new() }
    }

    /// The test examples with this name or number of a data set.
    fn of_data(data: &Dataset, folder: &Path, wanted: &str) -> Result<Asked> {
        let ids = data.example_identifiers();
        let examples: Vec<usize> = match &data.augmented {
            Some(tasks) => {
                let is_wanted = |id: u32| tasks.name(id) == Some(wanted) && !tasks.is_image(id);
                (0..ids.len()).filter(|i| is_wanted(ids[*i])).collect()
            }
            None => wanted.parse().ok().filter(|i| *i < ids.len()).into_iter().collect(),
        };
        if examples.is_empty() {
            let known = match &data.augmented {
                Some(tasks) => {
                    format!("a test task, such as {}", tasks.name(ids[0]).unwrap_or_default())
                }
                None => format!("the number of a test example, 0 to {}", ids.len() - 1),
            };
            bail!("{}: `{wanted}` is not {known}", folder.display());
        }
        let answers = examples.iter().map(|i| data.label(*i).to_vec());
        Ok(Asked {
            tokens: examples.iter().flat_map(|i| data.input(*i)).copied().collect(),
            puzzles: examples.iter().map(|i| ids[*i]).collect(),
            answers: answers.collect(),
        })
    }

    fn question(&self) -> Question<'_> {
        Question { tokens: &self.tokens, puzzles: &self.puzzles }
    }

    /// Whether an answer is the recorded one, if there is one: what lies outside a grid does not count.
    fn is_recorded(&self, domain: &Domain, puzzle: usize, answer: &[u8]) -> Option<bool> {
        let recorded = self.answers.get(puzzle)?;
        let is_known = recorded.iter().any(|token| *token != 0);
        let is_same =
            !answer.is_empty() && domain.format_line(answer) == domain.format_line(recorded);
        is_known.then_some(is_same)
    }
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

/// Where the puzzles come from, and their text.
fn text(arguments: &Arguments, puzzle: Option<&str>) -> Result<(String, String)> {
    match (&arguments.file, puzzle) {
        (Some(path), _) => Ok((path.display().to_string(), trm_data::files::read_text(path)?)),
        (None, Some("-")) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input: not text")?;
            Ok(("standard input".into(), text))
        }
        (None, Some(name)) if Path::new(name).is_file() => {
            bail!("the puzzle: `{name}` is a file: give it with --file")
        }
        (None, puzzle) => Ok(("the puzzle".into(), puzzle.unwrap_or_default().into())),
    }
}

/// The puzzles of a text; all are checked before the first is solved.
fn questions(domain: &Domain, place: &str, text: &str) -> Result<Vec<Vec<u8>>> {
    trm_puzzles::questions(domain, text).map_err(|QuestionError { line, source }| match line {
        Some(line) => anyhow!("{place}, line {line}: {source}"),
        None => anyhow!("{place}: {source}"),
    })
}

/// Adds whether the answer is the recorded one, if there is one.
fn with_comparison(mut json: Value, is_recorded: Option<bool>) -> Value {
    if let Some(is_recorded) = is_recorded {
        json["recorded"] = is_recorded.into();
    }
    json
}
