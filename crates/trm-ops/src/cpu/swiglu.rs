//! Rows are independent of each other: a task takes a block of them from beginning to end.

use crate::cpu::element::{Element, widen};
use crate::cpu::math::{sigmoid, vectorized};
use crate::cpu::memory::{uninit, with_scratch};
use crate::cpu::norm::norm_rows;
use crate::cpu::panels::{
    Format, PANEL, PackedRhs, row_block, scratch, store_columns, times_block, with_rows,
};
use crate::cpu::tasks::Tasks;
use crate::kernels::Gated;
use crate::{Parameter, Tensor};
use rayon::prelude::*;

/// Keeps the pre-activations in `pre`, if given; `finish` turns a block of inputs and
/// the block's product with `W_down` into outputs.
fn run<F: Format>(
    x: &Tensor,
    [gate_up, down]: [&Parameter; 2],
    pre: Option<&mut Tensor>,
    out: &mut Tensor,
    finish: impl Fn(&[F::Stored], &[F::Stored], &PackedRhs<F>, &mut [F::Stored]) + Sync,
) {
    let [d, inner] = *down.value().shape() else { panic!("a matrix") };
    let [gate, up] = gate_up.columns::<F>(2) else { panic!("two halves") };
    let down = &down.columns::<F>(1)[0];
    let block = |x: &[F::Stored], mut kept: Option<&mut [F::Stored]>, out: &mut [F::Stored]| {
        let rows = x.len() / d;
        scratch(rows * inner, 3 * rows * PANEL, |act, tiles| {
            let (g, rest) = tiles.split_at_mut(rows * PANEL);
            let (u, a) = rest.split_at_mut(rows * PANEL);
            with_rows::<F, _>(x, d, |lhs| {
                for ((cols, gate), (_, up)) in gate.panels().zip(up.panels()) {
                    F::panel_product(lhs, gate, g, false);
                    F::panel_product(lhs, up, u, false);
                    activate(g, u, a);
                    store_columns(act, inner, cols.clone(), a);
                    if let Some(kept) = kept.as_deref_mut() {
                        store_columns(kept, 2 * inner, cols.clone(), g);
                        store_columns(kept, 2 * inner, inner + cols.start..inner + cols.end, u);
                    }
                }
            });
            finish(x, act, down, out);
        });
    };
    let row_block = row_block::<F>(x.len() / d);
    let xs = x.slice::<F::Stored>().par_chunks(row_block * d);
    let outs = out.slice_mut::<F::Stored>().par_chunks_mut(row_block * d);
    match pre {
        None => outs.zip(xs).tasks().for_each(|(out, x)| block(x, None, out)),
        Some(pre) => {
            let pres = pre.slice_mut::<F::Stored>().par_chunks_mut(row_block * 2 * inner);
            outs.zip(xs).zip(pres).tasks().for_each(|((out, x), pre)| block(x, Some(pre), out));
        }
    }
}

pub(super) fn forward<F: Format>(
    x: &Tensor,
    weights: [&Parameter; 2],
    keep: bool,
) -> (Tensor, Option<Tensor>) {
    let [d, inner] = *weights[1].value().shape() else { panic!("a matrix") };
    let mut out = uninit(x.device(), x.shape(), x.dtype());
    let rows = x.len() / d;
    let mut pre = keep.then(|| uninit(x.device(), &[rows, 2 * inner], x.dtype()));
    run::<F>(x, weights, pre.as_mut(), &mut out, |_, act, down, out| {
        times_block(act, inner, down, out, d);
    });
    (out, pre)
}

/// `rms_norm(x + swiglu(x))`, block by block while it is in the caches.
pub(super) fn residual_forward<F: Format>(x: &Tensor, weights: [&Parameter; 2]) -> Tensor {
    let [d, inner] = *weights[1].value().shape() else { panic!("a matrix") };
    let mut out = uninit(x.device(), x.shape(), x.dtype());
    run::<F>(x, weights, None, &mut out, |x, act, down, out| {
        scratch(x.len(), 0, |product, _| {
            times_block(act, inner, down, product, d);
            norm_rows(x, product, out, d);
        });
    });
    out
}

/// Reads columns of a row-major matrix into a tile `[rows, 32]`.
fn load_columns<T: Element>(
    matrix: &[T],
    stride: usize,
    start: usize,
    width: usize,
    tile: &mut [f32],
) {
    vectorized!({
        for (row, tile) in matrix.chunks_exact(stride).zip(tile.as_chunks_mut::<PANEL>().0) {
            let row = &row[start..start + width];
            match <&[T; PANEL]>::try_from(row) {
                Ok(row) => widen(tile, row),
                Err(_) => {
                    widen(tile, row);
                    tile[width..].fill(0.0);
                }
            }
        }
    });
}

