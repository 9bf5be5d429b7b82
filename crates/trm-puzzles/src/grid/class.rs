//! What all augmentations of a question share.

use super::augmentation::{Augmentation, dihedrals, end_of, part};
use super::format::Format;
use crate::hash::fnv;

/// A hash that all augmentations of a question share. Other questions have another one, but for collisions: where
/// rows and columns change places, or one of them and symbols, it is an invariant that questions may share which are
/// no augmentations of each other.
pub(super) fn class_hash(format: &Format, question: &[u8]) -> u128 {
    let (width, _) = format.question();
    let grid = part(question, format.canvas().0, format.question());
    let mut images: Vec<(Vec<u8>, usize)> =
        dihedrals(format).map(|dihedral| dihedral.apply(&grid, width)).collect();
    if format.has(Augmentation::Reversal) {
        let mut reversed = grid.clone();
        let end = end_of(&grid, format.outside());
        reversed[..end].reverse();
        images.push((reversed, width));
    }
    let hashes = images.iter().map(|(image, width)| hash(format, image, *width));
    hashes.min().expect("at least the grid itself")
}

fn hash(format: &Format, grid: &[u8], width: usize) -> u128 {
    let permuted = format.permuted();
    let lines = [Augmentation::Rows, Augmentation::Columns].map(|lines| format.has(lines));
    let transposes = dihedrals(format).any(|dihedral| dihedral.transposes());
    match lines {
        [false, false] => fnv(&in_order_of_appearance(grid, &permuted)),
        [true, false] if permuted.is_empty() && !transposes => fnv(&sorted(grid, 1, width)),
        [false, true] if permuted.is_empty() && !transposes => fnv(&sorted(grid, width, 1)),
        lines => invariant(grid, width, lines.map(|one| one || transposes), &permuted),
    }
}

/// The permuted tokens renamed so that they first appear in their order: the same for all images.
fn in_order_of_appearance(tokens: &[u8], permuted: &[u8]) -> Vec<u8> {
    let mut names = [None; 256];
    let mut next = permuted.iter();
    let rename = |token: &u8| match permuted.contains(token) {
        false => *token,
        true => *names[usize::from(*token)]
            .get_or_insert_with(|| *next.next().expect("no more tokens appear than there are")),
    };
    tokens.iter().map(rename).collect()
}

/// The lines of a grid in order: rows, or columns with `along` the width. Cells of a line are `along` apart.
pub(super) fn sorted(grid: &[u8], along: usize, width: usize) -> Vec<u8> {
    let lines = if along == 1 { grid.len() / width } else { along };
    let line = |i: usize| -> Vec<u8> {
        let first = if along == 1 { i * width } else { i };
        let cells = if along == 1 { width } else { grid.len() / along };
        (0..cells).map(|cell| grid[first + cell * along]).collect()
    };
    let mut lines: Vec<Vec<u8>> = (0..lines).map(line).collect();
    lines.sort_unstable();
    lines.concat()
}

/// How often the colours of rows, columns and symbols are refined.
const ROUNDS: usize = 4;

/// Colour refinement: rows, columns and symbols that can change places begin alike, and each is then told apart by
/// what it meets. The same for all images; grids that are told apart by none of their lines may share it.
fn invariant(grid: &[u8], width: usize, [rows, columns]: [bool; 2], permuted: &[u8]) -> u128 {
    let begin = |count: usize, alike: &dyn Fn(usize) -> bool| -> Vec<u64> {
        (0..count).map(|i| if alike(i) { 0 } else { 1 + i as u64 }).collect()
    };
    let mut row = begin(grid.len() / width, &|_| rows);
    let mut column = begin(width, &|_| columns);
    let mut symbol = begin(256, &|token| permuted.contains(&(token as u8)));
    for _ in 0..ROUNDS {
        let (mut of_row, mut of_column, mut of_symbol) =
            (row.clone(), column.clone(), symbol.clone());
        for (i, token) in grid.iter().enumerate() {
            let (r, c, s) = (i / width, i % width, usize::from(*token));
            let add = |sum: &mut u64, one, other| *sum = sum.wrapping_add(mix(one, other));
            add(&mut of_row[r], column[c], symbol[s]);
            add(&mut of_column[c], row[r], symbol[s]);
            add(&mut of_symbol[s], row[r], column[c]);
        }
        for (colours, sums) in
            [(&mut row, of_row), (&mut column, of_column), (&mut symbol, of_symbol)]
        {
            colours.iter_mut().zip(sums).for_each(|(colour, sum)| *colour = mix(*colour, sum));
        }
    }
    let mut bytes = Vec::new();
    for mut colours in [row, column, symbol] {
        colours.sort_unstable();
        bytes.extend(colours.iter().flat_map(|colour| colour.to_le_bytes()));
    }
    fnv(&bytes)
}

/// One number of two, in their order; the finisher of SplitMix64.
fn mix(one: u64, other: u64) -> u64 {
    let x = one.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ other.wrapping_add(0x632b_e59b_d9b4_e019);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
