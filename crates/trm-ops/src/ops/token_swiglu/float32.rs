#![allow(unsafe_code)]

use crate::matmul::{Mat, MatMut, matmul, matmul_sum};
use crate::ops::swiglu::{activate, activate_backward};
use crate::shared::Shared;
use crate::storage::with_scratch;
use crate::tape::Gradients;
use crate::{Parameter, Tensor};
use rayon::prelude::*;

/// Features that one task takes from beginning to end.
const COLUMNS: usize = 64;

/// Keeps the pre-activations in `pre` unless that has no rows.
pub(super) fn forward(
    h: &Tensor,
    gate_up: &Parameter,
    down: &Parameter,
    pre: &mut Tensor,
    out: &mut Tensor,
) {
    let [l, inner] = *down.value().shape() else { panic!("a matrix") };
    let d = h.last_dim();
    let gate_up = Mat::new(gate_up.value().slice(), 2 * inner, l);
    let down = Mat::new(down.value().slice(), l, inner);
    let keep = !pre.is_empty();
    let pre = Shared::new(pre.slice_mut::<f32>());
    let puzzles = out.slice_mut::<f32>().chunks_exact_mut(l * d).enumerate();
    let tasks: Vec<_> = puzzles
        .flat_map(|(puzzle, out)| {
            MatMut::new(out, l, d).tiles(l, COLUMNS).into_iter().map(move |tile| (puzzle, tile))
        })
        .collect();
    tasks.into_par_iter().for_each(|(puzzle, (_, cols, out))| {
        let width = cols.len();
        let h = Mat::new(&h.slice()[puzzle * l * d..][..l * d], l, d).block(0..l, cols.clone());
        with_scratch(3 * inner * width, |scratch| {
            let (products, act) = scratch.split_at_mut(2 * inner * width);
            matmul(MatMut::new(products, 2 * inner, width), gate_up, h, false);
            let (gate, up) = products.split_at(inner * width);
            activate(gate, up, act);
            matmul(out, down, Mat::new(act, inner, width), false);
            if keep {
                for (row, values) in products.chunks_exact(width).enumerate() {
                    let at = (puzzle * 2 * inner + row) * d + cols.start;
                    // SAFETY: the columns of a puzzle belong to this task.
                    unsafe { pre.store(at, values) };
                }
            }
        });
    });
}

/// Fills `pre` with `[G ; U]` of every puzzle, as [`forward`] does.
pub(super) fn pre_activations(h: &Tensor, gate_up: &Parameter, pre: &mut Tensor) {
    let [n, l] = *gate_up.value().shape() else { panic!("a matrix") };
    let d = h.last_dim();
    let gate_up = Mat::new(gate_up.value().slice(), n, l);
    let pres = pre.slice_mut::<f32>().par_chunks_mut(n * d);
    pres.zip(h.slice::<f32>().par_chunks(l * d)).for_each(|(pre, h)| {
        matmul(MatMut::new(pre, n, d), gate_up, Mat::new(h, l, d), false);
    });
}

/// Turns the pre-activations in `d_pre` into their gradients; fills `act` and `d_h`.
pub(super) fn backward(
    [gate_up, down]: [&Parameter; 2],
    d_out: &Tensor,
    d_pre: &mut Tensor,
    act: &mut Tensor,
    d_h: &mut Tensor,
) {
    let [l, inner] = *down.value().shape() else { panic!("a matrix") };
    let d = d_out.last_dim();
    let gate_up = Mat::new(gate_up.transposed().slice(), l, 2 * inner);
    let down = Mat::new(down.transposed().slice(), inner, l);
    let d_outs = d_out.slice::<f32>().par_chunks(l * d);
    let d_pres = d_pre.slice_mut::<f32>().par_chunks_mut(2 * inner * d);
    let acts = act.slice_mut::<f32>().par_chunks_mut(inner * d);
    let d_hs = d_h.slice_mut::<f32>().par_chunks_mut(l * d);
    d_outs.zip(d_pres).zip(acts.zip(d_hs)).for_each(|((d_out, d_pre), (act, d_h))| {
        matmul(MatMut::new(act, inner, d), down, Mat::new(d_out, l, d), false);
        let (gate, up) = d_pre.split_at_mut(inner * d);
        activate_backward(gate, up, act);
        matmul(MatMut::new(d_h, l, d), gate_up, Mat::new(d_pre, 2 * inner, d), false);
    });
}

/// Adds `Σ_b d_out_b · x_bᵀ` to the gradient of a weight that multiplied from the left.
pub(super) fn add_weight_gradient(
    gradients: &mut Gradients,
    weight: &Parameter,
    d_out: &Tensor,
    x: &Tensor,
) {
    let [n, k] = *weight.value().shape() else { panic!("a matrix") };
    let d = x.last_dim();
    let d_outs = d_out.slice::<f32>().chunks_exact(n * d).map(|m| Mat::new(m, n, d));
    let xs = x.slice::<f32>().chunks_exact(k * d).map(|m| Mat::new(m, k, d).t());
    let pairs: Vec<_> = d_outs.zip(xs).collect();
    let (sum, started) = gradients.parameter_sum(weight);
    matmul_sum(MatMut::new(sum.slice_mut(), n, k), &pairs, started);
}
