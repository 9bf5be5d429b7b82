//! One task per puzzle and head. Scores are the product of some query rows with all keys, kept as
//! panels of 32 keys; their exponentials, rounded, are the left operand of the product with v. Sums
//! and the division by them stay in f32.

#![allow(unsafe_code)]

use crate::Tensor;
use crate::cpu::element::{map, widen};
use crate::cpu::math::vectorized;
use crate::cpu::memory::uninit;
use crate::cpu::panels::{Format, Lhs, Operand, PANEL, grouped, pack_columns, pack_rows, scratch};
use crate::cpu::shared::Shared;
use crate::cpu::tasks::{Tasks, hands};
use crate::ops::attention::{Extent, Rope};
use rayon::prelude::*;
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// Scores that are held at a time, so that these and the probabilities stay in the second cache.
const SCORES: usize = 1 << 15;

/// Query rows whose scores are held at a time: as equal parts as possible. Of pairs two tiles.
pub(super) fn query_block<F: Format>(extent: Extent) -> usize {
    if F::Operand::GROUP > 1 {
        return 2 * F::Operand::TILE_ROWS;
    }
    let most = (SCORES / extent.padded_len()).clamp(24, 112);
    extent.len.div_ceil(extent.len.div_ceil(most))
}

impl Extent {
    /// E, padded: length of a row as a left operand.
    pub(super) fn row<F: Format>(self) -> usize {
        grouped::<F>(self.width)
    }

    /// L, padded: the summed length of a product with probabilities.
    pub(super) fn summed<F: Format>(self) -> usize {
        grouped::<F>(self.len)
    }

    /// L, made a multiple of the panel width: length of a row of probabilities.
    pub(super) fn padded_len(self) -> usize {
        self.len.next_multiple_of(PANEL)
    }

    /// E, made a multiple of the panel width.
    pub(super) fn padded_width(self) -> usize {
        self.width.next_multiple_of(PANEL)
    }

    /// Size of [`Extent::pack_transposed`].
    pub(super) fn transposed_size<F: Format>(self) -> usize {
        self.padded_len() * self.row::<F>()
    }

    /// Size of [`Extent::pack`].
    pub(super) fn packed_size<F: Format>(self) -> usize {
        self.padded_width() * self.summed::<F>()
    }

    /// What the queries before `end` see.
    pub(super) fn seen_before(self, end: usize) -> Extent {
        Extent { len: self.visible(end - 1), ..self }
    }

    /// Copies columns `start..start + E` of some rows of `[L, stride]` to `[rows, padded E]`; with a rope rotated,
    /// as at the places from `first` on.
    pub(super) fn load_rows<F: Format>(
        self,
        (matrix, stride, start): (&[F::Stored], usize, usize),
        (rope, first): (Option<&Rope>, usize),
        rows: Range<usize>,
        target: &mut [F::Operand],
    ) {
        let targets = target.chunks_exact_mut(self.row::<F>());
        scratch::<f32, _>(0, self.width, |_, wide| {
            vectorized!({
                for (place, (row, target)) in (first..).zip(rows.zip(targets)) {
                    widen(wide, &matrix[row * stride + start..][..self.width]);
                    if let Some(rope) = rope {
                        rope.rotate_row(place, wide, false);
                    }
                    round::<F>(wide, &mut target[..wide.len()]);
                    target[self.width..].fill(F::round(0.0));
                }
            });
        });
    }

    /// Packs `[L, padded E]` for products with its transpose: panels of 32 rows.
    pub(super) fn pack_transposed<F: Format>(self, rows: &[F::Operand], packed: &mut [F::Operand]) {
        let row = self.row::<F>();
        let panels = packed.chunks_exact_mut(PANEL * row);
        rows.chunks(PANEL * row).zip(panels).for_each(|(rows, panel)| {
            pack_columns(rows, row, panel, |x| x);
        });
    }

    /// Packs columns `start..start + E` of `[L, stride]` for products from the left: panels of 32
    /// columns.
    pub(super) fn pack<S: Copy, T: Operand>(
        self,
        (matrix, stride, start): (&[S], usize, usize),
        packed: &mut [T],
        widen: impl Fn(S) -> T + Copy,
    ) {
        let panels = packed.chunks_exact_mut(PANEL * self.len.next_multiple_of(T::GROUP));
        panels.enumerate().for_each(|(i, panel)| {
            let cols = start + i * PANEL..start + ((i + 1) * PANEL).min(self.width);
            pack_rows(matrix, stride, cols, panel, widen);
        });
    }

    /// Scores are taken to the base 2: `softmax(s · scale) ~ 2^(s · factor)`.
    pub(super) fn factor(self) -> f32 {
        self.scale() * LOG2_E
    }
}

/// Rounds as the format stores.
#[inline(always)]
pub(super) fn round<F: Format>(source: &[f32], target: &mut [F::Operand]) {
    map(target, source, F::round);
}

