use super::kernel::{Operand, transpose};
use super::{Format, PANEL, STRIP};
use crate::cpu::element::{Element, map_array};
use crate::cpu::math::vectorized;
use crate::cpu::tasks::Tasks;
use crate::{DType, Device, Tensor};
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// `n`, made a multiple of the elements that operands hold beside each other.
pub(crate) fn grouped<F: Format>(n: usize) -> usize {
    n.next_multiple_of(F::Operand::GROUP)
}

/// A right operand `[K, N]` as panels of 32 columns, `[panels, 2, K / GROUP, 16, GROUP]`, padded with zeros.
#[derive(Debug)]
pub(crate) struct PackedRhs<F> {
    data: Tensor,
    panel: usize,
    cols: usize,
    format: PhantomData<F>,
}

impl<F: Format> PackedRhs<F> {
    fn uninit(device: &Device, k: usize, cols: usize) -> PackedRhs<F> {
        let panel = grouped::<F>(k) * PANEL;
        let shape = [cols.div_ceil(PANEL), panel];
        let data = Tensor::uninit(device, &shape, F::Operand::DTYPE);
        PackedRhs { data, panel, cols, format: PhantomData }
    }

    /// From a row-major `[K, N]`.
    pub(crate) fn from_rows(device: &Device, matrix: &[F::Stored], k: usize, n: usize) -> Self {
        let mut packed = PackedRhs::uninit(device, k, n);
        let panels = packed.data.slice_mut::<F::Operand>().par_chunks_exact_mut(packed.panel);
        panels.enumerate().tasks().for_each(|(i, panel)| {
            let cols = i * PANEL..((i + 1) * PANEL).min(n);
            pack_rows(matrix, n, cols, panel, F::widen);
        });
        packed
    }

    /// From the transpose of a row-major `[N, K]`.
    pub(crate) fn from_columns(device: &Device, matrix: &[F::Stored], n: usize, k: usize) -> Self {
        let mut packed = PackedRhs::uninit(device, k, n);
        let panels = packed.data.slice_mut::<F::Operand>().par_chunks_exact_mut(packed.panel);
        panels.zip(matrix.par_chunks(PANEL * k)).tasks().for_each(|(panel, rows)| {
            pack_columns(rows, k, panel, F::widen);
        });
        packed
    }

    /// Panels with the columns they cover.
    pub(crate) fn panels(&self) -> impl Iterator<Item = (Range<usize>, &[F::Operand])> {
        let cols = self.cols;
        let panels = self.data.slice::<F::Operand>().chunks_exact(self.panel).enumerate();
        panels.map(move |(i, panel)| (i * PANEL..((i + 1) * PANEL).min(cols), panel))
    }
}

/// Packs the transpose of at most 32 rows of length k into one panel `[2, K / GROUP, 16, GROUP]`.
pub(crate) fn pack_columns<S: Element, T: Operand>(
    rows: &[S],
    k: usize,
    panel: &mut [T],
    widen: impl Fn(S) -> T,
) {
    if rows.len() < PANEL * k || !k.is_multiple_of(T::GROUP) {
        panel.fill(T::zeroed());
    }
    let half = panel.len() / 2;
    if (S::DTYPE, T::DTYPE) == (DType::F32, DType::F32) && rows.len() == PANEL * k {
        let (rows, panel) = (bytemuck::cast_slice(rows), bytemuck::cast_slice_mut(panel));
        return turn_columns(rows, k, panel);
    }
    // a few groups at a time, so that what is written stays in the first cache for all rows
    const GROUPS: usize = 16;
    vectorized!({
        for (rows, strip) in rows.chunks(STRIP * k).zip(panel.chunks_exact_mut(half)) {
            for (first, part) in strip.chunks_mut(GROUPS * STRIP * T::GROUP).enumerate() {
                let first = first * GROUPS * T::GROUP;
                for (col, row) in rows.chunks_exact(k).enumerate() {
                    let row = &row[first..(first + GROUPS * T::GROUP).min(k)];
                    for (group, values) in row.chunks(T::GROUP).enumerate() {
                        for (i, value) in values.iter().enumerate() {
                            part[(group * STRIP + col) * T::GROUP + i] = widen(*value);
                        }
                    }
                }
            }
        }
    });
}

/// [`pack_columns`] of 32 rows that need no conversion.
fn turn_columns(rows: &[f32], k: usize, panel: &mut [f32]) {
    let strips = panel.chunks_exact_mut(k * STRIP);
    for (rows, strip) in rows.chunks_exact(STRIP * k).zip(strips) {
        for first in [0, STRIP / 2] {
            let row = |i: usize| &rows[(first + i) * k..][..k];
            transpose(std::array::from_fn(row), STRIP / 2, &mut strip[first..], STRIP);
        }
    }
}

/// Packs some columns, at most 32, of a row-major matrix `[.., stride]` into one panel `[2, K / GROUP, 16, GROUP]`;
/// what the matrix does not cover becomes zero.
pub(crate) fn pack_rows<S: Copy, T: Operand>(
    matrix: &[S],
    stride: usize,
    cols: Range<usize>,
    panel: &mut [T],
    widen: impl Fn(S) -> T + Copy,
) {
    let (left, right) = panel.split_at_mut(panel.len() / 2);
    let middle = (cols.start + STRIP).min(cols.end);
    pack_strip::<_, _, STRIP>(matrix, stride, cols.start..middle, left, widen);
    pack_strip::<_, _, STRIP>(matrix, stride, middle..cols.end, right, widen);
}

