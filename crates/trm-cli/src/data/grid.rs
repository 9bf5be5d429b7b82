//! `trm data grid`.

use crate::output::note;
use crate::referee::RefereeArguments;
use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use trm_data::text::percent;
use trm_data::{Dataset, Splits, grids_from_files};
use trm_puzzles::grid::{Augmentation, Wanted};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Puzzles to train on: CSV with the columns input and output, or .jsonl with an object of both a line.
    ///
    /// A grid is a text whose rows are lines or separated by `/`; in JSON also a list of rows, or of lists of
    /// numbers or texts. Symbols may have several characters, with blanks between them in a text. Question and answer
    /// may have different sizes. A row is a sequence.
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Puzzles to be tested on; none of them, nor an augmentation, will be trained on.
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// Puzzles to split off to test on, where there is no --test (default: a tenth, at most 1000).
    #[arg(long, value_name = "N", conflicts_with = "test")]
    split: Option<usize>,
    /// Columns, where rows follow each other on one line, or where grids are to be allowed that are larger than
    /// those of the files.
    #[arg(long)]
    width: Option<usize>,
    /// Rows.
    #[arg(long)]
    height: Option<usize>,
    /// All symbols, in the order of their tokens (default: those of the files, sorted). With a space among them
    /// grids may be smaller than the largest. Where some have several characters: a list with commas.
    #[arg(long, value_name = "SYMBOLS")]
    alphabet: Option<String>,
    /// Blanks, tabs or commas stand between symbols; told where the files do not tell.
    #[arg(long)]
    apart: bool,
    /// Puzzles stay puzzles when question and answer are turned and mirrored: train on random augmentations.
    #[arg(long)]
    dihedral: bool,
    /// Puzzles stay puzzles when their rows change places, alike in question and answer.
    #[arg(long)]
    permute_rows: bool,
    /// Puzzles stay puzzles when their columns change places, alike in question and answer.
    #[arg(long)]
    permute_columns: bool,
    /// Sequences stay puzzles when question and answer are read from their ends.
    #[arg(long)]
    reversal: bool,
    /// Puzzles stay puzzles when these symbols change places among each other: train on random augmentations.
    #[arg(long, value_name = "SYMBOLS")]
    permute: Option<String>,
    /// Seed of the split.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    refereeing: RefereeArguments,
}

impl Arguments {
    pub(super) fn out(&self) -> &Path {
        &self.out
    }
}

fn augmentations(arguments: &Arguments) -> Vec<Augmentation> {
    let asked = |one: &Augmentation| match one {
        Augmentation::Dihedral => arguments.dihedral,
        Augmentation::Rows => arguments.permute_rows,
        Augmentation::Columns => arguments.permute_columns,
        Augmentation::Reversal => arguments.reversal,
    };
    Augmentation::ALL.into_iter().filter(asked).collect()
}

pub(super) fn splits(arguments: &Arguments) -> Result<Splits> {
    if arguments.split == Some(0) {
        bail!("--split must be at least 1");
    }
    let wanted = Wanted {
        width: arguments.width,
        height: arguments.height,
        symbols: arguments.alphabet.clone(),
        apart: arguments.apart,
        augmentations: augmentations(arguments),
        permuted: arguments.permute.clone().unwrap_or_default(),
    };
    let split = (arguments.split, arguments.seed);
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let referee = arguments.refereeing.command(&[], threads)?;
    let (train, test) = (&arguments.train, arguments.test.as_deref());
    let splits = grids_from_files(train, test, split, &wanted, referee.as_ref())?;
    note!("{}", splits.train.metadata.domain);
    let Dataset { inputs, labels, .. } = &splits.train;
    let same = inputs.iter().zip(labels).filter(|(input, label)| input == label).count();
    if 2 * same > inputs.len() {
        let share = percent(same as f64 / inputs.len() as f64);
        note!(
            "{share} of all cells are the same in input and output: a model that copies has them right"
        );
    }
    Ok(splits)
}
