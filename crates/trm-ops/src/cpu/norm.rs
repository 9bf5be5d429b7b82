//! Norms of residual sums.

use crate::cpu::element::Element;
use crate::cpu::math::vectorized;
use crate::cpu::memory::{uninit, with_scratch};
use crate::cpu::tasks::Tasks;
use crate::ops::residual_norm::NORM_EPS;
use crate::{Axis, DType, Tensor};
use rayon::prelude::*;

const LANES: usize = 16;
const ROWS: usize = 32;

pub(super) fn forward<T: Element>(h: &Tensor, r: &Tensor, axis: Axis) -> (Tensor, Tensor) {
    let [batch, l, d] = *h.shape() else { panic!("checked") };
    let mut out = uninit(h.device(), h.shape(), h.dtype());
    let norms = match axis {
        Axis::Features => [batch, l],
        Axis::Tokens => [batch, d],
    };
    let mut inverse = uninit(h.device(), &norms, DType::F32);
    match axis {
        Axis::Features => over_features::<T>(h, r, &mut out, &mut inverse),
        Axis::Tokens => over_tokens::<T>(h, r, &mut out, &mut inverse),
    }
    (out, inverse)
}

/// With y = s · i: `ds = i · (dy − y · mean(y · dy))`.
pub(super) fn backward<T: Element>(forward: [&Tensor; 2], d_out: &Tensor, axis: Axis) -> Tensor {
    let mut d_sum = uninit(d_out.device(), d_out.shape(), d_out.dtype());
    match axis {
        Axis::Features => features_backward::<T>(forward, d_out, &mut d_sum),
        Axis::Tokens => tokens_backward::<T>(forward, d_out, &mut d_sum),
    }
    d_sum
}

/// Sum of `f(a, b)` over two rows, in a fixed order over sixteen lanes.
#[inline(always)]
fn sum_lanes<T: Element>(a: &[T], b: &[T], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for (i, sum) in lanes.iter_mut().enumerate() {
            *sum += f(a[i].to_f32(), b[i].to_f32());
        }
    }
    let tail: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| f(a.to_f32(), b.to_f32())).sum();
    lanes.iter().sum::<f32>() + tail
}

/// `out = f(a, b)`, sixteen at a time: rows are too short for the compiler's longer steps.
#[inline(always)]
fn map_lanes<T: Element>(out: &mut [T], a: &[T], b: &[T], f: impl Fn(f32, f32) -> f32) {
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let (out, out_tail) = out.as_chunks_mut::<LANES>();
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        let mut values = *a; // written as a whole: all that is read may overlap with it, for all the compiler knows
        for (i, value) in values.iter_mut().enumerate() {
            *value = T::from_f32(f(value.to_f32(), b[i].to_f32()));
        }
        *out = values;
    }
    for ((out, a), b) in out_tail.iter_mut().zip(a_tail).zip(b_tail) {
        *out = T::from_f32(f(a.to_f32(), b.to_f32()));
    }
}

fn over_features<T: Element>(h: &Tensor, r: &Tensor, out: &mut Tensor, inverse: &mut Tensor) {
    let d = h.last_dim();
    let hs = h.slice::<T>().par_chunks(ROWS * d);
    let rs = r.slice::<T>().par_chunks(ROWS * d);
    let outs = out.slice_mut::<T>().par_chunks_mut(ROWS * d);
    let inverses = inverse.slice_mut::<f32>().par_chunks_mut(ROWS);
    outs.zip(inverses).zip(hs.zip(rs)).tasks().for_each(|((out, inverse), (h, r))| {
        vectorized!({
            let rows = out.chunks_exact_mut(d).zip(h.chunks_exact(d)).zip(r.chunks_exact(d));
            for (((out, h), r), inverse) in rows.zip(inverse) {
                *inverse = norm_row(h, r, out);
            }
        });
    });
}

/// `out = rms_norm(h + r)` for one row of features; returns what the sum was multiplied by.
#[inline(always)]
fn norm_row<T: Element>(h: &[T], r: &[T], out: &mut [T]) -> f32 {
    let squares = sum_lanes(
        h,
        r,
        #[inline(always)]
        |h, r| (h + r).powi(2),
    );
    let inverse = 1.0 / (squares / h.len() as f32 + NORM_EPS).sqrt();
    map_lanes(
        out,
        h,
        r,
        #[inline(always)]
        |h, r| (h + r) * inverse,
    );
    inverse
}

