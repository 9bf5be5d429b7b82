#![allow(unsafe_code)]

use super::{activate, activate_backward};
use crate::matmul::{COLUMN_BLOCK, Mat, MatMut, ROW_BLOCK, matmul, parallel_matmul, places};
use crate::shared::Shared;
use crate::storage::with_scratch;
use crate::{DType, Parameter, Tensor};
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
    let rows = x.len() / d;
    let keep = !pre.is_empty();
    let mut act = Tensor::uninit(x.device(), &[rows, inner], DType::F32);
    let (pre, activated) =
        (Shared::new(pre.slice_mut::<f32>()), Shared::new(act.slice_mut::<f32>()));
    let gate_up = Mat::new(gate_up.transposed().slice(), d, 2 * inner);
    let x = Mat::new(x.slice(), rows, d);
    let tiles: Vec<_> = places([rows, inner], [ROW_BLOCK, COLUMN_BLOCK]).collect();
    tiles.into_par_iter().for_each(|(rows, cols)| {
        let width = cols.len();
        let x = x.block(rows.clone(), 0..d);
        with_scratch(3 * rows.len() * width, |scratch| {
            let (g, rest) = scratch.split_at_mut(rows.len() * width);
            let (u, a) = rest.split_at_mut(rows.len() * width);
            for (target, start) in [(&mut *g, cols.start), (&mut *u, inner + cols.start)] {
                let weight = gate_up.block(0..d, start..start + width);
                matmul(MatMut::new(target, rows.len(), width), x, weight, false);
            }
            activate(g, u, a);
            for (i, row) in rows.enumerate() {
                let part = i * width..(i + 1) * width;
                // SAFETY: these columns of these rows belong to this task.
                unsafe {
                    activated.store(row * inner + cols.start, &a[part.clone()]);
                    if keep {
                        pre.store(row * 2 * inner + cols.start, &g[part.clone()]);
                        pre.store((2 * row + 1) * inner + cols.start, &u[part]);
                    }
                }
            }
        });
    });
    let (act, down) =
        (Mat::new(act.slice(), rows, inner), Mat::new(down.transposed().slice(), inner, d));
    parallel_matmul(MatMut::new(out.slice_mut(), rows, d), act, down, false);
}

/// Fills `pre` with `[g | u]`, as [`forward`] does.
pub(super) fn pre_activations(x: &Tensor, gate_up: &Parameter, pre: &mut Tensor) {
    let [n, d] = *gate_up.value().shape() else { panic!("a matrix") };
    let rows = x.len() / d;
    let gate_up = Mat::new(gate_up.transposed().slice(), d, n);
    let pre = MatMut::new(pre.slice_mut(), rows, n);
    parallel_matmul(pre, Mat::new(x.slice(), rows, d), gate_up, false);
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
