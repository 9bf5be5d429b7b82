//! Rows of single precision beside each other: what packing spends its time on.

use crate::cpu::level::{CpuLevel, level};

/// Rows that are taken at once.
pub(crate) const ROWS: usize = 8;

/// `out[k * stride + row] = rows[row][k]`, for the first `count` of 8 rows of one length. Room between the columns
/// may be overwritten.
pub(crate) fn transpose(rows: [&[f32]; ROWS], count: usize, out: &mut [f32], stride: usize) {
    let len = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == len) && count <= ROWS.min(stride), "{count} rows");
    assert!(len == 0 || out.len() >= (len - 1) * stride + count, "{len} columns of {count}");
    let done = by_vectors(rows, out, stride);
    for (k, out) in out.chunks_mut(stride).enumerate().take(len).skip(done) {
        (0..count).for_each(|row| out[row] = rows[row][k]);
    }
}

/// As many columns as whole vectors hold that fit into `out`; how many these are.
fn by_vectors(rows: [&[f32]; ROWS], out: &mut [f32], stride: usize) -> usize {
    // the last vector of eight columns is eight elements long, whatever the stride
    let fits = out.len().saturating_sub(ROWS) / stride + 1;
    let columns = rows[0].len().min(if out.len() < ROWS { 0 } else { fits }) / ROWS * ROWS;
    #[cfg(target_arch = "x86_64")]
    if level() >= CpuLevel::Avx2 {
        // SAFETY: the instructions are there; rows have these columns, and `out` has room for them (above).
        unsafe { avx2(rows.map(<[f32]>::as_ptr), columns, out.as_mut_ptr(), stride) };
        return columns;
    }
    let _ = columns;
    0
}

/// # Safety
/// AVX2 must be available; rows must have `columns` elements, a multiple of 8, and `out` room for
/// `(columns - 1) * stride + 8`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(rows: [*const f32; ROWS], columns: usize, out: *mut f32, stride: usize) {
    use std::arch::x86_64::{
        __m256, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };
    /// Columns 0 to 3 of four rows in the lower half, 4 to 7 in the upper one.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn quarter([a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
        let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
        [
            _mm256_shuffle_ps::<0x44>(ab, cd),
            _mm256_shuffle_ps::<0xee>(ab, cd),
            _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
        ]
    }
    for k in (0..columns).step_by(ROWS) {
        // SAFETY: inside of the rows and of `out`, by the caller's promise.
        unsafe {
            let load = |row: usize| _mm256_loadu_ps(rows[row].add(k));
            let upper = quarter([load(0), load(1), load(2), load(3)]);
            let lower = quarter([load(4), load(5), load(6), load(7)]);
            for i in 0..4 {
                let column = out.add((k + i) * stride);
                _mm256_storeu_ps(column, _mm256_permute2f128_ps::<0x20>(upper[i], lower[i]));
            }
            for i in 0..4 {
                let column = out.add((k + i + 4) * stride);
                _mm256_storeu_ps(column, _mm256_permute2f128_ps::<0x31>(upper[i], lower[i]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random_vec;

    #[test]
    fn columns_become_rows_on_odd_sizes() {
        for len in [0, 1, 7, 8, 9, 31, 64] {
            for (count, stride) in [(8, 8), (8, 16), (6, 6), (5, 6), (1, 6), (3, 9)] {
                let values: Vec<Vec<f32>> = (0..8).map(|row| random_vec(len, row)).collect();
                let rows = std::array::from_fn(|row| &values[row][..]);
                let mut out = vec![9.0; (len * stride).saturating_sub(stride - count)];
                transpose(rows, count, &mut out, stride);
                for k in 0..len {
                    let column: Vec<f32> = (0..count).map(|row| values[row][k]).collect();
                    assert_eq!(out[k * stride..][..count], column);
                }
            }
        }
    }
}