/// `out = rms_norm(h + r)` for rows of d features.
pub(super) fn norm_rows<T: Element>(h: &[T], r: &[T], out: &mut [T], d: usize) {
    vectorized!({
        for ((out, h), r) in out.chunks_exact_mut(d).zip(h.chunks_exact(d)).zip(r.chunks_exact(d)) {
            norm_row(h, r, out);
        }
    });
}

fn over_tokens<T: Element>(h: &Tensor, r: &Tensor, out: &mut Tensor, inverse: &mut Tensor) {
    let [_, l, d] = *h.shape() else { panic!("checked") };
    let hs = h.slice::<T>().par_chunks(l * d);
    let rs = r.slice::<T>().par_chunks(l * d);
    let outs = out.slice_mut::<T>().par_chunks_mut(l * d);
    let inverses = inverse.slice_mut::<f32>().par_chunks_mut(d);
    outs.zip(inverses).zip(hs.zip(rs)).tasks().for_each(|((out, inverse), (h, r))| {
        vectorized!({
            inverse.fill(0.0);
            for (h, r) in h.chunks_exact(d).zip(r.chunks_exact(d)) {
                for ((sum, h), r) in inverse.iter_mut().zip(h).zip(r) {
                    *sum += (h.to_f32() + r.to_f32()).powi(2);
                }
            }
            for sum in inverse.iter_mut() {
                *sum = 1.0 / (*sum / l as f32 + NORM_EPS).sqrt();
            }
            let rows = out.chunks_exact_mut(d).zip(h.chunks_exact(d)).zip(r.chunks_exact(d));
            for ((out, h), r) in rows {
                for (((out, h), r), inverse) in out.iter_mut().zip(h).zip(r).zip(&*inverse) {
                    *out = T::from_f32((h.to_f32() + r.to_f32()) * inverse);
                }
            }
        });
    });
}

/// The gradient of the sum of one row of features.
#[inline(always)]
fn norm_row_backward<T: Element>(y: &[T], dy: &[T], inverse: f32, out: &mut [T]) {
    let product = sum_lanes(
        y,
        dy,
        #[inline(always)]
        |y, dy| y * dy,
    );
    let mean = product / y.len() as f32;
    map_lanes(
        out,
        y,
        dy,
        #[inline(always)]
        |y, dy| inverse * (dy - y * mean),
    );
}

fn features_backward<T: Element>(
    [normed, inverse]: [&Tensor; 2],
    d_out: &Tensor,
    d_sum: &mut Tensor,
) {
    let d = d_out.last_dim();
    let ys = normed.slice::<T>().par_chunks(ROWS * d);
    let dys = d_out.slice::<T>().par_chunks(ROWS * d);
    let inverses = inverse.slice::<f32>().par_chunks(ROWS);
    let outs = d_sum.slice_mut::<T>().par_chunks_mut(ROWS * d);
    outs.zip(inverses).zip(ys.zip(dys)).tasks().for_each(|((out, inverse), (y, dy))| {
        vectorized!({
            let rows = out.chunks_exact_mut(d).zip(y.chunks_exact(d)).zip(dy.chunks_exact(d));
            for (((out, y), dy), inverse) in rows.zip(inverse) {
                norm_row_backward(y, dy, *inverse, out);
            }
        });
    });
}

fn tokens_backward<T: Element>(
    [normed, inverse]: [&Tensor; 2],
    d_out: &Tensor,
    d_sum: &mut Tensor,
) {
    let [_, l, d] = *d_out.shape() else { panic!("checked") };
    let ys = normed.slice::<T>().par_chunks(l * d);
    let dys = d_out.slice::<T>().par_chunks(l * d);
    let inverses = inverse.slice::<f32>().par_chunks(d);
    let outs = d_sum.slice_mut::<T>().par_chunks_mut(l * d);
    outs.zip(inverses).zip(ys.zip(dys)).tasks().for_each(|((out, inverse), (y, dy))| {
        with_scratch(d, |mean| {
            vectorized!({
                mean.fill(0.0);
                for (y, dy) in y.chunks_exact(d).zip(dy.chunks_exact(d)) {
                    for ((mean, y), dy) in mean.iter_mut().zip(y).zip(dy) {
                        *mean += y.to_f32() * dy.to_f32();
                    }
                }
                mean.iter_mut().for_each(|mean| *mean /= l as f32);
                for i in 0..l {
                    let row = i * d..(i + 1) * d;
                    let (y, dy, out) = (&y[row.clone()], &dy[row.clone()], &mut out[row]);
                    for j in 0..d {
                        let centred = dy[j].to_f32() - y[j].to_f32() * mean[j];
                        out[j] = T::from_f32(inverse[j] * centred);
                    }
                }
            });
        });
    });
}
