//! `trm solve`: watch a model think.

mod written;

use crate::Outcome;
use crate::display::{print_comparison, print_found, print_trail};
use crate::machine::{DeviceArguments, PrecisionArgument};
use crate::output::out;
use crate::search::{self, SearchArguments};
use crate::shipped;
use crate::writing::WritingArguments;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use trm::{Found, Limits, Model, Question, Solver};
use trm_puzzles::Domain;
use trm_train::{
    AnyModel, Dataset, DomainReferee, Error, Precision, SearchOptions, Trail, check_fit, load_any,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, or a run folder (its best model). Without one, the model that comes with this
    /// program solves 9×9 Sudoku.
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
    /// Supervision steps at most (default: the model's; for a chain of a search, twice as many); it stops earlier when sure (--halt).
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// A puzzle is done at its first step with a halting probability above P, which is above 0 and
    /// at most 1: the higher, the longer it thinks. 1 for all steps. With --search the rules decide
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
    #[arg(long, value_enum, default_value = "f32")]
    precision: PrecisionArgument,
    #[command(flatten)]
    search: SearchArguments,
    #[command(flatten)]
    writing: WritingArguments,
    #[command(flatten)]
    machine: DeviceArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let (folder, puzzle) = model_and_puzzle(arguments)?;
    let device = arguments.machine.device();
    let Some(folder) = folder.map(Path::new) else {
        return recursive(arguments, puzzle, &shipped::model(&device)?);
    };
    match load_any(folder, &device)? {
        AnyModel::Recursive(model) => recursive(arguments, puzzle, &model),
        AnyModel::Autoregressive(model) => written::run(arguments, (folder, puzzle), &model),
    }
}

fn recursive(arguments: &Arguments, puzzle: Option<&str>, model: &Model) -> Result<Outcome> {
    arguments.writing.refuse()?;
    let domain: Domain = model.config().domain.parse()?;
    let asked = match &arguments.data {
        Some(folder) => {
            Asked::of_data(folder, puzzle.unwrap_or_default(), &|data| check_fit(model, data))?
        }
        None => {
            let (place, text) = text(arguments, puzzle)?;
            Asked::of_text(questions(domain, &place, &text)?)
        }
    };
    let steps = arguments.steps.unwrap_or_else(|| arguments.search.default_steps(model));
    if steps == 0 || arguments.batch == 0 {
        bail!("--steps and --batch must be at least 1");
    }
    let dtype = Precision::from(arguments.precision).into();
    let solver = Solver::new(model, dtype);
    let limits = (steps, arguments.batch);
    if let Some(options) = arguments.search.options(limits, dtype)? {
        return search(arguments, solver, domain, &asked, &options);
    }
    let halt = arguments.halt.unwrap_or(Limits::CAREFUL_HALT);
    let limits = Limits { steps, batch: arguments.batch, halt: Some(halt) };
    let mut outcome = Outcome::Done;
    let trails = Trail::follow_all(solver, domain, asked.question(), limits)?;
    for (puzzle, trail) in trails.enumerate() {
        let is_recorded = asked.is_recorded(domain, puzzle, &trail.last().answer);
        if arguments.json {
            out!("{}", with_comparison(as_json(domain, &trail), is_recorded));
        } else {
            print_trail(domain, &trail);
            is_recorded.inspect(|is_recorded| print_comparison(*is_recorded));
        }
        if is_recorded.or(trail.last().verdict.decision()) == Some(false) {
            outcome = Outcome::NotSolved;
        }
    }
    Ok(outcome)
}

