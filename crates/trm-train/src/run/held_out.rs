//! What a run takes of a data set: its domain, its identifiers, what it trains on and what it holds out.

use crate::Error;
use crate::recipe::Recipe;
use rand::seq::SliceRandom;
use std::collections::HashSet;
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

/// The groups to train on, and others to validate on, chosen by the seed. A group with a puzzle that is held out, or
/// a symmetric image of one, is neither: a mixture may have them in several groups.
pub(super) fn split(
    data: &Dataset,
    held_out: usize,
    seed: u64,
) -> Result<(Arc<[usize]>, Dataset), Error> {
    let refused = |why: &str| {
        Err(Error::Mismatch(format!(
            "train.validation = {held_out} groups of a training set that has {}{why}: hold out fewer",
            data.groups()
        )))
    };
    if held_out >= data.groups() {
        return refused("");
    }
    let mut order: Vec<usize> = (0..data.groups()).collect();
    order.shuffle(&mut stream(seed, Purpose::Validation, 0));
    let (validation, train) = order.split_at(held_out);
    let held_out = data.select_groups(validation);
    let domain: Option<Domain> = data.metadata.domain.parse().ok();
    Ok(match domain {
        Some(domain) if !domain.has_tasks() => {
            let held_out = held_out.originals();
            let train = apart(&domain, (data, train), &held_out);
            if train.is_empty() {
                return refused(", and every other one has a puzzle of these");
            }
            (train.into(), held_out)
        }
        _ => (train.into(), held_out),
    })
}

/// Those of the groups that have no puzzle of the classes that are held out.
fn apart(domain: &Domain, (data, groups): (&Dataset, &[usize]), held_out: &Dataset) -> Vec<usize> {
    if held_out.is_empty() {
        return groups.to_vec();
    }
    // what has no class, since it makes no sense in the domain, is a class of its own
    let class = |question| domain.class_hash(question).map_err(|_| question);
    let classes: HashSet<Result<u128, &[u8]>> =
        held_out.questions().into_iter().map(class).collect();
    let is_apart = |group: &usize| {
        let puzzles = data.group_indices[*group]..data.group_indices[group + 1];
        let mut originals = data.puzzle_indices[puzzles].iter();
        originals.all(|example| !classes.contains(&class(data.input(*example))))
    };
    groups.iter().copied().filter(is_apart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trm_data::{Metadata, merge};

    /// Eighty questions of different classes: the first 2 to 81 cells hold these tokens in turn.
    fn set(tokens: [u8; 2]) -> Dataset {
        let domain = "sudoku9".into();
        let metadata = Metadata { vocab_size: 11, seq_len: 81, domain, ..Metadata::default() };
        let question =
            |givens| (0..81).map(move |cell| if cell < givens { tokens[cell % 2] } else { 1 });
        let questions: Vec<u8> = (2..82).flat_map(question).collect();
        Dataset::from_pairs(metadata, questions.clone(), questions)
    }

    #[test]
    fn what_is_held_out_of_a_mixture_is_trained_on_in_no_other_group() {
        let (one, two, image_of_two) = (set([2, 2]), set([2, 3]), set([5, 4]));
        let mixture = merge(&merge(&one, &two).unwrap(), &image_of_two).unwrap();
        let (train, held_out) = split(&mixture, 20, 0).unwrap();
        let domain = domain_of(&mixture).unwrap();
        let trained_on = mixture.select_groups(&train);
        let class = |question| domain.class_hash(question).unwrap();
        let classes: HashSet<u128> = trained_on.questions().into_iter().map(class).collect();
        for question in held_out.questions() {
            assert!(!classes.contains(&class(question)), "{question:?} is trained on");
        }
        assert!(train.len() >= mixture.groups() - 3 * 20, "no more is left out than has to be");
    }

    #[test]
    fn all_others_are_trained_on() {
        let (train, held_out) = split(&set([2, 2]), 20, 0).unwrap();
        assert_eq!((train.len(), held_out.len()), (60, 20));
    }

    #[test]
    fn a_mixture_of_a_set_with_itself_may_leave_nothing_to_train_on() {
        let both = merge(&set([2, 2]), &set([2, 2])).unwrap();
        let error = split(&both, both.groups() - 1, 0).unwrap_err().to_string();
        assert!(error.contains("159 groups of a training set that has 160, and"), "{error}");
    }
}
