//! What can be done to a user's puzzle so that it stays one.

use super::format::{Format, FormatError, Size};
use crate::Dihedral;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

/// A way to change question and answer alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Augmentation {
    /// They are turned and mirrored.
    Dihedral,
    /// Their rows change places.
    Rows,
    /// Their columns change places.
    Columns,
    /// They are read from their ends; of sequences.
    Reversal,
}

impl Augmentation {
    /// All of them, in the order of names.
    pub const ALL: [Augmentation; 4] =
        [Augmentation::Dihedral, Augmentation::Rows, Augmentation::Columns, Augmentation::Reversal];

    /// What it is called in the name of a domain.
    pub fn name(self) -> &'static str {
        match self {
            Augmentation::Dihedral => "dihedral",
            Augmentation::Rows => "rows",
            Augmentation::Columns => "columns",
            Augmentation::Reversal => "reversal",
        }
    }

    /// Refuses what makes no sense for questions and answers of these sizes.
    pub(super) fn check(self, [question, answer]: [Size; 2]) -> Result<(), FormatError> {
        let why = match self {
            Augmentation::Rows if question.1 != answer.1 => {
                "questions and answers differ in their number"
            }
            Augmentation::Rows if question.1 == 1 => "there is one",
            Augmentation::Columns if question.0 != answer.0 => {
                "questions and answers differ in their number"
            }
            Augmentation::Columns if question.0 == 1 => "there is one",
            Augmentation::Reversal if question.1 != 1 || answer.1 != 1 => {
                "it is for sequences; `dihedral` turns and mirrors grids"
            }
            _ => return Ok(()),
        };
        Err(FormatError::Misfit { augmentation: self.name(), why })
    }
}

/// One augmentation of the puzzles of a format: rows and columns change places, or a sequence is reversed; then it is
/// turned or mirrored, and its symbols are renamed.
pub(super) struct Symmetry {
    rows: Vec<usize>,
    columns: Vec<usize>,
    reversed: bool,
    dihedral: Dihedral,
    renamed: [u8; 256],
    canvas_columns: usize,
    outside: Option<u8>,
}

impl Symmetry {
    /// A random one for this question. Rows and columns beside a question that is smaller than others stay.
    pub(super) fn random(format: &Format, question: &[u8], rng: &mut dyn Rng) -> Symmetry {
        let all: Vec<Dihedral> = dihedrals(format).collect();
        let dihedral = all[rng.random_range(0..all.len())];
        let mut renamed = std::array::from_fn(|token| token as u8);
        let permuted = format.permuted();
        let mut images = permuted.clone();
        images.shuffle(rng);
        permuted.iter().zip(images).for_each(|(token, image)| renamed[usize::from(*token)] = image);
        let (width, height) = format.used(format.question(), question);
        let mut order = |augmentation, length: usize| {
            let mut order: Vec<usize> = (0..length).collect();
            if format.has(augmentation) {
                order.shuffle(rng);
            }
            order
        };
        let rows = order(Augmentation::Rows, height);
        let columns = order(Augmentation::Columns, width);
        let reversed = format.has(Augmentation::Reversal) && rng.random();
        let (canvas_columns, outside) = (format.canvas().0, format.outside());
        Symmetry { rows, columns, reversed, dihedral, renamed, canvas_columns, outside }
    }

    /// Changes the tokens of a grid of this size.
    pub(super) fn apply(&self, tokens: &mut [u8], size: Size) {
        let mut grid =
            self.permute(&part(tokens, self.canvas_columns, size), size.0, |from, to| (from, to));
        self.reverse(&mut grid);
        let (image, _) = self.dihedral.apply(&grid, size.0);
        put(tokens, self.canvas_columns, size, &image);
        tokens.iter_mut().for_each(|token| *token = self.renamed[usize::from(*token)]);
    }

    /// Changes them back.
    pub(super) fn undo(&self, tokens: &mut [u8], size: Size) {
        let mut before = [0; 256];
        (0..=255_u8)
            .for_each(|token| before[usize::from(self.renamed[usize::from(token)])] = token);
        tokens.iter_mut().for_each(|token| *token = before[usize::from(*token)]);
        let image = part(tokens, self.canvas_columns, size);
        let (mut grid, _) = self.dihedral.inverse().apply(&image, size.0);
        self.reverse(&mut grid);
        put(tokens, self.canvas_columns, size, &self.permute(&grid, size.0, |from, to| (to, from)));
    }

    /// Rows and columns in their new places, or back.
    fn permute(
        &self,
        grid: &[u8],
        width: usize,
        way: impl Fn(usize, usize) -> (usize, usize),
    ) -> Vec<u8> {
        let place = |order: &[usize], i: usize| order.get(i).copied().unwrap_or(i);
        let mut image = grid.to_vec();
        for i in 0..grid.len() {
            let other = place(&self.rows, i / width) * width + place(&self.columns, i % width);
            let (from, to) = way(other, i);
            image[to] = grid[from];
        }
        image
    }

    fn reverse(&self, sequence: &mut [u8]) {
        if self.reversed {
            let end = end_of(sequence, self.outside);
            sequence[..end].reverse();
        }
    }
}

/// The length of a sequence without the spaces that fill it up.
pub(super) fn end_of(sequence: &[u8], outside: Option<u8>) -> usize {
    let last = sequence.iter().rposition(|token| Some(*token) != outside);
    last.map_or(0, |last| last + 1)
}