/// Turns pre-activations into their gradients. Without any they are computed again first.
pub(super) fn backward<F: Format>(
    x: &Tensor,
    weights: [&Parameter; 2],
    pre: Option<Tensor>,
    d_out: &Tensor,
) -> Gated {
    let [d, inner] = *weights[1].value().shape() else { panic!("a matrix") };
    let rows = x.len() / d;
    let recompute = pre.is_none();
    let mut d_pre = pre.unwrap_or_else(|| uninit(x.device(), &[rows, 2 * inner], x.dtype()));
    let mut act = uninit(x.device(), &[rows, inner], x.dtype());
    let mut d_x = uninit(x.device(), x.shape(), x.dtype());
    let row_block = row_block::<F>(rows);
    let d_outs = d_out.slice::<F::Stored>().par_chunks(row_block * d);
    let d_pres = d_pre.slice_mut::<F::Stored>().par_chunks_mut(row_block * 2 * inner);
    let acts = act.slice_mut::<F::Stored>().par_chunks_mut(row_block * inner);
    let d_xs = d_x.slice_mut::<F::Stored>().par_chunks_mut(row_block * d);
    let blocks = d_outs.zip(d_pres).zip(acts.zip(d_xs)).enumerate();
    blocks.tasks().for_each(|(i, ((d_out, d_pre), (act, d_x)))| {
        if recompute {
            let x = &x.slice::<F::Stored>()[i * row_block * d..][..d_out.len()];
            pre_activations::<F>(x, weights, d_pre);
        }
        block_backward::<F>(weights, d_out, d_pre, act);
        times_block(d_pre, 2 * inner, weights[0].rows::<F>(), d_x, d);
    });
    Gated { d_x, d_pre, act }
}

/// `pre = [g | u]` for one block of rows.
fn pre_activations<F: Format>(
    x: &[F::Stored],
    [gate_up, down]: [&Parameter; 2],
    pre: &mut [F::Stored],
) {
    let [d, inner] = *down.value().shape() else { panic!("a matrix") };
    with_rows::<F, _>(x, d, |lhs| {
        with_scratch(lhs.rows() * PANEL, |tile| {
            for (part, matrix) in gate_up.columns::<F>(2).iter().enumerate() {
                for (cols, panel) in matrix.panels() {
                    F::panel_product(lhs, panel, tile, false);
                    let start = part * inner + cols.start;
                    store_columns(pre, 2 * inner, start..start + cols.len(), tile);
                }
            }
        });
    });
}

/// The gradients of the pre-activations of one block of rows.
fn block_backward<F: Format>(
    [_, down]: [&Parameter; 2],
    d_out: &[F::Stored],
    d_pre: &mut [F::Stored],
    act: &mut [F::Stored],
) {
    let [d, inner] = *down.value().shape() else { panic!("a matrix") };
    with_rows::<F, _>(d_out, d, |lhs| {
        let tile = lhs.rows() * PANEL;
        with_scratch(3 * tile, |tiles| {
            let (g, rest) = tiles.split_at_mut(tile);
            let (u, a) = rest.split_at_mut(tile);
            for (cols, panel) in down.rows::<F>().panels() {
                let (start, width) = (cols.start, cols.len());
                F::panel_product(lhs, panel, a, false);
                load_columns(d_pre, 2 * inner, start, width, g);
                load_columns(d_pre, 2 * inner, inner + start, width, u);
                activate_backward(g, u, a);
                store_columns(act, inner, cols.clone(), a);
                store_columns(d_pre, 2 * inner, cols, g);
                store_columns(d_pre, 2 * inner, inner + start..inner + start + width, u);
            }
        });
    });
}

/// `act = silu(gate) ∘ up`.
pub(super) fn activate(gate: &[f32], up: &[f32], act: &mut [f32]) {
    vectorized!({
        for ((act, g), u) in act.iter_mut().zip(gate).zip(up) {
            *act = g * sigmoid(*g) * u;
        }
    });
}

/// From the gradient of `silu(gate) ∘ up` to those of gate and up. `gate` and `up` hold the
/// pre-activations and are overwritten by their gradients; `act` holds the gradient of the product
/// and is overwritten by the product itself.
pub(super) fn activate_backward(gate: &mut [f32], up: &mut [f32], act: &mut [f32]) {
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
