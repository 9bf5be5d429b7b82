//! Sudoku data sets: generated or from CSV, with no class of puzzles in both splits.

use super::parallel::in_team;
use crate::Error;
use crate::dataset::metadata::Origin;
use crate::dataset::splits::{Splits, dataset, origin_of};
use crate::program;
use crate::random::{Purpose, stream};
use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use trm_puzzles::sudoku::{
    Breeder, CsvError, Givens, Grid, Puzzle, Shape, class_hash, generate, read_csv_file,
};
use trm_puzzles::{Domain, Pair};
use trm_team::Team;

/// Questions and answers.
type Pairs = Vec<(Grid, Grid)>;

/// Offsets in the files are 32-bit.
const MAX_PUZZLES: usize = 20_000_000;

/// What to generate.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Size of the grid.
    pub shape: Shape,
    /// Training puzzles.
    pub train: usize,
    /// Test puzzles.
    pub test: usize,
    /// Which puzzles.
    pub kind: Kind,
    /// Seed.
    pub seed: u64,
}

/// Which puzzles to generate.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Random ones with so many clues.
    Random(Givens),
    /// Bred for the ratings of Sudoku-Extreme, 9×9; from the puzzles of a file, if there is one.
    Hard {
        /// CSV of puzzles to breed from.
        parents: Option<PathBuf>,
    },
}

/// Lowest ratings and shares of the 1000 training puzzles of Sudoku-Extreme, as `rate_fairly` rates
/// them; the quantiles 10, 25, 50, 75, 90 and 95 % are 0, 3, 15, 45, 99 and 142 guesses.
const EXTREME: [(u32, f64); 7] =
    [(0, 0.10), (1, 0.15), (4, 0.25), (16, 0.25), (46, 0.15), (100, 0.05), (143, 0.05)];

/// Puzzles that one copy of the breeder makes at least, if there is more than one copy, and at most; lines
/// that it keeps.
const BRED: Range<usize> = 5_000..25_000;
const LINES: usize = 400;

/// Most puzzles of Sudoku-Extreme have no more givens. Bred with more, puzzles become hard for the rating
/// solver that are not for others.
const MOST_GIVENS: usize = 26;

/// Copies whose puzzles are held at a time.
const BREEDERS: u64 = 16;

/// Draws puzzles of distinct classes until both splits are full; with a `test_file`, the test split is
/// read from it instead, and none of its classes is trained on. `progress` hears how many there are.
///
/// # Errors
/// If so many classes cannot be found, or the file cannot be used.
pub fn generate_sudoku(
    wanted: &Generated,
    test_file: Option<&Path>,
    progress: &mut dyn FnMut(usize),
) -> Result<Splits, Error> {
    generate_sudoku_in_team(&Team::alone(), wanted, test_file, progress)
}

/// [`generate_sudoku`], the breeding of hard puzzles shared by a team: all its processes get the same.
///
/// # Errors
/// As [`generate_sudoku`], on all of them.
pub fn generate_sudoku_in_team(
    team: &Team,
    wanted: &Generated,
    test_file: Option<&Path>,
    progress: &mut dyn FnMut(usize),
) -> Result<Splits, Error> {
    let (mut read, parents) = Error::on_all(team, wanted.read(test_file))?;
    if team.size() > 1 {
        let digest = Error::on_all(team, wanted.digest(test_file))?;
        team.compare(&[("the version of trm", program()), ("what is read (its digest)", digest)])?;
    }
    let mut classes = HashSet::new();
    read.retain(|(question, _)| classes.insert(class_hash(question)));

    let (pairs, duplicates) = draw_all(team, (wanted, parents), &mut classes, progress)?;
    let origin = Origin { source: wanted.source(), seed: wanted.seed, digest: String::new() };
    let (train, test) = pairs.split_at(wanted.train);
    let split = |pairs: &[(Grid, Grid)], origin: Origin| {
        dataset(&Domain::new(wanted.shape), pairs.iter().map(tokens), origin)
    };
    let test = match test_file {
        Some(file) => split(&read, origin_of(file, wanted.seed)?),
        None => split(test, origin.clone()),
    };
    Ok(Splits::new(split(train, origin), test, duplicates))
}

