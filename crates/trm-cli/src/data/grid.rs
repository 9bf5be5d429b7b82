//! `trm data grid`.

mod describe;

use crate::interrupt::stop_at_signals;
use crate::output::note;
use crate::referee::RefereeArguments;
use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use trm_data::text::{counted, foreign, percent};
use trm_data::{Added, GridFacts, Grids, Lonely, RefereeCommand, Told, augment_grids};
use trm_puzzles::grid::{Augmentation, Wanted};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder to write.
    #[arg(long, value_name = "DIR", required_unless_present = "describe")]
    out: Option<PathBuf>,
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
    /// Blanks, tabs or commas stand between symbols; to be told where the files do not tell.
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
    /// A program that augments training puzzles, now and once.
    ///
    /// It reads an object a line, `input`, `output` (lists of rows of symbols) and `seed`, a number, and writes one
    /// with `input` and `output`, without delay. Words are split as a shell does, but no shell runs. Puzzles to be
    /// tested on, or that training holds out, are not augmented.
    #[arg(long, value_name = "COMMAND", conflicts_with = "describe")]
    augment: Option<String>,
    /// Augmentations of each puzzle by --augment.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "augment", value_parser = clap::value_parser!(u32).range(1..))]
    augmentations: u32,
    /// Keep one of the answers where a question has several; without it they are refused.
    #[arg(long)]
    two_answers: bool,
    /// Print what the files tell, and what would train on them; write nothing.
    #[arg(long, conflicts_with = "out")]
    describe: bool,
    /// Seed of the split and of --augment.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    refereeing: RefereeArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
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
    let grids = Grids::read(&arguments.train, arguments.test.as_deref(), &wanted)?;
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let referee = arguments.refereeing.command(&[], threads)?;
    if let Some(referee) = &referee {
        grids.check_answers(referee)?;
        grids.check_augmentations(referee, arguments.seed)?;
    }
    let facts = GridFacts::of(&grids);
    match &arguments.out {
        Some(out) => make(arguments, (&grids, &facts), referee.as_ref(), out),
        None => {
            describe::describe(&grids, &facts)?;
            warn(&grids, &facts);
            Ok(())
        }
    }
}

fn make(
    arguments: &Arguments,
    (grids, facts): (&Grids, &GridFacts),
    referee: Option<&RefereeCommand>,
    out: &Path,
) -> Result<()> {
    let split = (arguments.split, arguments.seed);
    let mut splits = grids.splits(split, arguments.two_answers)?;
    let augmented = arguments.augment.as_deref();
    let augmented = augmented.map(|command| {
        stop_at_signals()?; // which end the program too
        let asked = (command, arguments.augmentations as usize);
        anyhow::Ok(augment_grids(grids, &mut splits, asked, arguments.seed, referee)?)
    });
    let augmented = augmented.transpose()?;
    note!("{}", foreign(&splits.train.metadata.domain));
    warn(grids, facts);
    if splits.shared > 0 {
        let puzzles = counted(splits.shared, "training puzzle");
        note!("warning: {puzzles} left out, whose class is in the test split");
    }
    if let Some(Added { added, in_test, duplicates }) = augmented {
        note!(
            "{added} of the training puzzles are augmentations ({duplicates} left out as duplicates, {in_test} as in \
             the test split)"
        );
    }
    super::save(&splits, out)
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

/// Symbols that stand in a single line, as many as are named.
const LONELY: usize = 3;

fn only(lonely: &Lonely) -> String {
    match lonely {
        Lonely::Symbol(symbol, line) => format!("`{}` stands in line {line} only", foreign(symbol)),
        Lonely::Size(answer, found, line, usual) => {
            let side = if *answer { "output" } else { "input" };
            let [found, usual] = [found, usual].map(|(w, h)| format!("{h} rows of {w}"));
            format!(
                "line {line}: the {side} has {found}, all others have {usual}; if that is meant, sizes vary now"
            )
        }
    }
}

/// What a reader of scores must know, a line each.
fn warn(grids: &Grids, facts: &GridFacts) {
    if facts.same_cells > 0.5 {
        let share = percent(facts.same_cells);
        note!(
            "warning: {share} of all cells are the same in input and output: a model that copies has them right, so \
             that exact answers count, not cells"
        );
    }
    if facts.two_answers > 0 {
        let GridFacts { two_answers, examples, .. } = facts;
        note!(
            "warning: {two_answers} of {examples} examples answer the question of an earlier one differently: no model \
             can know both"
        );
    }
    facts.lonely.iter().take(LONELY).for_each(|lonely| note!("warning: {}", only(lonely)));
    if let Some(others) = facts.lonely.len().checked_sub(LONELY).filter(|others| *others > 0) {
        note!("warning: {} more stand in a single line each", counted(others, "symbol"));
    }
    if let Some(symbol) = &facts.uncut {
        note!(
            "warning: every row of one side is a single symbol, such as `{}`: if its characters are the symbols, put \
             blanks between them, or give lists",
            foreign(symbol)
        );
    }
    for (augmentation, told) in &facts.augmentations {
        if let (true, Told::Refuted(one, other)) = (grids.format.has(*augmentation), told) {
            let name = augmentation.name();
            note!(
                "warning: `{name}` does not hold: lines {one} and {other} ask the same up to it and answer differently"
            );
        }
    }
}
