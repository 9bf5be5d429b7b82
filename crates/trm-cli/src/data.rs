//! `trm data …`: fetch, make and check data sets.

mod arc;
mod download;
mod grid;
mod maze;

use crate::display::heading;
use crate::output::{note, out};
use crate::progress::Progress;
use crate::team::{leads, on_all, team};
use crate::{Failed, Outcome};
use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use trm_data::{Dataset, Generated, Kind, Splits, generate_sudoku_in_team, sudoku_from_csv};
use trm_puzzles::Domain;
use trm_puzzles::sudoku::{Givens, Shape};
use trm_train::domain_of;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Sudoku puzzles: generated, or read from CSV files.
    ///
    /// No two puzzles of a data set, and none of its two splits, are the same up to the symmetries
    /// of Sudoku. CSV files have the columns question and answer, and may have source and rating;
    /// blanks are `.` or `0`.
    Sudoku(SudokuArguments),
    /// Mazes: generated, or read from CSV files.
    ///
    /// The answer is the shortest path that the rule of Maze-Hard picks: a breadth-first search from S
    /// that looks down, left, right and up. That rule is not symmetric, so training labels turned mazes
    /// anew. CSV files have the columns question and answer; blanks are spaces or dots, rows follow each
    /// other on one line, or are lines where the maze is no square.
    Maze(maze::Arguments),
    /// ARC-AGI tasks, from the JSON files of the competition or of the original repository.
    ///
    /// Training tasks that are evaluation tasks too, by content, are refused.
    Arc(arc::Arguments),
    /// Puzzles of your own: pairs of grids of symbols, from CSV or JSONL files.
    ///
    /// Size and symbols are inferred and become the name of the domain, from which all other commands know how
    /// to read and show such puzzles. What makes an answer right a --referee can say, who then judges all answers.
    Grid(grid::Arguments),
    /// Fetch an original data set from where it is published.
    ///
    /// Files are checked against the digests of one revision. Interrupted, the same command goes on where it
    /// ended. Proxies are taken from the environment (HTTPS_PROXY, NO_PROXY).
    Download(download::Arguments),
    /// Merge the training puzzles of two data sets, to be drawn equally often whatever their numbers.
    Merge {
        /// The first; its test puzzles become those of the result.
        first: PathBuf,
        /// The second.
        second: PathBuf,
        /// Folder to write.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print a split as CSV with the columns question and answer, which the other commands read.
    Csv {
        /// The folder of the data set.
        folder: PathBuf,
        /// Which of its splits.
        #[arg(long, default_value = "train")]
        split: String,
    },
    /// Check a data set: counts, shapes, digest, classes that both splits share.
    Check {
        /// The folder of the data set.
        folder: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct SudokuArguments {
    /// Folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Side of the grid: 4, 6 or 9.
    #[arg(long, default_value_t = 9, conflicts_with = "csv")]
    size: usize,
    /// Training puzzles to generate.
    #[arg(long, default_value_t = 10_000, conflicts_with = "csv")]
    train: usize,
    /// Test puzzles to generate, or to split off from --csv where there is no --test-csv.
    #[arg(long, default_value_t = 1000, conflicts_with = "test_csv")]
    test: usize,
    /// Clues of generated puzzles: `minimal`, a number, or a range as in `4-10`.
    #[arg(long, default_value = "minimal", conflicts_with = "csv")]
    givens: Givens,
    /// Breed 9×9 puzzles with the ratings of Sudoku-Extreme instead of random ones.
    #[arg(long, conflicts_with_all = ["csv", "givens"])]
    hard: bool,
    /// Breed from the puzzles of this file: closer to them than without, and ready sooner.
    #[arg(long, value_name = "FILE", requires = "hard")]
    parents: Option<PathBuf>,
    /// Read training puzzles from this file instead of generating them.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Read test puzzles from this file; none of their classes will be trained on.
    #[arg(long, value_name = "FILE")]
    test_csv: Option<PathBuf>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
}

pub(crate) fn run(verb: &Verb) -> Result<Outcome> {
    match verb {
        Verb::Sudoku(arguments) => save(&on_all(sudoku(arguments))?, &arguments.out)?,
        Verb::Maze(arguments) => save(&on_all(maze::splits(arguments))?, arguments.out())?,
        Verb::Arc(arguments) => save(&arc::splits(arguments)?, arguments.out())?,
        Verb::Grid(arguments) => grid::run(arguments)?,
        Verb::Download(arguments) => download::run(arguments)?,
        Verb::Merge { first, second, out } => merge(first, second, out)?,
        Verb::Csv { folder, split } => print_csv(folder, split)?,
        Verb::Check { folder } => check(folder)?,
    }
    Ok(Outcome::Done)
}

/// Whether processes share this work.
pub(crate) fn is_shared(verb: &Verb) -> bool {
    matches!(verb, Verb::Sudoku(_) | Verb::Maze(_))
}

/// `trm data WORDS --out OUT`.
pub(crate) fn make(words: Vec<String>, out: &Path) -> Result<()> {
    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        verb: Verb,
    }
    let end = ["--out".into(), out.display().to_string()];
    let words = std::iter::once("data".into()).chain(words).chain(end);
    match Line::try_parse_from(words) {
        Ok(line) => run(&line.verb).map(drop),
        Err(error) => bail!("make_data: {}", error.to_string().lines().next().unwrap_or_default()),
    }
}

fn sudoku(arguments: &SudokuArguments) -> Result<Splits> {
    match &arguments.csv {
        Some(csv) => {
            let split = (arguments.test, arguments.seed);
            Ok(sudoku_from_csv(csv, arguments.test_csv.as_deref(), split)?)
        }
        None => generate(arguments),
    }
}

fn save(splits: &Splits, out: &Path) -> Result<()> {
    if !leads() {
        return Ok(());
    }
    splits.save(out)?;
    note!(
        "{}: {} puzzles to train on, {} to test on ({} left out as duplicates)",
        out.display(),
        splits.train.len(),
        splits.test.len(),
        splits.duplicates
    );
    Ok(())
}

fn generate(arguments: &SudokuArguments) -> Result<Splits> {
    let Some(shape) = Shape::from_size(arguments.size) else {
        bail!("--size {}: Sudoku comes in sizes 4, 6 and 9", arguments.size);
    };
    let test_file = arguments.test_csv.as_deref();
    let test = if test_file.is_some() { 0 } else { arguments.test };
    if arguments.train == 0 || arguments.test == 0 {
        bail!("--train and --test must be at least 1");
    }
    let wanted = Generated {
        shape,
        train: arguments.train,
        test,
        kind: match arguments.hard {
            true => Kind::Hard { parents: arguments.parents.clone() },
            false => Kind::Random(arguments.givens.clone()),
        },
        seed: arguments.seed,
    };
    let total = (wanted.train + wanted.test) as u64;
    if arguments.hard && shape == Shape::Nine {
        note!(
            "hard puzzles are bred: the first ones take minutes, until every rating has its parents; \
             --parents FILE of hard puzzles spares that, and leaving out --hard gives puzzles at once"
        );
    }
    let mut bar = Progress::new("puzzles", total);
    let mut progress = |done| bar.set_position(done as u64);
    let splits = generate_sudoku_in_team(&team(), &wanted, test_file, &mut progress)?;
    bar.finish();
    Ok(splits)
}

fn merge(first: &Path, second: &Path, out: &Path) -> Result<()> {
    let [one, two] = [first, second].map(|folder| Dataset::load(folder, "train"));
    let train = trm_data::merge(&one?, &two?)?;
    let splits = Splits::new(train, Dataset::load(first, "test")?, 0);
    if let Ok(domain) = domain_of(&splits.train) {
        check_puzzles(first, Some(&domain), &splits.train, &splits.test)?;
    }
    Ok(splits.save(out)?)
}

fn print_csv(folder: &Path, split: &str) -> Result<()> {
    let data = Dataset::load(folder, split)?;
    let domain = domain_of(&data)?;
    let row = |cells: [&str; 2]| -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(cells)?;
        let line = writer.into_inner().map_err(|error| error.into_error())?;
        out!("{}", String::from_utf8(line)?.trim_end_matches('\n'));
        Ok(())
    };
    row(["question", "answer"])?;
    for i in 0..data.len() {
        let line = |tokens| domain.format_line(tokens);
        row([&line(data.input(i)), &line(data.label(i))])?;
    }
    Ok(())
}

