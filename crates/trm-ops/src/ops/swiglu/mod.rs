mod blocks;

use crate::math::{sigmoid, vectorized};
use crate::ops::linear::add_weight_gradient;
use crate::panels::dispatch_format;
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
        let mut out = Tensor::uninit(self.device(), x.shape(), x.dtype());
        // the pre-activations [g | u] of every row, kept only for the gradient
        let rows = if self.keeps_activations() { x.len() / d } else { 0 };
        let mut pre = Tensor::uninit(self.device(), &[rows, 2 * inner], x.dtype());
        self.device().install(|| {
            dispatch_format!(x.dtype(), F => {
                blocks::forward::<F>(x, [gate_up, down], &mut pre, &mut out);
            });
        });
        let (gate_up, down) = (gate_up.clone(), down.clone());
        self.record(out, || Swiglu { x: x.clone(), pre, gate_up, down })
    }

    /// `rms_norm(x + swiglu(x))` over features: the same as [`Tape::residual_norm`] of
    /// [`Tape::swiglu`], bit for bit, in one pass where that is faster.
    ///
    /// # Shapes
    /// As for [`Tape::swiglu`], x `[B, L, D]`.
    pub fn residual_swiglu(&self, x: &Tensor, gate_up: &Parameter, down: &Parameter) -> Tensor {
        if !self.fuses() {
            return self.residual_norm(x, &self.swiglu(x, gate_up, down), Axis::Features);
        }
        self.device().count(3 * x.len() * down.value().last_dim());
        let mut out = Tensor::uninit(self.device(), x.shape(), x.dtype());
        self.device().install(|| {
            dispatch_format!(x.dtype(), F => {
                blocks::residual_forward::<F>(x, [gate_up, down], &mut out);
            });
        });
        out
    }
}

/// `act = silu(gate) ∘ up`.
pub(crate) fn activate(gate: &[f32], up: &[f32], act: &mut [f32]) {
    vectorized!({
        for ((act, g), u) in act.iter_mut().zip(gate).zip(up) {
            *act = g * sigmoid(*g) * u;
        }
    });
}

/// From the gradient of `silu(gate) ∘ up` to those of gate and up. `gate` and `up` hold the
/// pre-activations and are overwritten by their gradients; `act` holds the gradient of the product
/// and is overwritten by the product itself.
pub(crate) fn activate_backward(gate: &mut [f32], up: &mut [f32], act: &mut [f32]) {
    vectorized!({
        for ((act, gate), up) in act.iter_mut().zip(gate).zip(up) {
            let (g, u, d) = (*gate, *up, *act);
            let s = sigmoid(g);
            *act = g * s * u;
            *gate = d * u * (s * (1.0 + g * (1.0 - s)));
            *up = d * g * s;
        }
    });
}

struct Swiglu {
    x: Tensor,
    pre: Tensor,
    gate_up: Parameter,
    down: Parameter,
}

impl Backward for Swiglu {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let Swiglu { x, pre, gate_up, down } = *self;
        let (rows, inner) = (x.len() / x.last_dim(), pre.last_dim() / 2);
        x.device().count(3 * x.len() * inner);
        let recompute = pre.is_empty().then_some(&x);
        let mut d_pre = match recompute {
            None => pre,
            Some(_) => Tensor::uninit(x.device(), &[rows, 2 * inner], x.dtype()),
        };
        let mut act = Tensor::uninit(x.device(), &[rows, inner], x.dtype());
        let mut d_x = Tensor::uninit(x.device(), x.shape(), x.dtype());
        let targets = [&mut d_pre, &mut act, &mut d_x];
        dispatch_format!(x.dtype(), F => {
            blocks::backward::<F>([&gate_up, &down], recompute, &d_out, targets);
        });
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
        let got = Tape::off(&device).swiglu(&x, &gate_up, &down).to_f32_vec();
        let (xs, w1, w2) =
            (x.to_f32_vec(), gate_up.value().to_f32_vec(), down.value().to_f32_vec());
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
            assert_eq!(fused.to_f32_vec(), parts.to_f32_vec());
        }
    }
}