/// The ways to turn and mirror grids of a format that keep its sizes.
pub(super) fn dihedrals(format: &Format) -> impl Iterator<Item = Dihedral> {
    let is_square = |(width, height): Size| width == height;
    let dihedral = format.has(Augmentation::Dihedral);
    let square = is_square(format.question()) && is_square(format.answer());
    let keeps = move |d: &&Dihedral| d.number() == 0 || dihedral && (square || !d.transposes());
    Dihedral::ALL.iter().filter(keeps).copied()
}

/// The cells of a canvas that belong to a grid of this size.
pub(super) fn part(tokens: &[u8], columns: usize, (width, height): Size) -> Vec<u8> {
    tokens.chunks(columns).take(height).flat_map(|row| &row[..width]).copied().collect()
}

/// Puts them back.
fn put(tokens: &mut [u8], columns: usize, (width, height): Size, part: &[u8]) {
    for (row, part) in tokens.chunks_mut(columns).take(height).zip(part.chunks(width)) {
        row[..width].copy_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use crate::Domain;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::HashSet;

    /// Names of every kind, with how many images a question of different cells has.
    const NAMES: [(&str, usize); 12] = [
        ("grid:3x2:abcdef:rows", 2),
        ("grid:3x2:abcdef:columns", 6),
        ("grid:3x2:abcdef:rows:columns", 12),
        ("grid:3x2:abcdef:dihedral:rows:columns:permute=ab", 24),
        ("grid:2x2:abcdef:dihedral:rows", 8),
        ("grid:2x2:abcdef:dihedral:columns:permute=fa", 16),
        ("grid:2x3to1x3:abcdef:rows", 6),
        ("grid:3x2to3x1:abcdef:columns:permute=abc", 36),
        ("grid:5x1:abcdef:reversal", 2),
        ("grid:5x1to2x1:abcdef:reversal", 2),
        ("grid:5x1:symbols=0,12,b,c,d,e:reversal:permute=12,b", 4),
        ("grid:2x2to3x3:abcdef:dihedral", 8),
    ];

    fn random(size: (usize, usize), columns: usize, cells: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let is_within = |i: usize| i % columns < size.0 && i / columns < size.1;
        (0..cells).map(|i| if is_within(i) { rng.random_range(1..=6) } else { 0 }).collect()
    }

    #[test]
    fn every_augmentation_is_undone_and_keeps_the_class() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (name, _) in NAMES {
            let format = super::Format::from_name(name).expect(name);
            let domain: Domain = name.parse().unwrap();
            let (columns, cells) = (format.canvas().0, domain.seq_len());
            for _ in 0..200 {
                let question = random(format.question(), columns, cells, &mut rng);
                let answer = random(format.answer(), columns, cells, &mut rng);
                let symmetry = super::Symmetry::random(&format, &question, &mut rng);
                let (mut q, mut a) = (question.clone(), answer.clone());
                symmetry.apply(&mut q, format.question());
                symmetry.apply(&mut a, format.answer());
                assert_eq!(domain.class_hash(&q), domain.class_hash(&question), "{name}");
                symmetry.undo(&mut q, format.question());
                symmetry.undo(&mut a, format.answer());
                assert_eq!((q, a), (question, answer), "{name}");
            }
        }
    }

    #[test]
    fn all_images_are_drawn_and_others_are_of_other_classes() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for (name, images) in NAMES {
            let format = super::Format::from_name(name).expect(name);
            let domain: Domain = name.parse().unwrap();
            let mut next = 0;
            let cell = |i| {
                let columns = format.canvas().0;
                let is_within =
                    i % columns < format.question().0 && i / columns < format.question().1;
                next += u8::from(is_within);
                if is_within { next } else { 0 }
            };
            let question: Vec<u8> = (0..domain.seq_len()).map(cell).collect();
            let mut seen = HashSet::new();
            for _ in 0..2000 {
                let mut image = question.clone();
                drop(domain.augment_question(&mut image, &mut rng));
                seen.insert(image);
            }
            assert_eq!(seen.len(), images, "{name}");
            let mut other = question.clone();
            other[0] = other[1];
            assert_ne!(domain.class_hash(&other), domain.class_hash(&question), "{name}");
        }
    }

    #[test]
    fn small_grids_stay_at_their_corner_and_short_sequences_at_their_beginning() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (name, text) in [
            ("grid:3x3:ab :rows:columns", "ab/bb"),
            ("grid:5x1:ab :reversal", "aab"),
            ("grid:5x1:symbols=0,12,%20:reversal", "0 0 12"),
        ] {
            let domain: Domain = name.parse().unwrap();
            let question = domain.parse(text).unwrap();
            let mut seen = HashSet::new();
            for _ in 0..100 {
                let (mut q, mut a) = (question.clone(), question.clone());
                domain.augment(&mut q, &mut a, &mut rng);
                assert_eq!(q, a);
                assert_eq!(domain.format_line(&q).len(), text.len());
                assert_eq!(domain.class_hash(&q), domain.class_hash(&question));
                seen.insert(q);
            }
            assert_eq!(seen.len(), if text.contains('/') { 4 } else { 2 }, "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_is_no_name() {
        for name in [
            "grid:3x1:ab:rows",
            "grid:1x3:ab:columns",
            "grid:3x3to3x2:ab:rows",
            "grid:3x3to2x3:ab:columns",
            "grid:3x2:ab:reversal",
            "grid:3x1to3x2:ab:reversal",
            "grid:3x1:ab:dihedral:reversal",
            "grid:3x3:ab:columns:rows",
            "grid:3x3:ab:rows:rows",
        ] {
            assert!(name.parse::<Domain>().is_err(), "{name}");
        }
    }
}