/// Pairs of classes that are not known yet, which become known, and how many draws were repeats.
fn draw_all(
    team: &Team,
    (wanted, parents): (&Generated, Option<Breeder>),
    classes: &mut HashSet<u128>,
    progress: &mut dyn FnMut(usize),
) -> Result<(Pairs, usize), Error> {
    let breeder = parents.map(|breeder| wanted.ready(breeder, progress));
    let total = wanted.train + wanted.test;
    let (mut pairs, mut drawn, mut duplicates, mut round) = (Vec::new(), 0, 0, 0);
    while pairs.len() < total {
        if drawn > 1000 + 50 * total {
            return Err(Error::Mismatch(format!(
                "only {} different puzzles found in {drawn} draws: ask for fewer, or allow more givens",
                pairs.len()
            )));
        }
        let (known, lacking) = (pairs.len(), total - pairs.len());
        let mut heard = |bred: usize| progress((known + bred).min(total));
        for puzzle in draw(team, (wanted, breeder.as_ref()), (round, lacking), &mut heard) {
            drawn += 1;
            if pairs.len() == total {
                break;
            }
            match puzzle.filter(|(question, _)| classes.insert(class_hash(question))) {
                Some(pair) => {
                    pairs.push(pair);
                    progress(pairs.len());
                }
                None => duplicates += 1,
            }
        }
        round += 1;
    }
    Ok((pairs, duplicates))
}

/// Some puzzles, which depend on the seed and the number of the round alone; none for those that are known to
/// be repeats.
fn draw(
    team: &Team,
    (wanted, breeder): (&Generated, Option<&Breeder>),
    (round, lacking): (u64, usize),
    progress: &mut dyn FnMut(usize),
) -> Vec<Option<(Grid, Grid)>> {
    match (&wanted.kind, breeder) {
        (Kind::Random(givens), _) => {
            let mut rng = stream(wanted.seed, Purpose::Data, round);
            let Puzzle { question, answer, .. } = generate(wanted.shape, &mut rng, givens);
            vec![Some((question, answer))]
        }
        (Kind::Hard { .. }, breeder) => {
            let first = round * BREEDERS;
            let copies = (lacking / BRED.start).clamp(1, 4).max(lacking.div_ceil(BRED.end));
            let copies = (copies as u64).min(BREEDERS);
            let each = lacking.div_ceil(copies as usize).min(BRED.end);
            let breeder = breeder.expect("a breeder for hard puzzles");
            breed(team, breeder, wanted.seed, (first..first + copies, each), progress)
        }
    }
}

/// `each` draws of some copies of a breeder, one copy after the other, made on several threads and processes;
/// `progress` hears how many there are here.
fn breed(
    team: &Team,
    breeder: &Breeder,
    seed: u64,
    (copies, each): (Range<u64>, usize),
    progress: &mut dyn FnMut(usize),
) -> Vec<Option<(Grid, Grid)>> {
    let bred = AtomicUsize::new(0);
    let copy = |number| {
        let mut rng = stream(seed, Purpose::Data, number);
        let mut breeder = breeder.clone();
        let mut draw = || {
            let puzzle = breeder.breed(&mut rng);
            bred.fetch_add(1, Ordering::Relaxed);
            puzzle.map(|Puzzle { question, answer, .. }| tokens(&(question, answer)))
        };
        (0..each).map(|_| draw()).collect::<Vec<_>>()
    };
    let mut watch = || progress(bred.load(Ordering::Relaxed));
    let bred = in_team(team, copies, copy, &mut watch).into_iter().flatten();
    let grid =
        |tokens: Vec<u8>| Grid::from_tokens(Shape::Nine, &tokens).expect("a puzzle that was bred");
    bred.map(|pair: Option<Pair>| pair.map(|[question, answer]| (grid(question), grid(answer))))
        .collect()
}

