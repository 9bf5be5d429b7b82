//! `trm solve`: watch a model think.

use crate::Outcome;
use crate::display::print_trail;
use crate::machine::{DeviceArguments, PrecisionArgument};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::io::Read;
use std::path::PathBuf;
use trm::{Limits, Question, Solver};
use trm_puzzles::Domain;
use trm_train::{Precision, Trail, load_model};

#[derive(Args)]
pub(crate) struct Arguments {
    /// A model folder, or a run folder (its best model).
    model: PathBuf,
    /// The puzzle on one line, or `-` to read puzzles from standard input.
    #[arg(required_unless_present = "file")]
    puzzle: Option<String>,
    /// Read puzzles from a file: one per line, or a single one drawn over several lines.
    #[arg(long, value_name = "F", conflicts_with = "puzzle")]
    file: Option<PathBuf>,
    /// Supervision steps at most (default: the model's); it stops earlier when sure (--halt).
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// A puzzle is done at its first step with a halting probability above P, which is above 0 and
    /// at most 1: the higher, the longer it thinks. 1 for all steps.
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
    machine: DeviceArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let (place, text) = text(arguments)?;
    let device = arguments.machine.device();
    let model = load_model(&arguments.model, &device)?;
    let domain: Domain = model.config().domain.parse()?;
    let questions = questions(domain, &place, &text)?;
    let steps = arguments.steps.unwrap_or(model.config().supervision_steps);
    if steps == 0 || arguments.batch == 0 {
        bail!("--steps and --batch must be at least 1");
    }
    let solver = Solver::new(&model, Precision::from(arguments.precision).into());
    let question = Question { tokens: &questions.concat(), puzzles: &vec![0; questions.len()] };
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

/// Where the puzzles come from, and their text.
fn text(arguments: &Arguments) -> Result<(String, String)> {
    match (&arguments.file, arguments.puzzle.as_deref()) {
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
