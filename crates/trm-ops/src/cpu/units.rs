//! Sums along the units of a Sudoku.

use crate::cpu::element::Element;
use crate::cpu::math::vectorized;
use crate::cpu::memory::{dispatch, uninit, with_scratch};
use crate::cpu::panels::{self, dispatch_format};
use crate::cpu::tasks::Tasks;
use crate::ops::units::{KINDS, Units};
use crate::{Parameter, Tensor};
use rayon::prelude::*;

const LANES: usize = Units::LANES;

pub(super) fn forward(
    h: &Tensor,
    [own, of_units @ ..]: &[Parameter; 5],
    units: Units,
) -> (Tensor, [Tensor; KINDS]) {
    let means = sums(h, units, 1.0 / units.size() as f32);
    let mut out = times(h, own, false);
    let messages = means.iter().zip(of_units);
    let messages: Vec<Tensor> = messages.map(|(mean, weight)| times(mean, weight, false)).collect();
    spread(&mut out, &messages, units, 1.0);
    (out, means)
}

pub(super) fn backward(
    [own, of_units @ ..]: &[Parameter; 5],
    units: Units,
    d_out: &Tensor,
) -> (Tensor, [Tensor; KINDS]) {
    let mut d_h = times(d_out, own, true);
    let d_messages = sums(d_out, units, 1.0);
    // the n-th part of the gradient of a mean goes to each of n candidates
    let d_means = d_messages.iter().zip(of_units);
    let d_means: Vec<Tensor> = d_means.map(|(d, weight)| times(d, weight, true)).collect();
    spread(&mut d_h, &d_means, units, 1.0 / units.size() as f32);
    (d_h, d_messages)
}

/// `x · Wᵀ`, or `x · W`, in the dtype of x.
fn times(x: &Tensor, weight: &Parameter, back: bool) -> Tensor {
    let d = x.last_dim();
    dispatch_format!(x.dtype(), F => match back {
        false => panels::times::<F>(x, &weight.columns(1)[0], d),
        true => panels::times::<F>(x, weight.rows(), d),
    })
}

/// Sixteen features at a time: rows are too short for the compiler's longer steps.
#[inline(always)]
fn lanes<T>(row: &[T]) -> &[[T; LANES]] {
    row.as_chunks().0
}

#[inline(always)]
fn lanes_mut<T>(row: &mut [T]) -> &mut [[T; LANES]] {
    row.as_chunks_mut().0
}

/// Sums over the candidates of every unit, times `factor`: `[B, n², D]` for every kind.
fn sums(h: &Tensor, units: Units, factor: f32) -> [Tensor; KINDS] {
    fn run<T: Element>(h: &Tensor, units: Units, factor: f32, sums: &mut [Tensor; KINDS]) {
        let (puzzle, d) = (units.candidates() * h.last_dim(), h.last_dim());
        let per_kind = units.size().pow(2) * d;
        let [rows, columns, boxes, cells] = sums.each_mut().map(|sums| {
            let sums = sums.slice_mut::<T>();
            sums.par_chunks_exact_mut(per_kind)
        });
        let targets = rows.zip(columns).zip(boxes.zip(cells));
        targets.zip(h.slice::<T>().par_chunks_exact(puzzle)).tasks().for_each(
            |(((row, column), (in_box, cell)), h)| {
                with_scratch(KINDS * per_kind, |totals| {
                    vectorized!({
                        totals.fill(0.0);
                        units.each(
                            #[inline(always)]
                            |candidate, unit| {
                                let h = lanes(&h[candidate * d..][..d]);
                                for (kind, unit) in unit.into_iter().enumerate() {
                                    let total = &mut totals[kind * per_kind + unit * d..][..d];
                                    for (total, h) in lanes_mut(total).iter_mut().zip(h) {
                                        *total = std::array::from_fn(
                                            #[inline(always)]
                                            |i| total[i] + h[i].to_f32(),
                                        );
                                    }
                                }
                            },
                        );
                        let totals = totals.chunks_exact(per_kind);
                        for (target, totals) in [row, column, in_box, cell].into_iter().zip(totals)
                        {
                            for (target, total) in target.iter_mut().zip(totals) {
                                *target = T::from_f32(factor * total);
                            }
                        }
                    });
                });
            },
        );
    }
    let shape = [h.shape()[0], units.size().pow(2), h.last_dim()];
    let mut sums = std::array::from_fn(|_| uninit(h.device(), &shape, h.dtype()));
    dispatch!(h.dtype(), T => run::<T>(h, units, factor, &mut sums));
    sums
}

/// Adds to every candidate what its units have, `[B, n², D]` for every kind, times `factor`.
fn spread(out: &mut Tensor, parts: &[Tensor], units: Units, factor: f32) {
    fn run<T: Element>(out: &mut Tensor, parts: &[Tensor], units: Units, factor: f32) {
        let d = out.last_dim();
        let per_kind = units.size().pow(2) * d;
        let parts: [&[T]; KINDS] = std::array::from_fn(|kind| parts[kind].slice());
        let puzzles = out.slice_mut::<T>().par_chunks_exact_mut(units.candidates() * d);
        puzzles.enumerate().tasks().for_each(|(puzzle, out)| {
            let parts = parts.map(|part| &part[puzzle * per_kind..][..per_kind]);
            vectorized!({
                units.each(
                    #[inline(always)]
                    |candidate, unit| {
                        let [row, column, in_box, cell] = [0, 1, 2, 3].map(
                            #[inline(always)]
                            |kind| lanes(&parts[kind][unit[kind] * d..][..d]),
                        );
                        let out = lanes_mut(&mut out[candidate * d..][..d]);
                        for (i, out) in out.iter_mut().enumerate() {
                            let (row, column, in_box, cell) =
                                (&row[i], &column[i], &in_box[i], &cell[i]);
                            let mut sums = *out; // written as a whole, as in `map_array`
                            for (i, sum) in sums.iter_mut().enumerate() {
                                let lines = row[i].to_f32() + column[i].to_f32();
                                let heard = lines + in_box[i].to_f32() + cell[i].to_f32();
                                *sum = T::from_f32(sum.to_f32() + factor * heard);
                            }
                            *out = sums;
                        }
                    },
                );
            });
        });
    }
    dispatch!(out.dtype(), T => run::<T>(out, parts, units, factor));
}