impl Generated {
    /// Refuses what cannot be made.
    fn check(&self) -> Result<(), Error> {
        let total = self.train.saturating_add(self.test);
        if total > MAX_PUZZLES {
            let message = format!("{total} puzzles: a data set holds at most {MAX_PUZZLES}");
            return Err(Error::Mismatch(message));
        }
        if matches!(self.kind, Kind::Hard { .. }) && self.shape != Shape::Nine {
            return Err(Error::Mismatch("hard puzzles are 9×9".into()));
        }
        Ok(())
    }

    /// The puzzles of a test file, and a breeder of hard puzzles, if they are wanted.
    fn read(&self, test_file: Option<&Path>) -> Result<(Pairs, Option<Breeder>), Error> {
        self.check()?;
        let read = test_file.map(read_pairs).transpose()?.unwrap_or_default();
        if let Some(file) = test_file {
            check_shape(&read, self.shape, file)?;
        }
        Ok((read, self.breeder()?))
    }

    /// Digest of the files that puzzles are read from.
    fn digest(&self, test_file: Option<&Path>) -> Result<String, Error> {
        let parents = match &self.kind {
            Kind::Hard { parents } => parents.as_deref(),
            Kind::Random(_) => None,
        };
        let mut hasher = blake3::Hasher::new();
        for file in [test_file, parents].into_iter().flatten() {
            hasher.update(&crate::files::read(file)?);
        }
        Ok(hasher.finalize().to_hex()[..16].to_owned())
    }

    fn breeder(&self) -> Result<Option<Breeder>, Error> {
        let Kind::Hard { parents } = &self.kind else { return Ok(None) };
        let mut breeder = Breeder::new(self.shape, &EXTREME, LINES).most_givens(MOST_GIVENS);
        if let Some(file) = parents {
            let pairs = read_pairs(file)?;
            check_shape(&pairs, self.shape, file)?;
            breeder = breeder.parents(pairs.iter());
        }
        Ok(Some(breeder))
    }

    /// A breeder that is ready; `progress` hears now and then that there are no puzzles yet.
    fn ready(&self, mut breeder: Breeder, progress: &mut dyn FnMut(usize)) -> Breeder {
        if self.train + self.test > BRED.start {
            let mut rng = stream(self.seed, Purpose::Data, u64::MAX);
            breeder.make_ready(&mut rng, &mut || progress(0)); // once for all copies
        }
        breeder
    }

    fn source(&self) -> String {
        match &self.kind {
            Kind::Hard { parents: None } => "bred for the ratings of Sudoku-Extreme".into(),
            Kind::Hard { parents: Some(file) } => {
                let file = file.file_name().unwrap_or_default().to_string_lossy();
                format!("bred from {file} for the ratings of Sudoku-Extreme")
            }
            Kind::Random(Givens::Minimal) => "generated, minimal".into(),
            Kind::Random(Givens::AtLeast(range)) => {
                format!("generated, {} to {} givens", range.start(), range.end())
            }
        }
    }
}

/// Reads puzzles from CSV files. Without a test file, `test` puzzles are split off by the seed.
/// Training puzzles whose class occurs in the test split, or earlier in the training file, are left
/// out.
///
/// # Errors
/// If a file cannot be read, holds puzzles of several sizes, or has too few puzzles.
pub fn sudoku_from_csv(
    train_file: &Path,
    test_file: Option<&Path>,
    (test, seed): (usize, u64),
) -> Result<Splits, Error> {
    let read = |file: &Path| {
        let pairs = read_pairs(file)?;
        let shape = pairs[0].0.shape();
        check_shape(&pairs, shape, file)?;
        Ok((Domain::new(shape), pairs.iter().map(tokens).collect()))
    };
    Splits::from_files(train_file, test_file, (test, seed), read)
}

