use super::{activate, activate_backward};
use crate::matmul::{Mat, MatMut, ROW_BLOCK, matmul};
use crate::storage::with_scratch;
use crate::{Parameter, Tensor};
use rayon::prelude::*;

/// Keeps the pre-activations in `pre` unless that has no rows.
pub(super) fn forward(
    x: &Tensor,
    gate_up: &Parameter,
    down: &Parameter,
    pre: &mut Tensor,
    out: &mut Tensor,
) {
    let [d, inner] = *down.value().shape() else { panic!("a matrix") };
    let gate_up = Mat::new(gate_up.transposed().slice(), d, 2 * inner);
    let down = Mat::new(down.transposed().slice(), inner, d);
    let block = |x: &[f32], pre: &mut [f32], out: &mut [f32]| {
        let rows = x.len() / d;
        matmul(MatMut::new(pre, rows, 2 * inner), Mat::new(x, rows, d), gate_up, false);
        with_scratch(rows * inner, |act| {
            for (pre, act) in pre.chunks_exact(2 * inner).zip(act.chunks_exact_mut(inner)) {
                let (gate, up) = pre.split_at(inner);
                activate(gate, up, act);
            }
            matmul(MatMut::new(out, rows, d), Mat::new(act, rows, inner), down, false);
        });
    };
    let xs = x.slice::<f32>().par_chunks(ROW_BLOCK * d);
    let outs = out.slice_mut::<f32>().par_chunks_mut(ROW_BLOCK * d);
    if pre.is_empty() {
        outs.zip(xs).for_each(|(out, x)| {
            with_scratch(x.len() / d * 2 * inner, |pre| block(x, pre, out));
        });
    } else {
        let pres = pre.slice_mut::<f32>().par_chunks_mut(ROW_BLOCK * 2 * inner);
        outs.zip(xs).zip(pres).for_each(|((out, x), pre)| block(x, pre, out));
    }
}

/// Turns the pre-activations in `d_pre` into their gradients; fills `act` and `d_x`.
pub(super) fn backward(
    [gate_up, down]: [&Parameter; 2],
    d_out: &Tensor,
    d_pre: &mut Tensor,
    act: &mut Tensor,
    d_x: &mut Tensor,
) {
    let [d, inner] = *down.value().shape() else { panic!("a matrix") };
    let gate_up = Mat::new(gate_up.value().slice(), 2 * inner, d);
    let down = Mat::new(down.value().slice(), d, inner);
    let d_outs = d_out.slice::<f32>().par_chunks(ROW_BLOCK * d);
    let d_pres = d_pre.slice_mut::<f32>().par_chunks_mut(ROW_BLOCK * 2 * inner);
    let acts = act.slice_mut::<f32>().par_chunks_mut(ROW_BLOCK * inner);
    let d_xs = d_x.slice_mut::<f32>().par_chunks_mut(ROW_BLOCK * d);
    d_outs.zip(d_pres).zip(acts.zip(d_xs)).for_each(|((d_out, d_pre), (act, d_x))| {
        let rows = d_out.len() / d;
        matmul(MatMut::new(act, rows, inner), Mat::new(d_out, rows, d), down, false);
        for (d_pre, act) in d_pre.chunks_exact_mut(2 * inner).zip(act.chunks_exact_mut(inner)) {
            let (gate, up) = d_pre.split_at_mut(inner);
            activate_backward(gate, up, act);
        }
        matmul(MatMut::new(d_x, rows, d), Mat::new(d_pre, rows, 2 * inner), gate_up, false);
    });
}
