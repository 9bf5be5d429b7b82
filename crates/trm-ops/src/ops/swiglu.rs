use crate::kernels::Gated;
use crate::ops::linear::add_weight_gradient;
use crate::tape::{Backward, Gradients};
use crate::{Axis, Parameter, Tape, Tensor};

impl Tape {
    /// `(silu(g) ∘ u) · W_downᵀ` with `[g | u] = x · W_gate_upᵀ`, along the features of each token.
    ///
    /// # Shapes
    /// x `[.., D]`, gate_up `[2I, D]`, down `[D, I]`, output `[.., D]`.
    pub fn swiglu(&self, x: &Tensor, gate_up: &Parameter, down: &Parameter) -> Tensor {
        let d = x.last_dim();
        let inner = gate_up.value().shape()[0] / 2;
        assert_eq!(gate_up.value().shape(), [2 * inner, d], "{}", gate_up.name());
        assert_eq!(down.value().shape(), [d, inner], "{}", down.name());
        self.device().count(3 * x.len() * inner);
        // the pre-activations [g | u] of every row are kept only for the gradient
        let keep = self.keeps_activations();
        let (out, pre) = self.kernels().swiglu(x, [gate_up, down], keep);
        let (gate_up, down) = (gate_up.clone(), down.clone());
        self.record(out, || Swiglu { x: x.clone(), pre, gate_up, down })
    }

    /// `rms_norm(x + swiglu(x))` over features: the same as [`Tape::residual_norm`] of
    /// [`Tape::swiglu`], in one pass where that is faster;
    /// on a CPU bit for bit.
    ///
    /// # Shapes
    /// As for [`Tape::swiglu`], x `[B, L, D]`.
    pub fn residual_swiglu(&self, x: &Tensor, gate_up: &Parameter, down: &Parameter) -> Tensor {
        if !self.fuses() {
            return self.residual_norm(x, &self.swiglu(x, gate_up, down), Axis::Features);
        }
        self.device().count(3 * x.len() * down.value().last_dim());
        self.kernels().residual_swiglu(x, [gate_up, down])
    }
}

struct Swiglu {
    x: Tensor,
    pre: Option<Tensor>,
    gate_up: Parameter,
    down: Parameter,
}

impl Backward for Swiglu {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let Swiglu { x, pre, gate_up, down } = *self;
        x.device().count(3 * x.len() * down.value().last_dim());
        let kernels = x.device().kernels();
        let Gated { d_x, d_pre, act } = kernels.swiglu_backward(&x, [&gate_up, &down], pre, &d_out);
        add_weight_gradient(gradients, &down, &d_out, &act);
        add_weight_gradient(gradients, &gate_up, &d_pre, &x);
        gradients.add(x.var(), d_x);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Case, check_gradients, close, random_tensor};
    use crate::{DType, Device, Parameter, Tape};

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[2, 3, 5]).parameter(&[12, 5]).parameter(&[5, 6]);
        check_gradients(&case, |tape, x, w| tape.swiglu(&x[0], &w[0], &w[1]));
    }

    #[test]
    fn equals_the_plain_formula_beyond_one_block_of_rows() {
        let device = Device::cpu(2);
        let (rows, d, inner) = (131, 6, 10);
        let x = random_tensor(&device, &[rows, d], 1);
        let gate_up = Parameter::new(0, "gate_up", random_tensor(&device, &[2 * inner, d], 2));
        let down = Parameter::new(1, "down", random_tensor(&device, &[d, inner], 3));
        let got = Tape::off(&device).swiglu(&x, &gate_up, &down).to_f32_vec().unwrap();
        let (xs, w1, w2) = (
            x.to_f32_vec().unwrap(),
            gate_up.value().to_f32_vec().unwrap(),
            down.value().to_f32_vec().unwrap(),
        );
        for r in 0..rows {
            let dot = |j: usize| (0..d).map(|i| w1[j * d + i] * xs[r * d + i]).sum::<f32>();
            let act: Vec<f32> =
                (0..inner).map(|j| dot(j) / (1.0 + (-dot(j)).exp()) * dot(inner + j)).collect();
            let want: Vec<f32> =
                (0..d).map(|i| (0..inner).map(|j| w2[i * inner + j] * act[j]).sum()).collect();
            close(&got[r * d..(r + 1) * d], &want, 1e-5);
        }
    }

    #[test]
    fn the_fused_residual_equals_its_parts_bit_for_bit() {
        let device = Device::cpu(2);
        let (d, inner) = (19, 33);
        for dtype in [DType::F32, DType::Bf16] {
            let x = random_tensor(&device, &[2, 131, d], 1).to_dtype(dtype);
            let gate_up = Parameter::new(0, "gate_up", random_tensor(&device, &[2 * inner, d], 2));
            let down = Parameter::new(1, "down", random_tensor(&device, &[d, inner], 3));
            let fused = Tape::off(&device).residual_swiglu(&x, &gate_up, &down);
            let parts = Tape::recording(&device).residual_swiglu(&x, &gate_up, &down);
            assert_eq!(fused.to_f32_vec().unwrap(), parts.to_f32_vec().unwrap());
        }
    }
}
