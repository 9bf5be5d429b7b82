//! Updates, by their equations.

use super::values::{change, product, tensor, values};
use crate::update::QUINTIC;
use crate::{Adam, AdamRule, DType, Tensor};

pub(super) fn adam(
    p: &mut Tensor,
    g: &Tensor,
    [m, v]: [&mut Tensor; 2],
    (adam, rule): (&Adam, AdamRule),
) {
    let (c1, c2) = adam.corrections();
    let mean = |beta: f32, old: f32, new: f32| beta * old + (1.0 - beta) * new;
    let g = values(g);
    let place = |x: &mut [f32], f: &dyn Fn(usize, f32) -> f32| {
        x.iter_mut().enumerate().for_each(|(at, x)| *x = f(at, *x));
    };
    change(m, |m| place(m, &|at, m| mean(adam.beta1, m, g[at])));
    change(v, |v| place(v, &|at, v| mean(adam.beta2, v, g[at] * g[at])));
    let (m, v) = (values(m), values(v));
    change(p, |p| {
        place(p, &|at, p| {
            let root = (v[at] / c2).sqrt();
            let step = match rule {
                AdamRule::Atan2 => m[at].atan2(root) / c1,
                AdamRule::W => m[at] / c1 / (root + 1e-8),
            };
            p * (1.0 - adam.lr * adam.weight_decay) - adam.lr * step
        });
    });
}

pub(super) fn sign_sgd_rows(
    p: &mut Tensor,
    rows: &[(usize, Vec<usize>)],
    g: &Tensor,
    [rate, decay]: [f32; 2],
) {
    let (width, g) = (g.last_dim(), values(g));
    change(p, |p| {
        for ((row, places), i) in rows.iter().flat_map(|r| (0..width).map(move |i| (r, i))) {
            let sum: f32 = places.iter().map(|place| g[place * width + i]).sum();
            let sign = if sum == 0.0 { 0.0 } else { sum.signum() };
            let p = &mut p[row * width + i];
            *p = *p * decay - rate * sign;
        }
    });
}

pub(super) fn orthogonalize(matrix: &Tensor, steps: usize) -> Tensor {
    let [n, k] = *matrix.shape() else { panic!("a matrix") };
    let [a, b, c] = QUINTIC;
    let norm = values(matrix).iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let scaled = values(matrix).iter().map(|x| x * (1.0 / norm.max(1e-30)) as f32);
    let mut x: Vec<f32> = scaled.collect();
    for _ in 0..steps {
        let gram = product([n, n, k], |i, l| x[i * k + l], |l, j| x[j * k + l]);
        let square = product([n, n, n], |i, l| gram[i * n + l], |l, j| gram[l * n + j]);
        let polynomial = |i: usize, j: usize| b * gram[i * n + j] + c * square[i * n + j];
        let more = product([n, k, n], polynomial, |l, j| x[l * k + j]);
        x.iter_mut().zip(more).for_each(|(x, more)| *x = a * *x + more);
    }
    tensor(matrix.device(), &[n, k], DType::F32, x)
}
