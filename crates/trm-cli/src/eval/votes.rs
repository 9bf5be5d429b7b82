//! `trm eval` of ARC: augmentations of a task vote.

use super::table::{print_digests, print_heading};
use super::{Arguments, STOPPING, ended, identity};
use crate::Outcome;
use crate::interrupt::stoppable;
use crate::output::out;
use crate::progress::Progress;
use crate::team::team;
use anyhow::{Result, bail};
use std::sync::Arc;
use trm::{Limits, Model};
use trm_data::text::{duration, percent};
use trm_data::{Dataset, files::write_atomic};
use trm_study::{VoteOptions, VoteReport, vote_in_team};

pub(super) fn run(
    arguments: &Arguments,
    model: &Arc<Model>,
    data: &Dataset,
    options: VoteOptions,
) -> Result<Outcome> {
    let team = team();
    let mut bar = Progress::new("voting", data.len() as u64);
    let report = stoppable(STOPPING, |stop| {
        vote_in_team(model, data, options, (&team, stop), &mut |done, all| {
            bar.set_length(all as u64);
            bar.set_position((done * team.size()) as u64);
        })
    })??;
    bar.finish();
    let outcome = ended(report.tasks, report.asked, "tasks");
    if report.tasks == 0 || !team.leads() {
        return Ok(outcome);
    }
    if let (Some(path), Outcome::Done) = (&arguments.submission, outcome) {
        write_atomic(path, &serde_json::to_vec(&report.submission)?)?;
    }
    if arguments.json {
        let precision = arguments.precision.chosen(model.device());
        let mut json = identity(arguments, (data, &**model), precision)?;
        json["report"] = serde_json::to_value(&report)?;
        out!("{}", serde_json::to_string_pretty(&json)?);
        return Ok(outcome);
    }
    print_heading(arguments, data);
    print(&report, options.limits.steps);
    print_digests(data, &**model)?;
    Ok(outcome)
}

pub(super) fn options(arguments: &Arguments, model: &Model, steps: usize) -> Result<VoteOptions> {
    if arguments.search || arguments.save_outputs.is_some() || arguments.figure.is_some() {
        bail!(
            "tasks of ARC are voted on: --search, --save-outputs and --figure are for other puzzles"
        );
    }
    if arguments.votes == Some(0) {
        bail!("--votes must be at least 1");
    }
    Ok(VoteOptions {
        votes: arguments.votes.unwrap_or(usize::MAX),
        limits: Limits { steps, halt: arguments.halt },
        batch: arguments.batch,
        dtype: arguments.precision.on(model.device())?,
        blank_identifiers: arguments.blank_identifiers,
    })
}

fn print(report: &VoteReport, steps: usize) {
    out!("attempts   tasks solved");
    for (attempts, share) in &report.pass {
        out!("{attempts:8}   {:>12}", percent(*share));
    }
    let (inputs, known) = report.inputs;
    out!(
        "{} tasks, {inputs} test inputs, {known} with known outputs; {:.1} votes for each, {steps} supervision \
         steps, {}",
        report.tasks,
        report.votes,
        duration(report.seconds)
    );
}
