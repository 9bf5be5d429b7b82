//! What examples tell about their augmentations.

use super::augmentation::{Augmentation, dihedrals, end_of, part};
use super::class::sorted;
use super::format::{Format, FormatError};
use crate::Pair;
use std::collections::HashMap;

/// What examples tell about an augmentation. They cannot prove it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Examples whose question is an augmentation of an earlier one, and the answer likewise.
    pub agreeing: usize,
    /// Two examples of which the questions are augmentations of each other, but not the answers.
    pub refuted: Option<(usize, usize)>,
}

impl Evidence {
    /// Compares every example with the first whose question is an augmentation of its own.
    ///
    /// # Errors
    /// If the augmentation makes no sense for puzzles of this format.
    pub fn of(
        augmentation: Augmentation,
        format: &Format,
        pairs: &[Pair],
    ) -> Result<Evidence, FormatError> {
        let format = format.with_only(augmentation)?;
        let mut first: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut evidence = Evidence::default();
        for (i, [question, answer]) in pairs.iter().enumerate() {
            let class = canonical(augmentation, &format, question, None);
            let other = *first.entry(class).or_insert(i);
            let [other_question, other_answer] = &pairs[other];
            let both = |question, answer| canonical(augmentation, &format, question, Some(answer));
            if question == other_question {
                continue; // whether the answer is a function of the question is another matter
            } else if both(question, answer) == both(other_question, other_answer) {
                evidence.agreeing += 1;
            } else {
                evidence.refuted.get_or_insert((other, i));
            }
        }
        Ok(evidence)
    }
}

/// The same for all images of a question, or of a question with its answer, and for nothing else.
fn canonical(
    augmentation: Augmentation,
    format: &Format,
    question: &[u8],
    answer: Option<&[u8]>,
) -> Vec<u8> {
    let columns = format.canvas().0;
    let (width, height) = format.question();
    let grid = part(question, columns, (width, height));
    let size = format.answer();
    let other = answer.map_or(Vec::new(), |answer| part(answer, columns, size));
    match augmentation {
        Augmentation::Dihedral => {
            let image = |d: crate::Dihedral| {
                let other = if other.is_empty() { Vec::new() } else { d.apply(&other, size.0).0 };
                [d.apply(&grid, width).0, other].concat()
            };
            dihedrals(format).map(image).min().expect("at least the grid itself")
        }
        Augmentation::Reversal => {
            let reversed = |tokens: &[u8]| {
                let mut tokens = tokens.to_vec();
                let end = end_of(&tokens, format.outside());
                tokens[..end].reverse();
                tokens
            };
            [[&grid[..], &other].concat(), [reversed(&grid), reversed(&other)].concat()]
                .into_iter()
                .min()
                .expect("two")
        }
        Augmentation::Rows => {
            let row = |row: usize| -> Vec<u8> {
                let beside = other.chunks(size.0).nth(row).unwrap_or_default();
                [&grid[row * width..][..width], beside].concat()
            };
            let rows: Vec<u8> = (0..height).flat_map(row).collect();
            sorted(&rows, 1, rows.len() / height)
        }
        Augmentation::Columns => sorted(&[grid, other].concat(), width, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(name: &str, augmentation: Augmentation, examples: &[(&str, &str)]) -> Evidence {
        let format = Format::from_name(name).unwrap();
        let tokens = |text: &str| format.question_tokens(&crate::grid::row::rows_of(text)).unwrap();
        let pairs: Vec<Pair> = examples.iter().map(|(q, a)| [tokens(q), tokens(a)]).collect();
        Evidence::of(augmentation, &format, &pairs).unwrap()
    }

    #[test]
    fn augmentations_in_the_data_agree_or_refute() {
        for (augmentation, question, image, answer, agrees, refutes) in [
            (Augmentation::Dihedral, "abc/def", "cba/fed", "abc/ddd", "cba/ddd", "abc/ddd"),
            (Augmentation::Rows, "abc/def", "def/abc", "aaa/bbb", "bbb/aaa", "aaa/bbb"),
            (Augmentation::Columns, "abc/def", "bac/edf", "abc/abc", "bac/bac", "abc/abc"),
            (Augmentation::Reversal, "abcdef", "fedcba", "aabbcc", "ccbbaa", "aabbcc"),
        ] {
            let size = if question.contains('/') { "3x2" } else { "6x1" };
            let told = |other| {
                let examples = [(question, answer), (question, answer), (image, other)];
                evidence(&format!("grid:{size}:abcdef"), augmentation, &examples)
            };
            assert_eq!(told(agrees), Evidence { agreeing: 1, refuted: None }, "{augmentation:?}");
            assert_eq!(told(refutes), Evidence { agreeing: 0, refuted: Some((0, 2)) });
        }
        let other = [("abc/def", "aaa/aaa"), ("abc/dea", "bbb/bbb")];
        assert_eq!(evidence("grid:3x2:abcdef", Augmentation::Rows, &other), Evidence::default());
        let format = Format::from_name("grid:3x2:ab").unwrap();
        assert!(Evidence::of(Augmentation::Reversal, &format, &[]).is_err());
    }
}
