//! What a run takes of a data set: its domain, its identifiers, what it trains on and what it holds out.

use crate::Error;
use crate::recipe::Recipe;
use rand::seq::SliceRandom;
use std::sync::Arc;
use trm_data::{Dataset, Purpose, stream};
use trm_puzzles::Domain;

/// The domain that a data set names.
///
/// # Errors
/// If it names none or an unknown one, so that its symmetries are not known either.
pub fn domain_of(data: &Dataset) -> Result<Domain, Error> {
    if data.metadata.domain.is_empty() {
        let message = "the data set names no domain: add one to both dataset.json, such as \"domain\": \"sudoku9\", \
                       or set train.symmetries = false";
        return Err(Error::Mismatch(message.into()));
    }
    let domain: Domain = data.metadata.domain.parse().map_err(|error| {
        Error::Mismatch(format!(
            "the data set names no domain whose symmetries are known ({error}): \
             set train.symmetries = false"
        ))
    })?;
    let (cells, tokens) = (data.metadata.seq_len, data.metadata.vocab_size);
    if (cells, tokens) != (domain.seq_len(), domain.vocab_size()) {
        return Err(Error::Mismatch(format!(
            "the data set has {cells} cells and {tokens} tokens, but names the domain {domain}, \
             which has {} and {}: correct dataset.json",
            domain.seq_len(),
            domain.vocab_size()
        )));
    }
    Ok(domain)
}

/// Refuses to give every puzzle an identifier that there is not.
pub(super) fn check_blank_identifier(recipe: &Recipe, data: &Dataset) -> Result<(), Error> {
    let (blank, count) = (data.metadata.blank_identifier_id, data.metadata.num_puzzle_identifiers);
    if !recipe.train.blank_identifiers || (blank as usize) < count {
        return Ok(());
    }
    Err(Error::Mismatch(format!(
        "train.blank_identifiers: dataset.json has blank_identifier_id = {blank}, but there are \
         {count} puzzle identifiers: correct it there"
    )))
}

/// The groups to train on, and the others, to validate on, chosen by the seed.
pub(super) fn split(
    data: &Dataset,
    held_out: usize,
    seed: u64,
) -> Result<(Arc<[usize]>, Dataset), Error> {
    if held_out >= data.groups() {
        return Err(Error::Mismatch(format!(
            "train.validation = {held_out} groups of a training set that has {}: hold out fewer",
            data.groups()
        )));
    }
    let mut order: Vec<usize> = (0..data.groups()).collect();
    order.shuffle(&mut stream(seed, Purpose::Validation, 0));
    let (validation, train) = order.split_at(held_out);
    let held_out = data.select_groups(validation);
    let domain: Option<Domain> = data.metadata.domain.parse().ok();
    Ok(match domain {
        Some(domain) if !domain.has_tasks() => (train.into(), held_out.originals()),
        _ => (train.into(), held_out),
    })
}
