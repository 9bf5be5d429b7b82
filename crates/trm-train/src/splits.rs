//! What a command that makes data writes.

use crate::Error;
use crate::dataset::Dataset;
use crate::files::{create_folder, read, write_atomic, write_folder_atomic};
use crate::metadata::{Metadata, Origin};
use crate::random::{Purpose, stream};
use rand::seq::SliceRandom;
use std::collections::HashSet;
use std::path::Path;
use trm_puzzles::Domain;

/// The tokens of a question and of its answer.
pub(crate) type Pair = [Vec<u8>; 2];

/// The two splits of a data set.
pub struct Splits {
    /// To learn from.
    pub train: Dataset,
    /// To measure on.
    pub test: Dataset,
    /// Puzzles left out because their class was there already.
    pub duplicates: usize,
    /// Names of the puzzle identifiers, the blank one first.
    pub identifiers: Vec<String>,
}

impl Splits {
    /// Two splits without identifiers of their own.
    pub fn new(train: Dataset, test: Dataset, duplicates: usize) -> Splits {
        Splits { train, test, duplicates, identifiers: vec!["<blank>".into()] }
    }

    /// Splits of the puzzles that `read` finds in one or two files. Without a test file, `test` puzzles are split
    /// off by the seed. Training puzzles whose class occurs in the test split, or earlier, are left out.
    ///
    /// # Errors
    /// If a file cannot be read, is of another domain than the other, or has too few puzzles.
    pub(crate) fn from_files(
        train_file: &Path,
        test_file: Option<&Path>,
        (test, seed): (usize, u64),
        read: impl Fn(&Path) -> Result<(Domain, Vec<Pair>), Error>,
    ) -> Result<Splits, Error> {
        let (domain, mut train) = read(train_file)?;
        let mut tests = match test_file {
            Some(file) => {
                let (found, tests) = read(file)?;
                if found != domain {
                    let message = format!("{found}, but what is trained on is {domain}");
                    return Err(Error::file(file, message));
                }
                tests
            }
            None if test == 0 || test >= train.len() => {
                let count = train.len();
                let message = format!("cannot split off {test} of {count} puzzles to test on");
                return Err(Error::file(train_file, message));
            }
            None => {
                train.shuffle(&mut stream(seed, Purpose::Data, 0));
                train.split_off(train.len() - test)
            }
        };
        let before = train.len() + tests.len();
        let mut classes = HashSet::new();
        let mut is_new = |[question, _]: &Pair| {
            classes.insert(domain.class_hash(question).expect("a question that was read"))
        };
        tests.retain(&mut is_new);
        train.retain(&mut is_new);
        if train.is_empty() {
            let message = "every puzzle's class occurs in the test split too";
            return Err(Error::file(train_file, message));
        }
        let duplicates = before - train.len() - tests.len();
        let test_origin = origin_of(test_file.unwrap_or(train_file), seed)?;
        let train = dataset(domain, train, origin_of(train_file, seed)?);
        Ok(Splits::new(train, dataset(domain, tests, test_origin), duplicates))
    }

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
            let names = serde_json::to_vec(&self.identifiers).expect("names are JSON");
            write_atomic(&folder.join("identifiers.json"), &names)
        })
    }
}

/// One split, an example a puzzle.
pub(crate) fn dataset(
    domain: Domain,
    pairs: impl IntoIterator<Item = Pair>,
    origin: Origin,
) -> Dataset {
    let metadata = Metadata {
        vocab_size: domain.vocab_size(),
        seq_len: domain.seq_len(),
        domain: domain.name(),
        origin,
        ..Metadata::default()
    };
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    for [question, answer] in pairs {
        inputs.extend(question);
        labels.extend(answer);
    }
    Dataset::from_pairs(metadata, inputs, labels)
}

/// A file as the origin of data.
pub(crate) fn origin_of(file: &Path, seed: u64) -> Result<Origin, Error> {
    let digest = blake3::hash(&read(file)?).to_string();
    let source = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Origin { source, seed, digest })
}