/// Packs some columns, at most W, of a row-major matrix `[.., stride]` into a strip `[K / GROUP, W, GROUP]`;
/// what the matrix does not cover becomes zero.
pub(super) fn pack_strip<S: Copy, T: Operand, const W: usize>(
    matrix: &[S],
    stride: usize,
    cols: Range<usize>,
    strip: &mut [T],
    widen: impl Fn(S) -> T,
) {
    let row = |k: usize| matrix.get(k * stride + cols.start..k * stride + cols.end);
    vectorized!({
        for (group, strip) in strip.chunks_exact_mut(W * T::GROUP).enumerate() {
            for part in 0..T::GROUP {
                let row = row(group * T::GROUP + part);
                match row.map(<&[S; W]>::try_from) {
                    Some(Ok(row)) => {
                        let row = map_array(row, &widen); // of a length known to the compiler
                        for i in 0..W {
                            strip[i * T::GROUP + part] = row[i];
                        }
                    }
                    _ => {
                        for i in 0..W {
                            let value = row.and_then(|row| row.get(i));
                            strip[i * T::GROUP + part] = value.map_or(T::zeroed(), |x| widen(*x));
                        }
                    }
                }
            }
        }
    });
}

/// Turns a tile `[K, 32]` into a panel `[2, K / GROUP, 16, GROUP]`, rounded as the format stores.
pub(crate) fn interleave<F: Format>(tile: &[f32], panel: &mut [F::Operand]) {
    let group = F::Operand::GROUP;
    vectorized!({
        let half = panel.len() / 2;
        for (side, strip) in panel.chunks_exact_mut(half).enumerate() {
            let strips = strip.chunks_exact_mut(group * STRIP);
            for (rows, strip) in tile.chunks(group * PANEL).zip(strips) {
                for (part, row) in rows.chunks_exact(PANEL).enumerate() {
                    let row =
                        row[side * STRIP..][..STRIP].try_into().expect("half a row of a tile");
                    let row: [_; STRIP] = map_array(row, F::round);
                    for i in 0..STRIP {
                        strip[i * group + part] = row[i];
                    }
                }
                for part in rows.len() / PANEL..group {
                    (0..STRIP).for_each(|i| strip[i * group + part] = F::round(0.0));
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::panels::left::{PackedLhs, with_rows};
    use crate::cpu::panels::{Bf16Pairs, Bf16Wide, F32};
    use crate::testing::{close, random_vec};

    fn values<T: Element>(len: usize, seed: u64) -> Vec<T> {
        random_vec(len, seed).into_iter().map(T::from_f32).collect()
    }

    /// `a · b` for row-major `[m, k]` and `[k, n]`.
    fn slow<T: Element>(a: &[T], b: &[T], [m, k, n]: [usize; 3]) -> Vec<f32> {
        let term = |i: usize, j: usize, l: usize| a[i * k + l].to_f32() * b[l * n + j].to_f32();
        let cells = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
        cells.map(|(i, j)| (0..k).map(|l| term(i, j, l)).sum()).collect()
    }

    fn transposed<T: Copy>(matrix: &[T], rows: usize, cols: usize) -> Vec<T> {
        let cells = (0..cols).flat_map(|j| (0..rows).map(move |i| (i, j)));
        cells.map(|(i, j)| matrix[i * cols + j]).collect()
    }

    fn every_packing_gives_the_same_product<F: Format>() {
        for [m, k, n] in [[3, 6, 5], [20, 7, 33], [29, 97, 70], [14, 32, 64]] {
            let (a, b) = (values::<F::Stored>(m * k, 1), values::<F::Stored>(k * n, 2));
            let want = slow(&a, &b, [m, k, n]);
            let device = Device::cpu(2);
            let block = 9;
            let packed = [
                PackedLhs::<F>::from_transposed(&device, &transposed(&a, m, k), m, block),
                PackedLhs::<F>::from_rows(&device, &a, k, block),
            ];
            let rhs = [
                PackedRhs::<F>::from_rows(&device, &b, k, n),
                PackedRhs::<F>::from_columns(&device, &transposed(&b, k, n), n, k),
            ];
            for rhs in rhs {
                for (cols, panel) in rhs.panels() {
                    let mut whole = vec![0.0; m * PANEL];
                    with_rows::<F, _>(&a, k, |lhs| {
                        F::panel_product(lhs, panel, &mut whole, false);
                    });
                    for packed in &packed {
                        let mut in_blocks = Vec::new();
                        for i in 0..m.div_ceil(block) {
                            let lhs = packed.block(i);
                            let mut part = vec![0.0; lhs.rows() * PANEL];
                            F::panel_product(lhs, panel, &mut part, false);
                            in_blocks.extend(part);
                        }
                        assert_eq!(whole, in_blocks);
                    }
                    for (row, got) in whole.chunks_exact(PANEL).enumerate() {
                        let want = &want[row * n + cols.start..row * n + cols.end];
                        close(&got[..cols.len()], want, 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn every_packing_gives_the_same_product_on_odd_sizes() {
        every_packing_gives_the_same_product::<F32>();
        every_packing_gives_the_same_product::<Bf16Pairs>();
        every_packing_gives_the_same_product::<Bf16Wide>();
    }
}
