use crate::dtype::Element;
use crate::math::{sigmoid, vectorized};
use crate::matmul::{Mat, MatMut, ROW_BLOCK, matmul, store, with_f32, with_f32_out};
use crate::ops::linear::add_weight_gradient;
use crate::storage::with_scratch;
use crate::tape::{Backward, Gradients};
use crate::tensor::dispatch;
use crate::{DType, Parameter, Tape, Tensor};
use rayon::prelude::*;

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
        let mut out = Tensor::uninit(self.device(), x.shape(), x.dtype());
        let rows = if self.is_recording() { x.len() / d } else { 0 };
        let mut pre = Tensor::uninit(self.device(), &[rows, 2 * inner], x.dtype());
        self.device().install(
            || dispatch!(x.dtype(), T => forward::<T>(x, gate_up, down, &mut pre, &mut out)),
        );
        let (gate_up, down) = (gate_up.clone(), down.clone());
        self.record(out, || Swiglu { x: x.clone(), pre, gate_up, down })
    }
}

/// Keeps the pre-activations `[g | u]` in `pre` unless that has no rows.
fn forward<T: Element>(
    x: &Tensor,
    gate_up: &Parameter,
    down: &Parameter,
    pre: &mut Tensor,
    out: &mut Tensor,
) {
    let [d, inner] = *down.value().shape() else { panic!("a matrix") };
    let gate_up = Mat::new(gate_up.transposed(T::DTYPE).slice(), d, 2 * inner);
    let down = Mat::new(down.transposed(T::DTYPE).slice(), inner, d);
    let block = |x: &[f32], kept: Option<&mut [T]>, out: &mut [f32]| {
        let rows = x.len() / d;
        with_scratch(rows * 3 * inner, |scratch| {
            let (pre, act) = scratch.split_at_mut(rows * 2 * inner);
            matmul(MatMut::new(pre, rows, 2 * inner), Mat::new(x, rows, d), gate_up, false);
            if let Some(kept) = kept {
                store(kept, pre);
            }
            for (pre, act) in pre.chunks_exact(2 * inner).zip(act.chunks_exact_mut(inner)) {
                let (gate, up) = pre.split_at(inner);
                activate(gate, up, act);
            }
            matmul(MatMut::new(out, rows, d), Mat::new(act, rows, inner), down, false);
        });
    };
    let xs = x.slice::<T>().par_chunks(ROW_BLOCK * d);
    let outs = out.slice_mut::<T>().par_chunks_mut(ROW_BLOCK * d);
    if pre.is_empty() {
        outs.zip(xs).for_each(|(out, x)| {
            with_f32(x, |x| with_f32_out(out, |out| block(x, None, out)));
        });
    } else {
        let kept = pre.slice_mut::<T>().par_chunks_mut(ROW_BLOCK * 2 * inner);
        outs.zip(xs).zip(kept).for_each(|((out, x), kept)| {
            with_f32(x, |x| with_f32_out(out, |out| block(x, Some(kept), out)));
        });
    }
}

/// `act = silu(gate) ∘ up`.
pub(crate) fn activate(gate: &[f32], up: &[f32], act: &mut [f32]) {
    vectorized(|| {
        for ((act, g), u) in act.iter_mut().zip(gate).zip(up) {
            *act = g * sigmoid(*g) * u;
        }
    });
}

/// From the gradient of `silu(gate) ∘ up` to those of gate and up. `gate` and `up` hold the
/// pre-activations and are overwritten by their gradients; `act` holds the gradient of the product
/// and is overwritten by the product itself.
pub(crate) fn activate_backward(gate: &mut [f32], up: &mut [f32], act: &mut [f32]) {
    vectorized(|| {
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
        let mut d_pre = pre.to_dtype(DType::F32);
        drop(pre);
        let rows = d_pre.shape()[0];
        let inner = d_pre.last_dim() / 2;
        let mut act = Tensor::uninit(x.device(), &[rows, inner], DType::F32);
        let mut d_x = Tensor::uninit(x.device(), x.shape(), x.dtype());
        dispatch!(x.dtype(), T => {
            backward_rows::<T>([&gate_up, &down], &d_out, &mut d_pre, &mut act, &mut d_x)
        });
        add_weight_gradient(gradients, &down, &d_out, &act);
        add_weight_gradient(gradients, &gate_up, &d_pre, &x);
        gradients.add(&x, d_x);
    }
}

/// Turns the pre-activations in `d_pre` into their gradients; fills `act` and `d_x`.
fn backward_rows<T: Element>(
    [gate_up, down]: [&Parameter; 2],
    d_out: &Tensor,
    d_pre: &mut Tensor,
    act: &mut Tensor,
    d_x: &mut Tensor,
) {
    let [d, inner] = *down.value().shape() else { panic!("a matrix") };
    let gate_up = Mat::new(gate_up.native(T::DTYPE).slice(), 2 * inner, d);
    let down = Mat::new(down.native(T::DTYPE).slice(), d, inner);
    let d_outs = d_out.slice::<T>().par_chunks(ROW_BLOCK * d);
    let d_pres = d_pre.slice_mut::<f32>().par_chunks_mut(ROW_BLOCK * 2 * inner);
    let acts = act.slice_mut::<f32>().par_chunks_mut(ROW_BLOCK * inner);
    let d_xs = d_x.slice_mut::<T>().par_chunks_mut(ROW_BLOCK * d);
    d_outs.zip(d_pres).zip(acts.zip(d_xs)).for_each(|((d_out, d_pre), (act, d_x))| {
        let rows = d_out.len() / d;
        with_f32(d_out, |d_out| {
            let d_out = Mat::new(d_out, rows, d);
            matmul(MatMut::new(act, rows, inner), d_out, down, false);
        });
        for (d_pre, act) in d_pre.chunks_exact_mut(2 * inner).zip(act.chunks_exact_mut(inner)) {
            let (gate, up) = d_pre.split_at_mut(inner);
            activate_backward(gate, up, act);
        }
        with_f32_out(d_x, |d_x| {
            let d_pre = Mat::new(d_pre, rows, 2 * inner);
            matmul(MatMut::new(d_x, rows, d), d_pre, gate_up, false);
        });
    });
}

#[cfg(test)]
mod tests {
    use crate::testing::{Case, check_gradients, close, random_tensor};
    use crate::{Device, Parameter, Tape};

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
}
