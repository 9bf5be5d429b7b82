//! Updates of parameters in place, element by element, on all threads. Schedules and state belong
//! to the caller; these are the equations.

use crate::math::{atan2_right, vectorized};
use crate::panels::{F32, PackedRhs, add_transposed_product, product};
use crate::{DType, Parameter, Tensor};
use rayon::prelude::*;

const BLOCK: usize = 1 << 14;

/// Coefficients of one Adam-like update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub lr: f32,
    /// Decay of the mean of gradients.
    pub beta1: f32,
    /// Decay of the mean of squared gradients.
    pub beta2: f32,
    /// Decoupled weight decay, multiplied by the learning rate.
    pub weight_decay: f32,
    /// Number of this update, from 1.
    pub step: u64,
}

impl Adam {
    fn corrections(&self) -> (f32, f32) {
        let step = self.step as f64;
        let correction = |beta: f32| (1.0 - (beta as f64).powf(step)) as f32;
        (correction(self.beta1), correction(self.beta2))
    }

    #[inline(always)]
    fn moments(&self, g: f32, m: &mut f32, v: &mut f32) {
        *m = self.beta1 * *m + (1.0 - self.beta1) * g;
        *v = self.beta2 * *v + (1.0 - self.beta2) * g * g;
    }
}

/// AdamATan2: `p ← p·(1 − lr·wd) − lr/(1 − β₁ᵗ) · atan2(m, sqrt(v) / sqrt(1 − β₂ᵗ))`.
///
/// # Panics
/// If the shapes of parameter, gradient and moments differ.
pub fn adam_atan2(
    p: &mut Parameter,
    gradient: &Tensor,
    m: &mut Tensor,
    v: &mut Tensor,
    adam: &Adam,
) {
    let (c1, c2) = adam.corrections();
    let (rate, root) = (adam.lr / c1, 1.0 / c2.sqrt());
    let keep = 1.0 - adam.lr * adam.weight_decay;
    for_each(p, gradient, m, v, |p, g, m, v| {
        adam.moments(g, m, v);
        *p = *p * keep - rate * atan2_right(*m, v.sqrt() * root);
    });
}

/// AdamW with ε = 1e-8: `p ← p·(1 − lr·wd) − lr · (m/(1 − β₁ᵗ)) / (sqrt(v/(1 − β₂ᵗ)) + ε)`.
///
/// # Panics
/// If the shapes of parameter, gradient and moments differ.
pub fn adamw(p: &mut Parameter, gradient: &Tensor, m: &mut Tensor, v: &mut Tensor, adam: &Adam) {
    let (c1, c2) = adam.corrections();
    let (rate, root) = (adam.lr / c1, 1.0 / c2.sqrt());
    let keep = 1.0 - adam.lr * adam.weight_decay;
    for_each(p, gradient, m, v, |p, g, m, v| {
        adam.moments(g, m, v);
        *p = *p * keep - rate * *m / (v.sqrt() * root + 1e-8);
    });
}

#[inline(always)]
fn for_each(
    p: &mut Parameter,
    gradient: &Tensor,
    m: &mut Tensor,
    v: &mut Tensor,
    f: impl Fn(&mut f32, f32, &mut f32, &mut f32) + Sync,
) {
    let shape = p.value().shape();
    assert!([gradient.shape(), m.shape(), v.shape()].iter().all(|s| *s == shape), "{}", p.name());
    let device = gradient.device().clone();
    device.install(|| {
        let ps = p.value_mut().slice_mut::<f32>().par_chunks_mut(BLOCK);
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
    });
}

/// `p ← p·decay − rate · direction`.
///
/// # Panics
/// If the shapes differ.
pub fn sgd(p: &mut Parameter, direction: &Tensor, rate: f32, decay: f32) {
    assert_eq!(p.value().shape(), direction.shape(), "{}", p.name());
    let ps = p.value_mut().slice_mut::<f32>().iter_mut();
    ps.zip(direction.slice::<f32>()).for_each(|(p, d)| *p = *p * decay - rate * d);
}

