//! Products for processors without a kernel of their own, and the slow twin of all kernels.

use super::{Lhs, Operand, PANEL, RUN, STRIP, tiles};
use crate::cpu::math::vectorized;
use crate::cpu::memory::with_scratch;
use std::hint::black_box;

/// Single precision by the `gemm-f32` crate, which is given sums so short that it takes them all in one order.
pub(super) fn single(lhs: Lhs<'_, f32>, panel: &[f32], out: &mut [f32], accumulate: bool) {
    for_each_block(lhs, |lhs, first| {
        for (side, strip) in panel.chunks_exact(panel.len() / 2).enumerate() {
            let out = &mut out[first * PANEL + side * STRIP..];
            let strip = &strip[lhs.skip * STRIP..][..lhs.groups * STRIP];
            for (i, strip) in strip.chunks(RUN * STRIP).enumerate() {
                let data = &lhs.data[i * RUN * lhs.group_stride..];
                let lhs = Lhs { data, groups: strip.len() / STRIP, ..lhs };
                product(lhs, strip, out, accumulate || i > 0);
            }
        }
    });
}

/// Hands out the rows that follow each other, with the place of the first: all, or tile by tile.
fn for_each_block<T: Operand>(lhs: Lhs<'_, T>, mut f: impl FnMut(Lhs<'_, T>, usize)) {
    if lhs.tile_stride == 0 {
        return f(lhs, 0);
    }
    for (tile, rows) in tiles(lhs.rows, T::TILE_ROWS).enumerate() {
        let data = &lhs.data[lhs.offset(tile, rows.start)..];
        f(Lhs { data, rows: rows.len(), tile_stride: 0, ..lhs }, rows.start);
    }
}

/// The sums of gemm are longer than this where they are taken in one order: shorter ones get zeros.
const SHORTEST: usize = 8;

fn product(lhs: Lhs<'_, f32>, strip: &[f32], out: &mut [f32], accumulate: bool) {
    if lhs.groups < SHORTEST {
        return with_scratch(SHORTEST * (lhs.rows + STRIP), |room| {
            room.fill(0.0);
            let (rows, longer) = room.split_at_mut(SHORTEST * lhs.rows);
            longer[..strip.len()].copy_from_slice(strip);
            for (row, target) in rows.chunks_exact_mut(SHORTEST).enumerate() {
                for (group, target) in target[..lhs.groups].iter_mut().enumerate() {
                    *target = lhs.data[row * lhs.row_stride + group * lhs.group_stride];
                }
            }
            product(Lhs::row_major(rows, lhs.rows, SHORTEST), longer, out, accumulate);
        });
    }
    if lhs.rows > 1 {
        return gemm(lhs, strip, out, accumulate);
    }
    // gemm sums single rows in another order: they are taken as two equal ones
    let twice = Lhs { rows: 2, row_stride: 0, ..lhs };
    let mut both = [0.0; 2 * PANEL];
    both[..STRIP].copy_from_slice(&out[..STRIP]);
    gemm(twice, strip, &mut both, accumulate);
    out[..STRIP].copy_from_slice(&both[..STRIP]);
}

/// `lhs · strip`, to rows of 16 that are 32 apart.
fn gemm(lhs: Lhs<'_, f32>, strip: &[f32], out: &mut [f32], accumulate: bool) {
    assert!(out.len() >= (lhs.rows - 1) * PANEL + STRIP, "{} rows", lhs.rows);
    // SAFETY: the operands hold all their elements (checked here and by the caller), and `out` is exclusively borrowed.
    unsafe {
        gemm_f32::gemm::f32::get_gemm_fn()(
            lhs.rows,
            STRIP,
            lhs.groups,
            out.as_mut_ptr(),
            1,
            PANEL as isize,
            accumulate,
            lhs.data.as_ptr(),
            lhs.group_stride as isize,
            lhs.row_stride as isize,
            strip.as_ptr(),
            1,
            STRIP as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm_common::Parallelism::None,
        );
    }
}

/// The sums of the definition, one after the other.
pub(super) fn plain<T: Operand>(lhs: Lhs<'_, T>, panel: &[T], out: &mut [f32], accumulate: bool) {
    for_each_block(lhs, |lhs, first| {
        let rows = out[first * PANEL..].chunks_exact_mut(PANEL).take(lhs.rows);
        for (row, out) in rows.enumerate() {
            let strips = panel.chunks_exact(panel.len() / 2).zip(out.chunks_exact_mut(STRIP));
            for (strip, out) in strips {
                let sums = sums_of_row(lhs, row, strip);
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = if accumulate { *out + sum } else { sum };
                }
            }
        }
    });
}

fn sums_of_row<T: Operand>(lhs: Lhs<'_, T>, row: usize, strip: &[T]) -> [f32; STRIP] {
    let mut sums = [0.0f32; STRIP];
    let groups = strip.chunks_exact(STRIP * T::GROUP).skip(lhs.skip).take(lhs.groups);
    for (group, b) in groups.enumerate() {
        let a = &lhs.data[row * lhs.row_stride + group * lhs.group_stride..][..T::GROUP];
        for (sum, b) in sums.iter_mut().zip(b.chunks_exact(T::GROUP)) {
            *sum += a.iter().zip(b).map(|(a, b)| a.to_f32() * b.to_f32()).sum::<f32>();
        }
    }
    sums
}

/// Rounds of multiply-adds in registers; returns the multiplications.
pub(super) fn peak(rounds: usize) -> usize {
    const LANES: usize = 96;
    let (mut sums, x, y) = ([0.0f32; LANES], black_box(0.5f32), black_box(0.5f32));
    vectorized!({
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum += x * y);
        }
    });
    black_box(sums);
    rounds * LANES
}