fn tokens((question, answer): &(Grid, Grid)) -> Pair {
    [question.to_tokens(), answer.to_tokens()]
}

/// Refuses puzzles of another size than the wanted one.
fn check_shape(pairs: &[(Grid, Grid)], shape: Shape, file: &Path) -> Result<(), Error> {
    let Some((question, _)) = pairs.iter().find(|(q, _)| q.shape() != shape) else {
        return Ok(());
    };
    let (found, size) = (question.shape().size(), shape.size());
    Err(Error::file(file, format!("a puzzle of size {found} among those of size {size}")))
}

fn read_pairs(file: &Path) -> Result<Pairs, Error> {
    // the same words for a missing file as everywhere
    std::fs::File::open(file).map_err(Error::io("read", file))?;
    let records = read_csv_file(file).map_err(|error| match error {
        CsvError::Unsolved { .. } | CsvError::Grid { .. } => {
            let message = format!("{error}; puzzles that are no Sudoku are for `trm data grid`");
            Error::Mismatch(message)
        }
        error => Error::Mismatch(error.to_string()),
    })?;
    if records.is_empty() {
        return Err(Error::file(file, "no puzzles"));
    }
    Ok(records.into_iter().map(|r| (r.question, r.answer)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use trm_puzzles::sudoku::{check_question, rate_fairly};

    #[test]
    fn splits_share_no_class_and_the_seed_repeats_them() {
        let wanted = Generated {
            shape: Shape::Four,
            train: 60,
            test: 20,
            kind: Kind::Random(Givens::AtLeast(4..=8)),
            seed: 3,
        };
        let splits = generate_sudoku(&wanted, None, &mut |_| ()).unwrap();
        let classes = |data: &Dataset| -> HashSet<u128> {
            let domain: Domain = data.metadata.domain.parse().unwrap();
            (0..data.len()).map(|i| domain.class_hash(data.input(i)).unwrap()).collect()
        };
        assert_eq!((classes(&splits.train).len(), classes(&splits.test).len()), (60, 20));
        assert!(classes(&splits.train).is_disjoint(&classes(&splits.test)));
        assert_eq!(generate_sudoku(&wanted, None, &mut |_| ()).unwrap().train, splits.train);
    }

    #[test]
    fn bred_puzzles_have_the_wanted_ratings_whatever_the_processes() {
        let ranges = [(0, 0.25), (3, 0.25), (12, 0.5)];
        let mut breeder = Breeder::new(Shape::Nine, &ranges, LINES).most_givens(26);
        breeder.make_ready(&mut stream(7, Purpose::Data, 0), &mut || ());
        let puzzles = breed(&Team::alone(), &breeder, 7, (0..3, 40), &mut |_| ());
        let shared = |team| breed(&team, &breeder, 7, (0..3, 40), &mut |_| ());
        assert_eq!(Team::of_threads(2, shared), [puzzles.clone(), puzzles.clone()]);
        let puzzles: Pairs = puzzles.into_iter().flatten().collect();
        let ratings: Vec<u32> = puzzles.iter().map(|(question, _)| rate_fairly(question)).collect();
        let rated = |range: Range<u32>| ratings.iter().filter(|r| range.contains(r)).count();
        assert_eq!([rated(0..3), rated(3..12), rated(12..u32::MAX)], [30, 30, 60]);
        for (question, answer) in &puzzles {
            assert_eq!(check_question(question), Ok(*answer));
            let givens = question.cells().iter().filter(|digit| **digit != 0).count();
            assert!(givens <= 26, "{givens} givens");
        }
    }

    #[test]
    fn asking_for_more_classes_than_there_are_is_refused() {
        let kind = Kind::Random(Givens::Minimal);
        let wanted = Generated { shape: Shape::Four, train: 500, test: 0, kind, seed: 1 };
        let error = generate_sudoku(&wanted, None, &mut |_| ()).err().unwrap().to_string();
        assert!(error.contains("different puzzles found"), "{error}");
    }
}
