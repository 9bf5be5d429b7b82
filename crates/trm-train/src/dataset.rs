//! Data sets in the public code's format: a folder per split with `dataset.json` and `.npy` files
//! (REFERENCE.md section 4).

use crate::Error;
use crate::arc_data::ARC;
use crate::augmented::Augmented;
use crate::files::{create_folder, read, write_atomic};
use crate::npy;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `dataset.json`: the public code's keys, and two of ours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Token that means "no cell".
    pub pad_id: u8,
    /// Label that is not learned.
    pub ignore_label_id: Option<u8>,
    /// Puzzle identifier that means "no particular puzzle".
    pub blank_identifier_id: u32,
    /// V.
    pub vocab_size: usize,
    /// S.
    pub seq_len: usize,
    /// Number of puzzle identifiers.
    pub num_puzzle_identifiers: usize,
    /// Number of groups.
    pub total_groups: usize,
    /// Examples per puzzle, on average.
    pub mean_puzzle_examples: f64,
    /// Number of puzzles.
    #[serde(default)]
    pub total_puzzles: usize,
    /// Names of the sets in the folder.
    pub sets: Vec<String>,
    /// What the tokens mean.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// Where the data come from.
    #[serde(default, skip_serializing_if = "Origin::is_unknown")]
    pub origin: Origin,
}

/// Where data come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// File or generator.
    pub source: String,
    /// Seed of the generator.
    pub seed: u64,
    /// Digest of the source file, if there was one.
    pub digest: String,
}

impl Origin {
    fn is_unknown(&self) -> bool {
        *self == Origin::default()
    }
}

/// One split of a data set, in memory. Group ⊃ puzzle ⊃ example.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Sizes and origin.
    pub metadata: Metadata,
    /// `[N · S]` tokens of the questions.
    pub inputs: Vec<u8>,
    /// `[N · S]` tokens of the answers.
    pub labels: Vec<u8>,
    /// Identifier of every puzzle.
    pub puzzle_identifiers: Vec<u32>,
    /// Where each puzzle's examples begin, and where the last one's end.
    pub puzzle_indices: Vec<usize>,
    /// Where each group's puzzles begin, and where the last one's end.
    pub group_indices: Vec<usize>,
    /// Of ARC: the images that the other identifiers stand for.
    pub augmented: Option<Arc<Augmented>>,
}

impl Dataset {
    /// A data set in which every group is one puzzle with one example and no identifier of its own.
    pub fn from_pairs(metadata: Metadata, inputs: Vec<u8>, labels: Vec<u8>) -> Dataset {
        let count = inputs.len() / metadata.seq_len;
        let metadata = Metadata {
            num_puzzle_identifiers: 1,
            total_groups: count,
            total_puzzles: count,
            mean_puzzle_examples: 1.0,
            ignore_label_id: Some(0),
            sets: vec!["all".into()],
            ..metadata
        };
        Dataset {
            metadata,
            inputs,
            labels,
            puzzle_identifiers: vec![0; count],
            puzzle_indices: (0..=count).collect(),
            group_indices: (0..=count).collect(),
            augmented: None,
        }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.inputs.len() / self.metadata.seq_len
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.group_indices.len() - 1
    }

    /// Tokens of one question.
    pub fn input(&self, example: usize) -> &[u8] {
        &self.inputs[example * self.metadata.seq_len..][..self.metadata.seq_len]
    }

    /// Tokens of every question.
    pub fn questions(&self) -> Vec<&[u8]> {
        (0..self.len()).map(|example| self.input(example)).collect()
    }

    /// Tokens of one answer.
    pub fn label(&self, example: usize) -> &[u8] {
        &self.labels[example * self.metadata.seq_len..][..self.metadata.seq_len]
    }

    /// Identifier of the puzzle that each example belongs to.
    pub fn example_identifiers(&self) -> Vec<u32> {
        let ranges = self.puzzle_indices.windows(2);
        let each = ranges.zip(&self.puzzle_identifiers);
        each.flat_map(|(range, id)| std::iter::repeat_n(*id, range[1] - range[0])).collect()
    }

    /// The token whose cells are not learned or scored.
    pub fn ignore_label(&self) -> u8 {
        self.metadata.ignore_label_id.unwrap_or(self.metadata.pad_id)
    }

