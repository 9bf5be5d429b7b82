//! What the lines of a grid say, and what cells hear of them.

use crate::Tensor;
use crate::cpu::element::Element;
use crate::cpu::math::vectorized;
use crate::cpu::memory::{uninit, with_scratch};
use crate::cpu::tasks::Tasks;
use crate::ops::lines::Lines;
use rayon::prelude::*;

/// `[B, lines, 2D]`: the mean and the largest of every line.
pub(super) fn forward<T: Element>(h: &Tensor, lines: Lines) -> Tensor {
    let [batch, cells, d] = dims(h);
    let count = lines.count(cells);
    let mut out = uninit(h.device(), &[batch, count, 2 * d], h.dtype());
    let puzzles = h.slice::<T>().par_chunks_exact(cells * d);
    out.slice_mut::<T>().par_chunks_exact_mut(count * 2 * d).zip(puzzles).tasks().for_each(
        |(out, h)| {
            with_scratch(2 * count * d, |scratch| {
                let (sums, largest) = scratch.split_at_mut(count * d);
                sums.fill(0.0);
                largest.fill(f32::NEG_INFINITY);
                let share = count as f32 / cells as f32;
                vectorized!({
                    for (cell, h) in h.chunks_exact(d).enumerate() {
                        let line = lines.of(cell) * d;
                        let (sum, max) = (&mut sums[line..][..d], &mut largest[line..][..d]);
                        for ((sum, max), h) in sum.iter_mut().zip(max).zip(h) {
                            let h = h.to_f32();
                            *sum += h;
                            *max = if h > *max { h } else { *max };
                        }
                    }
                    for (line, out) in out.chunks_exact_mut(2 * d).enumerate() {
                        let (mean, max) = out.split_at_mut(d);
                        let (sum, largest) = (&sums[line * d..][..d], &largest[line * d..][..d]);
                        mean.iter_mut().zip(sum).for_each(|(o, s)| *o = T::from_f32(s * share));
                        max.iter_mut().zip(largest).for_each(|(o, m)| *o = T::from_f32(*m));
                    }
                });
            });
        },
    );
    out
}

/// The gradient of h: every cell has its share of the mean, the first of the largest has all of the maximum.
pub(super) fn backward<T: Element>(h: &Tensor, d_out: &Tensor, lines: Lines) -> Tensor {
    let [batch, cells, d] = dims(h);
    let count = lines.count(cells);
    let mut d_h = uninit(h.device(), &[batch, cells, d], h.dtype());
    let puzzles = h.slice::<T>().par_chunks_exact(cells * d);
    let owed = d_out.slice::<T>().par_chunks_exact(count * 2 * d);
    d_h.slice_mut::<T>().par_chunks_exact_mut(cells * d).zip(puzzles.zip(owed)).tasks().for_each(
        |(d_h, (h, owed))| {
            with_scratch(2 * count * d, |scratch| {
                let (largest, holders) = scratch.split_at_mut(count * d);
                largest.fill(f32::NEG_INFINITY);
                holders.fill(0.0); // stays where all are no numbers
                let share = count as f32 / cells as f32;
                vectorized!({
                    for (cell, h) in h.chunks_exact(d).enumerate() {
                        let line = lines.of(cell) * d;
                        let (max, holder) = (&mut largest[line..][..d], &mut holders[line..][..d]);
                        for ((max, holder), h) in max.iter_mut().zip(holder).zip(h) {
                            let (h, larger) = (h.to_f32(), h.to_f32() > *max);
                            *max = if larger { h } else { *max };
                            *holder = if larger { cell as f32 } else { *holder };
                        }
                    }
                    for (cell, d_h) in d_h.chunks_exact_mut(d).enumerate() {
                        let line = lines.of(cell);
                        let (mean, max) = owed[line * 2 * d..][..2 * d].split_at(d);
                        let holder = &holders[line * d..][..d];
                        for (((d_h, mean), max), holder) in
                            d_h.iter_mut().zip(mean).zip(max).zip(holder)
                        {
                            let held = if *holder == cell as f32 { max.to_f32() } else { 0.0 };
                            *d_h = T::from_f32(mean.to_f32() * share + held);
                        }
                    }
                });
            });
        },
    );
    d_h
}

/// `x[r, c] + rows[r] + columns[c]`.
pub(super) fn add<T: Element>(x: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor {
    let ([_, cells, d], [_, r, _], [_, c, _]) = (dims(x), dims(rows), dims(columns));
    let mut out = uninit(x.device(), x.shape(), x.dtype());
    let puzzles = x.slice::<T>().par_chunks_exact(cells * d);
    let rows = rows.slice::<T>().par_chunks_exact(r * d);
    let columns = columns.slice::<T>().par_chunks_exact(c * d);
    let out_puzzles = out.slice_mut::<T>().par_chunks_exact_mut(cells * d);
    out_puzzles.zip(puzzles.zip(rows.zip(columns))).tasks().for_each(
        |(out, (x, (rows, columns)))| {
            vectorized!({
                for (cell, (out, x)) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)).enumerate() {
                    let (row, column) = (&rows[cell / c * d..][..d], &columns[cell % c * d..][..d]);
                    for (((out, x), row), column) in out.iter_mut().zip(x).zip(row).zip(column) {
                        *out = T::from_f32(x.to_f32() + row.to_f32() + column.to_f32());
                    }
                }
            });
        },
    );
    out
}

/// `[B, lines, D]`: the sum over the cells of every line.
pub(super) fn sums<T: Element>(x: &Tensor, lines: Lines) -> Tensor {
    let [batch, cells, d] = dims(x);
    let count = lines.count(cells);
    let mut out = uninit(x.device(), &[batch, count, d], x.dtype());
    let puzzles = x.slice::<T>().par_chunks_exact(cells * d);
    out.slice_mut::<T>().par_chunks_exact_mut(count * d).zip(puzzles).tasks().for_each(
        |(out, x)| {
            with_scratch(count * d, |sums| {
                sums.fill(0.0);
                vectorized!({
                    for (cell, x) in x.chunks_exact(d).enumerate() {
                        let sum = &mut sums[lines.of(cell) * d..][..d];
                        sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x.to_f32());
                    }
                    out.iter_mut().zip(&*sums).for_each(|(out, sum)| *out = T::from_f32(*sum));
                });
            });
        },
    );
    out
}

fn dims(x: &Tensor) -> [usize; 3] {
    x.shape().try_into().expect("[B, L, D]")
}
