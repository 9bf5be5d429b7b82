//! Every column of a puzzle's `[L, D]` matrix is independent of the others, so a task takes 32 of them
//! from beginning to end; nothing leaves its caches in between.

#![allow(unsafe_code)]

use crate::dtype::{Element, round_in_place};
use crate::math::vectorized;
use crate::ops::residual_norm::NORM_EPS;
use crate::ops::swiglu::{activate, activate_backward};
use crate::panels::{
    Format, PANEL, PackedLhs, grouped, interleave, pack_columns, pack_rows, scratch,
};
use crate::shared::Shared;
use crate::tape::Gradients;
use crate::{DType, Parameter, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// Calls `f` for every puzzle and every panel of its columns, on all threads.
fn for_each_panel(h: &Tensor, f: impl Fn(usize, Range<usize>) + Sync) {
    let [batch, _, d] = *h.shape() else { panic!("[B, L, D]") };
    let panels = d.div_ceil(PANEL);
    (0..batch * panels).into_par_iter().for_each(|task| {
        let (puzzle, panel) = (task / panels, task % panels);
        f(puzzle, panel * PANEL..((panel + 1) * PANEL).min(d));
    });
}

/// Rounds a tile `[rows, 32]` into columns of a row-major matrix that begins at `at`.
///
/// # Safety
/// No other task may store to these columns.
unsafe fn store_tile<T: Element>(
    shared: &Shared<'_, T>,
    at: usize,
    d: usize,
    cols: &Range<usize>,
    tile: &[f32],
) {
    for (row, tile) in tile.chunks_exact(PANEL).enumerate() {
        // SAFETY: by the caller's promise.
        unsafe { shared.store(at + row * d + cols.start, &tile[..cols.len()]) };
    }
}

/// Keeps the pre-activations in `pre` unless that has no rows; `finish` may change the result, given
/// the puzzle's `[L, D]`, the columns and their `[L, 32]` tile.
fn run<F: Format>(
    h: &Tensor,
    [gate_up, down]: [&Parameter; 2],
    pre: &mut Tensor,
    out: &mut Tensor,
    finish: impl Fn(&[F::Stored], Range<usize>, &mut [f32]) + Sync,
) {
    let [l, inner] = *down.value().shape() else { panic!("a matrix") };
    let d = h.last_dim();
    let (tokens, units) = (grouped::<F>(l), grouped::<F>(inner));
    let (gate_up, down) = (gate_up.left::<F>(), down.left::<F>());
    let keep = !pre.is_empty();
    let pre = Shared::new(pre.slice_mut::<F::Stored>());
    let out = Shared::new(out.slice_mut::<F::Stored>());
    for_each_panel(h, |puzzle, cols| {
        let h = &h.slice::<F::Stored>()[puzzle * l * d..][..l * d];
        let panels = (tokens + units) * PANEL;
        scratch(panels, (3 * inner + l) * PANEL, |panels, tiles| {
            let (h_panel, act_panel) = panels.split_at_mut(tokens * PANEL);
            let (products, tiles) = tiles.split_at_mut(2 * inner * PANEL);
            let (act, y) = tiles.split_at_mut(inner * PANEL);
            pack_rows(h, d, cols.clone(), h_panel, F::widen);
            F::panel_product(gate_up, h_panel, products, false);
            let (gate, up) = products.split_at(inner * PANEL);
            activate(gate, up, act);
            interleave::<F>(act, act_panel);
            F::panel_product(down, act_panel, y, false);
            finish(h, cols.clone(), y);
            // SAFETY: the columns of a puzzle belong to this task.
            unsafe {
                store_tile(&out, puzzle * l * d, d, &cols, y);
                if keep {
                    store_tile(&pre, puzzle * 2 * inner * d, d, &cols, products);
                }
            }
        });
    });
}

/// Keeps the pre-activations in `pre` unless that has no rows.
pub(super) fn forward<F: Format>(
    h: &Tensor,
    weights: [&Parameter; 2],
    pre: &mut Tensor,
    out: &mut Tensor,
) {
    run::<F>(h, weights, pre, out, |_, _, _| {});
}

/// `out = rms_norm(h + token_swiglu(h))` over tokens.
pub(super) fn residual_forward<F: Format>(h: &Tensor, weights: [&Parameter; 2], out: &mut Tensor) {
    let [l, inner] = *weights[1].value().shape() else { panic!("a matrix") };
    let d = h.last_dim();
    let mut nothing_kept = Tensor::uninit(h.device(), &[0, 2 * inner, d], F::Stored::DTYPE);
    run::<F>(h, weights, &mut nothing_kept, out, |h, cols, tile| {
        vectorized!({
            let mut squares = [0.0f32; PANEL];
            for (row, tile) in h.chunks_exact(d).zip(tile.as_chunks_mut::<PANEL>().0) {
                for ((r, h), sum) in tile.iter_mut().zip(&row[cols.clone()]).zip(&mut squares) {
                    *r = h.to_f32() + F::Stored::from_f32(*r).to_f32(); // as if it had been stored
                    *sum += *r * *r;
                }
            }
            let inverse = squares.map(|sum| 1.0 / (sum / l as f32 + NORM_EPS).sqrt());
            for tile in tile.as_chunks_mut::<PANEL>().0 {
                tile.iter_mut().zip(&inverse).for_each(|(s, inverse)| *s *= inverse);
            }
        });
    });
}

/// Turns the pre-activations in `d_pre` into their gradients; fills `act` and `d_h`. With `h` the
/// pre-activations are computed again first.
pub(super) fn backward<F: Format>(
    [gate_up, down]: [&Parameter; 2],
    h: Option<&Tensor>,
    d_out: &Tensor,
    [d_pre, act, d_h]: [&mut Tensor; 3],
) {
    let [l, inner] = *down.value().shape() else { panic!("a matrix") };
    let d = d_out.last_dim();
    let tokens = grouped::<F>(l);
    let forward = gate_up.left::<F>();
    let (gate_up, down) = (gate_up.left_transposed::<F>(), down.left_transposed::<F>());
    let d_pre = Shared::new(d_pre.slice_mut::<F::Stored>());
    let act = Shared::new(act.slice_mut::<F::Stored>());
    let d_h = Shared::new(d_h.slice_mut::<F::Stored>());
    for_each_panel(d_out, |puzzle, cols| {
        let d_out = &d_out.slice::<F::Stored>()[puzzle * l * d..][..l * d];
        let panels = (tokens + 2 * inner) * PANEL;
        scratch(panels, (3 * inner + l) * PANEL, |panels, tiles| {
            let (panel, d_pre_panel) = panels.split_at_mut(tokens * PANEL);
            let (products, tiles) = tiles.split_at_mut(2 * inner * PANEL);
            let (a, d_x) = tiles.split_at_mut(inner * PANEL);
            if let Some(h) = h {
                let h = &h.slice::<F::Stored>()[puzzle * l * d..][..l * d];
                pack_rows(h, d, cols.clone(), panel, F::widen);
                F::panel_product(forward, panel, products, false);
                round_in_place::<F::Stored>(products);
            } else {
                for (row, tile) in products.chunks_exact_mut(PANEL).enumerate() {
                    let at = (puzzle * 2 * inner + row) * d + cols.start;
                    // SAFETY: the columns of a puzzle belong to this task.
                    unsafe { d_pre.load(at, &mut tile[..cols.len()]) };
                    tile[cols.len()..].fill(0.0);
                }
            }
            pack_rows(d_out, d, cols.clone(), panel, F::widen);
            F::panel_product(down, panel, a, false);
            let (gate, up) = products.split_at_mut(inner * PANEL);
            activate_backward(gate, up, a);
            interleave::<F>(products, d_pre_panel);
            F::panel_product(gate_up, d_pre_panel, d_x, false);
            // SAFETY: the columns of a puzzle belong to this task.
            unsafe {
                store_tile(&d_h, puzzle * l * d, d, &cols, d_x);
                store_tile(&act, puzzle * inner * d, d, &cols, a);
                store_tile(&d_pre, puzzle * 2 * inner * d, d, &cols, products);
            }
        });
    });
}

/// Adds `Σ_b d_out_b · act_bᵀ`, `[L, I]`, to the gradient of `W_down`.
pub(super) fn add_down_gradient<F: Format>(
    gradients: &mut Gradients,
    down: &Parameter,
    d_out: &Tensor,
    act: &Tensor,
) {
    let [l, inner] = *down.value().shape() else { panic!("a matrix") };
    let (sum, started) = gradients.parameter_sum(down);
    let sum = sum.slice_mut::<f32>();
    sum_of_products::<F>((d_out, l), (act, inner), |cols, tile| {
        for (row, tile) in tile.chunks_exact(PANEL).enumerate() {
            add(&mut sum[row * inner..][cols.clone()], tile, started);
        }
    });
}

/// Adds `Σ_b d_pre_b · h_bᵀ`, `[2I, L]`, to the gradient of `W_gate_up`. Its transpose is computed:
/// L rows and 2I columns fill the micro-tiles better than the other way round.
pub(super) fn add_gate_up_gradient<F: Format>(
    gradients: &mut Gradients,
    gate_up: &Parameter,
    d_pre: &Tensor,
    h: &Tensor,
) {
    let [n, l] = *gate_up.value().shape() else { panic!("a matrix") };
    let (sum, started) = gradients.parameter_sum(gate_up);
    let sum = sum.slice_mut::<f32>();
    sum_of_products::<F>((h, l), (d_pre, n), |cols, tile| {
        for (row, tile) in tile.chunks_exact(PANEL).enumerate() {
            for (col, value) in cols.clone().zip(tile) {
                let place = &mut sum[col * l + row];
                *place = if started { *place + value } else { *value };
            }
        }
    });
}

fn add(sum: &mut [f32], terms: &[f32], started: bool) {
    for (sum, term) in sum.iter_mut().zip(terms) {
        *sum = if started { *sum + term } else { *term };
    }
}

/// `Σ_b a_b · b_bᵀ` for a `[B, M, D]` and b `[B, N, D]`: every panel of 32 columns of the
/// `[M, N]` result is handed to `take` as (columns, `[M, 32]` tile). Tasks own panels; each sums over
/// the puzzles in order.
fn sum_of_products<F: Format>(
    (a, m): (&Tensor, usize),
    (b, n): (&Tensor, usize),
    mut take: impl FnMut(Range<usize>, &[f32]),
) {
    let [batch, _, d] = *a.shape() else { panic!("[B, M, D]") };
    let panels = n.div_ceil(PANEL);
    let left = PackedLhs::<F>::from_rows(a.device(), a.slice(), d, m);
    let mut tiles = Tensor::uninit(a.device(), &[panels, m * PANEL], DType::F32);
    let all = tiles.slice_mut::<f32>().par_chunks_exact_mut(m * PANEL).enumerate();
    all.for_each(|(panel, tile)| {
        let cols = panel * PANEL..((panel + 1) * PANEL).min(n);
        for puzzle in 0..batch {
            let rows = &b.slice::<F::Stored>()[(puzzle * n + cols.start) * d..][..cols.len() * d];
            scratch(grouped::<F>(d) * PANEL, 0, |packed, _| {
                pack_columns(rows, d, packed, F::widen);
                F::panel_product(left.block(puzzle), packed, tile, puzzle > 0);
            });
        }
    });
    for (panel, tile) in tiles.slice::<f32>().chunks_exact(m * PANEL).enumerate() {
        take(panel * PANEL..((panel + 1) * PANEL).min(n), tile);
    }
}