    /// Digest of all that training and evaluation depend on (questions, answers, their grouping,
    /// what tokens mean): 64 hexadecimal digits.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.metadata.domain.len() as u64).to_le_bytes());
        hasher.update(self.metadata.domain.as_bytes());
        hasher.update(&[self.ignore_label()]);
        hasher.update(&(self.metadata.seq_len as u64).to_le_bytes());
        hasher.update(&(self.metadata.vocab_size as u64).to_le_bytes());
        hasher.update(&self.inputs);
        hasher.update(&self.labels);
        for index in self.puzzle_indices.iter().chain(&self.group_indices) {
            hasher.update(&(*index as u64).to_le_bytes());
        }
        for id in &self.puzzle_identifiers {
            hasher.update(&id.to_le_bytes());
        }
        if let Some(augmented) = &self.augmented {
            augmented.hash(&mut hasher);
        }
        hasher.finalize().to_string()
    }

    /// The examples of some groups only, in the given order.
    pub fn select_groups(&self, groups: &[usize]) -> Dataset {
        let mut selected = Dataset {
            metadata: Metadata { total_groups: groups.len(), ..self.metadata.clone() },
            inputs: Vec::new(),
            labels: Vec::new(),
            puzzle_identifiers: Vec::new(),
            puzzle_indices: vec![0],
            group_indices: vec![0],
            augmented: self.augmented.clone(),
        };
        for group in groups {
            for puzzle in self.group_indices[*group]..self.group_indices[group + 1] {
                for example in self.puzzle_indices[puzzle]..self.puzzle_indices[puzzle + 1] {
                    selected.inputs.extend_from_slice(self.input(example));
                    selected.labels.extend_from_slice(self.label(example));
                }
                selected.puzzle_identifiers.push(self.puzzle_identifiers[puzzle]);
                selected.puzzle_indices.push(selected.len());
            }
            selected.group_indices.push(selected.puzzle_identifiers.len());
        }
        selected.metadata.total_puzzles = selected.puzzle_identifiers.len();
        selected
    }

    /// Reads one split: `folder/split/`.
    ///
    /// # Errors
    /// If a file is missing, damaged, or does not agree with the others.
    pub fn load(whole: &Path, split: &str) -> Result<Dataset, Error> {
        let folder = whole.join(split);
        let path = folder.join("dataset.json");
        let metadata: Metadata = serde_json::from_slice(&read(&path)?)
            .map_err(|error| Error::file(&path, format!("not a data set description: {error}")))?;
        if metadata.seq_len == 0 || metadata.sets.is_empty() {
            return Err(Error::file(&path, "seq_len and sets must not be empty"));
        }
        let augmented = (metadata.domain == ARC).then(|| load_augmented(whole, &metadata));
        let mut data = Dataset {
            metadata: metadata.clone(),
            inputs: Vec::new(),
            labels: Vec::new(),
            puzzle_identifiers: Vec::new(),
            puzzle_indices: vec![0],
            group_indices: vec![0],
            augmented: augmented.transpose()?,
        };
        for set in &metadata.sets {
            let file = |key: &str| folder.join(format!("{set}__{key}.npy"));
            let (examples, puzzles) = (data.len(), data.puzzle_identifiers.len());
            data.inputs.extend(read_array::<u8>(&file("inputs"))?);
            data.labels.extend(read_array::<u8>(&file("labels"))?);
            data.puzzle_identifiers.extend(read_array::<u32>(&file("puzzle_identifiers"))?);
            let offsets = |key: &str, start: usize| {
                let offsets = read_array::<u32>(&file(key))?;
                if offsets.first() != Some(&0) {
                    return Err(Error::file(&file(key), "offsets must begin with 0"));
                }
                let rest = offsets.get(1..).unwrap_or_default();
                Ok::<Vec<usize>, Error>(rest.iter().map(|o| start + *o as usize).collect())
            };
            data.puzzle_indices.extend(offsets("puzzle_indices", examples)?);
            data.group_indices.extend(offsets("group_indices", puzzles)?);
        }
        data.check().map_err(|message| Error::file(&folder, message))?;
        Ok(data)
    }

    /// Whether all parts agree.
    fn check(&self) -> Result<(), String> {
        let Metadata { vocab_size, seq_len, num_puzzle_identifiers, .. } = self.metadata;
        if !self.inputs.len().is_multiple_of(seq_len) || self.inputs.len() != self.labels.len() {
            let (inputs, labels) = (self.inputs.len(), self.labels.len());
            return Err(format!("{inputs} input and {labels} label tokens of seq_len = {seq_len}"));
        }
        for (name, tokens) in [("input", &self.inputs), ("label", &self.labels)] {
            if let Some(i) = tokens.iter().position(|t| *t as usize >= vocab_size) {
                let (example, token) = (i / seq_len, tokens[i]);
                return Err(format!(
                    "{name} {example}: token {token}, but vocab_size = {vocab_size}"
                ));
            }
        }
        check_offsets("puzzle_indices", &self.puzzle_indices, self.len())?;
        check_offsets("group_indices", &self.group_indices, self.puzzle_identifiers.len())?;
        if self.puzzle_indices.len() != self.puzzle_identifiers.len() + 1 {
            let (offsets, ids) = (self.puzzle_indices.len(), self.puzzle_identifiers.len());
            return Err(format!("{offsets} puzzle_indices for {ids} puzzle_identifiers"));
        }
        match self.puzzle_identifiers.iter().find(|id| **id as usize >= num_puzzle_identifiers) {
            Some(id) => Err(format!(
                "puzzle identifier {id}, but num_puzzle_identifiers = {num_puzzle_identifiers}"
            )),
            None => Ok(()),
        }
    }

    /// Writes one split: `folder/split/`.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn save(&self, folder: &Path, split: &str) -> Result<(), Error> {
        let folder = folder.join(split);
        create_folder(&folder)?;
        let set = self.metadata.sets.first().map_or("all", String::as_str);
        let file = |key: &str| -> PathBuf { folder.join(format!("{set}__{key}.npy")) };
        let pairs = [self.len(), self.metadata.seq_len];
        write_array(&file("inputs"), &pairs, self.inputs.iter().copied())?;
        write_array(&file("labels"), &pairs, self.labels.iter().copied())?;
        let integers = |key: &str, values: &mut dyn ExactSizeIterator<Item = i32>| {
            write_array(&file(key), &[values.len()], values)
        };
        integers("puzzle_identifiers", &mut self.puzzle_identifiers.iter().map(|i| *i as i32))?;
        integers("puzzle_indices", &mut self.puzzle_indices.iter().map(|i| *i as i32))?;
        integers("group_indices", &mut self.group_indices.iter().map(|i| *i as i32))?;
        let json = serde_json::to_vec_pretty(&self.metadata).expect("metadata are JSON");
        write_atomic(&folder.join("dataset.json"), &json)
    }
}

