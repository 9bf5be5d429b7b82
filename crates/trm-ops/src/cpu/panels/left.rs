//! Left operands of products.

use super::Format;
use super::kernel::{Lhs, Operand, packs_tiles, tiles, transpose};
use super::pack::{grouped, pack_strip};
use super::products::scratch;
use crate::cpu::element::{Element, widen};
use crate::cpu::math::vectorized;
use crate::cpu::memory::with_scratch;
use crate::cpu::tasks::Tasks;
use crate::{Device, Tensor};
use bytemuck::Zeroable;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// A left operand in the form in which products read it fastest.
#[derive(Debug)]
pub(crate) struct PackedLhs<F> {
    data: Tensor,
    groups: usize,
    rows: usize,
    /// Rows that were packed together: a block is a left operand of its own.
    block: usize,
    is_tiled: bool,
    format: PhantomData<F>,
}

impl<F: Format> PackedLhs<F> {
    /// From a row-major `[rows, k]`, in blocks of `block` rows at most.
    pub(crate) fn from_rows(
        device: &Device,
        matrix: &[F::Stored],
        k: usize,
        block: usize,
    ) -> PackedLhs<F> {
        let is_tiled = packs_tiles::<F::Operand>();
        let block = block.min(matrix.len() / k);
        let mut packed = PackedLhs::uninit(device, (matrix.len() / k, k), block, is_tiled);
        let size = packed.size(block);
        let blocks = packed.data.slice_mut::<F::Operand>().par_chunks_mut(size);
        blocks.zip(matrix.par_chunks(block * k)).tasks().for_each(
            |(target, rows)| match is_tiled {
                true => pack_tiles::<F>((rows, k), 0..k, target),
                false => widen_rows::<F>(rows, k, target),
            },
        );
        packed
    }

    /// From a row-major `[K, N]`, of which the left operand is the transpose, in blocks of `block` rows.
    pub(crate) fn from_transposed(
        device: &Device,
        matrix: &[F::Stored],
        n: usize,
        block: usize,
    ) -> PackedLhs<F> {
        let (most, block) = (F::Operand::TILE_ROWS, block.min(n));
        let mut packed = PackedLhs::uninit(device, (n, matrix.len() / n), block, true);
        let (size, tile_size) = (packed.size(block), packed.groups * F::Operand::GROUP * most);
        let blocks = packed.data.slice_mut::<F::Operand>().par_chunks_mut(size).enumerate();
        blocks.tasks().for_each(|(i, target)| {
            let first = i * block;
            let targets = target.chunks_exact_mut(tile_size);
            for (tile, target) in tiles(block.min(n - first), most).zip(targets) {
                let cols = first + tile.start..first + tile.end;
                match most {
                    6 => pack_strip::<_, _, 6>(matrix, n, cols, target, F::widen),
                    14 => pack_strip::<_, _, 14>(matrix, n, cols, target, F::widen),
                    _ => unreachable!("tiles of {most} rows"),
                }
            }
        });
        packed
    }

    fn uninit(
        device: &Device,
        (rows, k): (usize, usize),
        block: usize,
        is_tiled: bool,
    ) -> PackedLhs<F> {
        let groups = grouped::<F>(k) / F::Operand::GROUP;
        let slots = |rows| slots::<F>(rows, is_tiled);
        let shape = [rows / block * slots(block) + slots(rows % block), grouped::<F>(k)];
        let data = Tensor::uninit(device, &shape, F::Operand::DTYPE);
        PackedLhs { data, groups, rows, block, is_tiled, format: PhantomData }
    }

    /// Elements of a block of so many rows.
    fn size(&self, rows: usize) -> usize {
        slots::<F>(rows, self.is_tiled) * self.groups * F::Operand::GROUP
    }

