//! Sudoku data sets: generated or from CSV, with no class of puzzles in both splits.

use crate::Error;
use crate::dataset::{Dataset, Metadata, Origin};
use crate::files::{create_folder, write_atomic, write_folder_atomic};
use crate::random::{Purpose, stream};
use rand::seq::SliceRandom;
use std::collections::HashSet;
use std::path::Path;
use trm_puzzles::Domain;
use trm_puzzles::sudoku::{
    Givens, Grid, Shape, check_question, class_hash, generate, read_csv_file,
};

/// Offsets in the files are 32-bit.
const MAX_PUZZLES: usize = 20_000_000;

/// The two splits of a data set.
pub struct Splits {
    /// To learn from.
    pub train: Dataset,
    /// To measure on.
    pub test: Dataset,
    /// Puzzles left out because their class was there already.
    pub duplicates: usize,
}

impl Splits {
    /// Writes both splits and the list of identifiers, all or nothing.
    ///
    /// # Errors
    /// If the folder exists, or the operating system refuses.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        if folder.exists() {
            return Err(Error::file(folder, "exists already: choose another --out"));
        }
        if let Some(parent) = folder.parent() {
            create_folder(parent)?;
        }
        write_folder_atomic(folder, |folder| {
            self.train.save(folder, "train")?;
            self.test.save(folder, "test")?;
            write_atomic(&folder.join("identifiers.json"), b"[\"<blank>\"]\n")
        })
    }
}

/// What to generate.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Size of the grid.
    pub shape: Shape,
    /// Training puzzles.
    pub train: usize,
    /// Test puzzles.
    pub test: usize,
    /// How many clues.
    pub givens: Givens,
    /// Seed.
    pub seed: u64,
}

/// Draws puzzles of distinct classes until both splits are full. `progress` hears how many there
/// are.
///
/// # Errors
/// If so many classes cannot be found.
pub fn generate_sudoku(
    wanted: &Generated,
    progress: &mut dyn FnMut(usize),
) -> Result<Splits, Error> {
    let total = wanted.train.saturating_add(wanted.test);
    if total > MAX_PUZZLES {
        let message = format!("{total} puzzles: a data set holds at most {MAX_PUZZLES}");
        return Err(Error::Mismatch(message));
    }
    let mut classes = HashSet::new();
    let mut pairs = Vec::new();
    let mut draws = 0u64;
    while pairs.len() < total {
        if draws as usize > 1000 + 50 * total {
            return Err(Error::Mismatch(format!(
                "only {} different puzzles found in {draws} draws: ask for fewer, or allow more givens",
                pairs.len()
            )));
        }
        let mut rng = stream(wanted.seed, Purpose::Data, draws);
        let puzzle = generate(wanted.shape, &mut rng, &wanted.givens);
        draws += 1;
        if classes.insert(class_hash(&puzzle.question)) {
            pairs.push((puzzle.question, puzzle.answer));
            progress(pairs.len());
        }
    }
    let source = format!("generated, {}", givens_text(&wanted.givens));
    let origin = Origin { source, seed: wanted.seed, digest: String::new() };
    let (train, test) = pairs.split_at(wanted.train);
    Ok(Splits {
        train: dataset(wanted.shape, train, &origin),
        test: dataset(wanted.shape, test, &origin),
        duplicates: draws as usize - total,
    })
}

fn givens_text(givens: &Givens) -> String {
    match givens {
        Givens::Minimal => "minimal".into(),
        Givens::AtLeast(range) => format!("{} to {} givens", range.start(), range.end()),
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
    let mut train = read_pairs(train_file)?;
    let shape = train[0].0.shape();
    let mut test_pairs = match test_file {
        Some(file) => read_pairs(file)?,
        None => {
            if test == 0 || test >= train.len() {
                let count = train.len();
                let message = format!("cannot split off {test} of {count} puzzles to test on");
                return Err(Error::file(train_file, message));
            }
            train.shuffle(&mut stream(seed, Purpose::Data, 0));
            train.split_off(train.len() - test)
        }
    };
    if let Some((question, _)) = test_pairs.iter().find(|(q, _)| q.shape() != shape) {
        let (found, size) = (question.shape().size(), shape.size());
        let message = format!("puzzles of size {found}, but those to train on have size {size}");
        return Err(Error::file(test_file.unwrap_or(train_file), message));
    }
    let before = train.len() + test_pairs.len();
    let mut classes = HashSet::new();
    test_pairs.retain(|(question, _)| classes.insert(class_hash(question)));
    train.retain(|(question, _)| classes.insert(class_hash(question)));
    if train.is_empty() {
        return Err(Error::file(train_file, "every puzzle's class occurs in the test split too"));
    }
    let origin = |file: &Path| -> Result<Origin, Error> {
        let digest = blake3::hash(&crate::files::read(file)?).to_string();
        let source = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Origin { source, seed, digest })
    };
    Ok(Splits {
        duplicates: before - train.len() - test_pairs.len(),
        train: dataset(shape, &train, &origin(train_file)?),
        test: dataset(shape, &test_pairs, &origin(test_file.unwrap_or(train_file))?),
    })
}

fn read_pairs(file: &Path) -> Result<Vec<(Grid, Grid)>, Error> {
    // the same words for a missing file as everywhere
    std::fs::File::open(file).map_err(Error::io("read", file))?;
    let records = read_csv_file(file).map_err(|error| Error::Mismatch(error.to_string()))?;
    if records.is_empty() {
        return Err(Error::file(file, "no puzzles"));
    }
    for (row, record) in (1..).zip(&records) {
        check_question(&record.question)
            .map_err(|error| Error::file(file, format!("puzzle {row}: {error}")))?;
    }
    Ok(records.into_iter().map(|r| (r.question, r.answer)).collect())
}

fn dataset(shape: Shape, pairs: &[(Grid, Grid)], origin: &Origin) -> Dataset {
    let domain = Domain::Sudoku(shape);
    let metadata = Metadata {
        vocab_size: domain.vocab_size(),
        seq_len: domain.seq_len(),
        domain: domain.name().into(),
        origin: origin.clone(),
        ..Metadata::default()
    };
    let inputs = pairs.iter().flat_map(|(question, _)| question.to_tokens()).collect();
    let labels = pairs.iter().flat_map(|(_, answer)| answer.to_tokens()).collect();
    Dataset::from_pairs(metadata, inputs, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_share_no_class_and_the_seed_repeats_them() {
        let wanted = Generated {
            shape: Shape::Four,
            train: 60,
            test: 20,
            givens: Givens::AtLeast(4..=8),
            seed: 3,
        };
        let splits = generate_sudoku(&wanted, &mut |_| ()).unwrap();
        let classes = |data: &Dataset| -> HashSet<u128> {
            let domain: Domain = data.metadata.domain.parse().unwrap();
            (0..data.len()).map(|i| domain.class_hash(data.input(i)).unwrap()).collect()
        };
        assert_eq!((classes(&splits.train).len(), classes(&splits.test).len()), (60, 20));
        assert!(classes(&splits.train).is_disjoint(&classes(&splits.test)));
        assert_eq!(generate_sudoku(&wanted, &mut |_| ()).unwrap().train, splits.train);
    }

    #[test]
    fn asking_for_more_classes_than_there_are_is_refused() {
        let givens = Givens::Minimal;
        let wanted = Generated { shape: Shape::Four, train: 500, test: 0, givens, seed: 1 };
        let error = generate_sudoku(&wanted, &mut |_| ()).err().unwrap().to_string();
        assert!(error.contains("different puzzles found"), "{error}");
    }
}
