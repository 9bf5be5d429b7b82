//! What tokens on a grid hear.

use crate::Tensor;
use crate::cpu::element::Element;
use crate::cpu::memory::{uninit, with_scratch};
use crate::cpu::tasks::Tasks;
use crate::ops::neighbours::{CELLS, Grid};
use rayon::prelude::*;

pub(super) fn gather<T: Element>(h: &Tensor, grid: Grid) -> Tensor {
    let (len, d, all) = (grid.len(), h.last_dim(), grid.parts() * h.last_dim());
    let mut out = uninit(h.device(), &[h.shape()[0], len, all], h.dtype());
    let puzzles = h.slice::<T>().par_chunks_exact(len * d);
    out.slice_mut::<T>().par_chunks_exact_mut(len * all).zip(puzzles).tasks().for_each(
        |(out, h)| {
            with_scratch(grid.kinds() * d, |means| {
                means.fill(0.0);
                for (token, h) in h.chunks_exact(d).enumerate() {
                    let (kind, count) = grid.kind(token);
                    let mean = &mut means[kind * d..][..d];
                    mean.iter_mut().zip(h).for_each(|(sum, x)| *sum += x.to_f32() / count);
                }
                for (token, heard) in out.chunks_exact_mut(all).enumerate() {
                    let (beside_it, of_all) = heard.split_at_mut(CELLS.len() * d);
                    for (to, part) in CELLS.into_iter().zip(beside_it.chunks_exact_mut(d)) {
                        match grid.beside(token, to) {
                            Some(other) => part.copy_from_slice(&h[other * d..][..d]),
                            None => part.fill(T::from_f32(0.0)),
                        }
                    }
                    of_all
                        .iter_mut()
                        .zip(&*means)
                        .for_each(|(part, mean)| *part = T::from_f32(*mean));
                }
            });
        },
    );
    out
}

/// Every token gets what those that heard it owe it.
pub(super) fn scatter<T: Element>(d_out: &Tensor, grid: Grid) -> Tensor {
    let (len, all) = (grid.len(), d_out.last_dim());
    let d = all / grid.parts();
    let mut d_h = uninit(d_out.device(), &[d_out.shape()[0], len, d], d_out.dtype());
    let puzzles = d_out.slice::<T>().par_chunks_exact(len * all);
    d_h.slice_mut::<T>().par_chunks_exact_mut(len * d).zip(puzzles).tasks().for_each(
        |(d_h, d_out)| {
            with_scratch((1 + grid.kinds()) * d, |scratch| {
                let (sum, means) = scratch.split_at_mut(d);
                means.fill(0.0);
                for heard in d_out.chunks_exact(all) {
                    let of_all = &heard[CELLS.len() * d..];
                    means.iter_mut().zip(of_all).for_each(|(m, x)| *m += x.to_f32());
                }
                for (token, d_h) in d_h.chunks_exact_mut(d).enumerate() {
                    let (kind, count) = grid.kind(token);
                    sum.iter_mut().zip(&means[kind * d..]).for_each(|(s, m)| *s = m / count);
                    for (part, (row, column)) in CELLS.into_iter().enumerate() {
                        let Some(hearer) = grid.beside(token, (-row, -column)) else { continue };
                        let owed = &d_out[hearer * all + part * d..][..d];
                        sum.iter_mut().zip(owed).for_each(|(s, x)| *s += x.to_f32());
                    }
                    d_h.iter_mut().zip(&*sum).for_each(|(to, s)| *to = T::from_f32(*s));
                }
            });
        },
    );
    d_h
}
