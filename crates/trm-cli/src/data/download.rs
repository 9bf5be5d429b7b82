//! `trm data download`.

use crate::display::progress_bar;
use crate::output::note;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use trm_data::download::{
    ARC_AGI_1, ARC_AGI_2, CONCEPT_ARC, Fetched, MAZE_HARD, Originals, SUDOKU_EXTREME, agent, fetch,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to fetch.
    #[arg(value_enum)]
    name: Name,
    /// Folder to write into (default: data/original/NAME).
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Fetch URL/FILE instead: a mirror, which need not be trusted.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// 3.8 million Sudoku puzzles to train on, 423 thousand to test on: 719 MB and about 79 MB.
    SudokuExtreme,
    /// 1000 mazes of 30×30 to train on and as many to test on: 2 MB each.
    MazeHard,
    /// 400 training and 400 evaluation tasks: 4 MB.
    #[value(name = "arc-agi-1")]
    ArcAgi1,
    /// 1000 training and 120 evaluation tasks: 6 MB.
    #[value(name = "arc-agi-2")]
    ArcAgi2,
    /// 160 tasks more to train on: 1 MB.
    ConceptArc,
}

impl Name {
    fn originals(self) -> Originals {
        match self {
            Name::SudokuExtreme => SUDOKU_EXTREME,
            Name::MazeHard => MAZE_HARD,
            Name::ArcAgi1 => ARC_AGI_1,
            Name::ArcAgi2 => ARC_AGI_2,
            Name::ConceptArc => CONCEPT_ARC,
        }
    }

    /// The command that makes a data set of the files.
    fn next(self, folder: &Path) -> String {
        let at = folder.display();
        let tables = format!("--csv {at}/train.csv --test-csv {at}/test.csv");
        let tasks = |train: &str, test: &str| {
            format!(
                "--train {at}/arc-agi_{train}_challenges.json --test {at}/arc-agi_{test}_challenges.json"
            )
        };
        match self {
            Name::SudokuExtreme => format!("trm data sudoku {tables} --out data/sudoku-extreme"),
            Name::MazeHard => format!("trm data maze {tables} --out data/maze-hard"),
            // one of the training tasks shows the answer of an evaluation task
            Name::ArcAgi1 => {
                format!(
                    "trm data arc {} --leaks drop --out data/arc1",
                    tasks("training", "evaluation")
                )
            }
            Name::ArcAgi2 => {
                format!("trm data arc {} --out data/arc2", tasks("training2", "evaluation2"))
            }
            Name::ConceptArc => format!(
                "trm data arc with --train {at}/arc-agi_concept_challenges.json beside the tasks of arc-agi-1 or \
                 arc-agi-2"
            ),
        }
    }
}

/// Fetches the files one after the other and says what to run next.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let Originals { base, files } = arguments.name.originals();
    let base = arguments.base_url.as_deref().unwrap_or(base);
    if !["https://", "http://"].iter().any(|scheme| base.starts_with(scheme)) {
        bail!("--base-url: an address begins with https:// or http://"); // it may hold a password
    }
    let default = || {
        let name = arguments.name.to_possible_value().expect("no name is skipped");
        Path::new("data/original").join(name.get_name())
    };
    let folder = arguments.out.clone().unwrap_or_else(default);
    let agent = agent();
    for file in files {
        let template = format!("{} {{wide_bar}} {{bytes}}/{{total_bytes}}", file.name);
        let mut bar: Option<ProgressBar> = None;
        let fetched = fetch(&agent, file, base, &folder, &mut |done, total| {
            let new = || progress_bar(total.unwrap_or(0), &template);
            bar.get_or_insert_with(new).set_position(done);
        })?;
        bar.iter().for_each(ProgressBar::finish_and_clear);
        let how = match fetched {
            Fetched::WasThere => "was there already",
            Fetched::Anew => "fetched",
            Fetched::Resumed => "fetched the rest",
        };
        note!("{}: {how}, digest right", folder.join(file.name).display());
    }
    note!("next: {}", arguments.name.next(&folder));
    Ok(())
}