/// Updates one row of a table by the signs of a gradient: `p ← p·decay − rate · sign(g)`.
///
/// # Panics
/// If the row does not exist or has another length.
pub fn sign_sgd_row(p: &mut Parameter, row: usize, gradient: &[f32], rate: f32, decay: f32) {
    let width = p.value().last_dim();
    assert_eq!(gradient.len(), width, "{}", p.name());
    let values = &mut p.value_mut().slice_mut::<f32>()[row * width..(row + 1) * width];
    for (p, g) in values.iter_mut().zip(gradient) {
        let sign = if *g == 0.0 { 0.0 } else { g.signum() };
        *p = *p * decay - rate * sign;
    }
}

/// `average ← rate · average + (1 − rate) · value`.
///
/// # Panics
/// If the shapes differ.
pub fn lerp(average: &mut Tensor, value: &Tensor, rate: f32) {
    assert_eq!(average.shape(), value.shape(), "an average and its value");
    let device = value.device().clone();
    device.install(|| {
        let averages = average.slice_mut::<f32>().par_chunks_mut(BLOCK);
        averages.zip(value.slice::<f32>().par_chunks(BLOCK)).for_each(|(average, value)| {
            vectorized!({
                for (a, v) in average.iter_mut().zip(value) {
                    *a = rate * *a + (1.0 - rate) * v;
                }
            });
        });
    });
}

/// The nearly orthogonal factor of a matrix by `steps` Newton–Schulz iterations of the quintic
/// `X ← aX + (bA + cA²)X`, `A = X Xᵀ`, with Muon's coefficients: singular values end near 1.
///
/// # Shapes
/// matrix `[N, K]` f32, output the same.
pub fn orthogonalize(matrix: &Tensor, steps: usize) -> Tensor {
    const A: f32 = 3.4445;
    const B: f32 = -4.775;
    const C: f32 = 2.0315;
    let [n, k] = *matrix.shape() else { panic!("{:?} is not a matrix", matrix.shape()) };
    let device = matrix.device().clone();
    let norm = matrix.slice::<f32>().iter().map(|x| (*x as f64).powi(2)).sum::<f64>().sqrt();
    let scale = (1.0 / norm.max(1e-30)) as f32;
    let values: Vec<f32> = matrix.slice::<f32>().iter().map(|x| x * scale).collect();
    let mut x = Tensor::from_f32(&device, &[n, k], &values);
    device.install(|| {
        for _ in 0..steps {
            // the smaller Gram matrix: X Xᵀ from the left, or Xᵀ X from the right
            let (side, wide, m) = (n.min(k), n <= k, x.slice::<f32>());
            let gram = match wide {
                true => product(m, k, &PackedRhs::from_columns(&device, m, n, k), n),
                false => {
                    let mut gram = vec![0.0; k * k];
                    add_transposed_product::<F32>(&device, &mut gram, (m, k), (m, k), false);
                    gram
                }
            };
            let packed = |matrix: &[f32], cols| {
                PackedRhs::<F32>::from_rows(&device, matrix, matrix.len() / cols, cols)
            };
            let mut polynomial = product(&gram, side, &packed(&gram, side), side);
            polynomial.iter_mut().zip(&gram).for_each(|(p, g)| *p = B * g + C * *p);
            let mut next = match wide {
                true => product(&polynomial, n, &packed(m, k), k),
                false => product(m, k, &packed(&polynomial, k), k),
            };
            next.iter_mut().zip(x.slice::<f32>()).for_each(|(n, x)| *n += A * x);
            x = Tensor::from_f32(&device, &[n, k], &next);
        }
    });
    x
}

impl Tensor {
    /// Sum of squares, in f64.
    pub fn square_sum(&self) -> f64 {
        let (blocks, rest) = self.slice::<f32>().as_chunks::<8>();
        let mut sums = [0.0f64; 8]; // independent sums, so that they run side by side
        for block in blocks {
            sums.iter_mut().zip(block).for_each(|(sum, x)| *sum += f64::from(*x).powi(2));
        }
        sums.into_iter().chain(rest.iter().map(|x| f64::from(*x).powi(2))).sum()
    }

