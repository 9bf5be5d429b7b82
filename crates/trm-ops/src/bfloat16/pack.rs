use super::kernel::Lhs;
use super::{PANEL, TILE_ROWS};
use crate::dtype::Element;
use crate::math::vectorized;
use crate::{DType, Device, Tensor};
use half::bf16;
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// A right operand `[K, N]` as panels of 32 columns, `[panels, pairs, 32, 2]`, padded with zeros.
#[derive(Debug)]
pub(crate) struct PackedRhs {
    data: Tensor,
    pairs: usize,
    cols: usize,
}

impl PackedRhs {
    fn uninit(device: &Device, k: usize, cols: usize) -> PackedRhs {
        let pairs = k.div_ceil(2);
        let shape = [cols.div_ceil(PANEL), pairs * PANEL * 2];
        PackedRhs { data: Tensor::uninit(device, &shape, DType::Bf16), pairs, cols }
    }

    /// From a row-major `[K, N]`.
    pub(crate) fn from_rows(device: &Device, matrix: &[bf16], k: usize, n: usize) -> PackedRhs {
        let mut packed = PackedRhs::uninit(device, k, n);
        let size = packed.pairs * PANEL * 2;
        let panels = packed.data.slice_mut::<bf16>().par_chunks_exact_mut(size);
        panels.enumerate().for_each(|(i, panel)| {
            pack_rows::<PANEL>(matrix, n, i * PANEL..((i + 1) * PANEL).min(n), panel);
        });
        packed
    }

    /// From the transpose of a row-major `[N, K]`.
    pub(crate) fn from_columns(device: &Device, matrix: &[bf16], n: usize, k: usize) -> PackedRhs {
        let mut packed = PackedRhs::uninit(device, k, n);
        let size = packed.pairs * PANEL * 2;
        let panels = packed.data.slice_mut::<bf16>().par_chunks_exact_mut(size);
        panels.zip(matrix.par_chunks(PANEL * k)).for_each(|(panel, rows)| {
            pack_columns(rows, k, panel);
        });
        packed
    }

    /// Panels with the columns they cover.
    pub(crate) fn panels(&self) -> impl Iterator<Item = (Range<usize>, &[bf16])> {
        let cols = self.cols;
        let panels = self.data.slice::<bf16>().chunks_exact(self.pairs * PANEL * 2).enumerate();
        panels.map(move |(i, panel)| (i * PANEL..((i + 1) * PANEL).min(cols), panel))
    }
}

/// Packs the transpose of at most 32 rows of length k into one panel `[pairs, 32, 2]`.
pub(crate) fn pack_columns(rows: &[bf16], k: usize, panel: &mut [bf16]) {
    if rows.len() < PANEL * k || !k.is_multiple_of(2) {
        panel.fill(bf16::ZERO);
    }
    for (col, row) in rows.chunks_exact(k).enumerate() {
        let (pairs, odd) = row.as_chunks::<2>();
        for (i, pair) in pairs.iter().enumerate() {
            panel.as_chunks_mut::<2>().0[i * PANEL + col] = *pair;
        }
        if let [last] = odd {
            panel[(pairs.len() * PANEL + col) * 2] = *last;
        }
    }
}

/// Packs some columns, at most W, of a row-major matrix `[.., stride]` into one panel `[pairs, W, 2]`;
/// what the matrix does not cover becomes zero.
pub(crate) fn pack_rows<const W: usize>(
    matrix: &[bf16],
    stride: usize,
    cols: Range<usize>,
    panel: &mut [bf16],
) {
    const WIDE: usize = TILE_ROWS + 2; // a power of two: packed fast, two columns too many
    let row = |k: usize| matrix.get(k * stride + cols.start..k * stride + cols.end);
    let wide = |k: usize| {
        let columns = matrix.get(k * stride + cols.start..k * stride + cols.start + WIDE)?;
        <&[bf16; WIDE]>::try_from(columns).ok()
    };
    vectorized!({
        for (pair, panel) in panel.as_chunks_mut::<2>().0.chunks_exact_mut(W).enumerate() {
            if W == TILE_ROWS
                && cols.len() == W
                && let (Some(even), Some(odd)) = (wide(2 * pair), wide(2 * pair + 1))
            {
                let mut both = [[bf16::ZERO; 2]; WIDE];
                interleave_rows(even, odd, &mut both);
                panel.copy_from_slice(&both[..W]);
                continue;
            }
            let (even, odd) = (row(2 * pair), row(2 * pair + 1));
            match (even.map(<&[bf16; W]>::try_from), odd.map(<&[bf16; W]>::try_from)) {
                (Some(Ok(even)), Some(Ok(odd))) => interleave_rows(even, odd, panel),
                _ => {
                    let value = |row: Option<&[bf16]>, i: usize| {
                        row.and_then(|row| row.get(i)).copied().unwrap_or(bf16::ZERO)
                    };
                    for (i, pair) in panel.iter_mut().enumerate() {
                        *pair = [value(even, i), value(odd, i)];
                    }
                }
            }
        }
    });
}

#[inline(always)]
fn interleave_rows<const W: usize>(even: &[bf16; W], odd: &[bf16; W], panel: &mut [[bf16; 2]]) {
    for i in 0..W {
        panel[i] = [even[i], odd[i]];
    }
}