fn check(folder: &Path) -> Result<()> {
    let (train, test) = (Dataset::load(folder, "train")?, Dataset::load(folder, "test")?);
    for (name, data) in [("train", &train), ("test", &test)] {
        let m = &data.metadata;
        out!(
            "{name}: {} examples, {} puzzles, {} groups; {} cells, {} tokens; digest {}",
            data.len(),
            data.puzzle_identifiers.len(),
            data.groups(),
            m.seq_len,
            m.vocab_size,
            data.digest()
        );
    }
    let same_shape = train.metadata.seq_len == test.metadata.seq_len
        && train.metadata.vocab_size == test.metadata.vocab_size;
    if !same_shape {
        bail!("{}: train and test differ in length or vocabulary", folder.display());
    }
    match domain_of(&train).ok() {
        Some(domain) if domain.has_tasks() => arc::check(folder, &train, &test),
        domain => check_puzzles(folder, domain.as_ref(), &train, &test),
    }
}

/// Answers right by the rules, and no class in both splits. Without a known domain every question is a class.
fn check_puzzles(
    folder: &Path,
    domain: Option<&Domain>,
    train: &Dataset,
    test: &Dataset,
) -> Result<()> {
    match domain {
        Some(domain) => check_answers(folder, domain, [("train", train), ("test", test)])?,
        None => heading("dataset.json names no known domain: questions are compared as they are"),
    }
    let class = |question: &[u8]| -> Result<Vec<u8>> {
        Ok(match domain {
            Some(domain) => domain.class_hash(question)?.to_le_bytes().to_vec(),
            None => question.to_vec(),
        })
    };
    let classes = |data: &Dataset| -> Result<HashMap<Vec<u8>, usize>> {
        (0..data.len()).map(|i| Ok((class(data.input(i))?, i))).collect()
    };
    let (of_train, of_test) = (classes(train)?, classes(test)?);
    let shared: Vec<(usize, usize)> =
        of_test.iter().filter_map(|(c, i)| of_train.get(c).map(|j| (*j, *i))).collect();
    out!(
        "classes: {} in train, {} in test, {} in both",
        of_train.len(),
        of_test.len(),
        shared.len()
    );
    let alike = domain.map_or("", |_| " up to symmetry");
    match shared.iter().min() {
        Some((train, test)) => Err(Failed(format!(
            "{}: train example {train} and test example {test} are the same puzzle{alike}",
            folder.display()
        ))
        .into()),
        None => Ok(()),
    }
}

fn check_answers(folder: &Path, domain: &Domain, splits: [(&str, &Dataset); 2]) -> Result<()> {
    for (name, data) in splits {
        for i in 0..data.len() {
            let verdict = domain.verify(data.input(i), data.label(i))?;
            if verdict.decision() == Some(false) {
                let folder = folder.display();
                let message = format!("{folder}: {name} example {i}: the answer is {verdict}");
                return Err(Failed(message).into());
            }
        }
    }
    Ok(())
}
