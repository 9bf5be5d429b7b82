use crate::tape::{Backward, Gradients};
use crate::{Tape, Tensor};

impl Tape {
    /// Binary cross-entropy of the halting head, one value per puzzle: with logit q (the first of
    /// the head's outputs) and target t, `max(q, 0) − q·t + ln(1 + e^−|q|)`.
    ///
    /// # Shapes
    /// q `[B, 1, 2]` (or `[B, 2]`) f32, correct `[B]` f32, 1 or 0 ([`Tensor::exact_rows`]), output `[B]` f32.
    pub fn halt_loss(&self, q: &Tensor, correct: &Tensor) -> Tensor {
        assert_eq!((q.len(), q.last_dim()), (2 * correct.len(), 2), "halting logits");
        let out = self.kernels().halt_loss(q, correct);
        self.record(out, || HaltLoss { q: q.clone(), correct: correct.clone() })
    }
}

struct HaltLoss {
    q: Tensor,
    correct: Tensor,
}

impl Backward for HaltLoss {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let HaltLoss { q, correct } = *self;
        gradients.add(q.var(), q.device().kernels().halt_loss_backward(&q, &correct, &d_out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients, close};

    fn correct(device: &Device, rows: &[f32]) -> Tensor {
        Tensor::from_f32(device, &[rows.len()], rows)
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[3, 2]).f32_only();
        check_gradients(&case, |tape, x, _| {
            tape.halt_loss(&x[0], &correct(tape.device(), &[1.0, 0.0, 1.0]))
        });
    }

    #[test]
    fn confident_and_wrong_costs_the_logit() {
        let device = Device::cpu(1);
        let q = Tensor::from_f32(&device, &[2, 2], &[50.0, 0.0, -50.0, 0.0]);
        let loss =
            Tape::off(&device).halt_loss(&q, &correct(&device, &[0.0; 2])).to_f32_vec().unwrap();
        close(&loss, &[50.0, 0.0], 1e-6);
    }
}
