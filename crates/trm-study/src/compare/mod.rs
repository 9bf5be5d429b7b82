//! Several ways of thinking, trained with equal compute, measured on the same puzzles, and language models that are
//! asked about them.

mod endpoint;
mod growth;
mod language;
mod measure;
mod names;
mod page;
mod settings;
mod side_by_side;
mod study;
mod total;

use crate::Error;
use crate::report::{render, render_markdown};
use growth::growth;
use language::ask_all;
use measure::outcome;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use study::{Entry, Sizes};
use total::Total;
use trm_data::files::{create_folder, write_atomic};
use trm_data::text::duration;
use trm_data::{Dataset, Machine, program};
use trm_ops::Device;
use trm_train::{Ending, Learner, Run};

pub use growth::Growth;
pub use language::{Candidate, Language, candidates};
pub use measure::{Cost, Curve, Outcome, Point, Training};
pub use page::lines;
pub use study::Study;

/// What happens in a study, for whoever shows it.
pub enum News<'a> {
    /// A part of this name begins.
    Part(&'a str),
    /// Something to know.
    Note(&'a str),
    /// A language model is about to be asked so many questions.
    Asking(usize),
    /// One more of them is answered.
    Answered,
    /// No more of them will be asked.
    Asked,
}

/// Whoever follows a study: hears what happens, and runs its trainings.
pub trait Follower: Sync {
    /// Hears what happens; several threads may call it at the same time.
    fn hear(&self, news: News<'_>);

    /// Trains a run until it ends.
    ///
    /// # Errors
    /// As [`Run::train`].
    fn train<L: Learner>(&self, run: &mut Run<L>) -> Result<Ending, Error>;
}

/// Where a study takes place.
pub struct Place<'a> {
    /// Folder of the data set ([`Study::data`]).
    pub data: &'a Path,
    /// Folder of models, answers and reports. What it holds is not done again.
    pub out: &'a Path,
    /// What computes.
    pub device: &'a Device,
    /// How the study is made again, for the report.
    pub command: String,
    /// When it began.
    pub started: Instant,
}

/// Everything that was found, as it is written to `study.json`.
#[derive(Serialize)]
pub struct Findings {
    /// Name of the study.
    pub title: String,
    /// How it is made again.
    pub command: String,
    /// Digest of what was trained on.
    pub data_digest: String,
    /// Digest of what was measured on.
    pub test_digest: String,
    /// Puzzles measured on.
    pub puzzles: usize,
    /// Operations of every training.
    pub training_flops: f64,
    /// Who was trained.
    pub contenders: Vec<Finding>,
    /// Who was asked.
    pub language_models: Vec<Language>,
    /// What answers to larger puzzles take.
    pub growth: Vec<Growth>,
    /// Version and commit of the program.
    pub program: String,
    /// What it ran on.
    pub machine: Machine,
    /// Threads that it used.
    pub threads: usize,
    /// The device, `cpu` or a GPU.
    pub device: String,
    /// From the beginning to the report.
    pub seconds: f64,
}

/// What was found of one contender.
#[derive(Serialize)]
pub struct Finding {
    /// Its name in the study.
    pub name: String,
    /// Trained values.
    pub parameters: usize,
    /// Whether it writes its answers token by token.
    pub written: bool,
    /// One for every seed.
    pub outcomes: Vec<Outcome>,
}

/// Asks, trains and measures everyone, and writes `study.json`, `study.md` and `study.html`; `None` if a training was
/// interrupted, to go on with in the same place.
///
/// # Errors
/// If the data set cannot be read or is not of this study, a language model gives no answer, or a training fails.
pub fn compare(
    study: &Study,
    candidates: Vec<Candidate>,
    place: &Place<'_>,
    follower: &impl Follower,
) -> Result<Option<Findings>, Error> {
    let &Place { data, out, device, .. } = place;
    let [train, test] = ["train", "test"].map(|split| Dataset::load(data, split));
    let (train, test) = (Arc::new(train?), test?);
    let some: Vec<usize> = (0..study.test.min(test.groups())).collect();
    let test = test.select_groups(&some);
    let entries = study.entries(data, &train)?;
    create_folder(out)?;
    // first: what is wrong with an endpoint shows before anything is trained
    let language_models = ask_all(candidates, out, &test, follower)?;
    let trained = train_all(study, &entries, place, (&train, &test), follower)?;
    let Some(contenders) = trained else { return Ok(None) };
    follower.hear(News::Part("the cost of larger puzzles"));
    let findings = Findings {
        title: study.title.clone(),
        command: place.command.clone(),
        data_digest: train.digest(),
        test_digest: test.digest(),
        puzzles: test.len(),
        training_flops: study.training_flops,
        contenders,
        language_models,
        growth: growth(&entries, &study.growth, device)?,
        program: program(),
        machine: Machine::this(),
        threads: device.threads(),
        device: device.kernels().place(),
        seconds: place.started.elapsed().as_secs_f64(),
    };
    let thinking = side_by_side::grids(&entries, study.seeds[0], out, &test, device)?;
    let page = page::page(&findings, thinking);
    let json = serde_json::to_vec_pretty(&findings).expect("findings are JSON");
    for (name, bytes) in [
        ("study.json", json),
        ("study.md", render_markdown(&page).into_bytes()),
        ("study.html", render(&page).into_bytes()),
    ] {
        write_atomic(&out.join(name), &bytes)?;
    }
    Ok(Some(findings))
}

/// Trains and measures every contender with every seed.
fn train_all(
    study: &Study,
    entries: &[Entry],
    place: &Place<'_>,
    (train, test): (&Arc<Dataset>, &Dataset),
    follower: &impl Follower,
) -> Result<Option<Vec<Finding>>, Error> {
    let mut contenders = Vec::new();
    let (mut total, bound) = Total::new(study, entries.len(), place.device);
    follower.hear(News::Note(&bound));
    for entry in entries {
        let mut outcomes = Vec::new();
        for seed in &study.seeds {
            let name = format!("{}: {}, seed {seed}", total.place(), entry.name);
            follower.hear(News::Part(&name));
            let begun = Instant::now();
            let outcome = outcome(study, entry, *seed, place, (train, test), follower)?;
            let Some(outcome) = outcome else { return Ok(None) };
            let (seconds, exact) = (outcome.training.seconds, outcome.exact);
            let left = total.done(begun.elapsed().as_secs_f64().max(seconds));
            let (time, asked) = (duration(seconds), test.len());
            let text = format!("{exact} of {asked} exactly right, trained in {time}{left}");
            follower.hear(News::Note(&text));
            outcomes.push(outcome);
        }
        let parameters = entry.network.parameters()?;
        let written = matches!(entry.network, Sizes::Autoregressive(_));
        contenders.push(Finding { name: entry.name.clone(), parameters, written, outcomes });
    }
    Ok(Some(contenders))
}

/// What a study cannot ask for.
fn refused(message: impl Into<String>) -> Error {
    Error::Recipe(message.into())
}

/// The upper one of two in the middle; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