/// `lhs · panels`, each panel's product a `[rows, 32]` tile of `out`; panels have `size` elements each.
pub(super) fn products<F: Format>(
    lhs: Lhs<'_, F::Operand>,
    packed: &[F::Operand],
    size: usize,
    out: &mut [f32],
) {
    let tiles = out.chunks_exact_mut(lhs.rows() * PANEL);
    packed.chunks_exact(size).zip(tiles).for_each(|(panel, tile)| {
        F::panel_product(lhs, panel, tile, false);
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
pub(super) fn exponentiate<F: Format>(
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
            part[i] = F::exp2((part[i] - max) * factor);
            sums[i] += part[i];
        }
    }
    (max, sums.iter().sum())
}

/// Rounds scores `[panels, rows, 32]` to unnormalised probabilities `[rows, padded L]`; `inverse`
/// holds what each row is still to be multiplied by.
fn probabilities<F: Format>(
    extent: Extent,
    first: usize,
    scores: &mut [f32],
    p: &mut [F::Operand],
    inverse: &mut [f32],
) {
    let rows = inverse.len();
    mask(extent, (first, rows), scores);
    vectorized!({
        let targets = p.chunks_exact_mut(extent.padded_len()).zip(inverse);
        for (row, (target, inverse)) in targets.enumerate() {
            let (_, sum) = exponentiate::<F>(scores, (rows, row), extent.factor());
            let panels = scores.chunks_exact(rows * PANEL).zip(target.chunks_exact_mut(PANEL));
            for (panel, target) in panels {
                round::<F>(&panel[row * PANEL..][..PANEL], target);
            }
            *inverse = 1.0 / sum;
        }
    });
}

/// Where there are fewer heads than threads, tasks share a head's query rows.
pub(in crate::cpu) fn forward<F: Format>(
    qkv: &Tensor,
    extent: Extent,
    rope: Option<&Rope>,
) -> Tensor {
    let Extent { len, heads, .. } = extent;
    let (batch, stride) = (qkv.shape()[0], qkv.last_dim());
    let parts = hands().div_ceil(batch * heads);
    let part_rows = len.div_ceil(parts).next_multiple_of(query_block::<F>(extent));
    let parts = len.div_ceil(part_rows);
    let mut result = uninit(qkv.device(), &[batch, len, extent.features()], qkv.dtype());
    let out = Shared::new(result.slice_mut::<F::Stored>());
    (0..batch * heads * parts).into_par_iter().tasks().for_each(|task| {
        let (puzzle, head) = (task / parts / heads, task / parts % heads);
        let first = task % parts * part_rows;
        let rows = first..(first + part_rows).min(len);
        let qkv = &qkv.slice::<F::Stored>()[puzzle * len * stride..][..len * stride];
        attend_in_head::<F>(
            extent,
            rope,
            (qkv, head),
            rows,
            #[inline(always)]
            |row, col, values| {
                let at = ((puzzle * len + row) * heads + head) * extent.width + col;
                // SAFETY: these rows of this head of this puzzle belong to this task alone.
                unsafe { out.store(at, values) };
            },
        );
    });
    result
}

/// Some rows of one head's output, handed to `take` in pieces with their row and first column.
fn attend_in_head<F: Format>(
    extent: Extent,
    rope: Option<&Rope>,
    (qkv, head): (&[F::Stored], usize),
    rows: Range<usize>,
    mut take: impl FnMut(usize, usize, &[f32]),
) {
    let (row, stride) = (extent.row::<F>(), 3 * extent.features());
    let columns = |part| (qkv, stride, extent.column(part, head));
    let (keys, values) = (extent.transposed_size::<F>(), extent.packed_size::<F>());
    let block = query_block::<F>(extent).min(rows.len());
    scratch(keys + values + extent.len.max(block) * row, 0, |packed, _| {
        let (k, rest) = packed.split_at_mut(keys);
        let (v, loaded) = rest.split_at_mut(values);
        extent.load_rows::<F>(columns(1), (rope, 0), 0..extent.len, loaded);
        extent.pack_transposed::<F>(&loaded[..extent.len * row], k);
        extent.pack(columns(2), v, F::widen);
        let memory = Memory { k, v, value_panel: PANEL * extent.summed::<F>() };
        for first in rows.clone().step_by(block) {
            let queries = first..(first + block).min(rows.end);
            let q = &mut loaded[..queries.len() * row];
            extent.load_rows::<F>(columns(0), (rope, first), queries.clone(), q);
            attend::<F>(extent, (first, &*q), &memory, &mut take);
        }
    });
}

/// What a head's queries look at: keys as panels of 32 rows, values as panels of 32 columns with
/// `value_panel` elements each.
pub(super) struct Memory<'a, T> {
    pub(super) k: &'a [T],
    pub(super) v: &'a [T],
    pub(super) value_panel: usize,
}

/// The output of a few queries from place `first` on, `[rows, padded E]`, handed to `take` in pieces with their
/// place and first column.
pub(super) fn attend<F: Format>(
    extent: Extent,
    (first, q): (usize, &[F::Operand]),
    memory: &Memory<'_, F::Operand>,
    take: &mut impl FnMut(usize, usize, &[f32]),
) {
    let row = extent.row::<F>();
    let count = q.len() / row;
    let seen = extent.seen_before(first + count);
    let padded = seen.padded_len();
    let tiles = count * (padded + extent.padded_width() + 1);
    scratch(count * padded, tiles, |p, tiles| {
        let (inverse, tiles) = tiles.split_at_mut(count);
        let (scores, outs) = tiles.split_at_mut(count * padded);
        let keys = &memory.k[..padded * row];
        products::<F>(Lhs::row_major(q, count, row), keys, PANEL * row, scores);
        probabilities::<F>(seen, first, scores, p, inverse);
        let p = Lhs::strided(p, count, seen.summed::<F>(), padded);
        products::<F>(p, memory.v, memory.value_panel, outs);
        vectorized!({
            let tiles = outs.chunks_exact_mut(count * PANEL);
            for (col, tile) in (0..extent.width).step_by(PANEL).zip(tiles) {
                let used = PANEL.min(extent.width - col);
                for (row, values) in tile.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
                    values.iter_mut().for_each(|x| *x *= inverse[row]);
                    take(first + row, col, &values[..used]);
                }
            }
        });
    });
}
