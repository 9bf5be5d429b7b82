use crate::kernels::Gated;
use crate::tape::{Backward, Gradients};
use crate::{Axis, Parameter, Tape, Tensor};

impl Tape {
    /// SwiGLU along the token axis, the mixer: for each puzzle, with h as an `[L, D]` matrix,
    /// `W_down · (silu(G) ∘ U)` where `[G ; U] = W_gate_up · h`. Multiplying from the left makes the
    /// transposes of the usual formulation unnecessary.
    ///
    /// # Shapes
    /// h `[B, L, D]`, gate_up `[2I, L]`, down `[L, I]`, output `[B, L, D]`.
    pub fn token_swiglu(&self, h: &Tensor, gate_up: &Parameter, down: &Parameter) -> Tensor {
        let [_, l, _] = *h.shape() else { panic!("{:?} is not [B, L, D]", h.shape()) };
        let inner = gate_up.value().shape()[0] / 2;
        assert_eq!(gate_up.value().shape(), [2 * inner, l], "{}", gate_up.name());
        assert_eq!(down.value().shape(), [l, inner], "{}", down.name());
        self.device().count(3 * h.len() * inner);
        // the pre-activations [G ; U] of every puzzle are kept only for the gradient
        let keep = self.keeps_activations();
        let (out, pre) = self.kernels().token_swiglu(h, [gate_up, down], keep);
        let (gate_up, down) = (gate_up.clone(), down.clone());
        self.record(out, || TokenSwiglu { h: h.clone(), pre, gate_up, down })
    }

    /// `rms_norm(h + token_swiglu(h))` over tokens: the same as [`Tape::residual_norm`] of
    /// [`Tape::token_swiglu`], in one pass where that is faster;
    /// on a CPU bit for bit.
    ///
    /// # Shapes
    /// As for [`Tape::token_swiglu`].
    pub fn residual_token_swiglu(
        &self,
        h: &Tensor,
        gate_up: &Parameter,
        down: &Parameter,
    ) -> Tensor {
        if !self.fuses() {
            return self.residual_norm(h, &self.token_swiglu(h, gate_up, down), Axis::Tokens);
        }
        self.device().count(3 * h.len() * down.value().last_dim());
        self.kernels().residual_token_swiglu(h, [gate_up, down])
    }
}

struct TokenSwiglu {
    h: Tensor,
    pre: Option<Tensor>,
    gate_up: Parameter,
    down: Parameter,
}

impl Backward for TokenSwiglu {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let TokenSwiglu { h, pre, gate_up, down } = *self;
        // gradients of h and of both weights
        h.device().count(2 * 3 * h.len() * down.value().last_dim());
        let (kernels, weights) = (h.device().kernels(), [&gate_up, &down]);
        let Gated { d_x, d_pre, act } = kernels.token_swiglu_backward(&h, weights, pre, &d_out);
        kernels.token_weight_gradient(gradients.sum_of(&down), &d_out, &act);
        kernels.token_weight_gradient(gradients.sum_of(&gate_up), &d_pre, &h);
        gradients.add(h.var(), d_x);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Case, check_gradients, close, random_tensor};
    use crate::{DType, Device, Parameter, Tape};

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[3, 5, 4]).parameter(&[12, 5]).parameter(&[5, 6]);
        check_gradients(&case, |tape, h, w| tape.token_swiglu(&h[0], &w[0], &w[1]));
    }

    #[test]
    fn equals_swiglu_of_the_transposed_tokens() {
        let device = Device::cpu(2);
        let (batch, l, d, inner) = (3, 7, 5, 6);
        let h = random_tensor(&device, &[batch, l, d], 1);
        let gate_up = Parameter::new(0, "gate_up", random_tensor(&device, &[2 * inner, l], 2));
        let down = Parameter::new(1, "down", random_tensor(&device, &[l, inner], 3));
        let tape = Tape::off(&device);
        let transpose = |values: Vec<f32>, rows: usize, cols: usize| -> Vec<f32> {
            let at = |b: usize, i: usize, j: usize| values[(b * rows + i) * cols + j];
            (0..batch)
                .flat_map(|b| (0..cols).flat_map(move |j| (0..rows).map(move |i| (b, i, j))))
                .map(|(b, i, j)| at(b, i, j))
                .collect()
        };
        let turned = transpose(h.to_f32_vec().unwrap(), l, d);
        let turned = crate::Tensor::from_f32(&device, &[batch, d, l], &turned);
        let want = transpose(tape.swiglu(&turned, &gate_up, &down).to_f32_vec().unwrap(), d, l);
        close(&tape.token_swiglu(&h, &gate_up, &down).to_f32_vec().unwrap(), &want, 1e-5);
    }

    #[test]
    fn the_fused_residual_equals_its_parts_bit_for_bit() {
        let device = Device::cpu(2);
        let (l, d, inner) = (7, 45, 6);
        for dtype in [DType::F32, DType::Bf16] {
            let h = random_tensor(&device, &[3, l, d], 1).to_dtype(dtype);
            let gate_up = Parameter::new(0, "gate_up", random_tensor(&device, &[2 * inner, l], 2));
            let down = Parameter::new(1, "down", random_tensor(&device, &[l, inner], 3));
            let fused = Tape::off(&device).residual_token_swiglu(&h, &gate_up, &down);
            let parts = Tape::recording(&device).residual_token_swiglu(&h, &gate_up, &down);
            assert_eq!(fused.to_f32_vec().unwrap(), parts.to_f32_vec().unwrap());
        }
    }
}
