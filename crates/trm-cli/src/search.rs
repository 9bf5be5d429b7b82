//! The options of a search, and how its outcomes are printed.

use crate::display::{duration, percent};
use crate::output::out;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::time::Duration;
use trm::{Found, Model, Search};
use trm_ops::DType;
use trm_puzzles::Domain;
use trm_train::{SearchOptions, SearchReport, wilson};

#[derive(Args)]
pub(crate) struct SearchArguments {
    /// Search: where the model's own answer breaks the rules, think again, several times at once, with
    /// noise, from other beginnings, on images of the puzzle and with suppositions, until an answer
    /// satisfies them.
    #[arg(long)]
    search: bool,
    /// Chains of thought per puzzle at most; the first is the model's own.
    #[arg(long, value_name = "N", default_value_t = 64, requires = "search")]
    rollouts: usize,
    /// Standard deviation of the noise on the answer's embedding before every step.
    #[arg(
        long,
        value_name = "SIGMA",
        default_value_t = 0.1,
        requires = "search",
        allow_negative_numbers = true
    )]
    noise: f32,
    /// Standard deviation of the noise on the initial state.
    #[arg(
        long,
        value_name = "SIGMA",
        default_value_t = 1.0,
        requires = "search",
        allow_negative_numbers = true
    )]
    restart: f32,
    /// Let every chain look at the puzzle as it is.
    #[arg(long, requires = "search")]
    no_symmetries: bool,
    /// Steps after which a chain supposes a token that it is unsure of; 0 for never.
    #[arg(long, value_name = "STEPS", default_value_t = 8, requires = "search")]
    patience: usize,
    /// Seed of noise and images.
    #[arg(long, value_name = "SEED", default_value_t = 1, requires = "search")]
    search_seed: u64,
    /// Milliseconds per puzzle, on average over all that are given.
    #[arg(long, value_name = "MS", requires = "search")]
    time: Option<u64>,
}

impl SearchArguments {
    /// Supervision steps where none are asked for: the model's, twice as many for a chain of a search.
    pub(crate) fn default_steps(&self, model: &Model) -> usize {
        model.config().supervision_steps * if self.search { 2 } else { 1 }
    }

    /// Whether there is to be a search.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.search
    }

    /// The search that was asked for, if one was.
    pub(crate) fn options(
        &self,
        (steps, batch): (usize, usize),
        dtype: DType,
    ) -> Result<Option<SearchOptions>> {
        if !self.search {
            return Ok(None);
        }
        for (name, sigma) in [("noise", self.noise), ("restart", self.restart)] {
            if !(sigma.is_finite() && sigma >= 0.0) {
                bail!("--{name} {sigma}: must be 0 or a positive number");
            }
        }
        if self.rollouts == 0 {
            bail!("--rollouts must be at least 1");
        }
        let search = Search {
            steps,
            batch,
            rollouts: self.rollouts,
            noise: self.noise,
            restart: self.restart,
            symmetries: !self.no_symmetries,
            patience: self.patience,
            seed: self.search_seed,
            ..Search::default()
        };
        let time = self.time.map(Duration::from_millis);
        Ok(Some(SearchOptions { search, time, dtype }))
    }
}

/// How an answer was found, in one line.
pub(crate) fn origin(found: &Found) -> String {
    let Found { steps, rollouts, chain, chain_steps, .. } = found;
    let chains = if *rollouts == 1 { "chain" } else { "chains" };
    let spent = format!("{steps} steps in {rollouts} {chains}");
    match found.verified {
        true => format!("verified by the rules: step {chain_steps} of chain {chain}, {spent}"),
        false => format!("not verified, the answer with most votes: {spent}"),
    }
}

/// Whether the answer solves the puzzle, be it that the search could not know; `None` where no rules tell.
pub(crate) fn decision(domain: Domain, question: &[u8], found: &Found) -> Option<bool> {
    match found.answer.is_empty() {
        true => Some(false),
        false => domain.verify(question, &found.answer).decision(),
    }
}

pub(crate) fn as_json(domain: Domain, question: &[u8], found: &Found) -> Value {
    json!({
        "question": domain.format_line(question),
        "answer": domain.format_line(&found.answer),
        "solved": decision(domain, question, found),
        "verified": found.verified,
        "steps": found.steps,
        "rollouts": found.rollouts,
        "chain": found.chain,
        "chain_steps": found.chain_steps,
    })
}

/// Prints what a search found on a data set.
pub(crate) fn print_report(report: &SearchReport, options: &SearchOptions) {
    let share = |count: usize| percent(count as f64 / report.puzzles.max(1) as f64);
    let (low, high) = wilson(report.verified, report.puzzles);
    out!("steps spent   verified");
    for (budget, verified) in &report.curve {
        out!("{budget:>11}   {:>8}", share(*verified));
    }
    out!(
        "verified {} (95 % interval {:.1}–{:.1} %), {} of them wrong; {} by the first chain",
        share(report.verified),
        100.0 * low,
        100.0 * high,
        report.verified_wrong,
        share(report.first_chain)
    );
    out!("right, verified or not: {}", share(report.exact));
    let per_puzzle = report.seconds / report.puzzles.max(1) as f64;
    out!(
        "{} in {}: {} per puzzle; {:.1} steps in {:.2} chains on average",
        report.puzzles,
        duration(report.seconds),
        duration(per_puzzle),
        report.mean_steps,
        report.mean_rollouts
    );
    let Search { steps, rollouts, noise, restart, symmetries, patience, seed, batch, .. } =
        options.search;
    let images = if symmetries { "images" } else { "no images" };
    out!(
        "at most {rollouts} chains of {steps} steps, patience {patience}, noise {noise}, restart \
         {restart}, {images}, seed {seed}, {batch} chains at a time"
    );
}
