//! A split on disk.

use super::{Dataset, SET};
use crate::Error;
use crate::dataset::augmented::Augmented;
use crate::dataset::metadata::Metadata;
use crate::dataset::npy;
use crate::files::{create_folder, read, write_atomic};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use trm_puzzles::Domain;

/// Names of all puzzle identifiers, beside the splits.
const IDENTIFIERS: &str = "identifiers.json";

impl Dataset {
    /// Reads one split: `folder/split/`. Where no domain is named, that of the public code's data is seen.
    ///
    /// # Errors
    /// If a file is missing, damaged, or does not agree with the others.
    pub fn load(whole: &Path, split: &str) -> Result<Dataset, Error> {
        let folder = whole.join(split);
        let metadata = Metadata::load(&folder.join("dataset.json"))?;
        let mut data = Dataset {
            metadata: metadata.clone(),
            inputs: Vec::new(),
            labels: Vec::new(),
            puzzle_identifiers: Vec::new(),
            puzzle_indices: vec![0],
            group_indices: vec![0],
            augmented: None,
            referee: None,
        };
        for set in &metadata.sets {
            let file = |key: &str| folder.join(format!("{set}__{key}.npy"));
            let (examples, puzzles) = (data.len(), data.puzzle_identifiers.len());
            append(&mut data.inputs, &file("inputs"))?;
            append(&mut data.labels, &file("labels"))?;
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
        data.see_domain(whole);
        if data.metadata.domain.parse().is_ok_and(|domain: Domain| domain.has_tasks()) {
            data.augmented = Some(load_augmented(whole, &data.metadata)?);
        } else {
            data.check_labels().map_err(|message| Error::file(&folder, message))?;
        }
        Ok(data)
    }

    /// Names the domain of the public code's data, which name none, if the first puzzle is one of it.
    fn see_domain(&mut self, whole: &Path) {
        let Metadata { vocab_size, seq_len, domain, .. } = &self.metadata;
        let public = Domain::of_public_data(*vocab_size, *seq_len);
        let Some(domain) = public.filter(|_| domain.is_empty()) else { return };
        let fits = match domain.has_tasks() {
            true => whole.join(IDENTIFIERS).exists(),
            false => {
                domain.class_hash(self.input(0)).is_ok()
                    && domain
                        .verify(self.input(0), self.label(0))
                        .is_ok_and(|found| found.is_solved())
            }
        };
        if fits {
            self.metadata.domain = domain.name();
        }
    }

    /// Refuses examples that have nothing to learn or to score. Only tasks may have outputs that are
    /// not known.
    fn check_labels(&self) -> Result<(), String> {
        let ignore = self.ignore_label();
        let labels = self.labels.chunks_exact(self.metadata.seq_len);
        let mut without =
            labels.enumerate().filter(|(_, label)| label.iter().all(|t| *t == ignore));
        let Some((first, _)) = without.next() else { return Ok(()) };
        let (count, all) = (1 + without.count(), self.len());
        Err(format!(
            "every cell of label {first} is ignored (token {ignore}), in {count} of {all} examples: leave such \
             examples out"
        ))
    }

    /// Whether all parts agree.
    fn check(&self) -> Result<(), String> {
        let Metadata { vocab_size, seq_len, num_puzzle_identifiers, .. } = self.metadata;
        if self.is_empty() {
            return Err("no examples".into());
        }
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
        let metadata = Metadata { sets: vec![SET.into()], ..self.metadata.clone() };
        let file = |key: &str| -> PathBuf { folder.join(format!("{SET}__{key}.npy")) };
        let pairs = [self.len(), self.metadata.seq_len];
        write_array(&file("inputs"), &pairs, self.inputs.iter().copied())?;
        write_array(&file("labels"), &pairs, self.labels.iter().copied())?;
        let integers = |key: &str, values: &mut dyn ExactSizeIterator<Item = i32>| {
            write_array(&file(key), &[values.len()], values)
        };
        integers("puzzle_identifiers", &mut self.puzzle_identifiers.iter().map(|i| *i as i32))?;
        integers("puzzle_indices", &mut self.puzzle_indices.iter().map(|i| *i as i32))?;
        integers("group_indices", &mut self.group_indices.iter().map(|i| *i as i32))?;
        let json = serde_json::to_vec_pretty(&metadata).expect("metadata are JSON");
        write_atomic(&folder.join("dataset.json"), &json)
    }
}

/// The augmentations of ARC tasks, from `identifiers.json` beside the splits.
fn load_augmented(folder: &Path, metadata: &Metadata) -> Result<Arc<Augmented>, Error> {
    let path = folder.join(IDENTIFIERS);
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

/// Appends an array of bytes; the first one is not copied.
fn append(tokens: &mut Vec<u8>, path: &Path) -> Result<(), Error> {
    let more = npy::decode_bytes(read(path)?).map_err(|message| Error::file(path, message))?;
    match tokens.is_empty() {
        true => *tokens = more,
        false => tokens.extend(more),
    }
    Ok(())
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
    use serde_json::json;

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

    /// The message with which a data set is refused whose description has a key of another value.
    fn refused(key: &str, value: serde_json::Value) -> String {
        let folder = tempfile::tempdir().unwrap();
        tiny().save(folder.path(), "train").unwrap();
        let path = folder.path().join("train/dataset.json");
        let mut json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        json[key] = value;
        std::fs::write(&path, json.to_string()).unwrap();
        Dataset::load(folder.path(), "train").unwrap_err().to_string()
    }

    #[test]
    fn descriptions_out_of_range_are_refused_by_name() {
        for name in ["../../outside", "/outside", "", "..", "a\\b", "a\0"] {
            assert!(refused("sets", json!([name])).contains("sets: `"), "{name}");
        }
        assert!(
            refused("blank_identifier_id", json!(77)).contains("blank_identifier_id = 77, but")
        );
        assert!(refused("seq_len", json!(u64::MAX >> 1)).contains("seq_len = "));
        assert!(refused("vocab_size", json!(1000)).contains("vocab_size = 1000: at most 256"));
        assert!(refused("num_puzzle_identifiers", json!(u64::MAX >> 1)).contains("at most"));
    }

    #[test]
    fn examples_without_labels_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut data = tiny();
        data.labels[2..4].fill(0);
        data.save(folder.path(), "train").unwrap();
        let message = Dataset::load(folder.path(), "train").unwrap_err().to_string();
        assert!(message.contains("label 1 is ignored (token 0), in 1 of 3 examples"), "{message}");
        let empty = Dataset::from_pairs(tiny().metadata, Vec::new(), Vec::new());
        empty.save(folder.path(), "train").unwrap();
        let message = Dataset::load(folder.path(), "train").unwrap_err().to_string();
        assert!(message.ends_with("no examples"), "{message}");
    }

    #[test]
    fn the_domain_of_the_public_codes_data_is_seen() {
        let question =
            "6...2..8..42..536....3.6....95...8.......92...2176..9.8.467.129...8.....2.9..1638";
        let answer =
            "613927485942185367587346912395214876768539241421768593854673129136892754279451638";
        let domain = Domain::new(trm_puzzles::sudoku::Shape::Nine);
        let [question, answer] = [question, answer].map(|text| domain.parse(text).unwrap());
        let metadata = Metadata { vocab_size: 11, seq_len: 81, ..Metadata::default() };
        let folder = tempfile::tempdir().unwrap();
        let seen = |answer: &[u8]| {
            let data = Dataset::from_pairs(metadata.clone(), question.clone(), answer.to_vec());
            data.save(folder.path(), "train").unwrap();
            Dataset::load(folder.path(), "train").unwrap().metadata.domain
        };
        assert_eq!(seen(&answer), "sudoku9");
        assert_eq!(
            seen(&answer[..].iter().rev().copied().collect::<Vec<_>>()),
            "",
            "other puzzles"
        );
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
