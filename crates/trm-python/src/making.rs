//! Data sets that are made: `trm.data`.

use crate::data::PyData;
use crate::errors::{raised, refused};
use crate::referee::{command, words};
use crate::values::Options;
use crate::work::quietly;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::panic::resume_unwind;
use std::path::PathBuf;
use trm_data::{
    ArcTasks, Error, Generated, Grids, Kind, Leaks, Mazes, Pieces, RefereeCommand, Splits,
    arc_splits, augment_grids, generate_mazes, generate_sudoku, mazes_from_csv, pieces_of_mazes,
    read_arc, sudoku_from_csv,
};
use trm_ops::Stop;
use trm_puzzles::grid::{Augmentation, Wanted};
use trm_puzzles::maze::{Law, Size};
use trm_puzzles::sudoku::{Givens, Shape};

/// Makes data, and writes them if a folder is given.
fn make(
    py: Python<'_>,
    options: &Options<'_>,
    work: impl FnOnce(&Stop) -> Result<Splits, Error> + Send,
) -> PyResult<PyData> {
    let out: Option<PathBuf> = options.get("out")?;
    let made = quietly(py, |stop| PyData::made(work(stop)?, out))?;
    made.map_err(raised)
}

/// Hears how many puzzles there are, and leaves the work when it is to stop: no library function has another way out.
fn leaving(stop: &Stop) -> impl FnMut(usize) {
    let stop = stop.clone();
    move |_| {
        if stop.is_requested() {
            resume_unwind(Box::new("stopped"));
        }
    }
}

/// Numbers of puzzles, at least 1 each.
fn counts(options: &Options<'_>, train: usize, test: usize) -> PyResult<(usize, usize)> {
    match (options.get_or("train", train)?, options.get_or("test", test)?) {
        (0, _) | (_, 0) => Err(refused("train and test must be at least 1")),
        counts => Ok(counts),
    }
}

