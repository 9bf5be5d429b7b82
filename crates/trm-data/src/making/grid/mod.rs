//! Data sets of users' own puzzles, with no class of puzzles in both splits.

mod augmented;
mod facts;
#[cfg(test)]
mod tests;

pub use augmented::{Added, augment_grids};
pub use facts::{GridFacts, Lonely, Told};

use crate::dataset::Dataset;
use crate::dataset::metadata::Origin;
use crate::dataset::splits::{Splits, dataset};
use crate::random::{Purpose, stream};
use crate::{Error, RefereeCommand};
use std::path::{Path, PathBuf};
use trm_puzzles::grid::{
    Example, FileError, Format, Wanted, cut, infer, pairs, read_csv, read_jsonl, separate,
    two_answers,
};
use trm_puzzles::{Asked, Domain, Pair};

/// Puzzles of files, and what is known about them.
#[derive(Clone, Debug)]
pub struct Grids {
    /// Sizes, symbols and augmentations.
    pub format: Format,
    /// To train on.
    pub train: GridFile,
    /// To be tested on, if they are a file of their own.
    pub test: Option<GridFile>,
}

/// The puzzles of a file.
#[derive(Clone, Debug)]
pub struct GridFile {
    /// Where it is.
    pub path: PathBuf,
    /// Their tokens.
    pub pairs: Vec<Pair>,
    /// The line of each, from 1.
    pub lines: Vec<u64>,
}

impl Grids {
    /// Reads puzzles from CSV or JSONL files, and infers from both what is not `wanted` otherwise.
    ///
    /// # Errors
    /// If a file cannot be read, or holds no puzzles of one format.
    pub fn read(train: &Path, test: Option<&Path>, wanted: &Wanted) -> Result<Grids, Error> {
        let examples = read_examples(train, wanted)?;
        let tests = test.map(|file| read_examples(file, wanted)).transpose()?;
        let refuse = |file: &Path, error: FileError| Error::file(file, error.to_string());
        let inferred = |file: &Path, examples: &[Example]| {
            infer(examples, wanted).map_err(|error| refuse(file, error))
        };
        let format = match (test, &tests) {
            (Some(file), Some(tests)) => {
                inferred(train, &examples)?; // errors name the right file
                inferred(file, tests)?;
                inferred(train, &[&examples[..], tests].concat())?
            }
            _ => inferred(train, &examples)?,
        };
        let read = |file: &Path, examples: &[Example]| {
            let pairs = pairs(examples, &format).map_err(|error| refuse(file, error))?;
            let lines = examples.iter().map(|example| example.line).collect();
            Ok::<_, Error>(GridFile { path: file.to_owned(), pairs, lines })
        };
        let train = read(train, &examples)?;
        let test = test.zip(tests).map(|(file, tests)| read(file, &tests)).transpose()?;
        Ok(Grids { format, train, test })
    }

    /// The two splits. Without a test file, some puzzles are split off by the seed, a tenth and at most 1000 if not
    /// told how many. Training puzzles whose class occurs in the test split, or earlier in the training file, are
    /// left out.
    ///
    /// # Errors
    /// If there are too few puzzles, or two answers for the same question where that is not allowed.
    pub fn splits(
        &self,
        (test_puzzles, seed): (Option<usize>, u64),
        allow_two_answers: bool,
    ) -> Result<Splits, Error> {
        for file in [Some(&self.train), self.test.as_ref()].into_iter().flatten() {
            if let (false, Some((first, other))) =
                (allow_two_answers, two_answers(&file.pairs).first())
            {
                let (first, line) = (file.lines[*first], file.lines[*other]);
                let error = FileError::TwoAnswers { first, line };
                return Err(Error::file(&file.path, error.to_string()));
            }
        }
        let split = test_puzzles.unwrap_or(self.train.pairs.len().div_ceil(10).min(1000));
        let test_file = self.test.as_ref();
        let read = |file: &Path| {
            let found = test_file.filter(|test| test.path == file).unwrap_or(&self.train);
            Ok((self.domain(), found.pairs.clone()))
        };
        let test_path = test_file.map(|file| file.path.as_path());
        Splits::from_files(&self.train.path, test_path, (split, seed), read)
    }

    /// Lets a referee judge all answers.
    ///
    /// # Errors
    /// If it holds one for wrong, whose line is named, or fails.
    pub fn check_answers(&self, referee: &RefereeCommand) -> Result<(), Error> {
        let judge = referee.start(&self.domain())?;
        for file in [Some(&self.train), self.test.as_ref()].into_iter().flatten() {
            let asked: Vec<Asked<'_>> = file.pairs.iter().map(|[q, a]| (&q[..], &a[..])).collect();
            let verdicts = judge.verify_all(&asked)?;
            let mut judged = file.lines.iter().zip(verdicts);
            if let Some((line, verdict)) = judged.find(|(_, v)| v.decision() == Some(false)) {
                return Err(Error::file(
                    &file.path,
                    format!("line {line}: the answer is {verdict}"),
                ));
            }
        }
        Ok(())
    }

    /// Lets a referee judge an augmentation of each of the first training puzzles, if the format has any.
    ///
    /// # Errors
    /// If it holds the answer to one for wrong, whose line is named, or fails.
    pub fn check_augmentations(&self, referee: &RefereeCommand, seed: u64) -> Result<(), Error> {
        const SOME: usize = 300;
        let names = self.format.changes();
        if names.is_empty() {
            return Ok(());
        }
        let (domain, mut rng) = (self.domain(), stream(seed, Purpose::Data, 2));
        let mut images: Vec<Pair> = self.train.pairs.iter().take(SOME).cloned().collect();
        for [question, answer] in &mut images {
            domain.augment(question, answer, &mut rng);
        }
        let asked: Vec<Asked<'_>> = images.iter().map(|[q, a]| (&q[..], &a[..])).collect();
        let verdicts = referee.start(&domain)?.verify_all(&asked)?;
        let mut judged = self.train.lines.iter().zip(verdicts);
        match judged.find(|(_, verdict)| verdict.decision() == Some(false)) {
            None => Ok(()),
            Some((line, verdict)) => Err(Error::file(
                &self.train.path,
                format!(
                    "line {line}: an augmentation ({}) has an answer that is {verdict}: puzzles do not stay puzzles \
                     under it",
                    names.join(", ")
                ),
            )),
        }
    }

    /// All training puzzles as they are.
    pub fn data(&self) -> Dataset {
        dataset(&self.domain(), self.train.pairs.iter().cloned(), Origin::default())
    }

    /// The domain of these puzzles.
    pub fn domain(&self) -> Domain {
        Domain::new(self.format.clone())
    }
}

/// The examples of a file; rows that follow each other on one line are cut to the wanted width.
fn read_examples(file: &Path, wanted: &Wanted) -> Result<Vec<Example>, Error> {
    let bytes = crate::files::read(file)?;
    let refuse = |error: FileError| Error::file(file, error.to_string());
    let is_jsonl = file.extension().is_some_and(|end| end == "jsonl" || end == "json");
    let mut examples = if is_jsonl {
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::file(file, "not text"))?;
        read_jsonl(text).map_err(refuse)?
    } else {
        read_csv(&bytes[..]).map_err(refuse)?
    };
    if examples.is_empty() {
        return Err(Error::file(file, "no puzzles"));
    }
    separate(&mut examples, wanted).map_err(refuse)?;
    if let Some(width) = wanted.width {
        cut(&mut examples, width);
    }
    Ok(examples)
}