/// Searches, and prints every answer as soon as it is there.
fn search(
    arguments: &Arguments,
    solver: Solver<'_>,
    domain: Domain,
    asked: &Asked,
    options: &SearchOptions,
) -> Result<Outcome> {
    let question = asked.question();
    let mut stop = options.clock(question.puzzles.len());
    let mut outcome = Outcome::Done;
    let mut print = |found: Found| {
        let tokens = &question.tokens[found.puzzle * domain.seq_len()..][..domain.seq_len()];
        let is_recorded = asked.is_recorded(domain, found.puzzle, &found.answer);
        if arguments.json {
            out!("{}", with_comparison(search::as_json(domain, tokens, &found), is_recorded));
        } else {
            print_found(domain, tokens, &found);
            is_recorded.inspect(|is_recorded| print_comparison(*is_recorded));
        }
        if is_recorded.or(search::decision(domain, tokens, &found)) == Some(false) {
            outcome = Outcome::NotSolved;
        }
    };
    let referee = DomainReferee(Some(domain));
    solver.search(question, &referee, &options.search, &mut stop, &mut print)?;
    Ok(outcome)
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

    /// The test examples with this name or number of a data set that passes a check.
    fn of_data(
        folder: &Path,
        wanted: &str,
        check: &dyn Fn(&Dataset) -> Result<(), Error>,
    ) -> Result<Asked> {
        let data = Dataset::load(folder, "test")?;
        check(&data)?;
        let ids = data.example_identifiers();
        let examples: Vec<usize> = match &data.augmented {
            Some(tasks) => (0..ids.len()).filter(|i| tasks.name(ids[*i]) == Some(wanted)).collect(),
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
    fn is_recorded(&self, domain: Domain, puzzle: usize, answer: &[u8]) -> Option<bool> {
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
        (&[model], None) if Path::new(model).is_dir() => {
            bail!("no puzzle: give one after the model {model}, or --file")
        }
        (&[puzzle], None) => Ok((None, Some(puzzle))),
        _ => Ok((None, None)),
    }
}

/// Where the puzzles come from, and their text.
fn text(arguments: &Arguments, puzzle: Option<&str>) -> Result<(String, String)> {
    match (&arguments.file, puzzle) {
        (Some(path), _) => {
            let bytes = trm_train::files::read(path)?;
            let place = path.display().to_string();
            let text = String::from_utf8(bytes).with_context(|| format!("{place}: not text"))?;
            Ok((place, text))
        }
        (None, Some("-")) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input: not text")?;
            Ok(("standard input".into(), text))
        }
        (None, puzzle) => Ok(("the puzzle".into(), puzzle.unwrap_or_default().into())),
    }
}

/// One puzzle per line if every line is one, else a single puzzle. All are checked before the
/// first is solved.
fn questions(domain: Domain, place: &str, text: &str) -> Result<Vec<Vec<u8>>> {
    let lines: Vec<(usize, &str)> =
        (1..).zip(text.lines()).filter(|l| !l.1.trim().is_empty()).collect();
    let several = lines.len() > 1 && lines.iter().any(|(_, line)| domain.parse(line).is_ok());
    let parts = if several { lines } else { vec![(0, text)] };
    let mut questions = Vec::new();
    for (line, part) in parts {
        let place = if line > 0 { format!("{place}, line {line}") } else { place.to_owned() };
        let parsed = domain.parse(part).and_then(|q| domain.check_question(&q).map(|_| q));
        match parsed {
            Ok(question) => questions.push(question),
            Err(error) => bail!("{place}: {error}"),
        }
    }
    Ok(questions)
}

fn with_comparison(mut json: Value, is_recorded: Option<bool>) -> Value {
    if let Some(is_recorded) = is_recorded {
        json["recorded"] = is_recorded.into();
    }
    json
}

fn as_json(domain: Domain, trail: &Trail) -> Value {
    let steps: Vec<Value> = trail
        .steps
        .iter()
        .enumerate()
        .map(|(i, step)| {
            json!({
                "step": i + 1,
                "answer": domain.format_line(&step.answer),
                "halt_probability": step.halt_probability,
                "changed": step.changed,
                "solved": step.verdict.decision(),
            })
        })
        .collect();
    json!({
        "question": domain.format_line(&trail.question),
        "answer": domain.format_line(&trail.last().answer),
        "solved": trail.last().verdict.decision(),
        "verdict": trail.last().verdict.to_string(),
        "steps": steps,
    })
}
