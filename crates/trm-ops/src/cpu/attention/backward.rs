//! One task per puzzle and head, in two passes that recompute the scores: over blocks of queries for
//! `dq` and what the softmax of each row needs, then over blocks of keys, with everything transposed,
//! for `dk` and `dv`. So no matrix is ever transposed in memory.

#![allow(unsafe_code)]

use super::forward::{exponentiate, mask, products, query_block, round};
use crate::Tensor;
use crate::cpu::math::vectorized;
use crate::cpu::memory::uninit;
use crate::cpu::panels::{Format, Lhs, PANEL, scratch};
use crate::cpu::shared::Shared;
use crate::cpu::tasks::Tasks;
use crate::ops::attention::{Extent, Rope};
use rayon::prelude::*;

/// One head's operands, row-major `[L, padded E]`.
struct Rows<'a, T> {
    q: &'a [T],
    k: &'a [T],
    v: &'a [T],
    d_out: &'a [T],
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
struct Work<'a, T> {
    transposed: [&'a mut [T]; 2],
    packed: [&'a mut [T]; 2],
    rounded: [&'a mut [T]; 2],
    scores: &'a mut [f32],
    d_scores: &'a mut [f32],
    product: &'a mut [f32],
}

pub(in crate::cpu) fn backward<F: Format>(
    qkv: &Tensor,
    extent: Extent,
    rope: Option<&Rope>,
    d_out: &Tensor,
) -> Tensor {
    let Extent { len, heads, width, .. } = extent;
    let features = extent.features();
    let (rows, padded) = (len * extent.row::<F>(), extent.padded_len());
    let mut result = uninit(qkv.device(), qkv.shape(), qkv.dtype());
    let d_qkv = Shared::new(result.slice_mut::<F::Stored>());
    (0..qkv.shape()[0] * heads).into_par_iter().tasks().for_each(|task| {
        let (puzzle, head) = (task / heads, task % heads);
        let qkv = &qkv.slice::<F::Stored>()[puzzle * len * 3 * features..][..len * 3 * features];
        let d_out = &d_out.slice::<F::Stored>()[puzzle * len * features..][..len * features];
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
                extent.load_rows::<F>(source, (rope, 0), 0..len, loaded);
            }
            let part = |i: usize| &loaded[i * rows..(i + 1) * rows];
            let rows = Rows { q: part(0), k: part(1), v: part(2), d_out: part(3) };
            let store = |part: usize, row: usize, values: &mut [f32]| {
                if let (Some(rope), 0 | 1) = (rope, part) {
                    rope.rotate_row(row, values, true);
                }
                let at = (puzzle * len + row) * 3 * features + extent.column(part, head);
                // SAFETY: the columns of this head of this puzzle belong to this task alone.
                unsafe { d_qkv.store(at, values) };
            };
            with_work::<F>(extent, |work| {
                head_backward::<F>(extent, &rows, softmax, work, wide, store);
            });
        });
    });
    result
}

