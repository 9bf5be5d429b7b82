//! What puzzles tell about themselves.

use super::{GridFile, Grids};
use std::collections::{BTreeSet, HashMap, HashSet};
use trm_puzzles::grid::{Augmentation, Evidence, Size, two_answers};
use trm_puzzles::{Pair, Rules};

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
    /// What stands in a single line of many, and may be a mistake.
    pub lonely: Vec<Lonely>,
    /// Whether an answer's rows are one symbol each, of several characters, and a question's are not, or the other
    /// way round; such a symbol.
    pub uncut: Option<String>,
    /// What the examples tell about each augmentation.
    pub augmentations: Vec<(Augmentation, Told)>,
}

/// What only one example has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lonely {
    /// A symbol, and its line.
    Symbol(String, u64),
    /// Columns and rows of an answer (of a question if not), its line, and those of all others.
    Size(bool, Size, u64, Size),
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
            lonely: lonely(grids),
            uncut: uncut(grids),
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

/// Examples from which on something that only one has looks like a mistake.
const MANY: usize = 50;

fn lonely(grids: &Grids) -> Vec<Lonely> {
    let GridFile { pairs, lines, .. } = &grids.train;
    if pairs.len() < MANY {
        return Vec::new();
    }
    let mut examples: HashMap<u8, (usize, u64)> = HashMap::new();
    for (pair, line) in pairs.iter().zip(lines) {
        let tokens: BTreeSet<u8> = pair.iter().flatten().copied().filter(|t| *t != 0).collect();
        let drawn = tokens.into_iter().filter(|token| grids.format.symbol(*token) != " ");
        drawn.for_each(|token| examples.entry(token).or_insert((0, *line)).0 += 1);
    }
    let mut once: Vec<(u8, u64)> =
        examples.iter().filter(|(_, (n, _))| *n == 1).map(|(t, (_, line))| (*t, *line)).collect();
    once.sort_unstable();
    let symbol = |(token, line)| Lonely::Symbol(grids.format.symbol(token).to_owned(), line);
    let sides = [(false, grids.format.question()), (true, grids.format.answer())];
    let sizes = sides.into_iter().filter_map(|(answer, size)| {
        let used = |pair: &Pair| grids.format.used(size, &pair[usize::from(answer)]);
        let first = pairs[..3].iter().map(used).collect::<Vec<_>>();
        let usual = if first[0] == first[1] { first[0] } else { first[2] };
        let mut others = (0..pairs.len()).filter(|i| used(&pairs[*i]) != usual);
        let one = others.next()?;
        others.next().is_none().then(|| Lonely::Size(answer, used(&pairs[one]), lines[one], usual))
    });
    once.into_iter().map(symbol).chain(sizes).collect()
}

fn uncut(grids: &Grids) -> Option<String> {
    let format = &grids.format;
    let sides = [format.question(), format.answer()];
    let side = (0..2).find(|side| sides[*side].0 == 1 && sides[1 - side].0 > 1)?;
    let cells = grids.train.pairs.iter().flat_map(|pair| &pair[side]).filter(|token| **token != 0);
    let rows = sides[side].1;
    let long = cells.map(|token| format.symbol(*token)).find(|s| rows > 1 && s.chars().count() > 1);
    long.map(str::to_owned)
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
