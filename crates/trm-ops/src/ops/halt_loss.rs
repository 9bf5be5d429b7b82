use crate::tape::{Backward, Gradients};
use crate::{Tape, Tensor};

impl Tape {
    /// Binary cross-entropy of the halting head, one value per puzzle: with logit q (the first of
    /// the head's outputs) and target t, `max(q, 0) − q·t + ln(1 + e^−|q|)`.
    ///
    /// # Shapes
    /// q `[B, 1, 2]` (or `[B, 2]`) f32, correct `[B]`, output `[B]` f32.
    pub fn halt_loss(&self, q: &Tensor, correct: &[bool]) -> Tensor {
        assert_eq!((q.len(), q.last_dim()), (2 * correct.len(), 2), "halting logits");
        let losses: Vec<f32> = logits(q)
            .zip(correct)
            .map(|(q, t)| q.max(0.0) - q * f32::from(*t as u8) + (-q.abs()).exp().ln_1p())
            .collect();
        let out = Tensor::from_f32(self.device(), &[correct.len()], &losses);
        self.record(out, || HaltLoss { q: q.clone(), correct: correct.into() })
    }
}

fn logits(q: &Tensor) -> impl Iterator<Item = f32> {
    q.slice::<f32>().chunks_exact(2).map(|q| q[0])
}

struct HaltLoss {
    q: Tensor,
    correct: Box<[bool]>,
}

impl Backward for HaltLoss {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let rows = logits(&self.q).zip(&self.correct).zip(d_out.slice::<f32>());
        let values: Vec<f32> = rows
            .flat_map(|((q, t), d)| [d * (1.0 / (1.0 + (-q).exp()) - f32::from(*t as u8)), 0.0])
            .collect();
        let d_q = Tensor::from_f32(self.q.device(), self.q.shape(), &values);
        gradients.add(self.q.var(), d_q);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients, close};

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[3, 2]).f32_only();
        check_gradients(&case, |tape, x, _| tape.halt_loss(&x[0], &[true, false, true]));
    }

    #[test]
    fn confident_and_wrong_costs_the_logit() {
        let device = Device::cpu(1);
        let q = Tensor::from_f32(&device, &[2, 2], &[50.0, 0.0, -50.0, 0.0]);
        let loss = Tape::off(&device).halt_loss(&q, &[false, false]).to_f32_vec();
        close(&loss, &[50.0, 0.0], 1e-6);
    }
}
