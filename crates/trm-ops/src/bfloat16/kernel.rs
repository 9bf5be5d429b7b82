#![allow(unsafe_code)]

use super::{PANEL, TILE_ROWS};
use half::bf16;

/// A left operand: element (row, k) is `data[row * row_stride + k / 2 * pair_stride + k % 2]`.
#[derive(Clone, Copy)]
pub(crate) struct Lhs<'a> {
    data: &'a [bf16],
    rows: usize,
    pairs: usize,
    row_stride: usize,
    pair_stride: usize,
}

impl<'a> Lhs<'a> {
    /// A row-major matrix `[rows, k]` with an even k.
    pub(crate) fn row_major(data: &'a [bf16], rows: usize, k: usize) -> Lhs<'a> {
        Lhs::strided(data, rows, k, k)
    }

    /// The first k columns, an even number, of a row-major matrix `[rows, stride]`.
    pub(crate) fn strided(data: &'a [bf16], rows: usize, k: usize, stride: usize) -> Lhs<'a> {
        assert!(k.is_multiple_of(2) && k <= stride, "{k} of {stride} columns");
        assert!(data.len() >= rows * stride, "{rows} x {stride}: {}", data.len());
        Lhs { data, rows, pairs: k / 2, row_stride: stride, pair_stride: 2 }
    }

    /// A tile of `rows` rows packed pair by pair: `[pairs, TILE_ROWS, 2]`.
    pub(crate) fn tile(data: &'a [bf16], rows: usize, pairs: usize) -> Lhs<'a> {
        assert!(rows <= TILE_ROWS && data.len() == pairs * TILE_ROWS * 2, "a packed tile");
        Lhs { data, rows, pairs, row_stride: 2, pair_stride: 2 * TILE_ROWS }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Offset of the last element, plus one.
    fn extent(&self) -> usize {
        (self.rows - 1) * self.row_stride + (self.pairs - 1) * self.pair_stride + 2
    }

    fn get(&self, row: usize, pair: usize) -> [f32; 2] {
        let at = row * self.row_stride + pair * self.pair_stride;
        [self.data[at].to_f32(), self.data[at + 1].to_f32()]
    }
}

/// `out = lhs · panel`, or `out += …` when `accumulate`; panel `[pairs, 32, 2]`, out `[rows, 32]`.
/// Sums run over the pairs in order, in f32.
pub(crate) fn panel_product(lhs: Lhs<'_>, panel: &[bf16], out: &mut [f32], accumulate: bool) {
    assert_eq!(out.len(), lhs.rows * PANEL, "a tile of {} rows", lhs.rows);
    assert_eq!(panel.len(), lhs.pairs * PANEL * 2, "a panel of {} pairs", lhs.pairs);
    if lhs.rows == 0 || lhs.pairs == 0 {
        if !accumulate {
            out.fill(0.0);
        }
        return;
    }
    assert!(lhs.extent() <= lhs.data.len(), "a left operand too short");
    #[cfg(target_arch = "x86_64")]
    if multiplies_bf16() {
        // SAFETY: the instructions are there, and the operands hold all elements (checked above).
        return unsafe { avx512::panel_product(lhs, panel, out, accumulate) };
    }
    portable(lhs, panel, out, accumulate);
}

/// Whether this processor multiplies bf16; elsewhere the slow twin does.
pub(crate) fn multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The slow twin: the same sums, in plain Rust.
fn portable(lhs: Lhs<'_>, panel: &[bf16], out: &mut [f32], accumulate: bool) {
    for (row, out) in out.chunks_exact_mut(PANEL).enumerate() {
        let mut sums = [0.0f32; PANEL];
        for (pair, b) in panel.chunks_exact(PANEL * 2).enumerate() {
            let [a0, a1] = lhs.get(row, pair);
            for (sum, b) in sums.iter_mut().zip(b.chunks_exact(2)) {
                *sum += a0 * b[0].to_f32() + a1 * b[1].to_f32();
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = if accumulate { *out + sum } else { sum };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{Lhs, PANEL, TILE_ROWS};
    use half::bf16;
    use std::arch::x86_64::{
        __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512,
        _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps,
    };
    use std::mem::transmute;

    /// # Safety
    /// AVX-512F and AVX-512-BF16 must be available; `lhs` must reach all its elements, `panel` hold
    /// `pairs * 32 * 2` and `out` `rows * 32`.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn panel_product(
        lhs: Lhs<'_>,
        panel: &[bf16],
        out: &mut [f32],
        accumulate: bool,
    ) {
        let mut row = 0;
        while row < lhs.rows {
            let rows = TILE_ROWS.min(lhs.rows - row);
            // SAFETY: the tile is inside the operands, by the caller's promise.
            unsafe {
                let a = lhs.data.as_ptr().add(row * lhs.row_stride);
                let out = out.as_mut_ptr().add(row * PANEL);
                macro_rules! rows {
                    ($($n:literal)*) => { match rows {
                        $($n => tile::<$n>(&lhs, a, panel.as_ptr(), out, accumulate),)*
                        _ => unreachable!("a tile has at most {TILE_ROWS} rows"),
                    } };
                }
                rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
            }
            row += rows;
        }
    }

    /// # Safety
    /// As for [`panel_product`], for the `ROWS` rows that begin at `a` and `out`.
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn tile<const ROWS: usize>(
        lhs: &Lhs<'_>,
        a: *const bf16,
        panel: *const bf16,
        out: *mut f32,
        accumulate: bool,
    ) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        // SAFETY: all addresses are inside the operands, by the caller's promise; none of the loads
        // and stores needs alignment. __m512i and __m512bh are both 64 plain bytes.
        unsafe {
            for pair in 0..lhs.pairs {
                let b = panel.add(pair * 2 * PANEL).cast::<__m512i>();
                let left = transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b));
                let right = transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b.add(1)));
                let a = a.add(pair * lhs.pair_stride);
                for (row, sums) in sums.iter_mut().enumerate() {
                    let word = a.add(row * lhs.row_stride).cast::<i32>().read_unaligned();
                    let word = transmute::<__m512i, __m512bh>(_mm512_set1_epi32(word));
                    sums[0] = _mm512_dpbf16_ps(sums[0], word, left);
                    sums[1] = _mm512_dpbf16_ps(sums[1], word, right);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                for (half, sum) in sums.iter().enumerate() {
                    let out = out.add(row * PANEL + 16 * half);
                    let sum = match accumulate {
                        true => _mm512_add_ps(_mm512_loadu_ps(out), *sum),
                        false => *sum,
                    };
                    _mm512_storeu_ps(out, sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, random_vec};

    fn values(len: usize, seed: u64) -> Vec<bf16> {
        random_vec(len, seed).into_iter().map(bf16::from_f32).collect()
    }

    #[test]
    fn the_fast_kernel_equals_its_slow_twin_on_all_row_counts() {
        for rows in 1..=31 {
            for pairs in [1, 7, 48] {
                let (a, panel) = (values(rows * pairs * 2, 1), values(pairs * PANEL * 2, 2));
                let lhs = Lhs::row_major(&a, rows, 2 * pairs);
                let (mut fast, mut slow) = (vec![0.5; rows * PANEL], vec![0.5; rows * PANEL]);
                for accumulate in [true, false] {
                    panel_product(lhs, &panel, &mut fast, accumulate);
                    portable(lhs, &panel, &mut slow, accumulate);
                    close(&fast, &slow, 1e-5);
                }
            }
        }
    }

    #[test]
    fn packed_tiles_are_read_pair_by_pair() {
        let (pairs, rows) = (5, 9);
        let (packed, panel) = (values(pairs * TILE_ROWS * 2, 3), values(pairs * PANEL * 2, 4));
        let plain: Vec<bf16> = (0..rows)
            .flat_map(|row| (0..2 * pairs).map(move |k| (row, k)))
            .map(|(row, k)| packed[k / 2 * 2 * TILE_ROWS + row * 2 + k % 2])
            .collect();
        let (mut got, mut want) = (vec![0.0; rows * PANEL], vec![0.0; rows * PANEL]);
        panel_product(Lhs::tile(&packed, rows, pairs), &panel, &mut got, false);
        panel_product(Lhs::row_major(&plain, rows, 2 * pairs), &panel, &mut want, false);
        assert_eq!(got, want);
    }
}