    /// Multiplies an f32 tensor in place.
    pub fn scale(&mut self, factor: f32) {
        assert_eq!(self.dtype(), DType::F32, "scaled in f32");
        self.slice_mut::<f32>().iter_mut().for_each(|x| *x *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{close, random_vec};

    const ADAM: Adam = Adam { lr: 0.1, beta1: 0.9, beta2: 0.95, weight_decay: 0.5, step: 1 };

    fn first_step(
        update: fn(&mut Parameter, &Tensor, &mut Tensor, &mut Tensor, &Adam),
    ) -> Vec<f32> {
        let device = Device::cpu(1);
        let mut p = Parameter::new(0, "p", Tensor::from_f32(&device, &[3], &[1.0, 1.0, 1.0]));
        let g = Tensor::from_f32(&device, &[3], &[2.0, -1e-3, 0.0]);
        let (mut m, mut v) = (g.zeros_like(), g.zeros_like());
        update(&mut p, &g, &mut m, &mut v, &ADAM);
        p.value().to_f32_vec()
    }

    #[test]
    fn adamw_moves_by_the_rate_at_first() {
        close(&first_step(adamw), &[0.95 - 0.1, 0.95 + 0.1, 0.95], 1e-4);
    }

    #[test]
    fn adam_atan2_moves_by_a_quarter_turn_at_first() {
        // m = 0.1 g and sqrt(v / (1 − β₂)) = |g|, so the angle is atan2(0.1, 1)
        let angle = 0.1 / 0.1 * 0.1f32.atan2(1.0);
        close(&first_step(adam_atan2), &[0.95 - angle, 0.95 + angle, 0.95], 1e-4);
    }

    #[test]
    fn sign_updates_touch_their_row_only() {
        let device = Device::cpu(1);
        let mut p = Parameter::new(0, "p", Tensor::from_f32(&device, &[2, 2], &[1.0; 4]));
        sign_sgd_row(&mut p, 1, &[7.0, 0.0], 0.25, 0.5);
        assert_eq!(p.value().to_f32_vec(), [1.0, 1.0, 0.25, 0.5]);
    }

    /// Orthonormal rows: random ones, each without what it has of those before.
    fn orthonormal(rows: usize, cols: usize, seed: u64) -> Vec<Vec<f32>> {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let mut all: Vec<Vec<f32>> = Vec::new();
        for mut row in random_vec(rows * cols, seed).chunks(cols).map(<[f32]>::to_vec) {
            for other in &all {
                let shared = dot(&row, other);
                row.iter_mut().zip(other).for_each(|(x, o)| *x -= shared * o);
            }
            let norm = dot(&row, &row).sqrt();
            all.push(row.into_iter().map(|x| x / norm).collect());
        }
        all
    }

    #[test]
    fn orthogonalized_matrices_keep_their_directions_and_have_singular_values_near_one() {
        let device = Device::cpu(2);
        for (n, k) in [(6, 20), (20, 6), (8, 8)] {
            let side = n.min(k);
            let (left, right) = (orthonormal(side, n, 1), orthonormal(side, k, 2));
            let singular = |s: usize| 3.0 / (1 + s) as f32; // from 3 to 3 / 8
            let value = |i: usize, j: usize| -> f32 {
                (0..side).map(|s| singular(s) * left[s][i] * right[s][j]).sum()
            };
            let values: Vec<f32> = (0..n * k).map(|at| value(at / k, at % k)).collect();
            let x = orthogonalize(&Tensor::from_f32(&device, &[n, k], &values), 8).to_f32_vec();
            for s in 0..side {
                for t in 0..side {
                    let found: f32 =
                        (0..n * k).map(|at| left[s][at / k] * x[at] * right[t][at % k]).sum();
                    let wanted = if s == t { 0.65..1.25 } else { -1e-3..1e-3 };
                    assert!(wanted.contains(&found), "{n} x {k}: {found} from {s} to {t}");
                }
            }
        }
    }
}
