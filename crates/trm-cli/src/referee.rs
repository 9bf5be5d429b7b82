//! A program of the user's own that judges answers.

use crate::display::place;
use crate::interrupt::stop_at_signals;
use crate::output::out;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::time::Duration;
use trm_data::text::percent;
use trm_data::{Dataset, RefereeCommand};
use trm_puzzles::{Domain, Ruling};
use trm_study::{Validity, wilson};
use trm_train::domain_of;

#[derive(Args)]
pub(crate) struct RefereeArguments {
    /// A program that says whether answers are right, in place of the rules: `--referee 'python3 referee.py'`.
    ///
    /// It is started once. It reads one JSON object a line, such as {"question":["1.",".1"],"answer":["12","21"]}, and
    /// writes one for each: {"verdict":"right"}, or wrong, or unknown; besides, if it likes, a cost (the lower the
    /// better), broken (a list of [row, column] from 0, cells to be marked) and why. The same line must always get the
    /// same verdict. Words are split as a shell does, but no shell runs. With a cost, a search goes on until its steps
    /// are spent and takes the cheapest answer.
    #[arg(long, value_name = "COMMAND", help_heading = "Referee")]
    referee: Option<String>,
    /// Processes of the referee at most; more than one start only where several answers are to be judged at once
    /// [default: one per thread].
    #[arg(long, value_name = "N", help_heading = "Referee", value_parser = clap::value_parser!(u16).range(1..=1024))]
    referee_workers: Option<u16>,
    /// Seconds for one verdict; a referee that takes longer is killed [default: 10].
    #[arg(long, value_name = "S", help_heading = "Referee", allow_negative_numbers = true)]
    referee_seconds: Option<f64>,
}

impl RefereeArguments {
    /// The words of the command, if one is given.
    pub(crate) fn words(&self) -> Result<Option<Vec<String>>> {
        Ok(self.referee.as_deref().map(RefereeCommand::split).transpose()?)
    }

    /// Whether a referee is given.
    pub(crate) fn is_given(&self) -> bool {
        self.referee.is_some()
    }

    /// The command, from the arguments or else from these words of a recipe, for a work of so many threads.
    pub(crate) fn command(
        &self,
        recipe: &[String],
        threads: usize,
    ) -> Result<Option<RefereeCommand>> {
        let words = self.words()?.unwrap_or_else(|| recipe.to_vec());
        if words.is_empty() {
            if self.referee_workers.is_some() || self.referee_seconds.is_some() {
                bail!("--referee-workers and --referee-seconds are for a referee: give --referee");
            }
            return Ok(None);
        }
        let seconds = self.referee_seconds.unwrap_or(RefereeCommand::LIMIT.as_secs_f64());
        let limit = Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero());
        let Some(limit) = limit else {
            bail!("--referee-seconds {seconds}: must be a positive number");
        };
        stop_at_signals()?; // which end the referee too
        let workers = self.referee_workers.map_or(threads, usize::from);
        Ok(Some(RefereeCommand { words, workers, limit }))
    }

    /// The domain, judged by the referee if one is given.
    pub(crate) fn judging(&self, domain: Domain, threads: usize) -> Result<Domain> {
        match self.command(&[], threads)? {
            Some(command) => Ok(command.start(&domain)?),
            None => Ok(domain),
        }
    }

    /// Gives a data set the referee of the arguments, or else of a recipe, if there is one.
    pub(crate) fn judge(
        &self,
        data: &mut Dataset,
        recipe: &[String],
        threads: usize,
    ) -> Result<()> {
        if let Some(command) = self.command(recipe, threads)? {
            data.referee = Some(command.start(&domain_of(data)?)?);
        }
        Ok(())
    }
}

/// Adds what the referee says of an answer, if there is one.
pub(crate) fn with_ruling(mut json: Value, domain: &Domain, ruling: Option<&Ruling>) -> Value {
    if let Some(ruling) = ruling {
        let broken: Vec<[usize; 2]> = ruling.broken.iter().map(|i| place(domain, *i)).collect();
        json["cost"] = json!(ruling.cost);
        json["why"] = json!(ruling.why);
        json["broken"] = json!(broken);
    }
    json
}

/// Adds what the referee says of all answers, if there is one.
pub(crate) fn with_validity(mut json: Value, validity: Option<&Validity>) -> Value {
    if let Some(validity) = validity {
        let (low, high) = wilson(validity.valid, validity.answers);
        json["valid"] = validity.share().into();
        json["valid_interval_95"] = json!([low, high]);
        json["mean_cost"] = json!(validity.mean_cost);
        json["mean_gap_percent"] = json!(validity.mean_gap_percent);
    }
    json
}

/// Prints what the referee says of all answers, if there is one.
pub(crate) fn print_validity(validity: Option<&Validity>) {
    let Some(validity) = validity else { return };
    let (low, high) = wilson(validity.valid, validity.answers);
    let cost = validity.mean_cost.map_or(String::new(), |cost| format!(", mean cost {cost:.4}"));
    out!(
        "valid, says the referee, {} (95 % interval {:.1}–{:.1} %){cost}",
        percent(validity.share()),
        100.0 * low,
        100.0 * high
    );
    if let Some(gap) = validity.mean_gap_percent {
        let side = if gap < 0.0 { "below" } else { "above" };
        let (gap, compared) = (gap.abs(), validity.compared);
        out!(
            "mean cost {gap:.2} % {side} that of the recorded answer, over {compared} valid answers"
        );
    }
}
