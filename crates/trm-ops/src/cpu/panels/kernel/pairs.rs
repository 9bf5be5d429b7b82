//! Products of pairs of bf16, by AVX-512-BF16.

use super::{Lhs, Operand, PANEL, STRIP, tiles};
use half::bf16;
use std::arch::x86_64::{
    __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_set1_epi32, _mm512_setzero_ps, _mm512_storeu_ps,
};
use std::hint::black_box;
use std::mem::transmute;

const TILE_ROWS: usize = <bf16 as Operand>::TILE_ROWS;

/// # Safety
/// AVX-512F and AVX-512-BF16 must be available; `lhs` must reach all its elements, each half of `panel`
/// hold `pairs * 16 * 2` and `out` `rows * 32`.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn panel_product(
    lhs: Lhs<'_, bf16>,
    panel: &[bf16],
    out: &mut [f32],
    accumulate: bool,
) {
    let half = panel.len() / 2;
    for (tile, rows) in tiles(lhs.rows, TILE_ROWS).enumerate() {
        // SAFETY: the tile is inside the operands, by the caller's promise.
        unsafe {
            let a = lhs.data.as_ptr().add(lhs.offset(tile, rows.start));
            let out = out.as_mut_ptr().add(rows.start * PANEL);
            let panel = panel.as_ptr().add(lhs.skip * 2 * STRIP);
            macro_rules! rows {
                ($($n:literal)*) => { match rows.len() {
                    $($n => micro_tile::<$n>(&lhs, a, (panel, half), out, accumulate),)*
                    _ => unreachable!("a tile has at most {TILE_ROWS} rows"),
                } };
            }
            rows!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        }
    }
}

/// # Safety
/// As for [`panel_product`], for the `ROWS` rows that begin at `a` and `out`.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn micro_tile<const ROWS: usize>(
    lhs: &Lhs<'_, bf16>,
    a: *const bf16,
    (panel, half): (*const bf16, usize),
    out: *mut f32,
    accumulate: bool,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    // SAFETY: all addresses are inside the operands, by the caller's promise; none of the loads
    // and stores needs alignment. __m512i and __m512bh are both 64 plain bytes.
    unsafe {
        for pair in 0..lhs.groups {
            let b = panel.add(pair * 2 * STRIP);
            let left = transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b.cast()));
            let right = transmute::<__m512i, __m512bh>(_mm512_loadu_si512(b.add(half).cast()));
            let a = a.add(pair * lhs.group_stride);
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

/// Rounds of multiply-adds in registers; returns the multiplications.
///
/// # Safety
/// AVX-512F and AVX-512-BF16 must be available.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn peak(rounds: usize) -> usize {
    let mut sums = [[_mm512_setzero_ps(); 2]; TILE_ROWS];
    // SAFETY: __m512i and __m512bh are both 64 plain bytes.
    let (x, y) = unsafe {
        let ones = _mm512_set1_epi32(black_box(0x3f80_3f80)); // 1.0 twice
        (transmute::<__m512i, __m512bh>(ones), transmute::<__m512i, __m512bh>(ones))
    };
    for _ in 0..rounds {
        for sums in &mut sums {
            sums[0] = _mm512_dpbf16_ps(sums[0], x, y);
            sums[1] = _mm512_dpbf16_ps(sums[1], x, y);
        }
    }
    black_box(sums);
    rounds * 2 * TILE_ROWS * 32
}
