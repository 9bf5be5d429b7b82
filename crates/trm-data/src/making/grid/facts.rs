//! What puzzles tell about themselves.

use super::Grids;
use std::collections::HashSet;
use trm_puzzles::Pair;
use trm_puzzles::grid::{Augmentation, Evidence, two_answers};

/// What the training puzzles of a file tell.
#[derive(Clone, Debug, PartialEq)]
pub struct GridFacts {
    /// Examples.
    pub examples: usize,
    /// Classes of questions under the augmentations of the format.
    pub classes: usize,
    /// Of the cells that question and answer both have, the share with the same symbol.
    pub same_cells: f64,
    /// Symbols of questions that their cells always keep in the answer.
    pub kept: Vec<String>,
    /// Examples that answer the question of another one otherwise.
    pub two_answers: usize,
    /// Examples of the test file whose class is in the training file.
    pub shared: usize,
    /// What the examples tell about each augmentation.
    pub augmentations: Vec<(Augmentation, Told)>,
}

/// What examples tell about an augmentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It makes no sense for these sizes.
    Misfit(String),
    /// No two examples are augmentations of each other.
    Nothing,
    /// So many examples agree with it, none refutes it.
    Agrees(usize),
    /// The questions of these two lines are augmentations of each other, their answers are not.
    Refuted(u64, u64),
}

impl GridFacts {
    /// Looks at all puzzles.
    pub fn of(grids: &Grids) -> GridFacts {
        let pairs = &grids.train.pairs;
        let classes = classes(grids, pairs);
        let tests = grids.test.as_ref().map_or(&[][..], |file| &file.pairs);
        let (same, cells) = same_cells(pairs);
        GridFacts {
            examples: pairs.len(),
            shared: self::classes(grids, tests).intersection(&classes).count(),
            classes: classes.len(),
            same_cells: same as f64 / cells.max(1) as f64,
            kept: kept(grids),
            two_answers: two_answers(pairs).len(),
            augmentations: Augmentation::ALL.map(|one| (one, told(grids, one))).into(),
        }
    }
}

fn classes(grids: &Grids, pairs: &[Pair]) -> HashSet<u128> {
    let domain = grids.domain();
    let class = |[question, _]: &Pair| domain.class_hash(question).expect("a question of its own");
    pairs.iter().map(class).collect()
}

/// Cells that are in question and answer, and those of them that are the same in both.
fn same_cells(pairs: &[Pair]) -> (usize, usize) {
    let cells = pairs.iter().flat_map(|[question, answer]| question.iter().zip(answer));
    let shared = cells.filter(|(one, other)| **one != 0 && **other != 0);
    let is_same = |(one, other): &(&u8, &u8)| one == other;
    (shared.clone().filter(is_same).count(), shared.count())
}

fn kept(grids: &Grids) -> Vec<String> {
    let (mut seen, mut changes) = ([false; 256], [false; 256]);
    for [question, answer] in &grids.train.pairs {
        for (one, other) in question.iter().zip(answer).filter(|(_, other)| **other != 0) {
            seen[usize::from(*one)] = true;
            changes[usize::from(*one)] |= one != other;
        }
    }
    let is_kept = |token: &usize| seen[*token] && !changes[*token];
    let symbols = grids.format.symbols().iter().enumerate();
    symbols.filter(|(i, _)| is_kept(&(i + 1))).map(|(_, symbol)| symbol.clone()).collect()
}

fn told(grids: &Grids, augmentation: Augmentation) -> Told {
    match Evidence::of(augmentation, &grids.format, &grids.train.pairs) {
        Err(error) => Told::Misfit(error.to_string()),
        Ok(Evidence { refuted: Some((one, other)), .. }) => {
            Told::Refuted(grids.train.lines[one], grids.train.lines[other])
        }
        Ok(Evidence { agreeing: 0, .. }) => Told::Nothing,
        Ok(Evidence { agreeing, .. }) => Told::Agrees(agreeing),
    }
}
