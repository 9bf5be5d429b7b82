use crate::dtype::Element;
use crate::matmul::{Mat, MatMut, matmul, matmul_sum, store, with_f32, with_f32_out};
use crate::ops::swiglu::{activate, activate_backward};
use crate::storage::with_scratch;
use crate::tape::{Backward, Gradients};
use crate::tensor::dispatch;
use crate::{DType, Parameter, Tape, Tensor};
use rayon::prelude::*;

impl Tape {
    /// SwiGLU along the token axis, the mixer: for each puzzle, with h as an `[L, D]` matrix,
    /// `W_down · (silu(G) ∘ U)` where `[G ; U] = W_gate_up · h`. Multiplying from the left makes the
    /// transposes of the usual formulation unnecessary.
    ///
    /// # Shapes
    /// h `[B, L, D]`, gate_up `[2I, L]`, down `[L, I]`, output `[B, L, D]`.
    pub fn token_swiglu(&self, h: &Tensor, gate_up: &Parameter, down: &Parameter) -> Tensor {
        let [batch, l, d] = *h.shape() else { panic!("{:?} is not [B, L, D]", h.shape()) };
        let inner = gate_up.value().shape()[0] / 2;
        assert_eq!(gate_up.value().shape(), [2 * inner, l], "{}", gate_up.name());
        assert_eq!(down.value().shape(), [l, inner], "{}", down.name());
        let mut out = Tensor::uninit(self.device(), h.shape(), h.dtype());
        let kept = if self.is_recording() { batch } else { 0 };
        let mut pre = Tensor::uninit(self.device(), &[kept, 2 * inner, d], h.dtype());
        self.device().install(
            || dispatch!(h.dtype(), T => forward::<T>(h, gate_up, down, &mut pre, &mut out)),
        );
        let (gate_up, down) = (gate_up.clone(), down.clone());
        self.record(out, || TokenSwiglu { h: h.clone(), pre, gate_up, down })
    }
}

/// Keeps the pre-activations `[G ; U]` in `pre` unless that has no rows.
fn forward<T: Element>(
    h: &Tensor,
    gate_up: &Parameter,
    down: &Parameter,
    pre: &mut Tensor,
    out: &mut Tensor,
) {
    let [l, inner] = *down.value().shape() else { panic!("a matrix") };
    let d = h.last_dim();
    let gate_up = Mat::new(gate_up.native(T::DTYPE).slice(), 2 * inner, l);
    let down = Mat::new(down.native(T::DTYPE).slice(), l, inner);
    let puzzle = |h: &[f32], kept: Option<&mut [T]>, out: &mut [f32]| {
        with_scratch(3 * inner * d, |scratch| {
            let (pre, act) = scratch.split_at_mut(2 * inner * d);
            matmul(MatMut::new(pre, 2 * inner, d), gate_up, Mat::new(h, l, d), false);
            if let Some(kept) = kept {
                store(kept, pre);
            }
            let (gate, up) = pre.split_at(inner * d);
            activate(gate, up, act);
            matmul(MatMut::new(out, l, d), down, Mat::new(act, inner, d), false);
        });
    };
    let hs = h.slice::<T>().par_chunks(l * d);
    let outs = out.slice_mut::<T>().par_chunks_mut(l * d);
    if pre.is_empty() {
        outs.zip(hs).for_each(|(out, h)| {
            with_f32(h, |h| with_f32_out(out, |out| puzzle(h, None, out)));
        });
    } else {
        let kept = pre.slice_mut::<T>().par_chunks_mut(2 * inner * d);
        outs.zip(hs).zip(kept).for_each(|((out, h), kept)| {
            with_f32(h, |h| with_f32_out(out, |out| puzzle(h, Some(kept), out)));
        });
    }
}

struct TokenSwiglu {
    h: Tensor,
    pre: Tensor,
    gate_up: Parameter,
    down: Parameter,
}

impl Backward for TokenSwiglu {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let TokenSwiglu { h, pre, gate_up, down } = *self;
        let mut d_pre = pre.to_dtype(DType::F32);
        drop(pre);
        let [batch, rows, d] = *d_pre.shape() else { panic!("checked") };
        let mut act = Tensor::uninit(h.device(), &[batch, rows / 2, d], DType::F32);
        let mut d_h = Tensor::uninit(h.device(), h.shape(), h.dtype());
        dispatch!(h.dtype(), T => {
            backward_puzzles::<T>([&gate_up, &down], &d_out, &mut d_pre, &mut act, &mut d_h)
        });
        add_left_gradient(gradients, &down, &d_out, &act);
        add_left_gradient(gradients, &gate_up, &d_pre, &h);
        gradients.add(&h, d_h);
    }
}

/// Turns the pre-activations in `d_pre` into their gradients; fills `act` and `d_h`.
fn backward_puzzles<T: Element>(
    [gate_up, down]: [&Parameter; 2],
    d_out: &Tensor,
    d_pre: &mut Tensor,
    act: &mut Tensor,
    d_h: &mut Tensor,
) {
    let [l, inner] = *down.value().shape() else { panic!("a matrix") };
    let d = d_out.last_dim();
    let gate_up = Mat::new(gate_up.transposed(T::DTYPE).slice(), l, 2 * inner);
    let down = Mat::new(down.transposed(T::DTYPE).slice(), inner, l);
    let d_outs = d_out.slice::<T>().par_chunks(l * d);
    let d_pres = d_pre.slice_mut::<f32>().par_chunks_mut(2 * inner * d);
    let acts = act.slice_mut::<f32>().par_chunks_mut(inner * d);
    let d_hs = d_h.slice_mut::<T>().par_chunks_mut(l * d);
    d_outs.zip(d_pres).zip(acts.zip(d_hs)).for_each(|((d_out, d_pre), (act, d_h))| {
        with_f32(d_out, |d_out| {
            matmul(MatMut::new(act, inner, d), down, Mat::new(d_out, l, d), false);
        });
        let (gate, up) = d_pre.split_at_mut(inner * d);
        activate_backward(gate, up, act);
        with_f32_out(d_h, |d_h| {
            matmul(MatMut::new(d_h, l, d), gate_up, Mat::new(d_pre, 2 * inner, d), false);
        });
    });
}

/// Adds `Σ_b d_out_b · x_bᵀ` to the gradient of a weight that multiplied from the left.
fn add_left_gradient(gradients: &mut Gradients, weight: &Parameter, d_out: &Tensor, x: &Tensor) {
    let (d_out, x) = (d_out.to_dtype(DType::F32), x.to_dtype(DType::F32));
    let [n, k] = *weight.value().shape() else { panic!("a matrix") };
    let d = x.last_dim();
    let d_outs = d_out.slice::<f32>().chunks_exact(n * d).map(|m| Mat::new(m, n, d));
    let xs = x.slice::<f32>().chunks_exact(k * d).map(|m| Mat::new(m, k, d).t());
    let pairs: Vec<_> = d_outs.zip(xs).collect();
    let (sum, started) = gradients.parameter_sum(weight);
    matmul_sum(MatMut::new(sum.slice_mut(), n, k), &pairs, started);
}

#[cfg(test)]
mod tests {
    use crate::testing::{Case, check_gradients, close, random_tensor};
    use crate::{Device, Parameter, Tape};

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
        let turned = transpose(h.to_f32_vec(), l, d);
        let turned = crate::Tensor::from_f32(&device, &[batch, d, l], &turned);
        let want = transpose(tape.swiglu(&turned, &gate_up, &down).to_f32_vec(), d, l);
        close(&tape.token_swiglu(&h, &gate_up, &down).to_f32_vec(), &want, 1e-5);
    }
}
