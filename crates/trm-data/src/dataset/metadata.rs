//! `dataset.json`: what a data set says of itself.

use crate::Error;
use crate::files::{plain_name, read};
use serde::{Deserialize, Serialize};
use std::path::Path;
use trm_puzzles::Domain;

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

/// The most that is read; the tokens of a file are bytes, its identifiers 32-bit integers.
const MAX_CELLS: usize = 1 << 20;
const MAX_TOKENS: usize = 1 << 8;
const MAX_IDENTIFIERS: usize = i32::MAX as usize;

impl Metadata {
    /// Reads `dataset.json`.
    pub(crate) fn load(path: &Path) -> Result<Metadata, Error> {
        let metadata: Metadata = serde_json::from_slice(&read(path)?)
            .map_err(|error| Error::file(path, format!("not a data set description: {error}")))?;
        metadata.check().map_err(|message| Error::file(path, message))?;
        Ok(metadata)
    }

    fn check(&self) -> Result<(), String> {
        if self.seq_len == 0 || self.sets.is_empty() {
            return Err("seq_len and sets must not be empty".into());
        }
        for set in &self.sets {
            plain_name(set).map_err(|message| format!("sets: {message}"))?;
        }
        for (key, value, most) in [
            ("seq_len", self.seq_len, MAX_CELLS),
            ("vocab_size", self.vocab_size, MAX_TOKENS),
            ("num_puzzle_identifiers", self.num_puzzle_identifiers, MAX_IDENTIFIERS),
        ] {
            if value > most {
                return Err(format!("{key} = {value}: at most {most}"));
            }
        }
        let (blank, identifiers) = (self.blank_identifier_id, self.num_puzzle_identifiers);
        if blank as usize >= identifiers.max(1) {
            return Err(format!(
                "blank_identifier_id = {blank}, but num_puzzle_identifiers = {identifiers}"
            ));
        }
        self.check_domain()
    }

    fn check_domain(&self) -> Result<(), String> {
        let Ok(domain) = self.domain.parse::<Domain>() else { return Ok(()) };
        let (cells, tokens) = (self.seq_len, self.vocab_size);
        match (cells, tokens) == (domain.seq_len(), domain.vocab_size()) {
            true => Ok(()),
            false => Err(format!(
                "seq_len = {cells} and vocab_size = {tokens}, but the domain {domain} has {} and {}",
                domain.seq_len(),
                domain.vocab_size()
            )),
        }
    }
}
