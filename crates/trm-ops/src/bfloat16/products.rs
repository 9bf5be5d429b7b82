//! Whole products over the micro-kernel.

use super::pack::PackedLhs;
use super::{Lhs, MAX_ROW_BLOCK, PANEL, PackedRhs, TILE_ROWS, even_rows, panel_product, row_block};
use crate::dtype::store;
use crate::math::vectorized;
use crate::storage::with_scratch;
use crate::{DType, Device, Tensor};
use half::bf16;
use rayon::prelude::*;

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
            for (out, tile) in out.chunks_exact_mut(n).zip(tile.chunks_exact(PANEL)) {
                store(&mut out[cols.clone()], &tile[..cols.len()]);
            }
        }
    });
}

/// Adds `aᵀ · b` to an f32 `[N, K]` sum (or overwrites it unless `started`), for bf16 row-major a
/// `[M, N]` and b `[M, K]`. Tasks own rows of the sum.
pub(crate) fn add_transposed_product(
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
                    for (sum, out) in sum.chunks_exact_mut(k).zip(out.chunks_exact(PANEL)) {
                        add_to(&mut sum[cols.clone()], out, started);
                    }
                }
            }
        });
    });
}

fn add_to(sum: &mut [f32], terms: &[f32], started: bool) {
    vectorized!({
        for (sum, term) in sum.iter_mut().zip(terms) {
            *sum = if started { *sum + term } else { *term };
        }
    });
}
