//! `trm train`: the run, its progress bar, its end.

use crate::Outcome;
use crate::display::{bytes, heading, progress_bar, rate};
use crate::interrupt::stoppable;
use crate::machine::{DeviceArguments, PrecisionArgument};
use crate::output::note;
use crate::referee::RefereeArguments;
use crate::team::{leads, on_all, team};
use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use std::collections::VecDeque;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::time::Instant;
use terminal_size::terminal_size_of;
use trm::Network;
use trm_data::text::{duration, percent};
use trm_data::{Dataset, weight_digest};
use trm_study::pages::Reported;
use trm_train::{
    AutoregressiveTrainer, Changes, Ending, Error, Event, Learner, Precision, Recipe, Run, Said,
    StepMetrics, Trainer, Validity, Workers, available_bytes, checkpoint_bytes, free_folder,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The recipe: a TOML file of settings. Without one, or with one that names nothing but the data, the network and
    /// the training are chosen to suit the data and a CPU, and printed.
    #[arg(required_unless_present_any = ["resume", "data"])]
    recipe: Option<PathBuf>,
    /// Change one setting of the recipe; can be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder of the run (default: runs/NAME-OF-RECIPE, or of the data without one, numbered if taken).
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Data set, instead of the recipe's.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Go on with the run in this folder.
    #[arg(long, value_name = "RUN", conflicts_with = "recipe")]
    resume: Option<PathBuf>,
    /// Resume from the checkpoint of this step instead of the newest, and remove later ones.
    #[arg(long, value_name = "STEP", requires = "resume")]
    from: Option<u64>,
    /// Number format of activations, instead of the recipe's.
    #[arg(long, value_enum)]
    precision: Option<PrecisionArgument>,
    /// Seed, instead of the recipe's.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    #[command(flatten)]
    refereeing: RefereeArguments,
    #[command(flatten)]
    machine: DeviceArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let recipe = on_all(recipe(arguments))?;
    match recipe.autoregressive {
        None => train::<Trainer>(arguments, recipe),
        Some(_) => train::<AutoregressiveTrainer>(arguments, recipe),
    }
}

/// The recipe that was asked for, or one that suits the data.
fn recipe(arguments: &Arguments) -> Result<Recipe> {
    let changes = Changes {
        settings: arguments.set.clone(),
        data: arguments.data.clone(),
        precision: arguments.precision.map(Precision::from),
        seed: arguments.seed,
    };
    let mut recipe = match (&arguments.resume, &arguments.recipe) {
        (Some(folder), _) => changes.of_run(folder)?,
        (None, path) => {
            let said = Said::read(path.as_deref())?;
            let (recipe, chosen) = changes.of_new(&said)?;
            if let Some(chosen) = chosen {
                heading("no network and no training were asked for: these suit the data and a CPU");
                note!("{}", chosen.trim_end());
            }
            recipe
        }
    };
    if let Some(words) = arguments.refereeing.words()? {
        recipe.referee = words;
    }
    Ok(recipe)
}

/// Where to compute, and on what.
fn prepare(arguments: &Arguments, recipe: &Recipe) -> Result<(Workers, Dataset)> {
    let device = arguments.machine.device()?;
    let mut data = recipe.load_data()?;
    arguments.refereeing.judge(&mut data, &recipe.referee, device.threads())?;
    Ok((Workers { device, team: team() }, data))
}

fn train<L: Reported>(arguments: &Arguments, recipe: Recipe) -> Result<Outcome> {
    let started = Instant::now();
    let (workers, data) = on_all(prepare(arguments, &recipe))?;
    let mut run: Run<L> = match (&arguments.resume, &arguments.recipe) {
        (Some(folder), _) => Run::resume(folder, arguments.from, data, recipe, workers)?,
        (None, path) => {
            let name = path.as_deref().unwrap_or(&recipe.data);
            let folder = arguments.out.clone().unwrap_or_else(|| free_folder(name));
            on_all(Ok(()))?; // the name is free for all of them: none has made it yet
            Run::create(&folder, recipe, data, workers)?
        }
    };
    if let Some(ending) = run.ending() {
        say_finished(&run, ending)?;
        if run.folder.join("report.html").exists() {
            return Ok(Outcome::Done);
        }
    } else {
        describe(&run);
        if leads() {
            estimate(&run);
        }
        run.team().wait();
        let ending = supervise(&mut run)?;
        conclude(&run, ending, started.elapsed().as_secs_f64())?;
        if ending == Ending::Interrupted {
            return Ok(Outcome::Interrupted);
        }
    }
    if !leads() {
        return Ok(Outcome::Done);
    }
    let command = format!("trm train {}/recipe.toml --out NEW-FOLDER", run.folder.display());
    let path = L::report(&run, &command)?;
    note!("report     {}", path.display());
    Ok(Outcome::Done)
}

