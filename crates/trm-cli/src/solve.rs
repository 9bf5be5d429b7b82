//! `trm solve`: watch a model think.

use crate::Outcome;
use crate::display::{print_found, print_trail};
use crate::machine::{DeviceArguments, PrecisionArgument};
use crate::search::{self, SearchArguments};
use crate::shipped;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use trm::{Found, Limits, Question, Solver};
use trm_puzzles::Domain;
use trm_train::{DomainReferee, Precision, SearchOptions, Trail, load_model};

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
    /// Supervision steps at most (default: the model's; for a chain of a search, twice as many); it stops earlier when sure (--halt).
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// A puzzle is done at its first step with a halting probability above P, which is above 0 and
    /// at most 1: the higher, the longer it thinks. 1 for all steps. With --search the rules decide.
    #[arg(
        long,
        value_name = "P",
        default_value_t = Limits::CAREFUL_HALT,
        allow_negative_numbers = true
    )]
    halt: f32,
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
    machine: DeviceArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let (folder, puzzle) = model_and_puzzle(arguments)?;
    let (place, text) = text(arguments, puzzle)?;
    let device = arguments.machine.device();
    let model = match folder {
        Some(folder) => load_model(Path::new(folder), &device)?,
        None => shipped::model(&device)?,
    };
    let domain: Domain = model.config().domain.parse()?;
    let questions = questions(domain, &place, &text)?;
    let steps = arguments.steps.unwrap_or_else(|| arguments.search.default_steps(&model));
    if steps == 0 || arguments.batch == 0 {
        bail!("--steps and --batch must be at least 1");
    }
    let dtype = Precision::from(arguments.precision).into();
    let solver = Solver::new(&model, dtype);
    let question = Question { tokens: &questions.concat(), puzzles: &vec![0; questions.len()] };
    let limits = (steps, arguments.batch);
    if let Some(options) = arguments.search.options(limits, dtype)? {
        return search(arguments, solver, domain, question, &options);
    }
    let limits = Limits { steps, batch: arguments.batch, halt: Some(arguments.halt) };
    let mut outcome = Outcome::Done;
    for trail in Trail::follow_all(solver, domain, question, limits)? {
        if arguments.json {
            println!("{}", as_json(domain, &trail));
        } else {
            print_trail(domain, &trail);
        }
        if !trail.last().verdict.is_solved() {
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
    question: Question<'_>,
    options: &SearchOptions,
) -> Result<Outcome> {
    let mut stop = options.clock(question.puzzles.len());
    let mut outcome = Outcome::Done;
    let mut print = |found: Found| {
        let asked = &question.tokens[found.puzzle * domain.seq_len()..][..domain.seq_len()];
        if arguments.json {
            println!("{}", search::as_json(domain, asked, &found));
        } else {
            print_found(domain, asked, &found);
        }
        if !search::is_solved(domain, asked, &found) {
            outcome = Outcome::NotSolved;
        }
    };
    let referee = DomainReferee(Some(domain));
    solver.search(question, &referee, &options.search, &mut stop, &mut print)?;
    Ok(outcome)
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
                "solved": step.verdict.is_solved(),
            })
        })
        .collect();
    json!({
        "question": domain.format_line(&trail.question),
        "answer": domain.format_line(&trail.last().answer),
        "solved": trail.last().verdict.is_solved(),
        "verdict": trail.last().verdict.to_string(),
        "steps": steps,
    })
}
