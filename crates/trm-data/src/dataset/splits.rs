//! What a command that makes data writes.

use crate::Error;
use crate::dataset::Dataset;
use crate::dataset::metadata::{Metadata, Origin};
use crate::files::{create_folder, read, write_atomic, write_folder_atomic};
use crate::random::{Purpose, stream};
use rand::seq::SliceRandom;
use std::collections::HashSet;
use std::path::Path;
use trm_puzzles::{Domain, Pair};

/// The two splits of a data set.
pub struct Splits {
    /// To learn from.
    pub train: Dataset,
    /// To measure on.
    pub test: Dataset,
    /// Puzzles left out because their class was there already.
    pub duplicates: usize,
    /// Those of them that were to be trained on, though their class is in the test split.
    pub shared: usize,
    /// Names of the puzzle identifiers, the blank one first.
    pub identifiers: Vec<String>,
}

impl Splits {
    /// Two splits without identifiers of their own.
    pub fn new(train: Dataset, test: Dataset, duplicates: usize) -> Splits {
        Splits { train, test, duplicates, shared: 0, identifiers: vec!["<blank>".into()] }
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
        let tests = match test_file {
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
        let test_origin = origin_of(test_file.unwrap_or(train_file), seed)?;
        let splits =
            Splits::of(&domain, (train, origin_of(train_file, seed)?), (tests, test_origin))?;
        if splits.train.is_empty() {
            let message = "every puzzle's class occurs in the test split too";
            return Err(Error::file(train_file, message));
        }
        Ok(splits)
    }

    /// Splits of puzzles that are learned from and of others that are asked. Puzzles whose class occurs earlier in
    /// their split, or in the test split, are left out.
    ///
    /// # Errors
    /// If a question makes no sense in this domain, or an answer is not as long.
    ///
    /// ```
    /// use trm_puzzles::{Domain, Error, Pair};
    /// use trm_data::{Origin, Splits};
    ///
    /// let domain: Domain = "sudoku4".parse()?;
    /// let pair = |line: &str| -> Result<Pair, Error> {
    ///     let question = domain.parse(line)?;
    ///     let answer = domain.check_question(&question)?.expect("Sudoku has one solution");
    ///     Ok([question, answer])
    /// };
    /// let train = vec![pair("1.....3..4.....2")?, pair("2.....3..4.....1")?]; // the same with other digits
    /// let test = vec![pair("13....3..4.....2")?]; // another one: a given more
    /// let origin = Origin { source: "by hand".into(), ..Origin::default() };
    /// let splits = Splits::of(&domain, (train, origin.clone()), (test, origin))?;
    /// assert_eq!((splits.train.len(), splits.test.len(), splits.duplicates), (1, 1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(
        domain: &Domain,
        (mut train, train_origin): (Vec<Pair>, Origin),
        (mut test, test_origin): (Vec<Pair>, Origin),
    ) -> Result<Splits, Error> {
        let before = train.len() + test.len();
        let (mut classes, mut tested, mut shared) = (HashSet::new(), HashSet::new(), 0);
        for pairs in [&mut test, &mut train] {
            let mut kept = Vec::with_capacity(pairs.len());
            for [question, answer] in pairs.drain(..) {
                let class = domain.class_hash(&question);
                let class = class.map_err(|error| Error::Mismatch(error.to_string()))?;
                if answer.len() != domain.seq_len() {
                    let message = format!("an answer of {} tokens in {domain}", answer.len());
                    return Err(Error::Mismatch(message));
                }
                if classes.insert(class) {
                    kept.push([question, answer]);
                } else {
                    shared += usize::from(tested.contains(&class));
                }
            }
            *pairs = kept;
            if tested.is_empty() {
                tested = classes.clone();
            }
        }
        let duplicates = before - train.len() - test.len();
        let train = dataset(domain, train, train_origin);
        let splits = Splits::new(train, dataset(domain, test, test_origin), duplicates);
        Ok(Splits { shared, ..splits })
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
    domain: &Domain,
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

/// One split, a group and a puzzle for several examples.
pub(crate) fn grouped(domain: &Domain, groups: Vec<Vec<Pair>>, origin: Origin) -> Dataset {
    let mut indices = vec![0];
    indices.extend(groups.iter().scan(0, |end, group| {
        *end += group.len();
        Some(*end)
    }));
    let count = groups.len();
    let mut data = dataset(domain, groups.into_iter().flatten(), origin);
    data.metadata.total_groups = count;
    data.metadata.total_puzzles = count;
    data.metadata.mean_puzzle_examples = data.len() as f64 / count.max(1) as f64;
    data.puzzle_identifiers.truncate(count);
    data.group_indices.truncate(count + 1);
    data.puzzle_indices = indices;
    data
}

/// A file as the origin of data.
pub(crate) fn origin_of(file: &Path, seed: u64) -> Result<Origin, Error> {
    let digest = blake3::hash(&read(file)?).to_string();
    let source = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Origin { source, seed, digest })
}
