//! Updates in place, element by element, on all threads.

use crate::cpu::math::{atan2_right, vectorized};
use crate::cpu::panels::{F32, PackedRhs, add_transposed_product, product};
use crate::update::QUINTIC;
use crate::{Adam, AdamRule, Tensor};
use rayon::prelude::*;

const BLOCK: usize = 1 << 14;

pub(super) fn adam(
    p: &mut Tensor,
    gradient: &Tensor,
    moments: [&mut Tensor; 2],
    (adam, rule): (&Adam, AdamRule),
) {
    let (c1, c2) = adam.corrections();
    let (rate, root) = (adam.lr / c1, 1.0 / c2.sqrt());
    let keep = 1.0 - adam.lr * adam.weight_decay;
    match rule {
        AdamRule::Atan2 => for_each(p, gradient, moments, |p, g, m, v| {
            adam.moments(g, m, v);
            *p = *p * keep - rate * atan2_right(*m, v.sqrt() * root);
        }),
        AdamRule::W => for_each(p, gradient, moments, |p, g, m, v| {
            adam.moments(g, m, v);
            *p = *p * keep - rate * *m / (v.sqrt() * root + 1e-8);
        }),
    }
}

#[inline(always)]
fn for_each(
    p: &mut Tensor,
    gradient: &Tensor,
    [m, v]: [&mut Tensor; 2],
    f: impl Fn(&mut f32, f32, &mut f32, &mut f32) + Sync,
) {
    let ps = p.slice_mut::<f32>().par_chunks_mut(BLOCK);
    let gs = gradient.slice::<f32>().par_chunks(BLOCK);
    let ms = m.slice_mut::<f32>().par_chunks_mut(BLOCK);
    let vs = v.slice_mut::<f32>().par_chunks_mut(BLOCK);
    ps.zip(gs).zip(ms.zip(vs)).for_each(|((p, g), (m, v))| {
        vectorized!({
            for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
                f(p, *g, m, v);
            }
        });
    });
}

pub(super) fn sgd(p: &mut Tensor, direction: &Tensor, rate: f32, decay: f32) {
    let ps = p.slice_mut::<f32>().iter_mut();
    ps.zip(direction.slice::<f32>()).for_each(|(p, d)| *p = *p * decay - rate * d);
}

pub(super) fn sign_sgd_rows(
    p: &mut Tensor,
    rows: &[(usize, Vec<usize>)],
    gradient: &Tensor,
    [rate, decay]: [f32; 2],
) {
    let width = p.last_dim();
    let (values, gradient) = (p.slice_mut::<f32>(), gradient.slice::<f32>());
    for (row, places) in rows {
        for (i, p) in values[row * width..][..width].iter_mut().enumerate() {
            let sum: f32 = places.iter().map(|place| gradient[place * width + i]).sum();
            let sign = if sum == 0.0 { 0.0 } else { sum.signum() };
            *p = *p * decay - rate * sign;
        }
    }
}

pub(super) fn lerp(average: &mut Tensor, value: &Tensor, rate: f32) {
    let averages = average.slice_mut::<f32>().par_chunks_mut(BLOCK);
    averages.zip(value.slice::<f32>().par_chunks(BLOCK)).for_each(|(average, value)| {
        vectorized!({
            for (a, v) in average.iter_mut().zip(value) {
                *a = rate * *a + (1.0 - rate) * v;
            }
        });
    });
}

pub(super) fn orthogonalize(matrix: &Tensor, steps: usize) -> Tensor {
    let [a, b, c] = QUINTIC;
    let [n, k] = *matrix.shape() else { panic!("checked") };
    let device = matrix.device();
    let norm = matrix.slice::<f32>().iter().map(|x| (*x as f64).powi(2)).sum::<f64>().sqrt();
    let scale = (1.0 / norm.max(1e-30)) as f32;
    let values: Vec<f32> = matrix.slice::<f32>().iter().map(|x| x * scale).collect();
    let mut x = Tensor::from_f32(device, &[n, k], &values);
    for _ in 0..steps {
        // the smaller Gram matrix: X Xᵀ from the left, or Xᵀ X from the right
        let (side, wide, m) = (n.min(k), n <= k, x.slice::<f32>());
        let gram = match wide {
            true => product(m, k, &PackedRhs::from_columns(device, m, n, k), n),
            false => {
                let mut gram = vec![0.0; k * k];
                add_transposed_product::<F32>(device, &mut gram, (m, k), (m, k), false);
                gram
            }
        };
        let packed = |matrix: &[f32], cols| {
            PackedRhs::<F32>::from_rows(device, matrix, matrix.len() / cols, cols)
        };
        let mut polynomial = product(&gram, side, &packed(&gram, side), side);
        polynomial.iter_mut().zip(&gram).for_each(|(p, g)| *p = b * g + c * *p);
        let mut next = match wide {
            true => product(&polynomial, n, &packed(m, k), k),
            false => product(m, k, &packed(&polynomial, k), k),
        };
        next.iter_mut().zip(x.slice::<f32>()).for_each(|(n, x)| *n += a * x);
        x = Tensor::from_f32(device, &[n, k], &next);
    }
    x
}