/// The images of ARC tasks, from `identifiers.json` beside the splits.
fn load_augmented(folder: &Path, metadata: &Metadata) -> Result<Arc<Augmented>, Error> {
    let path = folder.join("identifiers.json");
    let names: Vec<String> = serde_json::from_slice(&read(&path)?)
        .map_err(|error| Error::file(&path, format!("not a list of names: {error}")))?;
    let wanted = metadata.num_puzzle_identifiers;
    if names.len() != wanted {
        let message = format!("{} names for {wanted} puzzle identifiers", names.len());
        return Err(Error::file(&path, message));
    }
    let augmented = Augmented::from_names(&names).map_err(|message| Error::file(&path, message))?;
    Ok(Arc::new(augmented))
}

fn read_array<T: TryFrom<i64>>(path: &Path) -> Result<Vec<T>, Error> {
    npy::decode(&read(path)?).map_err(|message| Error::file(path, message))
}

fn write_array<T: npy::Integer>(
    path: &Path,
    shape: &[usize],
    values: impl IntoIterator<Item = T>,
) -> Result<(), Error> {
    write_atomic(path, &npy::encode(shape, values))
}

fn check_offsets(name: &str, offsets: &[usize], end: usize) -> Result<(), String> {
    let rising = offsets.windows(2).all(|pair| pair[0] < pair[1]);
    let fits = offsets.first() == Some(&0) && offsets.last() == Some(&end);
    if rising && fits {
        Ok(())
    } else {
        Err(format!("{name} must rise from 0 to {end}, every range holding at least one element"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Dataset {
        let metadata = Metadata { vocab_size: 4, seq_len: 2, ..Metadata::default() };
        Dataset::from_pairs(metadata, vec![1, 2, 3, 1, 2, 2], vec![2, 2, 3, 3, 1, 1])
    }

    #[test]
    fn a_data_set_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        tiny().save(folder.path(), "train").unwrap();
        let read = Dataset::load(folder.path(), "train").unwrap();
        assert_eq!(read, tiny());
        assert_eq!(read.digest(), tiny().digest());
        assert_eq!(read.select_groups(&[2, 0]).inputs, [2, 2, 1, 2]);
    }

    #[test]
    fn damaged_data_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = |data: &Dataset| {
            data.save(folder.path(), "train").unwrap();
            Dataset::load(folder.path(), "train").unwrap_err().to_string()
        };
        let mut data = tiny();
        data.labels[3] = 9;
        assert!(error(&data).ends_with("label 1: token 9, but vocab_size = 4"));
        let mut data = tiny();
        data.group_indices[1] = 0;
        assert!(error(&data).contains("group_indices must rise from 0 to 3"));
        tiny().save(folder.path(), "train").unwrap();
        let path = folder.path().join("train/all__inputs.npy");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let error = Dataset::load(folder.path(), "train").unwrap_err().to_string();
        assert!(error.contains("all__inputs.npy: not a readable .npy file"), "{error}");
    }

    #[test]
    fn the_public_codes_maze_data_are_read() {
        let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
        let source = shared.join("data/maze-hard/reference-npy-train");
        if !source.exists() {
            eprintln!("skipped: no ../shared beside the checkout");
            return;
        }
        let parent = source.parent().unwrap();
        let data = Dataset::load(parent, "reference-npy-train").unwrap();
        assert_eq!((data.len(), data.groups(), data.metadata.seq_len), (1000, 1000, 900));
        assert_eq!(data.ignore_label(), 0);
    }
}
