//! One task per puzzle and head. Scores are the product of some query rows with all keys, kept as
//! panels of 32 keys; their exponentials, rounded, are the left operand of the product with v. Sums
//! and the division by them stay in f32.

#![allow(unsafe_code)]

use super::{Extent, Rope};
use crate::Tensor;
use crate::bfloat16::{Lhs, PANEL, TILE_ROWS, pack_columns, pack_rows, panel_product, scratch};
use crate::dtype::{load, round, store};
use crate::math::{exp2_coarse, vectorized};
use crate::shared::Shared;
use half::bf16;
use rayon::prelude::*;
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// Query rows whose scores are held at a time.
const QUERY_BLOCK: usize = 2 * TILE_ROWS;

impl Extent {
    /// E, made even: length of a row as a left operand.
    pub(super) fn even_width(self) -> usize {
        self.width.next_multiple_of(2)
    }

    /// L, made even: the summed length of a product with probabilities.
    pub(super) fn even_len(self) -> usize {
        self.len.next_multiple_of(2)
    }

    /// L, made a multiple of the panel width: length of a row of probabilities.
    pub(super) fn padded_len(self) -> usize {
        self.len.next_multiple_of(PANEL)
    }

    /// Size of [`Extent::pack_transposed`].
    pub(super) fn transposed_size(self) -> usize {
        self.padded_len() * self.even_width()
    }

    /// Size of [`Extent::pack`].
    pub(super) fn packed_size(self) -> usize {
        self.width.next_multiple_of(PANEL) * self.even_len()
    }

    /// Copies columns `start..start + E` of some rows of `[L, stride]` to `[rows, even E]`, rotated
    /// if there is a rope.
    pub(super) fn load_rows(
        self,
        (matrix, stride, start): (&[bf16], usize, usize),
        rope: Option<&Rope>,
        rows: Range<usize>,
        target: &mut [bf16],
    ) {
        let even = self.even_width();
        scratch(0, self.width, |_, wide| {
            for (position, target) in rows.zip(target.chunks_exact_mut(even)) {
                let source = &matrix[position * stride + start..][..self.width];
                match rope {
                    None => target[..self.width].copy_from_slice(source),
                    Some(rope) => {
                        load(wide, source);
                        vectorized!(rope.rotate_row(position, wide, false));
                        store(&mut target[..self.width], wide);
                    }
                }
                target[self.width..].fill(bf16::ZERO);
            }
        });
    }

    /// Packs `[L, even E]` for products with its transpose: panels of 32 rows.
    pub(super) fn pack_transposed(self, rows: &[bf16], packed: &mut [bf16]) {
        let even = self.even_width();
        let panels = packed.chunks_exact_mut(PANEL * even);
        rows.chunks(PANEL * even).zip(panels).for_each(|(rows, panel)| {
            pack_columns(rows, even, panel);
        });
    }

    /// Packs columns `start..start + E` of `[L, stride]` for products from the left: panels of 32
    /// columns.
    pub(super) fn pack(self, matrix: &[bf16], stride: usize, start: usize, packed: &mut [bf16]) {
        let panels = packed.chunks_exact_mut(PANEL * self.even_len()).enumerate();
        panels.for_each(|(i, panel)| {
            let cols = start + i * PANEL..start + ((i + 1) * PANEL).min(self.width);
            pack_rows::<PANEL>(matrix, stride, cols, panel);
        });
    }

    /// Scores are taken to the base 2: `softmax(s · scale) ~ 2^(s · factor)`.
    pub(super) fn factor(self) -> f32 {
        self.scale() * LOG2_E
    }
}

/// `lhs · panels`, each panel's product a `[rows, 32]` tile of `out`.
pub(super) fn products(lhs: Lhs<'_>, packed: &[bf16], panel: usize, out: &mut [f32]) {
    let tiles = out.chunks_exact_mut(lhs.rows() * PANEL);
    packed.chunks_exact(panel).zip(tiles).for_each(|(panel, tile)| {
        panel_product(lhs, panel, tile, false);
    });
}

/// Makes the scores `[panels, rows, 32]` of keys that the queries from `first` on do not see vanish.
pub(super) fn mask(extent: Extent, (first, rows): (usize, usize), scores: &mut [f32]) {
    let seen_by_all = extent.visible(first) / PANEL;
    let panels = scores.chunks_exact_mut(rows * PANEL).enumerate().skip(seen_by_all);
    for (panel, scores) in panels {
        for (row, scores) in scores.chunks_exact_mut(PANEL).enumerate() {
            let seen = extent.visible(first + row).saturating_sub(panel * PANEL);
            scores[seen.min(PANEL)..].fill(f32::NEG_INFINITY);
        }
    }
}

/// One row of scores `[panels, rows, 32]` becomes `2^((s − max) · factor)`; returns max and the sum.
#[inline(always)]
pub(super) fn exponentiate(
    scores: &mut [f32],
    (rows, row): (usize, usize),
    factor: f32,
) -> (f32, f32) {
    let tile = rows * PANEL;
    let mut lanes = [f32::NEG_INFINITY; PANEL];
    for panel in scores.chunks_exact(tile) {
        let part = &panel[row * PANEL..][..PANEL];
        for i in 0..PANEL {
            lanes[i] = if part[i] > lanes[i] { part[i] } else { lanes[i] };
        }
    }
    let max = lanes.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
    let mut sums = [0.0f32; PANEL];
    for panel in scores.chunks_exact_mut(tile) {
        let part = &mut panel[row * PANEL..][..PANEL];
        for i in 0..PANEL {
            part[i] = exp2_coarse((part[i] - max) * factor);
            sums[i] += part[i];
        }
    }
    (max, sums.iter().sum())
}

