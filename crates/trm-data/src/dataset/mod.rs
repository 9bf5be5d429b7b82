//! Data sets in the public code's format: a folder per split with `dataset.json` and `.npy` files
//! (docs/REFERENCE.md section 4).

pub(crate) mod augmented;
pub(crate) mod example;
mod files;
pub(crate) mod merge;
pub(crate) mod metadata;
pub mod npy;
pub(crate) mod sampler;
pub(crate) mod splits;

use augmented::Augmented;
use metadata::Metadata;
use std::sync::Arc;
use trm_puzzles::{Domain, UnknownDomain};

/// The one set that is written.
const SET: &str = "all";

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
    /// Of ARC: the augmentations that the other identifiers stand for.
    pub augmented: Option<Arc<Augmented>>,
    /// The domain with a judge from outside ([`Domain::judged_by`]), who judges answers wherever these puzzles are
    /// asked; not stored.
    pub referee: Option<Domain>,
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
            sets: vec![SET.into()],
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
            referee: None,
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

    /// The domain that judges answers: with a judge from outside, if there is one, or else that with this name.
    ///
    /// # Errors
    /// If no domain has it.
    pub fn judged_by_or(&self, name: &str) -> Result<Domain, UnknownDomain> {
        self.referee.clone().map_or_else(|| name.parse(), Ok)
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
            referee: self.referee.clone(),
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

    /// The first example of every puzzle; others of a puzzle are augmentations of it.
    pub fn originals(&self) -> Dataset {
        let firsts = &self.puzzle_indices[..self.puzzle_indices.len() - 1];
        let of = |tokens: fn(&Dataset, usize) -> &[u8]| -> Vec<u8> {
            firsts.iter().flat_map(|example| tokens(self, *example)).copied().collect()
        };
        Dataset {
            metadata: Metadata { mean_puzzle_examples: 1.0, ..self.metadata.clone() },
            inputs: of(Dataset::input),
            labels: of(Dataset::label),
            puzzle_indices: (0..self.puzzle_indices.len()).collect(),
            ..self.clone()
        }
    }

    /// Whether augmentations of tasks are stored, as the public code does, and not drawn.
    pub fn holds_augmentations(&self) -> bool {
        let is_image = |augmented: &Arc<Augmented>| {
            self.puzzle_identifiers.iter().any(|id| augmented.is_image(*id))
        };
        self.augmented.as_ref().is_some_and(is_image)
    }
}
