//! One task per puzzle and head, in two passes that recompute the scores: over blocks of queries for
//! `dq` and what the softmax of each row needs, then over blocks of keys, with everything transposed,
//! for `dk` and `dv`. So no matrix is ever transposed in memory.

#![allow(unsafe_code)]

use super::bfloat16::{exponentiate, mask, products};
use super::{Extent, Rope};
use crate::Tensor;
use crate::bfloat16::{Lhs, PANEL, TILE_ROWS, scratch};
use crate::dtype::round;
use crate::math::{exp2_coarse, vectorized};
use crate::shared::Shared;
use half::bf16;
use rayon::prelude::*;

/// Rows whose scores are held at a time.
const BLOCK: usize = 2 * TILE_ROWS;

/// One head's operands, row-major `[L, even E]`.
struct Rows<'a> {
    q: &'a [bf16],
    k: &'a [bf16],
    v: &'a [bf16],
    d_out: &'a [bf16],
}

/// What the softmax of each query row needs, `[padded L]` each: the largest score, one over the sum
/// of exponentials (0 beyond L), and `Σ_j dP_j P_j`.
struct Softmax<'a> {
    max: &'a mut [f32],
    inverse: &'a mut [f32],
    dot: &'a mut [f32],
}

/// Scratch of a block of rows: two operands packed for products with their transposes, two for
/// products from the left; scores and their gradients `[panels, rows, 32]`, both rounded
/// `[rows, padded L]`, a product `[E panels, rows, 32]`.
struct Work<'a> {
    transposed: [&'a mut [bf16]; 2],
    packed: [&'a mut [bf16]; 2],
    rounded: [&'a mut [bf16]; 2],
    scores: &'a mut [f32],
    d_scores: &'a mut [f32],
    product: &'a mut [f32],
}

/// Fills `d_qkv` from the gradient of the output.
pub(super) fn backward(
    qkv: &Tensor,
    extent: Extent,
    rope: Option<&Rope>,
    d_out: &Tensor,
    d_qkv: &mut Tensor,
) {
    let Extent { len, heads, width, .. } = extent;
    let features = extent.features();
    let (rows, padded) = (len * extent.even_width(), extent.padded_len());
    let d_qkv = Shared::new(d_qkv.slice_mut::<bf16>());
    (0..qkv.shape()[0] * heads).into_par_iter().for_each(|task| {
        let (puzzle, head) = (task / heads, task % heads);
        let qkv = &qkv.slice::<bf16>()[puzzle * len * 3 * features..][..len * 3 * features];
        let d_out = &d_out.slice::<bf16>()[puzzle * len * features..][..len * features];
        scratch(4 * rows, 3 * padded + width, |loaded, statistics| {
            let (max, rest) = statistics.split_at_mut(padded);
            let (inverse, rest) = rest.split_at_mut(padded);
            let (dot, wide) = rest.split_at_mut(padded);
            let softmax = Softmax { max, inverse, dot };
            for (part, loaded) in loaded.chunks_exact_mut(rows).enumerate() {
                let (rope, source) = match part {
                    3 => (None, (d_out, features, head * width)),
                    _ => {
                        (rope.filter(|_| part < 2), (qkv, 3 * features, extent.column(part, head)))
                    }
                };
                extent.load_rows(source, rope, 0..len, loaded);
            }
            let part = |i: usize| &loaded[i * rows..(i + 1) * rows];
            let rows = Rows { q: part(0), k: part(1), v: part(2), d_out: part(3) };
            let store = |part: usize, row: usize, values: &mut [f32]| {
                if let (Some(rope), 0 | 1) = (rope, part) {
                    vectorized!(rope.rotate_row(row, values, true));
                }
                let at = (puzzle * len + row) * 3 * features + extent.column(part, head);
                // SAFETY: the columns of this head of this puzzle belong to this task alone.
                unsafe { d_qkv.store(at, values) };
            };
            with_work(extent, |work| head_backward(extent, &rows, softmax, work, wide, store));
        });
    });
}

fn with_work(extent: Extent, f: impl FnOnce(Work<'_>)) {
    let padded = extent.padded_len();
    let (transposed, packed) = (extent.transposed_size(), extent.packed_size());
    let product = BLOCK * extent.width.next_multiple_of(PANEL);
    let halves = 2 * (transposed + packed + BLOCK * padded);
    scratch(halves, 2 * BLOCK * padded + product, |halves, floats| {
        let (first, rest) = halves.split_at_mut(transposed);
        let (second, rest) = rest.split_at_mut(transposed);
        let (third, rest) = rest.split_at_mut(packed);
        let (fourth, rest) = rest.split_at_mut(packed);
        let (p, d_s) = rest.split_at_mut(BLOCK * padded);
        let (scores, rest) = floats.split_at_mut(BLOCK * padded);
        let (d_scores, product) = rest.split_at_mut(BLOCK * padded);
        let (transposed, packed) = ([first, second], [third, fourth]);
        f(Work { transposed, packed, rounded: [p, d_s], scores, d_scores, product });
    });
}

/// Hands rows of dq (part 0), dk (1) and dv (2) to `store`; `wide` is room for one row.
fn head_backward(
    extent: Extent,
    rows: &Rows<'_>,
    mut softmax: Softmax<'_>,
    mut work: Work<'_>,
    wide: &mut [f32],
    store: impl Fn(usize, usize, &mut [f32]),
) {
    let even = extent.even_width();
    let mut emit = |part: usize, first: usize, count: usize, product: &mut [f32]| {
        for row in 0..count {
            for (i, target) in wide.chunks_mut(PANEL).enumerate() {
                target.copy_from_slice(&product[(i * count + row) * PANEL..][..target.len()]);
            }
            store(part, first + row, wide);
        }
    };
    let blocks = || (0..extent.len).step_by(BLOCK).map(|i| (i, BLOCK.min(extent.len - i)));

    extent.pack_transposed(rows.k, work.transposed[0]);
    extent.pack_transposed(rows.v, work.transposed[1]);
    extent.pack(rows.k, even, 0, work.packed[1]);
    for statistic in [&mut softmax.max, &mut softmax.inverse, &mut softmax.dot] {
        statistic.fill(0.0); // beyond L
    }
    for (first, count) in blocks() {
        score(extent, [rows.q, rows.d_out], (first, count), &mut work);
        query_scores(extent, (first, count), &mut softmax, &mut work);
        multiply(extent, 1, count, &mut work);
        emit(0, first, count, work.product);
    }

    extent.pack_transposed(rows.q, work.transposed[0]);
    extent.pack_transposed(rows.d_out, work.transposed[1]);
    extent.pack(rows.d_out, even, 0, work.packed[0]);
    extent.pack(rows.q, even, 0, work.packed[1]);
    for (first, count) in blocks() {
        score(extent, [rows.k, rows.v], (first, count), &mut work);
        key_scores(extent, (first, count), &softmax, &mut work);
        for (which, part) in [(0, 2), (1, 1)] {
            multiply(extent, which, count, &mut work);
            emit(part, first, count, work.product);
        }
    }
}

/// Scores and gradients of probabilities for a block of rows: the two operands times what is packed.
fn score(
    extent: Extent,
    operands: [&[bf16]; 2],
    (first, count): (usize, usize),
    work: &mut Work<'_>,
) {
    let even = extent.even_width();
    let targets = [&mut *work.scores, &mut *work.d_scores];
    for ((operand, packed), target) in operands.iter().zip(&work.transposed).zip(targets) {
        let lhs = Lhs::row_major(&operand[first * even..], count, even);
        products(lhs, packed, PANEL * even, &mut target[..count * extent.padded_len()]);
    }
}

/// `product` = rounded probabilities (0) or score gradients (1) times the operand packed for them.
fn multiply(extent: Extent, which: usize, count: usize, work: &mut Work<'_>) {
    let lhs = Lhs::strided(&work.rounded[which][..], count, extent.even_len(), extent.padded_len());
    products(lhs, work.packed[which], PANEL * extent.even_len(), work.product);
}

/// Rows are queries: probabilities from scores, noting what the softmax of each row needs.
fn query_scores(
    extent: Extent,
    (first, rows): (usize, usize),
    softmax: &mut Softmax<'_>,
    work: &mut Work<'_>,
) {
    let size = rows * extent.padded_len();
    let (scores, d_p) = (&mut work.scores[..size], &mut work.d_scores[..size]);
    mask(extent, (first, rows), scores);
    vectorized!({
        for row in 0..rows {
            let (max, sum) = exponentiate(scores, (rows, row), extent.factor());
            let inverse = 1.0 / sum;
            let mut dots = [0.0f32; PANEL];
            for tile in (row * PANEL..size).step_by(rows * PANEL) {
                let (p, d_p) = (&mut scores[tile..][..PANEL], &d_p[tile..][..PANEL]);
                for i in 0..PANEL {
                    p[i] *= inverse;
                    dots[i] += p[i] * d_p[i];
                }
            }
            let dot = dots.iter().sum::<f32>();
            for tile in (row * PANEL..size).step_by(rows * PANEL) {
                d_p[tile..][..PANEL].iter_mut().for_each(|d| *d -= dot);
            }
            softmax.max[first + row] = max;
            softmax.inverse[first + row] = inverse;
            softmax.dot[first + row] = dot;
        }
    });
    round_gradients(extent, rows, work);
}

/// Rows are keys, columns queries: probabilities from scores with what the query rows noted.
fn key_scores(
    extent: Extent,
    (first, rows): (usize, usize),
    softmax: &Softmax<'_>,
    work: &mut Work<'_>,
) {
    let (padded, factor) = (extent.padded_len(), extent.factor());
    if extent.causal {
        mask_queries((first, rows), &mut work.scores[..rows * padded]);
    }
    vectorized!({
        for place in (0..padded).step_by(PANEL) {
            let of_panel = place..place + PANEL;
            let (max, dot) = (&softmax.max[of_panel.clone()], &softmax.dot[of_panel.clone()]);
            let inverse = &softmax.inverse[of_panel];
            for row in 0..rows {
                let tile = place * rows + row * PANEL;
                let (p, d_p) =
                    (&mut work.scores[tile..][..PANEL], &mut work.d_scores[tile..][..PANEL]);
                for i in 0..PANEL {
                    p[i] = exp2_coarse((p[i] - max[i]) * factor) * inverse[i];
                    d_p[i] -= dot[i];
                }
            }
        }
    });
    round_gradients(extent, rows, work);
}

/// Makes the scores `[panels, rows, 32]` of queries before the keys from `first` on vanish.
fn mask_queries((first, rows): (usize, usize), scores: &mut [f32]) {
    for (panel, scores) in scores.chunks_exact_mut(rows * PANEL).enumerate() {
        for (row, scores) in scores.chunks_exact_mut(PANEL).enumerate() {
            let before = (first + row).saturating_sub(panel * PANEL);
            scores[..before.min(PANEL)].fill(f32::NEG_INFINITY);
        }
    }
}

/// Rounds probabilities P and score gradients `P ∘ (dP − dot) · scale` to `[rows, padded L]`.
fn round_gradients(extent: Extent, rows: usize, work: &mut Work<'_>) {
    let (padded, scale) = (extent.padded_len(), extent.scale());
    let Work { rounded: [p_rounded, d_s_rounded], scores, d_scores, .. } = work;
    vectorized!({
        for place in (0..padded).step_by(PANEL) {
            for row in 0..rows {
                let tile = place * rows + row * PANEL;
                let (p, d_s) = (&scores[tile..][..PANEL], &mut d_scores[tile..][..PANEL]);
                d_s.iter_mut().zip(p).for_each(|(d, p)| *d *= p * scale);
                let target = row * padded + place..row * padded + place + PANEL;
                round(&mut p_rounded[target.clone()], p);
                round(&mut d_s_rounded[target], d_s);
            }
        }
    });
}
