//! The options of a search, and how its outcomes are printed.

use crate::output::{note, out};
use crate::referee::print_validity;
use anyhow::{Result, bail};
use clap::Args;
use std::time::Duration;
use trm::Search;
use trm_data::text::{counted, duration, percent};
use trm_puzzles::Domain;
use trm_study::{SearchOptions, SearchReport, wilson};

/// Options of a search.
#[derive(Args)]
pub(crate) struct SearchArguments {
    /// Chains of thought per puzzle at most; the first is the model's own [default: 64].
    #[arg(long, help_heading = "Search", value_name = "N")]
    rollouts: Option<usize>,
    /// Standard deviation of the noise on the answer's embedding before every step [default: 0.1].
    #[arg(long, help_heading = "Search", value_name = "SIGMA", allow_negative_numbers = true)]
    noise: Option<f32>,
    /// Standard deviation of the noise on the initial state [default: 1].
    #[arg(long, help_heading = "Search", value_name = "SIGMA", allow_negative_numbers = true)]
    restart: Option<f32>,
    /// Let every chain look at the puzzle as it is, not at its symmetric variants.
    #[arg(long, help_heading = "Search")]
    no_symmetries: bool,
    /// Steps after which a chain supposes a token that it is unsure of; 0 for never [default: 4].
    #[arg(long, help_heading = "Search", value_name = "STEPS")]
    patience: Option<usize>,
    /// Seed of noise, symmetries and suppositions [default: 1].
    #[arg(long, help_heading = "Search", value_name = "SEED")]
    search_seed: Option<u64>,
    /// Milliseconds per puzzle, on average over all that are given [default: no limit].
    #[arg(long, help_heading = "Search", value_name = "MS")]
    time: Option<u64>,
}

impl SearchArguments {
    /// The first option that was given.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("rollouts", self.rollouts.is_some()),
            ("noise", self.noise.is_some()),
            ("restart", self.restart.is_some()),
            ("no-symmetries", self.no_symmetries),
            ("patience", self.patience.is_some()),
            ("search-seed", self.search_seed.is_some()),
            ("time", self.time.is_some()),
        ];
        given.iter().find(|(_, given)| *given).map(|(name, _)| *name)
    }

    /// The search that the options describe, for a wish to complete.
    pub(crate) fn options(&self) -> Result<SearchOptions> {
        let usual = Search::default();
        let search = Search {
            rollouts: self.rollouts.unwrap_or(usual.rollouts),
            noise: self.noise.unwrap_or(usual.noise),
            restart: self.restart.unwrap_or(usual.restart),
            symmetries: !self.no_symmetries,
            patience: self.patience.unwrap_or(usual.patience),
            seed: self.search_seed.unwrap_or(usual.seed),
            ..usual
        };
        for (name, sigma) in [("noise", search.noise), ("restart", search.restart)] {
            if !(sigma.is_finite() && sigma >= 0.0) {
                bail!("--{name} {sigma}: must be 0 or a positive number");
            }
        }
        if search.rollouts == 0 {
            bail!("--rollouts must be at least 1");
        }
        Ok(SearchOptions { search, time: self.time.map(Duration::from_millis) })
    }
}

/// Says beforehand what a search costs where nothing can end it early.
pub(crate) fn warn_without_rules(domain: Option<&Domain>, options: &SearchOptions) {
    if domain.is_some_and(Domain::has_rules) || !options.search.judged {
        return;
    }
    let Search { steps, rollouts, .. } = options.search;
    note!(
        "no rules are known of these puzzles, so no answer can be verified: each takes up to {}, and the \
         answer with most votes counts",
        counted(steps.saturating_mul(rollouts), "step")
    );
}

/// Prints what a search found on a data set, with `batch` chains at a time.
pub(crate) fn print_report(report: &SearchReport, options: &SearchOptions, batch: usize) {
    let share = |count: usize| percent(count as f64 / report.puzzles.max(1) as f64);
    let interval = |count: usize| {
        let (low, high) = wilson(count, report.puzzles);
        format!("{} (95 % interval {:.1}–{:.1} %)", share(count), 100.0 * low, 100.0 * high)
    };
    let judged = options.search.judged;
    out!("steps spent   {}", if judged { "verified" } else { "   exact" });
    for (budget, found) in &report.curve {
        out!("{budget:>11}   {:>8}", share(*found));
    }
    if judged {
        out!(
            "verified {}, {} of them not the recorded answer; {} by the first chain",
            interval(report.verified),
            report.verified_wrong,
            share(report.first_chain)
        );
        out!("equal to the recorded answer, verified or not: {}", share(report.exact));
    } else {
        out!("equal to the recorded answer: {}", interval(report.exact));
    }
    print_validity(report.validity.as_ref());
    let per_puzzle = report.seconds / report.puzzles.max(1) as f64;
    out!(
        "{} in {}: {} per puzzle; {:.1} steps in {:.2} chains on average",
        report.puzzles,
        duration(report.seconds),
        duration(per_puzzle),
        report.mean_steps,
        report.mean_rollouts
    );
    let Search { steps, rollouts, noise, restart, symmetries, patience, seed, .. } = options.search;
    let augmentations = if symmetries { "augmentations" } else { "no augmentations" };
    let ends = match options.search.judged {
        true => String::new(),
        false => format!(", until the model is sure to {}", options.search.halt),
    };
    out!(
        "at most {rollouts} chains of {steps} steps{ends}, patience {patience}, noise {noise}, restart \
         {restart}, {augmentations}, seed {seed}, {batch} chains at a time"
    );
}