/// Rounds a tile `[K, 32]` into a panel `[pairs, 32, 2]`.
pub(crate) fn interleave(tile: &[f32], panel: &mut [bf16]) {
    vectorized!({
        for (rows, panel) in tile.chunks(2 * PANEL).zip(panel.chunks_exact_mut(2 * PANEL)) {
            let (even, odd) = rows.split_at(PANEL);
            for (i, pair) in panel.chunks_exact_mut(2).enumerate() {
                pair[0] = Element::from_f32(even[i]);
                pair[1] = Element::from_f32(odd.get(i).copied().unwrap_or(0.0));
            }
        }
    });
}

/// A left operand that is the transpose of a row-major `[K, N]`: N rows as tiles
/// `[tiles, pairs, TILE_ROWS, 2]`, padded with zeros.
pub(crate) struct PackedLhs {
    data: Tensor,
    pairs: usize,
    rows: usize,
}

impl PackedLhs {
    /// From a row-major `[K, N]`, of which the left operand is the transpose.
    pub(crate) fn from_transposed(device: &Device, matrix: &[bf16], k: usize, n: usize) -> Self {
        let (pairs, tiles) = (k.div_ceil(2), n.div_ceil(TILE_ROWS));
        let size = pairs * TILE_ROWS * 2;
        let mut data = Tensor::uninit(device, &[tiles, size], DType::Bf16);
        let targets = data.slice_mut::<bf16>().par_chunks_exact_mut(size).enumerate();
        targets.for_each(|(tile, target)| {
            let cols = tile * TILE_ROWS..((tile + 1) * TILE_ROWS).min(n);
            pack_rows::<TILE_ROWS>(matrix, n, cols, target);
        });
        PackedLhs { data, pairs, rows: n }
    }

    /// Number of tiles.
    #[cfg(test)]
    pub(crate) fn tiles(&self) -> usize {
        self.rows.div_ceil(TILE_ROWS)
    }

    /// One tile as a left operand.
    pub(crate) fn tile(&self, i: usize) -> Lhs<'_> {
        let size = self.pairs * TILE_ROWS * 2;
        let rows = TILE_ROWS.min(self.rows - i * TILE_ROWS);
        Lhs::tile(&self.data.slice::<bf16>()[i * size..][..size], rows, self.pairs)
    }
}

/// A row-major matrix `[rows, k]` with every row padded by a zero to an even length, copied only if
/// k is odd.
pub(crate) fn even_rows(matrix: &[bf16], k: usize) -> Cow<'_, [bf16]> {
    let even = k.next_multiple_of(2);
    if even == k {
        return Cow::Borrowed(matrix);
    }
    let mut padded = vec![bf16::ZERO; matrix.len() / k * even];
    for (target, row) in padded.chunks_exact_mut(even).zip(matrix.chunks_exact(k)) {
        target[..k].copy_from_slice(row);
    }
    Cow::Owned(padded)
}

#[cfg(test)]
mod tests {
    use super::super::panel_product;
    use super::*;
    use crate::testing::{close, random_vec};

    fn values(len: usize, seed: u64) -> Vec<bf16> {
        random_vec(len, seed).into_iter().map(bf16::from_f32).collect()
    }

    /// `a · b` for row-major `[m, k]` and `[k, n]`.
    fn slow(a: &[bf16], b: &[bf16], [m, k, n]: [usize; 3]) -> Vec<f32> {
        let term = |i: usize, j: usize, l: usize| a[i * k + l].to_f32() * b[l * n + j].to_f32();
        let cells = (0..m).flat_map(|i| (0..n).map(move |j| (i, j)));
        cells.map(|(i, j)| (0..k).map(|l| term(i, j, l)).sum()).collect()
    }

    fn transposed(matrix: &[bf16], rows: usize, cols: usize) -> Vec<bf16> {
        let cells = (0..cols).flat_map(|j| (0..rows).map(move |i| (i, j)));
        cells.map(|(i, j)| matrix[i * cols + j]).collect()
    }

    #[test]
    fn every_packing_gives_the_same_product_on_odd_sizes() {
        for [m, k, n] in [[3, 6, 5], [20, 7, 33], [29, 97, 70], [14, 32, 64]] {
            let (a, b) = (values(m * k, 1), values(k * n, 2));
            let want = slow(&a, &b, [m, k, n]);
            let even = even_rows(&a, k);
            let device = Device::cpu(2);
            let packed_a = PackedLhs::from_transposed(&device, &transposed(&a, m, k), k, m);
            let rhs = [
                PackedRhs::from_rows(&device, &b, k, n),
                PackedRhs::from_columns(&device, &transposed(&b, k, n), n, k),
            ];
            for rhs in rhs {
                for (cols, panel) in rhs.panels() {
                    let mut whole = vec![0.0; m * PANEL];
                    let lhs = Lhs::row_major(&even, m, k.next_multiple_of(2));
                    panel_product(lhs, panel, &mut whole, false);
                    let mut tiled = Vec::new();
                    for i in 0..packed_a.tiles() {
                        let lhs = packed_a.tile(i);
                        let mut tile = vec![0.0; lhs.rows() * PANEL];
                        panel_product(lhs, panel, &mut tile, false);
                        tiled.extend(tile);
                    }
                    assert_eq!(whole, tiled);
                    for (row, got) in whole.chunks_exact(PANEL).enumerate() {
                        let want = &want[row * n + cols.start..row * n + cols.end];
                        close(&got[..cols.len()], want, 1e-5);
                    }
                }
            }
        }
    }
}
