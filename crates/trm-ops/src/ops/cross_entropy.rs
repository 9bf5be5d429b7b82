use crate::tape::{Backward, Gradients};
use crate::{Tape, Tensor};

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
    pub(crate) fn score(self, x: f64, max: f64) -> (f64, f64) {
        match self {
            Likelihood::Stablemax if x >= 0.0 => (x + 1.0, 1.0),
            Likelihood::Stablemax => (1.0 / (1.0 - x), 1.0 / ((1.0 - x) * (1.0 - x))),
            Likelihood::Softmax => ((x - max).exp(), (x - max).exp()),
        }
    }
}

/// What logits should say.
#[derive(Clone)]
pub struct Targets {
    /// `[B · S]`.
    pub labels: Box<[u8]>,
    /// S.
    pub cells: usize,
    /// The label of cells that do not count.
    pub ignore: u8,
    /// How logits become probabilities.
    pub likelihood: Likelihood,
    /// What of the target is spread over the vocabulary.
    pub smoothing: f64,
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
        let (labels, smoothing) = (labels.into(), smoothing.into());
        let targets = Targets { labels, cells, ignore, likelihood, smoothing };
        let out = self.kernels().cross_entropy(logits, &targets);
        self.record(out, || CrossEntropy { logits: logits.clone(), targets })
    }
}

struct CrossEntropy {
    logits: Tensor,
    targets: Targets,
}

impl Backward for CrossEntropy {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let CrossEntropy { logits, targets } = *self;
        let kernels = logits.device().kernels();
        gradients.add(logits.var(), kernels.cross_entropy_backward(&logits, &targets, &d_out));
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
            loss.to_f32_vec().unwrap()[0]
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
            loss.to_f32_vec().unwrap()[0]
        };
        assert_eq!(loss(0, Likelihood::Softmax), 0.0);
        assert!(loss(1, Likelihood::Softmax).is_finite());
        assert!(loss(1, Likelihood::Stablemax).is_finite());
    }
}
