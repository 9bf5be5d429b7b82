//! One data set from two, each with an equal share of what is drawn.

use crate::Error;
use crate::dataset::Dataset;
use crate::dataset::metadata::{Metadata, Origin};

/// Both training sets in one, of which a sampler draws equally often: training visits groups in turn, so
/// the set with more groups gets as few as the other, each of several of its own in their order.
///
/// # Errors
/// If the sets are not of the same kind of puzzle, or have puzzle identifiers.
pub fn merge(first: &Dataset, second: &Dataset) -> Result<Dataset, Error> {
    let kind =
        |m: &Metadata| (m.domain.clone(), m.seq_len, m.vocab_size, m.pad_id, m.ignore_label_id);
    if kind(&first.metadata) != kind(&second.metadata) {
        return Err(Error::Mismatch("the data sets are of different puzzles".into()));
    }
    if first.metadata.num_puzzle_identifiers.max(second.metadata.num_puzzle_identifiers) > 1 {
        let message = "data sets with puzzle identifiers cannot be merged: theirs would clash";
        return Err(Error::Mismatch(message.into()));
    }
    let groups = first.groups().min(second.groups());
    let source = |data: &Dataset| data.metadata.origin.source.clone();
    let origin =
        Origin { source: format!("{} and {}", source(first), source(second)), ..Origin::default() };
    let (examples, puzzles) = (first.len(), first.puzzle_identifiers.len());
    let total_puzzles = puzzles + second.puzzle_identifiers.len();
    let behind = |indices: &[usize], by: usize| -> Vec<usize> {
        indices[1..].iter().map(|index| index + by).collect()
    };
    let metadata = Metadata {
        total_groups: 2 * groups,
        total_puzzles,
        mean_puzzle_examples: (examples + second.len()) as f64 / total_puzzles.max(1) as f64,
        origin,
        ..first.metadata.clone()
    };
    Ok(Dataset {
        metadata,
        inputs: [&first.inputs[..], &second.inputs].concat(),
        labels: [&first.labels[..], &second.labels].concat(),
        puzzle_identifiers: [&first.puzzle_identifiers[..], &second.puzzle_identifiers].concat(),
        augmented: None,
        referee: None,
        puzzle_indices: [&first.puzzle_indices[..], &behind(&second.puzzle_indices, examples)]
            .concat(),
        group_indices: [
            &coarser(&first.group_indices, groups)[..],
            &behind(&coarser(&second.group_indices, groups), puzzles),
        ]
        .concat(),
    })
}

/// The borders of `groups` groups, each of as equal a number of the old ones as there can be.
fn coarser(indices: &[usize], groups: usize) -> Vec<usize> {
    let old = indices.len() - 1;
    (0..=groups).map(|i| indices[(i * old + groups / 2) / groups.max(1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::sampler::{Augment, Sampler};

    fn set(first: u8, puzzles: u8) -> Dataset {
        let metadata = Metadata { vocab_size: 100, seq_len: 1, ..Metadata::default() };
        let values: Vec<u8> = (first..first + puzzles).collect();
        Dataset::from_pairs(metadata, values.clone(), values)
    }

    #[test]
    fn both_sets_are_drawn_equally_often_and_all_of_each() {
        let both = merge(&set(1, 3), &set(50, 10)).unwrap();
        assert_eq!((both.len(), both.groups()), (13, 6));
        let groups: Vec<usize> = (0..both.groups()).collect();
        let mut sampler = Sampler::new((&both, &groups), Augment::None, 1, 0);
        let drawn: Vec<u8> = (0..600).map(|_| sampler.draw().question[0]).collect();
        assert_eq!(drawn.iter().filter(|value| **value < 50).count(), 300);
        for value in (1..4).chain(50..60) {
            assert!(drawn.contains(&value), "{value} is never drawn");
        }
    }

    #[test]
    fn sets_of_other_puzzles_are_refused() {
        let other = Metadata { vocab_size: 90, seq_len: 1, ..Metadata::default() };
        let other = Dataset::from_pairs(other, vec![1], vec![1]);
        assert!(merge(&set(1, 3), &other).is_err());
        let mut named = set(1, 3);
        named.metadata.num_puzzle_identifiers = 2;
        assert!(merge(&set(1, 3), &named).unwrap_err().to_string().contains("identifiers"));
    }
}