/// Rounds a row of `[panels, rows, 32]` into a row-major one.
#[inline(always)]
fn round_row(tiles: &[f32], (rows, row): (usize, usize), target: &mut [bf16]) {
    let panels = tiles.chunks_exact(rows * PANEL).zip(target.chunks_exact_mut(PANEL));
    for (panel, target) in panels {
        round(target, &panel[row * PANEL..][..PANEL]);
    }
}

/// Rounds scores `[panels, rows, 32]` to unnormalised probabilities `[rows, padded L]`; `inverse`
/// holds what each row is still to be multiplied by.
fn probabilities(
    extent: Extent,
    first: usize,
    scores: &mut [f32],
    p: &mut [bf16],
    inverse: &mut [f32],
) {
    let rows = inverse.len();
    mask(extent, (first, rows), scores);
    vectorized!({
        let targets = p.chunks_exact_mut(extent.padded_len()).zip(inverse);
        for (row, (target, inverse)) in targets.enumerate() {
            let (_, sum) = exponentiate(scores, (rows, row), extent.factor());
            round_row(scores, (rows, row), target);
            *inverse = 1.0 / sum;
        }
    });
}

/// Fills `out`. Where there are fewer heads than threads, tasks share a head's query rows.
pub(super) fn forward(qkv: &Tensor, extent: Extent, rope: Option<&Rope>, out: &mut Tensor) {
    let Extent { len, heads, .. } = extent;
    let (batch, stride) = (qkv.shape()[0], qkv.last_dim());
    let parts = rayon::current_num_threads().div_ceil(batch * heads);
    let part_rows = len.div_ceil(parts).next_multiple_of(QUERY_BLOCK);
    let parts = len.div_ceil(part_rows);
    let out = Shared::new(out.slice_mut::<bf16>());
    (0..batch * heads * parts).into_par_iter().for_each(|task| {
        let (puzzle, head) = (task / parts / heads, task / parts % heads);
        let first = task % parts * part_rows;
        let rows = first..(first + part_rows).min(len);
        let qkv = &qkv.slice::<bf16>()[puzzle * len * stride..][..len * stride];
        attend(extent, rope, (qkv, head), rows, |row, col, values| {
            let at = ((puzzle * len + row) * heads + head) * extent.width + col;
            // SAFETY: these rows of this head of this puzzle belong to this task alone.
            unsafe { out.store(at, values) };
        });
    });
}

/// Some rows of one head's output, handed to `take` in pieces with their row and first column.
fn attend(
    extent: Extent,
    rope: Option<&Rope>,
    (qkv, head): (&[bf16], usize),
    rows: Range<usize>,
    mut take: impl FnMut(usize, usize, &[f32]),
) {
    let (even, padded) = (extent.even_width(), extent.padded_len());
    let stride = 3 * extent.features();
    let columns = |part| (qkv, stride, extent.column(part, head));
    let (keys, values) = (extent.transposed_size(), extent.packed_size());
    let block = QUERY_BLOCK * (even + padded);
    let row_block = (extent.len * even).max(block);
    let tiles = QUERY_BLOCK * (padded + extent.width.next_multiple_of(PANEL) + 1);
    scratch(keys + values + row_block, tiles, |packed, tiles| {
        let (k, rest) = packed.split_at_mut(keys);
        let (v, rest) = rest.split_at_mut(values);
        extent.load_rows(columns(1), rope, 0..extent.len, rest);
        extent.pack_transposed(&rest[..extent.len * even], k);
        extent.pack(qkv, stride, extent.column(2, head), v);
        for first in rows.clone().step_by(QUERY_BLOCK) {
            let block = first..(first + QUERY_BLOCK).min(rows.end);
            let count = block.len();
            let (q, p) = rest.split_at_mut(QUERY_BLOCK * even);
            let (inverse, tiles) = tiles.split_at_mut(count);
            let (scores, outs) = tiles.split_at_mut(count * padded);
            extent.load_rows(columns(0), rope, block, q);
            products(Lhs::row_major(q, count, even), k, PANEL * even, scores);
            probabilities(extent, first, scores, p, inverse);
            let p = Lhs::strided(p, count, extent.even_len(), padded);
            products(p, v, PANEL * extent.even_len(), outs);
            each_row(extent, count, outs, |row, col, values| {
                values.iter_mut().for_each(|x| *x *= inverse[row]);
                take(first + row, col, values);
            });
        }
    });
}

/// Visits tiles `[panels, rows, 32]` that hold `[rows, E]`, piece by piece: row, first column, values.
pub(super) fn each_row(
    extent: Extent,
    rows: usize,
    tiles: &mut [f32],
    mut visit: impl FnMut(usize, usize, &mut [f32]),
) {
    for (col, tile) in (0..extent.width).step_by(PANEL).zip(tiles.chunks_exact_mut(rows * PANEL)) {
        let used = PANEL.min(extent.width - col);
        for (row, values) in tile.chunks_exact_mut(PANEL).enumerate() {
            visit(row, col, &mut values[..used]);
        }
    }
}
