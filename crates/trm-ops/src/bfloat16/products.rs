//! Whole products over the micro-kernel.

use super::pack::PackedLhs;
use super::{Lhs, MAX_ROW_BLOCK, PANEL, PackedRhs, TILE_ROWS, even_rows, panel_product, row_block};
use crate::dtype::round;
use crate::math::vectorized;
use crate::storage::with_scratch;
use crate::{DType, Device, Tensor};
use half::bf16;
use rayon::prelude::*;
use std::ops::Range;

/// Calls `f` with scratch of arbitrary contents: one part in bf16, one in f32.
pub(crate) fn scratch<R>(
    bf16_len: usize,
    f32_len: usize,
    f: impl FnOnce(&mut [bf16], &mut [f32]) -> R,
) -> R {
    // whole cache lines for the first part keep the second aligned
    let words = bf16_len.div_ceil(2).next_multiple_of(16);
    with_scratch(words + f32_len, |words_and_floats| {
        let (words, floats) = words_and_floats.split_at_mut(words);
        f(&mut bytemuck::cast_slice_mut(words)[..bf16_len], floats)
    })
}

/// `x · M` for bf16 x `[.., K]` and a packed M `[K, N]`: `[.., N]`, rounded to bf16.
pub(crate) fn times(x: &Tensor, matrix: &PackedRhs, n: usize) -> Tensor {
    let k = x.last_dim();
    let mut shape = x.shape().to_vec();
    *shape.last_mut().expect("a dimension") = n;
    let mut out = Tensor::uninit(x.device(), &shape, DType::Bf16);
    let block = row_block(x.len() / k);
    let rows = x.slice::<bf16>().par_chunks(block * k);
    out.slice_mut::<bf16>().par_chunks_mut(block * n).zip(rows).for_each(|(out, x)| {
        times_block(x, k, matrix, out, n);
    });
    out
}

/// [`times`] for one block of rows, on the calling thread.
pub(crate) fn times_block(x: &[bf16], k: usize, matrix: &PackedRhs, out: &mut [bf16], n: usize) {
    let rows = x.len() / k;
    let x = even_rows(x, k);
    let lhs = Lhs::row_major(&x, rows, k.next_multiple_of(2));
    with_scratch(rows * PANEL, |tile| {
        for (cols, panel) in matrix.panels() {
            panel_product(lhs, panel, tile, false);
            store_columns(out, n, cols, tile);
        }
    });
}

/// Rounds a tile `[rows, 32]` into columns, at most 32, of a row-major matrix.
pub(crate) fn store_columns(matrix: &mut [bf16], stride: usize, cols: Range<usize>, tile: &[f32]) {
    vectorized!({
        for (row, tile) in matrix.chunks_exact_mut(stride).zip(tile.as_chunks::<PANEL>().0) {
            let row = &mut row[cols.clone()];
            match <&mut [bf16; PANEL]>::try_from(&mut *row) {
                Ok(row) => round(row, tile), // of a length known to the compiler
                Err(_) => round(row, tile),
            }
        }
    });
}

/// Adds `aᵀ · b` to an f32 `[N, K]` sum (or overwrites it unless `started`), for bf16 row-major a
/// `[M, N]` and b `[M, K]`. Tasks own rows of the sum; of a sum with few rows, they own runs of
/// [`SUMMED`] products, whose sums are added in order.
pub(crate) fn add_transposed_product(
    device: &Device,
    sum: &mut [f32],
    (a, n): (&[bf16], usize),
    (b, k): (&[bf16], usize),
    started: bool,
) {
    if n > 2 * MAX_ROW_BLOCK || a.len() <= SUMMED * n {
        return transposed_product(device, sum, (a, n), (b, k), started);
    }
    let runs = a.len().div_ceil(SUMMED * n);
    let mut parts = Tensor::uninit(device, &[runs, n * k], DType::F32);
    let operands = a.par_chunks(SUMMED * n).zip(b.par_chunks(SUMMED * k));
    let targets = parts.slice_mut::<f32>().par_chunks_exact_mut(n * k);
    targets.zip(operands).for_each(|(part, (a, b))| {
        transposed_product(device, part, (a, n), (b, k), false);
    });
    for (i, part) in parts.slice::<f32>().chunks_exact(n * k).enumerate() {
        add_to(sum, (k, 0..k), part, k, started || i > 0);
    }
}

/// Rows of one task's part of the sum over M.
const SUMMED: usize = 1024;

fn transposed_product(
    device: &Device,
    sum: &mut [f32],
    (a, n): (&[bf16], usize),
    (b, k): (&[bf16], usize),
    started: bool,
) {
    let rows = a.len() / n;
    let left = PackedLhs::from_transposed(device, a, rows, n);
    let right = PackedRhs::from_rows(device, b, rows, k);
    sum.par_chunks_mut(MAX_ROW_BLOCK * k).enumerate().for_each(|(block, sum)| {
        let tiles = block * MAX_ROW_BLOCK / TILE_ROWS..;
        with_scratch(TILE_ROWS * PANEL, |out| {
            for (cols, panel) in right.panels() {
                for (i, sum) in tiles.clone().zip(sum.chunks_mut(TILE_ROWS * k)) {
                    let lhs = left.tile(i);
                    let out = &mut out[..lhs.rows() * PANEL];
                    panel_product(lhs, panel, out, false);
                    add_to(sum, (k, cols.clone()), out, PANEL, started);
                }
            }
        });
    });
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
