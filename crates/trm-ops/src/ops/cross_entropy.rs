use crate::tape::{Backward, Gradients};
use crate::tasks::Tasks;
use crate::{DType, Tape, Tensor};
use rayon::prelude::*;

/// How logits become probabilities: `p = s / Σ s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likelihood {
    /// `s(x) = x + 1 for x >= 0, 1 / (1 − x) for x < 0` (docs/REFERENCE.md section 3).
    Stablemax,
    /// `s(x) = e^x`.
    Softmax,
}

impl Likelihood {
    /// `(s, s′)`, softmax shifted by the row's largest logit.
    fn score(self, x: f64, max: f64) -> (f64, f64) {
        match self {
            Likelihood::Stablemax if x >= 0.0 => (x + 1.0, 1.0),
            Likelihood::Stablemax => (1.0 / (1.0 - x), 1.0 / ((1.0 - x) * (1.0 - x))),
            Likelihood::Softmax => ((x - max).exp(), (x - max).exp()),
        }
    }
}

impl Tape {
    /// Mean cross-entropy of each puzzle over its labelled cells, in f64 inside. The target puts
    /// `1 − smoothing` on the label and spreads the rest evenly over the vocabulary. Cells whose
    /// label equals `ignore` do not count; a puzzle without labelled cells has loss 0.
    ///
    /// # Shapes
    /// logits `[B, S, V]` f32, labels `[B · S]`, output `[B]` f32.
    pub fn cross_entropy(
        &self,
        logits: &Tensor,
        labels: &[u8],
        ignore: u8,
        likelihood: Likelihood,
        smoothing: f32,
    ) -> Tensor {
        let [batch, cells, _] = *logits.shape() else { panic!("{:?}", logits.shape()) };
        assert_eq!(labels.len(), batch * cells, "labels of {:?}", logits.shape());
        let mut out = Tensor::uninit(self.device(), &[batch], DType::F32);
        let saved = CrossEntropy {
            logits: logits.clone(),
            labels: labels.into(),
            ignore,
            likelihood,
            smoothing: smoothing as f64,
        };
        self.device().install(|| {
            out.slice_mut::<f32>().par_iter_mut().enumerate().tasks().for_each(|(b, loss)| {
                *loss = saved.puzzle(b, |_, _| ()) as f32;
            });
        });
        self.record(out, || saved)
    }
}

struct CrossEntropy {
    logits: Tensor,
    labels: Box<[u8]>,
    ignore: u8,
    likelihood: Likelihood,
    smoothing: f64,
}

impl CrossEntropy {
    /// Loss of one puzzle; `gradient` receives (index into the puzzle's logits, derivative).
    fn puzzle(&self, b: usize, mut gradient: impl FnMut(usize, f64)) -> f64 {
        let [_, cells, vocab] = *self.logits.shape() else { panic!("checked") };
        let logits = &self.logits.slice::<f32>()[b * cells * vocab..][..cells * vocab];
        let labels = &self.labels[b * cells..][..cells];
        let counted = labels.iter().filter(|l| **l != self.ignore).count().max(1) as f64;
        let mut loss = 0.0;
        for (cell, label) in labels.iter().enumerate().filter(|(_, l)| **l != self.ignore) {
            let row = &logits[cell * vocab..][..vocab];
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
            let score = |x: f32| self.likelihood.score(x as f64, max);
            let sum: f64 = row.iter().map(|x| score(*x).0).sum();
            for (v, x) in row.iter().enumerate() {
                let hit = if v == *label as usize { 1.0 - self.smoothing } else { 0.0 };
                let target = hit + self.smoothing / vocab as f64;
                let (s, slope) = score(*x);
                if target > 0.0 {
                    loss -= target * self.log_probability(*x as f64, max, s, sum);
                }
                let ratio = if s > 0.0 { slope / s } else { 1.0 };
                gradient(cell * vocab + v, (slope / sum - target * ratio) / counted);
            }
        }
        loss / counted
    }

    fn log_probability(&self, x: f64, max: f64, s: f64, sum: f64) -> f64 {
        match self.likelihood {
            Likelihood::Stablemax => (s / sum).ln(),
            Likelihood::Softmax => x - max - sum.ln(),
        }
    }
}

impl Backward for CrossEntropy {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let mut d_logits = self.logits.zeros_like();
        let size = d_logits.len() / d_logits.shape()[0];
        let targets = d_logits.slice_mut::<f32>().par_chunks_mut(size).zip(d_out.slice::<f32>());
        targets.enumerate().tasks().for_each(|(b, (target, scale))| {
            self.puzzle(b, |i, g| target[i] = (g * *scale as f64) as f32);
        });
        gradients.add(self.logits.var(), d_logits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients, close};

    const LABELS: [u8; 6] = [1, 0, 3, 2, 0, 0];

    #[test]
    fn gradients_equal_finite_differences() {
        for likelihood in [Likelihood::Stablemax, Likelihood::Softmax] {
            for smoothing in [0.0, 0.2] {
                let case = Case::new().input(&[2, 3, 4]).f32_only();
                check_gradients(&case, |tape, x, _| {
                    tape.cross_entropy(&x[0], &LABELS, 0, likelihood, smoothing)
                });
            }
        }
    }

    #[test]
    fn equals_the_formulas_by_hand() {
        let device = Device::cpu(1);
        let logits = Tensor::from_f32(&device, &[1, 1, 2], &[1.0, -1.0]);
        let loss = |likelihood| {
            let loss = Tape::off(&device).cross_entropy(&logits, &[1], 9, likelihood, 0.0);
            loss.to_f32_vec()[0]
        };
        // s = 2 and 1/2
        close(&[loss(Likelihood::Stablemax)], &[-(0.5f32 / 2.5).ln()], 1e-6);
        close(&[loss(Likelihood::Softmax)], &[(1.0 + 2f32.exp()).ln()], 1e-6);
    }

    #[test]
    fn a_puzzle_without_labels_costs_nothing_and_huge_logits_stay_finite() {
        let device = Device::cpu(1);
        let logits = Tensor::from_f32(&device, &[1, 1, 2], &[1e30, -1e30]);
        let loss = |label, likelihood| {
            let loss = Tape::off(&device).cross_entropy(&logits, &[label], 0, likelihood, 0.0);
            loss.to_f32_vec()[0]
        };
        assert_eq!(loss(0, Likelihood::Softmax), 0.0);
        assert!(loss(1, Likelihood::Softmax).is_finite());
        assert!(loss(1, Likelihood::Stablemax).is_finite());
    }
}
