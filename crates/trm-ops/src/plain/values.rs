//! Storage and sums.

use crate::kernels::Sum;
use crate::{DType, Device, Tensor};
use half::{bf16, f16};
use std::sync::Arc;

/// A tensor over a vector of f32, rounded to what the dtype can hold.
pub(super) fn tensor(device: &Device, shape: &[usize], dtype: DType, values: Vec<f32>) -> Tensor {
    assert_eq!(shape.iter().product::<usize>(), values.len(), "values of {shape:?}");
    Tensor::new(device, shape, dtype, Arc::new(rounded(values, dtype)))
}

fn rounded(mut values: Vec<f32>, dtype: DType) -> Vec<f32> {
    match dtype {
        DType::F32 => {}
        DType::Bf16 => values.iter_mut().for_each(|x| *x = bf16::from_f32(*x).to_f32()),
        DType::F16 => values.iter_mut().for_each(|x| *x = f16::from_f32(*x).to_f32()),
    }
    values
}

/// The values of a tensor.
pub(super) fn values(x: &Tensor) -> &[f32] {
    x.storage().downcast_ref::<Vec<f32>>().expect("a tensor of a plain device")
}

/// Changes the values of a tensor; another one that shares them keeps its own.
pub(super) fn change(x: &mut Tensor, f: impl FnOnce(&mut [f32])) {
    let mut changed = values(x).to_vec();
    f(&mut changed);
    let changed = tensor(x.device(), x.shape(), x.dtype(), changed);
    x.take_storage(changed);
}

/// Adds terms to a sum, or begins it with them.
pub(super) fn add_to(sum: Sum<'_>, term: impl Fn(usize) -> f32) {
    let started = sum.started;
    change(sum.tensor, |sum| {
        for (at, sum) in sum.iter_mut().enumerate() {
            *sum = if started { *sum } else { 0.0 } + term(at);
        }
    });
}

/// A tensor like another, of shape and dtype, with values by place.
pub(super) fn like(x: &Tensor, f: impl FnMut(usize) -> f32) -> Tensor {
    tensor(x.device(), x.shape(), x.dtype(), (0..x.len()).map(f).collect())
}

/// `out[i, j] = Σ_l a(i, l) · b(l, j)`, `[m, n]`.
pub(super) fn product(
    [m, n, k]: [usize; 3],
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let dot = |i, j| (0..k).map(|l| f64::from(a(i, l)) * f64::from(b(l, j))).sum::<f64>();
    (0..m * n).map(|at| dot(at / n, at % n) as f32).collect()
}

/// `[B, N, M]` of `[B, M, N]`: every puzzle's matrix transposed.
pub(super) fn turned(x: &Tensor) -> Tensor {
    let [batch, m, n] = *x.shape() else { panic!("{:?} is not [B, M, N]", x.shape()) };
    let from = values(x);
    let at = |place: usize| {
        let (b, j, i) = (place / (m * n), place / m % n, place % m);
        from[(b * m + i) * n + j]
    };
    let turned = (0..x.len()).map(at).collect();
    tensor(x.device(), &[batch, n, m], x.dtype(), turned)
}
