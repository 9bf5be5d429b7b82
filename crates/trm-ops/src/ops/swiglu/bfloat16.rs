use super::{activate, activate_backward};
use crate::bfloat16::{
    Lhs, PANEL, PackedRhs, even_rows, panel_product, row_block, scratch, store_columns, times_block,
};
use crate::dtype::{round_in_place, widen};
use crate::math::vectorized;
use crate::ops::residual_norm::norm_rows;
use crate::{DType, Parameter, Tensor};
use half::bf16;
use rayon::prelude::*;

/// Keeps the pre-activations in `pre` unless that has no rows; `finish` turns a block of inputs and
/// the block's product with `W_down` into outputs.
fn run(
    x: &Tensor,
    [gate_up, down]: [&Parameter; 2],
    pre: &mut Tensor,
    out: &mut Tensor,
    finish: impl Fn(&[bf16], &[bf16], &PackedRhs, &mut [bf16]) + Sync,
) {
    let [d, inner] = *down.value().shape() else { panic!("a matrix") };
    let [gate, up] = gate_up.columns(2) else { panic!("two halves") };
    let down = &down.columns(1)[0];
    let block = |x: &[bf16], mut kept: Option<&mut [bf16]>, out: &mut [bf16]| {
        let rows = x.len() / d;
        let even = even_rows(x, d);
        let lhs = Lhs::row_major(&even, rows, d.next_multiple_of(2));
        scratch(rows * inner, 3 * rows * PANEL, |act, tiles| {
            let (g, rest) = tiles.split_at_mut(rows * PANEL);
            let (u, a) = rest.split_at_mut(rows * PANEL);
            for ((cols, gate), (_, up)) in gate.panels().zip(up.panels()) {
                panel_product(lhs, gate, g, false);
                panel_product(lhs, up, u, false);
                activate(g, u, a);
                store_columns(act, inner, cols.clone(), a);
                if let Some(kept) = kept.as_deref_mut() {
                    store_columns(kept, 2 * inner, cols.clone(), g);
                    store_columns(kept, 2 * inner, inner + cols.start..inner + cols.end, u);
                }
            }
            finish(x, act, down, out);
        });
    };
    let row_block = row_block(x.len() / d);
    let xs = x.slice::<bf16>().par_chunks(row_block * d);
    let outs = out.slice_mut::<bf16>().par_chunks_mut(row_block * d);
    if pre.is_empty() {
        outs.zip(xs).for_each(|(out, x)| block(x, None, out));
    } else {
        let pres = pre.slice_mut::<bf16>().par_chunks_mut(row_block * 2 * inner);
        outs.zip(xs).zip(pres).for_each(|((out, x), pre)| block(x, Some(pre), out));
    }
}

/// Keeps the pre-activations in `pre` unless that has no rows.
pub(super) fn forward(x: &Tensor, weights: [&Parameter; 2], pre: &mut Tensor, out: &mut Tensor) {
    let [d, inner] = *weights[1].value().shape() else { panic!("a matrix") };
    run(x, weights, pre, out, |_, act, down, out| times_block(act, inner, down, out, d));
}

/// `out = rms_norm(x + swiglu(x))`, block by block while it is in the caches.
pub(super) fn residual_forward(x: &Tensor, weights: [&Parameter; 2], out: &mut Tensor) {
    let [d, inner] = *weights[1].value().shape() else { panic!("a matrix") };
    let mut nothing_kept = Tensor::uninit(x.device(), &[0, 2 * inner], DType::Bf16);
    run(x, weights, &mut nothing_kept, out, |x, act, down, out| {
        scratch(x.len(), 0, |product, _| {
            times_block(act, inner, down, product, d);
            norm_rows(x, product, out, d);
        });
    });
}

/// Reads columns of a row-major matrix into a tile `[rows, 32]`.
fn load_columns(matrix: &[bf16], stride: usize, start: usize, width: usize, tile: &mut [f32]) {
    vectorized!({
        for (row, tile) in matrix.chunks_exact(stride).zip(tile.as_chunks_mut::<PANEL>().0) {
            let row = &row[start..start + width];
            match <&[bf16; PANEL]>::try_from(row) {
                Ok(row) => widen(tile, row),
                Err(_) => {
                    widen(tile, row);
                    tile[width..].fill(0.0);
                }
            }
        }
    });
}

/// Turns the pre-activations in `d_pre` into their gradients; fills `act` and `d_x`. With `x` the
/// pre-activations are computed again first.
pub(super) fn backward(
    [gate_up, down]: [&Parameter; 2],
    x: Option<&Tensor>,
    d_out: &Tensor,
    [d_pre, act, d_x]: [&mut Tensor; 3],
) {
    let [d, inner] = *down.value().shape() else { panic!("a matrix") };
    let [gate, up] = gate_up.columns(2) else { panic!("two halves") };
    let (gate_up, down) = (gate_up.rows(), down.rows());
    let row_block = row_block(d_out.len() / d);
    let d_outs = d_out.slice::<bf16>().par_chunks(row_block * d);
    let d_pres = d_pre.slice_mut::<bf16>().par_chunks_mut(row_block * 2 * inner);
    let acts = act.slice_mut::<bf16>().par_chunks_mut(row_block * inner);
    let d_xs = d_x.slice_mut::<bf16>().par_chunks_mut(row_block * d);
    let blocks = d_outs.zip(d_pres).zip(acts.zip(d_xs)).enumerate();
    blocks.for_each(|(i, ((d_out, d_pre), (act, d_x)))| {
        let rows = d_out.len() / d;
        let x = x.map(|x| even_rows(&x.slice::<bf16>()[i * row_block * d..][..d_out.len()], d));
        let x = x.as_ref().map(|x| Lhs::row_major(x, rows, d.next_multiple_of(2)));
        let d_out = even_rows(d_out, d);
        let lhs = Lhs::row_major(&d_out, rows, d.next_multiple_of(2));
        scratch(0, 3 * rows * PANEL, |_, tiles| {
            let (g, rest) = tiles.split_at_mut(rows * PANEL);
            let (u, a) = rest.split_at_mut(rows * PANEL);
            let panels = gate.panels().zip(up.panels());
            for ((cols, down), ((_, gate), (_, up))) in down.panels().zip(panels) {
                let (start, width) = (cols.start, cols.len());
                panel_product(lhs, down, a, false);
                for (tile, weight, start) in [(&mut *g, gate, start), (&mut *u, up, inner + start)]
                {
                    match x {
                        None => load_columns(d_pre, 2 * inner, start, width, tile),
                        Some(x) => {
                            panel_product(x, weight, tile, false);
                            round_in_place::<bf16>(tile);
                        }
                    }
                }
                activate_backward(g, u, a);
                store_columns(act, inner, cols.clone(), a);
                store_columns(d_pre, 2 * inner, cols.clone(), g);
                store_columns(d_pre, 2 * inner, inner + start..inner + cols.end, u);
            }
        });
        times_block(d_pre, 2 * inner, gate_up, d_x, d);
    });
}
