//! Updates of parameters in place. Schedules and state belong to the caller; these are the equations.

use crate::{Parameter, Tensor};
use std::collections::BTreeMap;

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

/// What becomes of Adam's moments, with `m̂ = m/(1 − β₁ᵗ)` and `v̂ = v/(1 − β₂ᵗ)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdamRule {
    /// AdamATan2: `p ← p·(1 − lr·wd) − lr/(1 − β₁ᵗ) · atan2(m, sqrt(v̂))`.
    Atan2,
    /// AdamW with ε = 1e-8: `p ← p·(1 − lr·wd) − lr · m̂ / (sqrt(v̂) + ε)`.
    W,
}

impl Adam {
    /// `1 − β₁ᵗ` and `1 − β₂ᵗ`.
    pub fn corrections(&self) -> (f32, f32) {
        let step = self.step as f64;
        let correction = |beta: f32| (1.0 - (beta as f64).powf(step)) as f32;
        (correction(self.beta1), correction(self.beta2))
    }

    #[inline(always)]
    pub(crate) fn moments(&self, g: f32, m: &mut f32, v: &mut f32) {
        *m = self.beta1 * *m + (1.0 - self.beta1) * g;
        *v = self.beta2 * *v + (1.0 - self.beta2) * g * g;
    }
}

/// One update of a parameter and its moments, `[m, v]`.
///
/// # Panics
/// If the shapes of parameter, gradient and moments differ.
pub fn adam(
    p: &mut Parameter,
    gradient: &Tensor,
    [m, v]: [&mut Tensor; 2],
    (adam, rule): (&Adam, AdamRule),
) {
    let shape = p.value().shape();
    assert!([gradient.shape(), m.shape(), v.shape()].iter().all(|s| *s == shape), "{}", p.name());
    gradient.device().kernels().adam(p.value_mut(), gradient, [m, v], (adam, rule));
}

/// `p ← p·decay − rate · direction`.
///
/// # Panics
/// If the shapes differ.
pub fn sgd(p: &mut Parameter, direction: &Tensor, rate: f32, decay: f32) {
    assert_eq!(p.value().shape(), direction.shape(), "{}", p.name());
    direction.device().kernels().sgd(p.value_mut(), direction, rate, decay);
}

/// Updates some rows of a table by the signs of a gradient: `p ← p·decay − rate · sign(g)`, for a row that is
/// there several times by the sign of its sum.
///
/// # Shapes
/// p `[R, E]`, rows `[B]`, gradient `[B, E]` f32.
///
/// # Panics
/// If a row does not exist or the shapes do not fit.
pub fn sign_sgd_rows(p: &mut Parameter, rows: &[u32], gradient: &Tensor, rate: f32, decay: f32) {
    let [len, width] = *p.value().shape() else { panic!("{} is not a table", p.name()) };
    assert_eq!(gradient.shape(), [rows.len(), width], "{}", p.name());
    assert!(rows.iter().all(|row| (*row as usize) < len), "a row beyond {}", p.name());
    let mut places = BTreeMap::<usize, Vec<usize>>::new();
    for (place, row) in rows.iter().enumerate() {
        places.entry(*row as usize).or_default().push(place);
    }
    let rows: Vec<_> = places.into_iter().collect();
    gradient.device().kernels().sign_sgd_rows(p.value_mut(), &rows, gradient, [rate, decay]);
}

/// `average ← rate · average + (1 − rate) · value`.
///
/// # Panics
/// If the shapes differ.
pub fn lerp(average: &mut Tensor, value: &Tensor, rate: f32) {
    assert_eq!(average.shape(), value.shape(), "an average and its value");
    value.device().kernels().lerp(average, value, rate);
}

/// Muon's coefficients of the quintic.
pub const QUINTIC: [f32; 3] = [3.4445, -4.775, 2.0315];

/// The nearly orthogonal factor of a matrix by `steps` Newton–Schulz iterations of the quintic
/// `X ← aX + (bA + cA²)X`, `A = X Xᵀ`, with Muon's coefficients: singular values end near 1.
///
/// # Shapes
/// matrix `[N, K]` f32, output the same.
pub fn orthogonalize(matrix: &Tensor, steps: usize) -> Tensor {
    assert_eq!(matrix.shape().len(), 2, "{:?} is not a matrix", matrix.shape());
    matrix.device().kernels().orthogonalize(matrix, steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{close, random_vec};

    const ADAM: Adam = Adam { lr: 0.1, beta1: 0.9, beta2: 0.95, weight_decay: 0.5, step: 1 };

    fn first_step(rule: AdamRule) -> Vec<f32> {
        let device = Device::cpu(1);
        let mut p = Parameter::new(0, "p", Tensor::from_f32(&device, &[3], &[1.0, 1.0, 1.0]));
        let g = Tensor::from_f32(&device, &[3], &[2.0, -1e-3, 0.0]);
        let (mut m, mut v) = (g.zeros_like(), g.zeros_like());
        adam(&mut p, &g, [&mut m, &mut v], (&ADAM, rule));
        p.value().to_f32_vec().unwrap()
    }

    #[test]
    fn adamw_moves_by_the_rate_at_first() {
        close(&first_step(AdamRule::W), &[0.95 - 0.1, 0.95 + 0.1, 0.95], 1e-4);
    }

    #[test]
    fn adam_atan2_moves_by_a_quarter_turn_at_first() {
        // m = 0.1 g and sqrt(v / (1 − β₂)) = |g|, so the angle is atan2(0.1, 1)
        let angle = 0.1 / 0.1 * 0.1f32.atan2(1.0);
        close(&first_step(AdamRule::Atan2), &[0.95 - angle, 0.95 + angle, 0.95], 1e-4);
    }

    #[test]
    fn sign_updates_touch_their_rows_only_and_sum_what_is_there_twice() {
        let device = Device::cpu(1);
        let mut p = Parameter::new(0, "p", Tensor::from_f32(&device, &[3, 2], &[1.0; 6]));
        let gradient = Tensor::from_f32(&device, &[3, 2], &[7.0, 0.0, 1.0, 5.0, -9.0, -5.0]);
        sign_sgd_rows(&mut p, &[1, 2, 1], &gradient, 0.25, 0.5);
        assert_eq!(p.value().to_f32_vec().unwrap(), [1.0, 1.0, 0.75, 0.75, 0.25, 0.25]);
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
            let x = orthogonalize(&Tensor::from_f32(&device, &[n, k], &values), 8)
                .to_f32_vec()
                .unwrap();
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