    /// One block of rows, from `block * i` on.
    pub(crate) fn block(&self, i: usize) -> Lhs<'_, F::Operand> {
        let rows = self.block.min(self.rows - i * self.block);
        let data = &self.data.slice()[i * self.size(self.block)..][..self.size(rows)];
        match self.is_tiled {
            true => Lhs::packed(data, rows, self.groups),
            false => Lhs::row_major(data, rows, self.groups * F::Operand::GROUP),
        }
    }
}

/// Rows that so many take the room of.
fn slots<F: Format>(rows: usize, is_tiled: bool) -> usize {
    if is_tiled { rows.next_multiple_of(F::Operand::TILE_ROWS) } else { rows }
}

/// Calls `f` with the rows of a row-major `[rows, k]` as a left operand: as they lie where they are best read so,
/// else converted and packed.
pub(crate) fn with_rows<F: Format, R>(
    matrix: &[F::Stored],
    k: usize,
    f: impl FnOnce(Lhs<'_, F::Operand>) -> R,
) -> R {
    let (rows, padded) = (matrix.len() / k, grouped::<F>(k));
    if packs_tiles::<F::Operand>() {
        return with_columns::<F, R>(matrix, k, 0..k, f);
    }
    if let Some(operands) = F::as_operands(matrix).filter(|_| padded == k) {
        return f(Lhs::row_major(operands, rows, k));
    }
    scratch::<F::Operand, R>(rows * padded, 0, |target, _| {
        widen_rows::<F>(matrix, k, target);
        f(Lhs::row_major(target, rows, padded))
    })
}

/// Calls `f` with some columns of a row-major `[rows, k]` as packed tiles.
pub(crate) fn with_columns<F: Format, R>(
    matrix: &[F::Stored],
    k: usize,
    cols: Range<usize>,
    f: impl FnOnce(Lhs<'_, F::Operand>) -> R,
) -> R {
    let rows = matrix.len() / k;
    let slots = rows.next_multiple_of(F::Operand::TILE_ROWS);
    scratch::<F::Operand, R>(slots * cols.len(), 0, |target, _| {
        let groups = cols.len();
        pack_tiles::<F>((matrix, k), cols, target);
        f(Lhs::packed(target, rows, groups))
    })
}

/// Packs columns of a row-major `[rows, k]` of single precision into tiles `[tiles, columns, TILE_ROWS]`. What is in
/// the room for rows that a tile does not have counts nothing.
fn pack_tiles<F: Format>(
    (matrix, k): (&[F::Stored], usize),
    cols: Range<usize>,
    target: &mut [F::Operand],
) {
    const ROWS: usize = <f32 as Operand>::TILE_ROWS;
    let target: &mut [f32] = bytemuck::cast_slice_mut(target);
    let (width, targets) = (cols.len(), target.chunks_exact_mut(cols.len() * ROWS));
    for (tile, target) in tiles(matrix.len() / k, ROWS).zip(targets) {
        let count = tile.len();
        let rows = &matrix[tile.start * k..tile.end * k];
        let mut turn = |rows: &[f32], stride: usize, start: usize| {
            let row = |i: usize| &rows[i.min(count - 1) * stride + start..][..width];
            transpose(std::array::from_fn(row), count, target, ROWS);
        };
        match F::as_operands(rows) {
            Some(rows) => turn(bytemuck::cast_slice(rows), k, cols.start),
            None => with_scratch(count * width, |wide| {
                vectorized!({
                    for (wide, row) in wide.chunks_exact_mut(width).zip(rows.chunks_exact(k)) {
                        widen(wide, &row[cols.clone()]);
                    }
                });
                turn(wide, width, 0);
            }),
        }
    }
}

/// Copies a row-major `[rows, k]` as operands, every row padded with zeros to a multiple of the group.
fn widen_rows<F: Format>(matrix: &[F::Stored], k: usize, target: &mut [F::Operand]) {
    vectorized!({
        for (target, row) in target.chunks_exact_mut(grouped::<F>(k)).zip(matrix.chunks_exact(k)) {
            for (target, x) in target.iter_mut().zip(row) {
                *target = F::widen(*x);
            }
            target[k..].fill(F::Operand::zeroed());
        }
    });
}
