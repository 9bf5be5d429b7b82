//! `trm compare`: several ways of thinking, trained with equal compute, measured on the same puzzles.

use crate::Outcome;
use crate::data::make;
use crate::display::{heading, progress_bar};
use crate::machine::DeviceArguments;
use crate::output::{note, out};
use crate::train::supervise;
use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use trm_data::files::check_new_folder;
use trm_data::text::duration;
use trm_study::compare::{Follower, News, Place, Study, candidates, compare, lines};
use trm_train::{Ending, Error, Learner, Run, free_folder};

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

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let started = Instant::now();
    let study = Study::load(&arguments.study)?;
    let candidates = candidates(&study)?;
    let out = arguments.out.clone().unwrap_or_else(|| free_folder(&arguments.study));
    check_new_folder(&out)?;
    let (data, words) = study.data(&out);
    if let Some(words) = words {
        make(words, &data)?;
    }
    let device = arguments.machine.device()?;
    let command = format!("trm compare {}", arguments.study.display());
    let place = Place { data: &data, out: &out, device: &device, command, started };
    let Some(findings) = compare(&study, candidates, &place, &Terminal::default())? else {
        note!("go on with the same command and --out {}", out.display());
        return Ok(Outcome::Interrupted);
    };
    heading(&format!("done in {}", duration(findings.seconds)));
    lines(&findings).iter().for_each(|line| out!("{line}"));
    note!("report {}/study.html (also study.md, study.json)", out.display());
    Ok(Outcome::Done)
}

/// Shows a study as it goes on.
#[derive(Default)]
struct Terminal {
    /// How many questions are answered, while they are.
    bar: Mutex<Option<ProgressBar>>,
}

impl Follower for Terminal {
    fn hear(&self, news: News<'_>) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        match (news, &*bar) {
            (News::Part(name), _) => heading(name),
            (News::Note(text), Some(bar)) => bar.suspend(|| note!("{text}")),
            (News::Note(text), None) => note!("{text}"),
            (News::Asking(questions), _) => {
                *bar = Some(progress_bar(questions as u64, "asking {wide_bar} {pos}/{len}"));
            }
            (News::Answered, asked) => asked.iter().for_each(|bar| bar.inc(1)),
            (News::Asked, _) => bar.take().iter().for_each(ProgressBar::finish_and_clear),
        }
    }

    fn train<L: Learner>(&self, run: &mut Run<L>) -> Result<Ending, Error> {
        supervise(run)
    }
}