/// Sudoku puzzles: generated, or read from CSV files with the columns question and answer.
#[pyfunction]
#[pyo3(
    signature = (**options),
    text_signature = "(*, out=None, size=9, train=10000, test=1000, givens='minimal', hard=False, parents=None, csv=None, test_csv=None, seed=0)"
)]
pub(crate) fn sudoku(py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<PyData> {
    const KNOWN: [&str; 10] =
        ["out", "size", "train", "test", "givens", "hard", "parents", "csv", "test_csv", "seed"];
    let options = Options::of("sudoku", options, &KNOWN)?;
    let (train, test) = counts(&options, 10_000, 1000)?;
    let seed = options.get_or("seed", 0)?;
    let test_file: Option<PathBuf> = options.get("test_csv")?;
    if let Some(csv) = options.get::<PathBuf>("csv")? {
        return make(py, &options, |_| sudoku_from_csv(&csv, test_file.as_deref(), (test, seed)));
    }
    let size = options.get_or("size", 9)?;
    let shape = Shape::from_size(size);
    let shape =
        shape.ok_or_else(|| refused(format!("size {size}: Sudoku comes in sizes 4, 6 and 9")))?;
    let kind = match options.get_or("hard", false)? {
        true => Kind::Hard { parents: options.get("parents")? },
        false => Kind::Random(givens(&options)?),
    };
    let test = if test_file.is_some() { 0 } else { test };
    let wanted = Generated { shape, train, test, kind, seed };
    make(py, &options, |stop| generate_sudoku(&wanted, test_file.as_deref(), &mut leaving(stop)))
}

/// `minimal`, a range as in `4-10`, or a number.
fn givens(options: &Options<'_>) -> PyResult<Givens> {
    let Some(given) = options.object("givens")? else { return Ok(Givens::Minimal) };
    given.str()?.to_str()?.parse().map_err(refused)
}

/// Mazes: generated, or read from CSV files with the columns question and answer.
#[pyfunction]
#[pyo3(
    signature = (**options),
    text_signature = "(*, out=None, size=30, height=None, train=1000, test=1000, walls=(0.27, 0.46), path=None, pieces_of=None, csv=None, test_csv=None, seed=0)"
)]
pub(crate) fn maze(py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<PyData> {
    const KNOWN: [&str; 11] = [
        "out",
        "size",
        "height",
        "train",
        "test",
        "walls",
        "path",
        "pieces_of",
        "csv",
        "test_csv",
        "seed",
    ];
    let options = Options::of("maze", options, &KNOWN)?;
    let (train, test) = counts(&options, 1000, 1000)?;
    let seed = options.get_or("seed", 0)?;
    if let Some(csv) = options.get::<PathBuf>("csv")? {
        let test_file: Option<PathBuf> = options.get("test_csv")?;
        return make(py, &options, |_| mazes_from_csv(&csv, test_file.as_deref(), (test, seed)));
    }
    let width: usize = options.get_or("size", 30)?;
    let height = options.get_or("height", width)?;
    if !(Size { width, height }).is_possible() {
        return Err(refused(format!(
            "{width}×{height}: mazes have room for both ends and sides of at most {}",
            Size::MAX
        )));
    }
    if let Some(file) = options.get::<PathBuf>("pieces_of")? {
        let path = options.get_or("path", width.max(height) * 3 / 2)?;
        let wanted = Pieces { size: Size { width, height }, path, train, test, seed };
        return make(py, &options, |stop| pieces_of_mazes(&file, &wanted, &mut leaving(stop)));
    }
    let (from, to): (f64, f64) = options.get_or("walls", (0.27, 0.46))?;
    if !(0.0 <= from && from <= to && to < 1.0) {
        return Err(refused(format!("walls {from} {to}: two rising shares from 0 to below 1")));
    }
    let cells = (width * height) as f64;
    let walls = (from * cells).round() as usize..=(to * cells).round() as usize;
    let path = options.get_or("path", width.max(height) * 11 / 3)?;
    let wanted = Mazes { law: Law { width, height, walls, path }, train, test, seed };
    make(py, &options, |stop| generate_mazes(&wanted, &mut leaving(stop)))
}

/// ARC-AGI tasks, from the JSON files of the competition or of the original repository.
#[pyfunction]
#[pyo3(
    signature = (**options),
    text_signature = "(*, out=None, train=(), test, augmentations=1000, leaks='refuse', limit=None, seed=0)"
)]
pub(crate) fn arc(py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<PyData> {
    const KNOWN: [&str; 7] = ["out", "train", "test", "augmentations", "leaks", "limit", "seed"];
    let options = Options::of("arc", options, &KNOWN)?;
    let (train, test) = (files(&options, "train")?, files(&options, "test")?);
    if test.is_empty() {
        return Err(refused("arc: test is needed, a file or a list of files"));
    }
    let limit = options.get_or("limit", usize::MAX)?;
    if limit == 0 {
        return Err(refused("limit must be at least 1"));
    }
    let leaks = match &options.get_or("leaks", "refuse".to_owned())?[..] {
        "refuse" => Leaks::Refuse,
        "drop" => Leaks::Drop,
        "allow" => Leaks::Allow,
        other => return Err(refused(format!("leaks = `{other}`: refuse, drop or allow"))),
    };
    let names = train.iter().chain(&test).map(|path| path.file_name().unwrap_or_default());
    let names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let (augmentations, seed) =
        (options.get_or("augmentations", 1000)?, options.get_or("seed", 0)?);
    make(py, &options, |_| {
        let (training, evaluation) = (read_arc(&train, limit)?.0, read_arc(&test, limit)?.0);
        let source = names.join(", ");
        arc_splits(&ArcTasks { training, evaluation, augmentations, seed, source }, leaks)
    })
}

/// A file, or a list of files.
fn files(options: &Options<'_>, key: &str) -> PyResult<Vec<PathBuf>> {
    let Some(given) = options.object(key)? else { return Ok(Vec::new()) };
    if let Ok(one) = given.extract::<PathBuf>() {
        return Ok(vec![one]);
    }
    options.get_or(key, Vec::new())
}

/// Puzzles of your own: pairs of grids of symbols, from CSV or JSONL files with input and output.
#[pyfunction]
#[pyo3(
    signature = (**options),
    text_signature = "(*, out=None, train, test=None, split=None, width=None, height=None, alphabet=None, apart=False, dihedral=False, permute_rows=False, permute_columns=False, reversal=False, permute='', augment=None, augmentations=10, two_answers=False, referee=None, seed=0)"
)]
pub(crate) fn grid(py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<PyData> {
    const KNOWN: [&str; 17] = [
        "out",
        "train",
        "test",
        "split",
        "width",
        "height",
        "alphabet",
        "apart",
        "dihedral",
        "permute_rows",
        "permute_columns",
        "reversal",
        "permute",
        "augment",
        "augmentations",
        "two_answers",
        "referee",
    ];
    let options = Options::of("grid", options, &[&KNOWN[..], &["seed"]].concat())?;
    let train: PathBuf =
        options.get("train")?.ok_or_else(|| refused("grid: train is needed, a file"))?;
    let (test, seed) = (options.get::<PathBuf>("test")?, options.get_or("seed", 0)?);
    let (split, two_answers) = (options.get("split")?, options.get_or("two_answers", false)?);
    if split == Some(0) {
        return Err(refused("split must be at least 1"));
    }
    let wanted = wanted(&options)?;
    let augment: Option<String> = options.get("augment")?;
    let augmentations = options.get_or("augmentations", 10)?;
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let referee = options.object("referee")?.map(|referee| words(&referee)).transpose()?;
    let referee: Option<RefereeCommand> = referee.map(|words| command(&words, threads));
    make(py, &options, |_| {
        let grids = Grids::read(&train, test.as_deref(), &wanted)?;
        if let Some(referee) = &referee {
            grids.check_answers(referee)?;
            grids.check_augmentations(referee, seed)?;
        }
        let mut splits = grids.splits((split, seed), two_answers)?;
        if let Some(command) = &augment {
            let asked = (&command[..], augmentations);
            augment_grids(&grids, &mut splits, asked, seed, referee.as_ref())?;
        }
        Ok(splits)
    })
}

/// What is said of the puzzles' form.
fn wanted(options: &Options<'_>) -> PyResult<Wanted> {
    let named = [
        (Augmentation::Dihedral, "dihedral"),
        (Augmentation::Rows, "permute_rows"),
        (Augmentation::Columns, "permute_columns"),
        (Augmentation::Reversal, "reversal"),
    ];
    let mut augmentations = Vec::new();
    for (augmentation, key) in named {
        if options.get_or(key, false)? {
            augmentations.push(augmentation);
        }
    }
    Ok(Wanted {
        width: options.get("width")?,
        height: options.get("height")?,
        symbols: options.get("alphabet")?,
        apart: options.get_or("apart", false)?,
        augmentations,
        permuted: options.get_or("permute", String::new())?,
    })
}
