//! Whole products over the micro-kernel.

use super::kernel::{Operand, packs_tiles};
use super::left::{PackedLhs, with_columns};
use super::{F32, Format, PANEL, PackedRhs, max_row_block, row_block, with_rows};
use crate::cpu::element::{Element, round};
use crate::cpu::math::vectorized;
use crate::cpu::memory::with_scratch;
use crate::cpu::tasks::Tasks;
use crate::{DType, Device, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// Calls `f` with scratch of arbitrary contents: one part of a given type, one in f32.
pub(crate) fn scratch<T: Element, R>(
    len: usize,
    f32_len: usize,
    f: impl FnOnce(&mut [T], &mut [f32]) -> R,
) -> R {
    // whole cache lines for the first part keep the second aligned
    let words = (len * size_of::<T>()).div_ceil(size_of::<f32>()).next_multiple_of(16);
    with_scratch(words + f32_len, |words_and_floats| {
        let (words, floats) = words_and_floats.split_at_mut(words);
        f(&mut bytemuck::cast_slice_mut(words)[..len], floats)
    })
}

/// `x · M` for x `[.., K]` and a packed M `[K, N]`: `[.., N]`, rounded to the dtype of x.
pub(crate) fn times<F: Format>(x: &Tensor, matrix: &PackedRhs<F>, n: usize) -> Tensor {
    let k = x.last_dim();
    let mut shape = x.shape().to_vec();
    *shape.last_mut().expect("a dimension") = n;
    let mut out = Tensor::uninit(x.device(), &shape, F::Stored::DTYPE);
    let block = row_block::<F>(x.len() / k);
    let rows = x.slice::<F::Stored>().par_chunks(block * k);
    out.slice_mut::<F::Stored>().par_chunks_mut(block * n).zip(rows).tasks().for_each(
        |(out, x)| {
            times_block(x, k, matrix, out, n);
        },
    );
    out
}

/// [`times`] for one block of rows, on the calling thread.
pub(crate) fn times_block<F: Format>(
    x: &[F::Stored],
    k: usize,
    matrix: &PackedRhs<F>,
    out: &mut [F::Stored],
    n: usize,
) {
    if k > SUMMED_AT_ONCE && packs_tiles::<F::Operand>() {
        return times_block_by_parts(x, k, matrix, out, n);
    }
    with_rows::<F, _>(x, k, |lhs| {
        with_scratch(lhs.rows() * PANEL, |tile| {
            for (cols, panel) in matrix.panels() {
                F::panel_product(lhs, panel, tile, false);
                store_columns(out, n, cols, tile);
            }
        });
    });
}

/// Columns of a block that are packed at once: with these the block stays in the second cache.
const SUMMED_AT_ONCE: usize = 512;

fn times_block_by_parts<F: Format>(
    x: &[F::Stored],
    k: usize,
    matrix: &PackedRhs<F>,
    out: &mut [F::Stored],
    n: usize,
) {
    let tile = x.len() / k * PANEL;
    with_scratch(n.div_ceil(PANEL) * tile, |sums| {
        for first in (0..k).step_by(SUMMED_AT_ONCE) {
            let part = first..(first + SUMMED_AT_ONCE).min(k);
            with_columns::<F, _>(x, k, part, |lhs| {
                for ((_, panel), sums) in matrix.panels().zip(sums.chunks_exact_mut(tile)) {
                    F::panel_product(lhs.after(first), panel, sums, first > 0);
                }
            });
        }
        for ((cols, _), sums) in matrix.panels().zip(sums.chunks_exact(tile)) {
            store_columns(out, n, cols, sums);
        }
    });
}

/// Rounds a tile `[rows, 32]` into columns, at most 32, of a row-major matrix.
pub(crate) fn store_columns<T: Element>(
    matrix: &mut [T],
    stride: usize,
    cols: Range<usize>,
    tile: &[f32],
) {
    vectorized!({
        for (row, tile) in matrix.chunks_exact_mut(stride).zip(tile.as_chunks::<PANEL>().0) {
            let row = &mut row[cols.clone()];
            match <&mut [T; PANEL]>::try_from(&mut *row) {
                Ok(row) => round(row, tile), // of a length known to the compiler
                Err(_) => round(row, tile),
            }
        }
    });
}

/// Adds `aᵀ · b` to an f32 `[N, K]` sum (or overwrites it unless `started`), for row-major a
/// `[M, N]` and b `[M, K]`. Tasks own rows of the sum; of a sum with few rows, they own runs of
/// [`SUMMED`] products, whose sums are added in order.
pub(crate) fn add_transposed_product<F: Format>(
    device: &Device,
    sum: &mut [f32],
    (a, n): (&[F::Stored], usize),
    (b, k): (&[F::Stored], usize),
    started: bool,
) {
    if n > 2 * max_row_block::<F>() || a.len() <= SUMMED * n {
        return transposed_product::<F>(device, sum, (a, n), (b, k), started);
    }
    let runs = a.len().div_ceil(SUMMED * n);
    let mut parts = Tensor::uninit(device, &[runs, n * k], DType::F32);
    let operands = a.par_chunks(SUMMED * n).zip(b.par_chunks(SUMMED * k));
    let targets = parts.slice_mut::<f32>().par_chunks_exact_mut(n * k);
    targets.zip(operands).tasks().for_each(|(part, (a, b))| {
        transposed_product::<F>(device, part, (a, n), (b, k), false);
    });
    for (i, part) in parts.slice::<f32>().chunks_exact(n * k).enumerate() {
        add_to(sum, (k, 0..k), part, k, started || i > 0);
    }
}

/// Rows of one task's part of the sum over M.
const SUMMED: usize = 1024;

fn transposed_product<F: Format>(
    device: &Device,
    sum: &mut [f32],
    (a, n): (&[F::Stored], usize),
    (b, k): (&[F::Stored], usize),
    started: bool,
) {
    let block = 8 * F::Operand::TILE_ROWS;
    let left = PackedLhs::<F>::from_transposed(device, a, n, block);
    let right = PackedRhs::<F>::from_rows(device, b, a.len() / n, k);
    sum.par_chunks_mut(block * k).enumerate().tasks().for_each(|(i, sum)| {
        let lhs = left.block(i);
        with_scratch(lhs.rows() * PANEL, |out| {
            for (cols, panel) in right.panels() {
                F::panel_product(lhs, panel, out, false);
                add_to(sum, (k, cols), out, PANEL, started);
            }
        });
    });
}

/// `a · b` for an f32 row-major a `[rows, K]` and a packed b `[K, N]`.
pub(crate) fn product(a: &[f32], k: usize, b: &PackedRhs<F32>, n: usize) -> Vec<f32> {
    let rows = a.len() / k;
    let mut out = vec![0.0; rows * n];
    let block = row_block::<F32>(rows);
    out.par_chunks_mut(block * n).zip(a.par_chunks(block * k)).tasks().for_each(|(out, a)| {
        times_block(a, k, b, out, n);
    });
    out
}

/// Adds rows of terms to columns of a row-major matrix, or overwrites them unless `started`.
fn add_to(
    matrix: &mut [f32],
    (stride, cols): (usize, Range<usize>),
    terms: &[f32],
    width: usize,
    started: bool,
) {
    vectorized!({
        for (row, terms) in matrix.chunks_exact_mut(stride).zip(terms.chunks_exact(width)) {
            for (sum, term) in row[cols.clone()].iter_mut().zip(terms) {
                *sum = if started { *sum + term } else { *term };
            }
        }
    });
}