fn describe<L: Learner>(run: &Run<L>) {
    let (learner, settings) = (run.trainer(), &run.recipe.train);
    let model = learner.core().network();
    heading(&format!("training {} in {}", run.validation().metadata.domain, run.folder.display()));
    note!(
        "{}, {} steps of batch {} in {}, {:?}{}",
        learner.describe(),
        settings.steps,
        settings.batch,
        settings.precision,
        model.device(),
        match run.team().size() {
            1 => String::new(),
            processes => format!(" in each of {processes} processes"),
        }
    );
    let (needed, written) = (learner.training_bytes(), checkpoint_bytes(learner));
    match written {
        0 => note!("needs about {}, and waits while a checkpoint is written", bytes(needed)),
        more => note!(
            "needs about {}, and up to {} more while a checkpoint is written",
            bytes(needed),
            bytes(more)
        ),
    }
    let together = needed * run.team().beside() as u64 + written;
    if let Some(free) = available_bytes().filter(|free| model.device().is_cpu() && *free < together)
    {
        note!(
            "warning: only {} are free: set a smaller train.batch{}",
            bytes(free),
            if settings.recompute { "" } else { ", or train.recompute=true" }
        );
    }
    if run.progress().step > 0 {
        note!("resumed at step {}", run.progress().step);
        if let Some(place) = run.moved_from() {
            note!("moved from {place} to {}: rounds otherwise from here on", run.place());
        }
    }
}

/// Says how long the training is going to take where that is more than a minute.
fn estimate<L: Learner>(run: &Run<L>) {
    let Ok(step) = run.seconds_per_step() else { return }; // the training meets the fault too
    let step = step / run.team().size() as f64;
    let left = run.recipe.train.steps.saturating_sub(run.progress().step) as f64 * step;
    if left > 60.0 {
        note!(
            "takes up to {} here: about {} a step, validation besides; fewer steps or rows (--set train.steps=N, \
             train.batch=N) or a smaller network take less",
            duration(left),
            duration(step)
        );
    }
}

/// Trains until done or Ctrl-C, showing how it goes.
pub(crate) fn supervise<L: Learner>(run: &mut Run<L>) -> Result<Ending, Error> {
    let mut display = Display::new(run);
    let said = "stopping with a checkpoint; press Ctrl-C again to stop without one";
    let result = stoppable(said, |stop| run.train(stop, &mut |event| display.show(event)))
        .map_err(|error| Error::Failed(error.to_string()))?;
    display.bar.finish_and_clear();
    result
}

struct Display {
    bar: ProgressBar,
    terminal: bool,
    batch: usize,
    total: u64,
    recent: VecDeque<(Instant, StepMetrics)>,
    last_line: Instant,
}

impl Display {
    fn new<L: Learner>(run: &Run<L>) -> Display {
        let total = run.recipe.train.steps;
        let bar = progress_bar(total, "{wide_bar} {pos}/{len}  {msg}");
        bar.set_position(run.progress().step);
        Display {
            bar,
            terminal: stderr().is_terminal(),
            batch: run.recipe.train.batch,
            total,
            recent: VecDeque::new(),
            last_line: Instant::now(),
        }
    }

    fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Step(metrics) => self.step(metrics),
            Event::Validation { step, evaluation, best } => {
                let best = if best { ", the best so far" } else { "" };
                let last = evaluation.steps.last().cloned().unwrap_or_default();
                self.say(&format!(
                    "step {step}: {} of {} held-out puzzles exact, {} of cells{}{best}",
                    percent(evaluation.exact()),
                    evaluation.puzzles,
                    percent(last.cells),
                    evaluation.validity.as_ref().map_or(String::new(), judged)
                ));
            }
            Event::Checkpoint(_) => {}
            Event::RolledBack { step, fault } => {
                self.recent.clear();
                self.say(&format!("back at step {step}, on with other examples: {fault}"));
            }
        }
    }

    fn step(&mut self, metrics: &StepMetrics) {
        const WINDOW: usize = 50;
        self.recent.push_back((Instant::now(), metrics.clone()));
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        self.bar.set_position(metrics.step);
        let parts = self.parts(metrics.step);
        if self.terminal {
            self.bar.set_message(self.fitting(parts));
        } else if self.last_line.elapsed().as_secs() >= 10 {
            self.last_line = Instant::now();
            note!("step {}/{}  {}", metrics.step, self.total, parts.join("  "));
        }
    }

    /// Means over the recent steps, in the order in which they are shown; puzzles/s counts every row of a batch.
    fn parts(&self, step: u64) -> Vec<String> {
        let sum = |f: fn(&StepMetrics) -> f64| self.recent.iter().map(|(_, m)| f(m)).sum::<f64>();
        let halted = sum(|m| m.halted.into()).max(1.0);
        let loss = sum(|m| m.loss.into()) / self.recent.len() as f64;
        let (exact, steps) = (sum(|m| m.exact.into()) / halted, sum(|m| m.steps.into()) / halted);
        let span = self.recent.front().map_or(0.0, |(at, _)| at.elapsed().as_secs_f64());
        let per_second = (self.recent.len() as f64 - 1.0) / span.max(1e-9);
        let mut parts = vec![format!("loss {loss:.3}")];
        if self.recent.len() > 1 {
            parts.extend([
                format!("batch exact {}", percent(exact)),
                format!("steps {steps:.1}"),
                format!("{} puzzles/s", rate(per_second * self.batch as f64)),
                format!("{} left", duration((self.total - step) as f64 / per_second)),
            ]);
        }
        parts
    }

    /// As many of the parts as leave room for a bar: the time that is left goes last.
    fn fitting(&self, mut parts: Vec<String>) -> String {
        const LEAST_BAR: usize = 12;
        let counts = 2 * self.total.to_string().len() + 4;
        let columns = terminal_size_of(stderr()).map_or(80, |(width, _)| usize::from(width.0));
        let room = columns.saturating_sub(LEAST_BAR + counts);
        for dropped in ["steps", "puzzles/s", "loss", "exact"] {
            if parts.join("  ").chars().count() <= room {
                break;
            }
            parts.retain(|part| !part.contains(dropped));
        }
        parts.join("  ")
    }

    fn say(&self, line: &str) {
        if self.terminal {
            self.bar.suspend(|| note!("{line}"));
        } else {
            note!("{line}");
        }
    }
}

/// What the referee says of a validation.
fn judged(validity: &Validity) -> String {
    let cost =
        validity.mean_cost.map_or(String::new(), |cost| format!(" at a mean cost of {cost:.4}"));
    format!(", {} valid{cost}", percent(validity.share()))
}

/// Of a run that has nothing left to do.
fn say_finished<L: Learner>(run: &Run<L>, ending: Ending) -> Result<()> {
    let (step, folder) = (run.progress().step, run.folder.display());
    let setting = match ending {
        Ending::Target => "train.target=0".to_owned(),
        Ending::Patience => "train.patience=0".to_owned(),
        Ending::Finished | Ending::Interrupted => format!("train.steps={}", 2 * step),
    };
    note!("{folder} is finished: {} at step {step}", why(ending));
    note!("weights    {}", weight_digest(&run.trainer().core().averaged())?);
    note!("go on with trm train --resume {folder} --set {setting}");
    Ok(())
}

fn why(ending: Ending) -> &'static str {
    match ending {
        Ending::Finished => "all steps taken",
        Ending::Target => "target accuracy reached",
        Ending::Patience => "no improvement any more",
        Ending::Interrupted => "interrupted",
    }
}

fn conclude<L: Learner>(run: &Run<L>, ending: Ending, seconds: f64) -> Result<()> {
    let (progress, folder) = (run.progress(), run.folder.display());
    heading(&format!("{} at step {} after {}", why(ending), progress.step, duration(seconds)));
    if progress.best_exact >= 0.0 {
        let best = percent(progress.best_exact);
        note!(
            "best model {folder}/best: {best} of held-out puzzles exact at step {}",
            progress.best_step
        );
    }
    note!("weights    {}", weight_digest(&run.trainer().core().averaged())?);
    if ending == Ending::Interrupted {
        note!("go on with trm train --resume {folder}");
    } else {
        note!("measure it trm eval {folder} --data {}", run.recipe.data.display());
    }
    Ok(())
}
