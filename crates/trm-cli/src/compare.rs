//! `trm compare`: several ways of thinking, trained with equal compute, measured on the same puzzles.

mod endpoint;
mod growth;
mod language;
mod measure;
mod names;
mod page;
mod side_by_side;
mod study;
mod total;

use crate::Outcome as Ended;
use crate::display::{duration, heading};
use crate::machine::DeviceArguments;
use crate::output::note;
use crate::train::free_folder;
use anyhow::Result;
use clap::Args;
use growth::{Growth, growth};
use language::{Language, ask_all, candidates};
use measure::{Outcome, outcome};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use study::Study;
use total::Total;
use trm_data::files::{check_new_folder, create_folder, write_atomic};
use trm_data::{Dataset, Machine, program};
use trm_study::report::{render, render_markdown};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The study: a TOML file that says who is compared, on what, with how much compute.
    study: PathBuf,
    /// Folder for data, models and report (default: runs/NAME-OF-STUDY, numbered if taken). If it is there,
    /// what it holds is not done again.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    machine: DeviceArguments,
}

/// Everything that was found, as it is written to `study.json`.
#[derive(Serialize)]
pub(crate) struct Findings {
    title: String,
    command: String,
    data_digest: String,
    test_digest: String,
    puzzles: usize,
    training_flops: f64,
    contenders: Vec<Finding>,
    language_models: Vec<Language>,
    growth: Vec<Growth>,
    program: String,
    machine: Machine,
    threads: usize,
    seconds: f64,
}

/// What was found of one contender.
#[derive(Serialize)]
pub(crate) struct Finding {
    name: String,
    parameters: usize,
    written: bool,
    outcomes: Vec<Outcome>,
}

/// The upper one of two in the middle; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ended> {
    let started = Instant::now();
    let study = Study::load(&arguments.study)?;
    let candidates = candidates(&study)?;
    let out = arguments.out.clone().unwrap_or_else(|| free_folder(&arguments.study));
    check_new_folder(&out)?;
    let folder = study.data(&out)?;
    let [train, test] = ["train", "test"].map(|split| Dataset::load(&folder, split));
    let (train, test) = (Arc::new(train?), test?);
    let some: Vec<usize> = (0..study.test.min(test.groups())).collect();
    let test = test.select_groups(&some);
    let entries = study.entries(&folder, &train)?;
    create_folder(&out)?;
    // first: what is wrong with an endpoint shows before anything is trained
    let language_models = ask_all(candidates, &out, &test)?;
    let device = arguments.machine.device()?;
    let mut contenders = Vec::new();
    let mut total = Total::new(&study, entries.len(), &device);
    for entry in &entries {
        let mut outcomes = Vec::new();
        for seed in &study.seeds {
            heading(&format!("{}: {}, seed {seed}", total.place(), entry.name));
            let begun = Instant::now();
            let Some(outcome) = outcome(&study, entry, *seed, &out, (&train, &test), &device)?
            else {
                note!("go on with the same command and --out {}", out.display());
                return Ok(Ended::Interrupted);
            };
            let (seconds, exact) = (outcome.training.seconds, outcome.exact);
            let left = total.done(begun.elapsed().as_secs_f64().max(seconds));
            let time = duration(seconds);
            note!("{exact} of {} exactly right, trained in {time}{left}", test.len());
            outcomes.push(outcome);
        }
        let parameters = entry.network.parameters()?;
        let written = matches!(entry.network, study::Sizes::Autoregressive(_));
        contenders.push(Finding { name: entry.name.clone(), parameters, written, outcomes });
    }
    heading("the cost of larger puzzles");
    let findings = Findings {
        title: study.title.clone(),
        command: format!("trm compare {}", arguments.study.display()),
        data_digest: train.digest(),
        test_digest: test.digest(),
        puzzles: test.len(),
        training_flops: study.training_flops,
        contenders,
        language_models,
        growth: growth(&entries, &study.growth, &device)?,
        program: program(),
        machine: Machine::this(),
        threads: device.threads(),
        seconds: started.elapsed().as_secs_f64(),
    };
    let thinking = side_by_side::grids(&entries, study.seeds[0], &out, &test, &device)?;
    let page = page::page(&findings, thinking);
    let json = serde_json::to_vec_pretty(&findings)?;
    for (name, bytes) in [
        ("study.json", json),
        ("study.md", render_markdown(&page).into_bytes()),
        ("study.html", render(&page).into_bytes()),
    ] {
        write_atomic(&out.join(name), &bytes)?;
    }
    heading(&format!("done in {}", duration(findings.seconds)));
    page::print(&findings);
    note!("report {}/study.html (also study.md, study.json)", out.display());
    Ok(Ended::Done)
}
