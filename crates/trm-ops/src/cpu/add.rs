//! Sums of tensors, and what is done to a tensor element by element.

use crate::Tensor;
use crate::cpu::element::Element;
use crate::cpu::math::vectorized;
use crate::cpu::memory::uninit;
use crate::cpu::tasks::Tasks;
use rayon::prelude::*;

const BLOCK: usize = 1 << 14;

pub(super) fn add<T: Element>(a: &Tensor, b: &Tensor) -> Tensor {
    let mut out = uninit(a.device(), a.shape(), a.dtype());
    let terms = a.slice::<T>().par_chunks(BLOCK).zip(b.slice::<T>().par_chunks(BLOCK));
    out.slice_mut::<T>().par_chunks_mut(BLOCK).zip(terms).tasks().for_each(|(out, (a, b))| {
        vectorized!({
            for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                *out = T::from_f32(a.to_f32() + b.to_f32());
            }
        });
    });
    out
}

pub(super) fn accumulate<T: Element>(sum: &mut Tensor, term: &Tensor) {
    let blocks = sum.slice_mut::<T>().par_chunks_mut(BLOCK);
    blocks.zip(term.slice::<T>().par_chunks(BLOCK)).tasks().for_each(|(s, t)| {
        vectorized!({
            for (s, t) in s.iter_mut().zip(t) {
                *s = T::from_f32(s.to_f32() + t.to_f32());
            }
        });
    });
}

pub(super) fn convert<S: Element, T: Element>(x: &Tensor) -> Tensor {
    let mut out = uninit(x.device(), x.shape(), T::DTYPE);
    let (source, target) = (x.slice::<S>(), out.slice_mut::<T>());
    vectorized!({
        for (t, s) in target.iter_mut().zip(source) {
            *t = T::from_f32(s.to_f32());
        }
    });
    out
}

pub(super) fn square_sum(x: &Tensor) -> f64 {
    let (blocks, rest) = x.slice::<f32>().as_chunks::<8>();
    let mut sums = [0.0f64; 8]; // independent sums, so that they run side by side
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, x)| *sum += f64::from(*x).powi(2));
    }
    sums.into_iter().chain(rest.iter().map(|x| f64::from(*x).powi(2))).sum()
}

pub(super) fn argmax<T: Element>(x: &Tensor) -> Vec<u8> {
    x.slice::<T>().chunks_exact(x.last_dim()).map(largest).collect()
}

/// Place of the largest value, the first of equal ones.
pub(super) fn largest<T: Element>(row: &[T]) -> u8 {
    let places = (0..row.len()).rev();
    let best = places.max_by(|a, b| row[*a].to_f32().total_cmp(&row[*b].to_f32()));
    best.unwrap_or(0) as u8
}
