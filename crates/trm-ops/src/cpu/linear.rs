//! Products with weights along the features.

use crate::cpu::element::Element;
use crate::cpu::memory::{start, uninit};
use crate::cpu::norm::norm_rows;
use crate::cpu::panels::{Format, add_transposed_product, row_block, scratch, times_block};
use crate::cpu::tasks::Tasks;
use crate::kernels::Sum;
use crate::{Parameter, Tensor};
use rayon::prelude::*;

pub(super) fn add_bias<T: Element>(out: &mut Tensor, bias: &Parameter) {
    let bias = bias.value().slice::<f32>();
    for row in out.slice_mut::<T>().chunks_exact_mut(bias.len()) {
        for (y, b) in row.iter_mut().zip(bias) {
            *y = T::from_f32(y.to_f32() + b);
        }
    }
}

/// `rms_norm(h + x · Wᵀ)`, block by block.
pub(super) fn residual_linear<F: Format>(h: &Tensor, x: &Tensor, weight: &Parameter) -> Tensor {
    let (n, k) = (h.last_dim(), x.last_dim());
    let mut out = uninit(h.device(), h.shape(), h.dtype());
    let (matrix, block) = (&weight.columns::<F>(1)[0], row_block::<F>(h.len() / n));
    let hs = h.slice::<F::Stored>().par_chunks(block * n);
    let xs = x.slice::<F::Stored>().par_chunks(block * k);
    let outs = out.slice_mut::<F::Stored>().par_chunks_mut(block * n);
    outs.zip(hs.zip(xs)).tasks().for_each(|(out, (h, x))| {
        scratch(h.len(), 0, |product, _| {
            times_block(x, k, matrix, product, n);
            norm_rows(h, product, out, n);
        });
    });
    out
}

pub(super) fn weight_gradient<F: Format>(sum: Sum<'_>, d_out: &Tensor, x: &Tensor) {
    let Sum { tensor, started } = sum;
    let (d_out, inputs) = ((d_out.slice(), d_out.last_dim()), (x.slice(), x.last_dim()));
    add_transposed_product::<F>(x.device(), tensor.slice_mut(), d_out, inputs, started);
}

pub(super) fn bias_gradient<T: Element>(sum: Sum<'_>, d_out: &Tensor) {
    let sum = start(sum);
    for row in d_out.slice::<T>().chunks_exact(sum.len()) {
        sum.iter_mut().zip(row).for_each(|(s, d)| *s += d.to_f32());
    }
}
