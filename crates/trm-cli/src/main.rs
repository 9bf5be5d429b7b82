//! The command `trm`: train, evaluate and use tiny recursive models.

mod bench;
mod compare;
mod data;
mod devices;
mod display;
mod eval;
mod export;
mod import;
mod interrupt;
mod machine;
mod output;
mod progress;
mod pull;
mod quickstart;
mod referee;
mod search;
mod serve;
mod solve;
mod team;
#[cfg(test)]
mod toy;
mod train;
mod writing;

use anstream::ColorChoice;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
#[cfg(unix)]
use std::sync::atomic::AtomicBool;

/// Tiny recursive models: draft a whole answer, think, revise.
///
/// Start with `trm quickstart`: it makes 4×4 Sudoku puzzles, trains a model on them within a
/// minute, measures it on puzzles it has never seen and shows it thinking.
///
/// Exit codes: 0 done; 1 something failed (or a puzzle was not solved); 2 the request cannot be
/// fulfilled as written; 130 interrupted by Ctrl-C.
#[derive(Parser)]
#[command(version, about, long_about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Train a small model from nothing, measure it and watch it think: under a minute.
    Quickstart(quickstart::Arguments),
    /// Fetch, make and check data sets.
    #[command(subcommand)]
    Data(data::Verb),
    /// Train a model by a recipe, or go on with an interrupted run.
    Train(train::Arguments),
    /// Measure a model on a data set: by supervision step, or by answers to choose from.
    Eval(eval::Arguments),
    /// Let a model think about puzzles and show every draft, or the order of writing.
    Solve(solve::Arguments),
    /// Serve models: an interface for programs, and a page on which people watch them think.
    Serve(serve::Arguments),
    /// Fetch the newest files of a model of the hub: every command then takes hf:OWNER/NAME, without a network.
    Pull(pull::Arguments),
    /// Turn a checkpoint of the public PyTorch code into a model folder.
    Import(import::Arguments),
    /// Write a model to give away: smaller, or for the public PyTorch code.
    Export(export::Arguments),
    /// Compare ways of thinking: train several kinds of model with equal compute, ask language models, and
    /// measure all on the same puzzles.
    Compare(compare::Arguments),
    /// List where this machine can compute: its processor and its GPUs.
    Devices(devices::Arguments),
    /// Time this machine on models of known sizes, beside its own ceiling.
    Bench(bench::Arguments),
}

/// How a command ended, if nothing went wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    NotSolved,
    Interrupted,
}

/// `FORCE_COLOR` as many programs have it: colours wherever the output goes, unless it is 0 or `NO_COLOR` is set.
fn force_colour() {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("FORCE_COLOR") && !set("NO_COLOR") {
        let never = std::env::var_os("FORCE_COLOR").is_some_and(|value| value == "0");
        let choice = if never { ColorChoice::Never } else { ColorChoice::Always };
        choice.write_global();
    }
}

fn main() -> ExitCode {
    #[cfg(unix)]
    outlive_file_limits();
    force_colour();
    let _launched = match team::join() {
        Ok(launched) => launched,
        Err(error) => {
            display::error(&error);
            return ExitCode::from(2);
        }
    };
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => return explain(&usage),
    };
    if let Err(cap) = team::on_all(trm_ops::checked_level().map_err(anyhow::Error::from)) {
        display::error(&cap);
        return ExitCode::from(2);
    }
    match run(arguments.verb) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NotSolved) => ExitCode::from(1),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            interrupt::unless_ending();
            let code = exit_code(&error);
            if team::is_everybodys(&error) {
                display::error(&error);
            } else {
                display::error_of_one(&error.to_string());
                team::team().end(code.into());
            }
            ExitCode::from(code)
        }
    }
}

/// Does what was asked.
fn run(verb: Verb) -> anyhow::Result<Outcome> {
    let shared = match &verb {
        Verb::Train(_) | Verb::Eval(_) => true,
        Verb::Data(verb) => data::is_shared(verb),
        _ => false,
    };
    if !shared && team::team().size() > 1 {
        let message = "several processes were started, and only trm train, trm eval, trm data sudoku and trm data maze \
                       share work: start one";
        return team::on_all(Err(anyhow::anyhow!(message)));
    }
    match verb {
        Verb::Quickstart(arguments) => quickstart::run(&arguments),
        Verb::Data(verb) => data::run(&verb),
        Verb::Train(arguments) => train::run(&arguments),
        Verb::Eval(arguments) => eval::run(&arguments),
        Verb::Solve(arguments) => solve::run(&arguments),
        Verb::Serve(arguments) => serve::run(&arguments),
        Verb::Import(arguments) => import::run(&arguments),
        Verb::Pull(arguments) => pull::run(&arguments),
        Verb::Export(arguments) => export::run(&arguments),
        Verb::Compare(arguments) => compare::run(&arguments),
        Verb::Devices(arguments) => devices::run(&arguments),
        Verb::Bench(arguments) => bench::run(&arguments),
    }
}

/// A write beyond a limit on file sizes fails with an error then, instead of ending the process by a signal.
#[cfg(unix)]
fn outlive_file_limits() {
    static REACHED: AtomicBool = AtomicBool::new(false);
    // refused only for signals that cannot be caught
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, &REACHED);
}

/// Prints what clap has to say: help and version are data, the rest is for a person.
fn explain(usage: &clap::Error) -> ExitCode {
    let printed = if team::leads() { usage.print() } else { Ok(()) };
    if usage.use_stderr() {
        return ExitCode::from(2);
    }
    output::written(printed);
    ExitCode::SUCCESS
}

/// Something was looked for and not found, or checked and found wrong: exit code 1.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

/// 2 for what cannot be done as asked, 1 for what failed.
fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Failed>() {
        return 1;
    }
    let misuse = error.downcast_ref::<trm_train::Error>().is_none_or(trm_train::Error::is_misuse);
    let io = error.downcast_ref::<std::io::Error>().is_some();
    if misuse && !io { 2 } else { 1 }
}
