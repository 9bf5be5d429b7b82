//! `trm data arc`.

use crate::Failed;
use crate::output::{note, out};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use trm_data::text::foreign;
use trm_data::{ArcTasks, Dataset, Leaks, Splits, arc_leaks, arc_splits, read_arc};
use trm_puzzles::arc::Task;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Tasks to learn from, tests included: a file of challenges (its solutions are looked for beside it), a file
    /// of one task, or a folder of such files. Can be given several times, or not at all.
    #[arg(long, value_name = "FILE")]
    train: Vec<PathBuf>,
    /// Tasks to be evaluated on; what shows their rules is learned from too. Can be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    test: Vec<PathBuf>,
    /// Augmentations of every task, turned and recoloured, each with an identifier of its own; they are drawn while
    /// training, none is written.
    #[arg(long, alias = "images", default_value_t = 1000)]
    augmentations: usize,
    /// What to do with training tasks that are evaluated on, by content.
    #[arg(long, value_enum, default_value = "refuse")]
    leaks: LeaksArgument,
    /// Only the first N tasks to learn from, and of each file to be evaluated on.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Of the tasks to be evaluated on only these, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "limit")]
    only: Vec<String>,
    /// Seed of the augmentations.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum LeaksArgument {
    /// Make no data set.
    Refuse,
    /// Leave them out.
    Drop,
    /// Learn from them, as published results do.
    Allow,
}

impl From<LeaksArgument> for Leaks {
    fn from(leaks: LeaksArgument) -> Leaks {
        match leaks {
            LeaksArgument::Refuse => Leaks::Refuse,
            LeaksArgument::Drop => Leaks::Drop,
            LeaksArgument::Allow => Leaks::Allow,
        }
    }
}

impl Arguments {
    pub(super) fn out(&self) -> &Path {
        &self.out
    }
}

pub(super) fn splits(arguments: &Arguments) -> Result<Splits> {
    if arguments.limit == Some(0) {
        bail!("--limit must be at least 1");
    }
    let read = |paths: &[PathBuf]| -> Result<Vec<Task>> {
        let (tasks, again) = read_arc(paths, arguments.limit.unwrap_or(usize::MAX))?;
        if again > 0 {
            note!("{again} tasks are there more than once with the same pairs and are taken once");
        }
        Ok(tasks)
    };
    let names = arguments.train.iter().chain(&arguments.test);
    let names: Vec<String> = names
        .map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    let tasks = ArcTasks {
        training: read(&arguments.train)?,
        evaluation: select(read(&arguments.test)?, &arguments.only)?,
        augmentations: arguments.augmentations,
        seed: arguments.seed,
        source: names.join(", "),
    };
    Ok(arc_splits(&tasks, arguments.leaks.into())?)
}

/// The tasks with these names, or all where no name is given.
fn select(tasks: Vec<Task>, names: &[String]) -> Result<Vec<Task>> {
    if let Some(stranger) = names.iter().find(|name| tasks.iter().all(|task| task.name != **name)) {
        bail!("--only {stranger}: no task of the files given with --test has this name");
    }
    let wanted = |task: &Task| names.is_empty() || names.contains(&task.name);
    Ok(tasks.into_iter().filter(wanted).collect())
}

/// No task that is learned from gives one away that is asked.
pub(super) fn check(folder: &Path, train: &Dataset, test: &Dataset) -> Result<()> {
    let leaks = arc_leaks(train, test);
    out!("tasks: {} of those that are learned from give one away that is asked", leaks.len());
    match leaks.first_key_value() {
        Some((known, asked)) => Err(Failed(format!(
            "{}: task {} is task {}, or knows an answer of it, up to symmetry",
            folder.display(),
            foreign(known),
            foreign(asked)
        ))
        .into()),
        None => Ok(()),
    }
}
