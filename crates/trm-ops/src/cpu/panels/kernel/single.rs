//! Products of single precision, one kernel for two widths of vectors.
//!
//! A micro-tile holds the sums of some rows and two vectors of columns in registers, and takes one element of each
//! row and two vectors of the panel at a time. The summed axis is cut into runs whose part of the panel stays in
//! the first cache while all rows pass by; meanwhile the next part is fetched into the second one.

use super::{Lhs, Operand, PANEL, RUN, STRIP, tiles};

/// Elements of single precision in a line of a cache.
const LINE: usize = 16;

const TILE_ROWS: usize = <f32 as Operand>::TILE_ROWS;

/// The kernel for vectors of `$lanes` elements and micro-tiles of at most `$rows` rows.
macro_rules! kernel {
    (
        $name:ident, $features:literal, $lanes:literal, $rows:literal: $($n:literal)*,
        $zero:ident, $load:ident, $spread:ident, $multiply_add:ident, $add:ident, $store:ident
    ) => {
        pub(super) mod $name {
            use super::{LINE, Lhs, PANEL, RUN, STRIP, TILE_ROWS, tiles};
            use std::arch::x86_64::{
                $add, $load, $multiply_add, $spread, $store, $zero, _MM_HINT_T1, _mm_prefetch,
            };
            use std::hint::black_box;

            /// # Safety
            /// The instructions must be available; `lhs` must reach all its elements, each half of `panel` hold
            /// `groups * 16` and `out` `rows * 32`.
            #[target_feature(enable = $features)]
            pub(in super::super) unsafe fn panel_product(
                lhs: Lhs<'_, f32>,
                panel: &[f32],
                out: &mut [f32],
                accumulate: bool,
            ) {
                let half = panel.len() / 2;
                // two vectors are half a strip each, or a strip each
                let second = if 2 * $lanes == STRIP { $lanes } else { half };
                for column in (0..PANEL).step_by(2 * $lanes) {
                    for first in (0..lhs.groups).step_by(RUN) {
                        let run = RUN.min(lhs.groups - first);
                        // SAFETY: inside of the panel, by the caller's promise.
                        let b = unsafe {
                            panel.as_ptr().add(column / STRIP * half + (lhs.skip + first) * STRIP)
                        };
                        let fetched = run.div_ceil(lhs.rows.div_ceil($rows));
                        for (tile, rows) in tiles(lhs.rows, $rows).enumerate() {
                            for line in tile * fetched..((tile + 1) * fetched).min(run) {
                                let next = b.wrapping_add((run + line) * LINE);
                                _mm_prefetch::<_MM_HINT_T1>(next.cast()); // only a hint, for whatever address
                            }
                            // SAFETY: the tile is inside the operands, by the caller's promise.
                            unsafe {
                                let at = lhs.offset(tile, rows.start) + first * lhs.group_stride;
                                let a = lhs.data.as_ptr().add(at);
                                let out = out.as_mut_ptr().add(rows.start * PANEL + column);
                                let adds = accumulate || first > 0;
                                match rows.len() {
                                    $($n if lhs.tile_stride > 0 => {
                                        let strides = (1, TILE_ROWS); // known to the compiler
                                        micro_tile::<$n>((a, strides), (b, second, run), out, adds);
                                    }
                                    $n => {
                                        let strides = (lhs.row_stride, lhs.group_stride);
                                        micro_tile::<$n>((a, strides), (b, second, run), out, adds);
                                    })*
                                    _ => unreachable!("a tile has at most {} rows", $rows),
                                }
                            }
                        }
                    }
                }
            }

            /// # Safety
            /// As for [`panel_product`], for `ROWS` rows and two vectors of columns that begin at `a`, `b` and
            /// `second` after it, and `out`.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn micro_tile<const ROWS: usize>(
                (a, (row_stride, group_stride)): (*const f32, (usize, usize)),
                (b, second, run): (*const f32, usize, usize),
                out: *mut f32,
                accumulate: bool,
            ) {
                let mut sums = [[$zero(); 2]; ROWS];
                // SAFETY: all addresses are inside the operands, by the caller's promise; none of the loads and
                // stores needs alignment.
                unsafe {
                    for k in 0..run {
                        let b = b.add(k * STRIP);
                        let (left, right) = ($load(b), $load(b.add(second)));
                        let a = a.add(k * group_stride);
                        for (row, sums) in sums.iter_mut().enumerate() {
                            let x = $spread(*a.add(row * row_stride));
                            sums[0] = $multiply_add(x, left, sums[0]);
                            sums[1] = $multiply_add(x, right, sums[1]);
                        }
                    }
                    for (row, sums) in sums.iter().enumerate() {
                        for (vector, sum) in sums.iter().enumerate() {
                            let out = out.add(row * PANEL + vector * $lanes);
                            let sum = match accumulate {
                                true => $add($load(out), *sum),
                                false => *sum,
                            };
                            $store(out, sum);
                        }
                    }
                }
            }

            /// Rounds of multiply-adds in registers; returns the multiplications.
            ///
            /// # Safety
            /// The instructions must be available.
            #[target_feature(enable = $features)]
            pub(in super::super) unsafe fn peak(rounds: usize) -> usize {
                let mut sums = [[$zero(); 2]; $rows];
                let (x, y) = ($spread(black_box(0.5)), $spread(black_box(0.5)));
                for _ in 0..rounds {
                    for sums in &mut sums {
                        sums[0] = $multiply_add(x, y, sums[0]);
                        sums[1] = $multiply_add(x, y, sums[1]);
                    }
                }
                black_box(sums);
                rounds * 2 * $rows * $lanes
            }
        }
    };
}

kernel!(
    avx2, "avx2,fma", 8, 6: 1 2 3 4 5 6,
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_storeu_ps
);
kernel!(
    avx512, "avx512f", 16, 6: 1 2 3 4 5 6,
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_storeu_ps
);