fn with_work<F: Format>(extent: Extent, f: impl FnOnce(Work<'_, F::Operand>)) {
    let (block, padded) = (query_block::<F>(extent), extent.padded_len());
    let (transposed, packed) = (extent.transposed_size::<F>(), extent.packed_size::<F>());
    let product = block * extent.padded_width();
    let operands = 2 * (transposed + packed + block * padded);
    scratch(operands, 2 * block * padded + product, |operands, floats| {
        let (first, rest) = operands.split_at_mut(transposed);
        let (second, rest) = rest.split_at_mut(transposed);
        let (third, rest) = rest.split_at_mut(packed);
        let (fourth, rest) = rest.split_at_mut(packed);
        let (p, d_s) = rest.split_at_mut(block * padded);
        let (scores, rest) = floats.split_at_mut(block * padded);
        let (d_scores, product) = rest.split_at_mut(block * padded);
        let (transposed, packed) = ([first, second], [third, fourth]);
        f(Work { transposed, packed, rounded: [p, d_s], scores, d_scores, product });
    });
}

/// Hands rows of dq (part 0), dk (1) and dv (2) to `store`; `wide` is room for one row.
fn head_backward<F: Format>(
    extent: Extent,
    rows: &Rows<'_, F::Operand>,
    mut softmax: Softmax<'_>,
    mut work: Work<'_, F::Operand>,
    wide: &mut [f32],
    store: impl Fn(usize, usize, &mut [f32]),
) {
    let (row_len, block) = (extent.row::<F>(), query_block::<F>(extent));
    let mut emit = |part: usize, first: usize, count: usize, product: &mut [f32]| {
        vectorized!({
            for row in 0..count {
                for (i, target) in wide.chunks_mut(PANEL).enumerate() {
                    target.copy_from_slice(&product[(i * count + row) * PANEL..][..target.len()]);
                }
                store(part, first + row, wide);
            }
        });
    };
    let blocks = || (0..extent.len).step_by(block).map(|i| (i, block.min(extent.len - i)));

    extent.pack_transposed::<F>(rows.k, work.transposed[0]);
    extent.pack_transposed::<F>(rows.v, work.transposed[1]);
    extent.pack((rows.k, row_len, 0), work.packed[1], |x| x);
    for statistic in [&mut softmax.max, &mut softmax.inverse, &mut softmax.dot] {
        statistic.fill(0.0); // beyond L
    }
    for (first, count) in blocks() {
        score::<F>(extent, [rows.q, rows.d_out], (first, count), &mut work);
        query_scores::<F>(extent, (first, count), &mut softmax, &mut work);
        multiply::<F>(extent, 1, count, &mut work);
        emit(0, first, count, work.product);
    }

    extent.pack_transposed::<F>(rows.q, work.transposed[0]);
    extent.pack_transposed::<F>(rows.d_out, work.transposed[1]);
    extent.pack((rows.d_out, row_len, 0), work.packed[0], |x| x);
    extent.pack((rows.q, row_len, 0), work.packed[1], |x| x);
    for (first, count) in blocks() {
        score::<F>(extent, [rows.k, rows.v], (first, count), &mut work);
        key_scores::<F>(extent, (first, count), &softmax, &mut work);
        for (which, part) in [(0, 2), (1, 1)] {
            multiply::<F>(extent, which, count, &mut work);
            emit(part, first, count, work.product);
        }
    }
}

/// Scores and gradients of probabilities for a block of rows: the two operands times what is packed.
fn score<F: Format>(
    extent: Extent,
    operands: [&[F::Operand]; 2],
    (first, count): (usize, usize),
    work: &mut Work<'_, F::Operand>,
) {
    let row_len = extent.row::<F>();
    let targets = [&mut *work.scores, &mut *work.d_scores];
    for ((operand, packed), target) in operands.iter().zip(&work.transposed).zip(targets) {
        let lhs = Lhs::row_major(&operand[first * row_len..], count, row_len);
        products::<F>(lhs, packed, PANEL * row_len, &mut target[..count * extent.padded_len()]);
    }
}

/// `product` = rounded probabilities (0) or score gradients (1) times the operand packed for them.
fn multiply<F: Format>(
    extent: Extent,
    which: usize,
    count: usize,
    work: &mut Work<'_, F::Operand>,
) {
    let summed = extent.summed::<F>();
    let lhs = Lhs::strided(&work.rounded[which][..], count, summed, extent.padded_len());
    products::<F>(lhs, work.packed[which], PANEL * summed, work.product);
}

/// Rows are queries: probabilities from scores, noting what the softmax of each row needs.
fn query_scores<F: Format>(
    extent: Extent,
    (first, rows): (usize, usize),
    softmax: &mut Softmax<'_>,
    work: &mut Work<'_, F::Operand>,
) {
    let size = rows * extent.padded_len();
    let (scores, d_p) = (&mut work.scores[..size], &mut work.d_scores[..size]);
    mask(extent, (first, rows), scores);
    vectorized!({
        for row in 0..rows {
            let (max, sum) = exponentiate::<F>(scores, (rows, row), extent.factor());
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
    round_gradients::<F>(extent, rows, work);
}

/// Rows are keys, columns queries: probabilities from scores with what the query rows noted.
fn key_scores<F: Format>(
    extent: Extent,
    (first, rows): (usize, usize),
    softmax: &Softmax<'_>,
    work: &mut Work<'_, F::Operand>,
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
                    p[i] = F::exp2((p[i] - max[i]) * factor) * inverse[i];
                    d_p[i] -= dot[i];
                }
            }
        }
    });
    round_gradients::<F>(extent, rows, work);
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
fn round_gradients<F: Format>(extent: Extent, rows: usize, work: &mut Work<'_, F::Operand>) {
    let (padded, scale) = (extent.padded_len(), extent.scale());
    let Work { rounded: [p_rounded, d_s_rounded], scores, d_scores, .. } = work;
    vectorized!({
        for place in (0..padded).step_by(PANEL) {
            for row in 0..rows {
                let tile = place * rows + row * PANEL;
                let (p, d_s) = (&scores[tile..][..PANEL], &mut d_scores[tile..][..PANEL]);
                d_s.iter_mut().zip(p).for_each(|(d, p)| *d *= p * scale);
                let target = row * padded + place..row * padded + place + PANEL;
                round::<F>(p, &mut p_rounded[target.clone()]);
                round::<F>(d_s, &mut d_s_rounded[target]);
            }
        }
    });
}
