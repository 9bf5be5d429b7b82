//! Every column of a puzzle's `[L, D]` matrix is independent of the others, so a task takes some of them
//! from beginning to end; nothing leaves its caches in between.

#![allow(unsafe_code)]

use crate::cpu::element::{Element, round_in_place};
use crate::cpu::math::vectorized;
use crate::cpu::memory::uninit;
use crate::cpu::panels::{
    Format, PANEL, PackedLhs, grouped, interleave, pack_columns, pack_rows, scratch,
};
use crate::cpu::shared::Shared;
use crate::cpu::swiglu::{activate, activate_backward};
use crate::cpu::tasks::{Tasks, hands};
use crate::kernels::{Gated, Sum};
use crate::ops::residual_norm::NORM_EPS;
use crate::{DType, Parameter, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// Inner units that a task takes at a time for all its columns, so that their weights stay in the second cache.
const UNITS: usize = 128;

/// Panels of columns that a task takes at most.
const PANELS: usize = 4;

/// The weights of a layer as left operands, as a pass needs them.
struct Weights<'a, F> {
    gate: &'a PackedLhs<F>,
    up: &'a PackedLhs<F>,
    down: &'a PackedLhs<F>,
}

impl<'a, F: Format> Weights<'a, F> {
    /// Gate and up in blocks of units; down whole.
    fn forward([gate_up, down]: [&'a Parameter; 2]) -> Weights<'a, F> {
        let [gate, up] = gate_up.left::<F>(2, UNITS) else { panic!("two halves") };
        Weights { gate, up, down: &down.left::<F>(1, usize::MAX)[0] }
    }

    /// The transposes: gate and up whole, down in blocks of units.
    fn backward([gate_up, down]: [&'a Parameter; 2]) -> Weights<'a, F> {
        let [gate, up] = gate_up.left_transposed::<F>(2, usize::MAX) else { panic!("two halves") };
        Weights { gate, up, down: &down.left_transposed::<F>(1, UNITS)[0] }
    }
}

/// Units by units: their number among all blocks, and which.
fn blocks_of_units(inner: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    (0..inner).step_by(UNITS).map(move |i| i..(i + UNITS).min(inner)).enumerate()
}

/// Calls `f` for every puzzle and some panels of its columns, on all threads.
fn for_each_part(h: &Tensor, f: impl Fn(usize, Vec<Range<usize>>) + Sync) {
    let [batch, _, d] = *h.shape() else { panic!("[B, L, D]") };
    let panels = d.div_ceil(PANEL);
    let width = (batch * panels / (2 * hands())).clamp(1, PANELS);
    let parts = panels.div_ceil(width);
    (0..batch * parts).into_par_iter().tasks().for_each(|task| {
        let (puzzle, part) = (task / parts, task % parts);
        let panels = part * width..((part + 1) * width).min(panels);
        f(puzzle, panels.map(|i| i * PANEL..((i + 1) * PANEL).min(d)).collect());
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
    let width = cols.len();
    vectorized!({
        for (row, tile) in tile.as_chunks::<PANEL>().0.iter().enumerate() {
            let at = at + row * d + cols.start;
            // SAFETY: by the caller's promise. A length that the compiler knows is worth a branch.
            unsafe {
                if width == PANEL {
                    shared.store(at, tile)
                } else {
                    shared.store(at, &tile[..width])
                }
            }
        }
    });
}

/// Reads columns of a row-major matrix that begins at `at` into a tile `[rows, 32]`.
///
/// # Safety
/// No other task may store to these columns.
unsafe fn load_tile<T: Element>(
    shared: &Shared<'_, T>,
    at: usize,
    d: usize,
    cols: &Range<usize>,
    tile: &mut [f32],
) {
    vectorized!({
        for (row, tile) in tile.as_chunks_mut::<PANEL>().0.iter_mut().enumerate() {
            // SAFETY: by the caller's promise.
            unsafe { shared.load(at + row * d + cols.start, &mut tile[..cols.len()]) };
            tile[cols.len()..].fill(0.0);
        }
    });
}

/// Packs panels of columns of a puzzle's `[L, D]`, one after the other.
fn pack_panels<F: Format>(
    matrix: &[F::Stored],
    d: usize,
    parts: &[Range<usize>],
    panels: &mut [F::Operand],
) {
    let size = panels.len() / parts.len();
    for (cols, panel) in parts.iter().zip(panels.chunks_exact_mut(size)) {
        pack_rows(matrix, d, cols.clone(), panel, F::widen);
    }
}

/// Keeps the pre-activations in `pre`, if given; `finish` may change the result, given
/// the puzzle's `[L, D]`, the columns and their `[L, 32]` tile.
fn run<F: Format>(
    h: &Tensor,
    weights: [&Parameter; 2],
    pre: Option<&mut Tensor>,
    finish: impl Fn(&[F::Stored], Range<usize>, &mut [f32]) + Sync,
) -> Tensor {
    let [l, inner] = *weights[1].value().shape() else { panic!("a matrix") };
    let (d, tokens) = (h.last_dim(), grouped::<F>(l));
    let Weights { gate, up, down } = Weights::<F>::forward(weights);
    let mut result = uninit(h.device(), h.shape(), h.dtype());
    let pre = pre.map(|pre| Shared::new(pre.slice_mut::<F::Stored>()));
    let out = Shared::new(result.slice_mut::<F::Stored>());
    for_each_part(h, |puzzle, parts| {
        let h = &h.slice::<F::Stored>()[puzzle * l * d..][..l * d];
        let operands = (parts.len() * tokens + UNITS) * PANEL;
        scratch(operands, (3 * UNITS + parts.len() * l) * PANEL, |operands, tiles| {
            let (panels, act_panel) = operands.split_at_mut(parts.len() * tokens * PANEL);
            let (tiles, results) = tiles.split_at_mut(3 * UNITS * PANEL);
            pack_panels::<F>(h, d, &parts, panels);
            for (i, units) in blocks_of_units(inner) {
                let size = units.len() * PANEL;
                let (g, rest) = tiles.split_at_mut(size);
                let (u, rest) = rest.split_at_mut(size);
                let act_panel = &mut act_panel[..grouped::<F>(units.len()) * PANEL];
                let down = down.block(0).columns(units.start..grouped::<F>(units.end));
                let panels = panels.chunks_exact(tokens * PANEL);
                let results = results.chunks_exact_mut(l * PANEL);
                for ((cols, panel), result) in parts.iter().zip(panels).zip(results) {
                    F::panel_product(gate.block(i), panel, g, false);
                    F::panel_product(up.block(i), panel, u, false);
                    let act = &mut rest[..size];
                    activate(g, u, act);
                    interleave::<F>(act, act_panel);
                    F::panel_product(down, act_panel, result, i > 0);
                    let Some(pre) = &pre else { continue };
                    for (half, tile) in [&*g, u].into_iter().enumerate() {
                        let row = (2 * puzzle + half) * inner + units.start;
                        // SAFETY: the columns of a puzzle belong to this task.
                        unsafe { store_tile(pre, row * d, d, cols, tile) };
                    }
                }
            }
            for (cols, result) in parts.iter().zip(results.chunks_exact_mut(l * PANEL)) {
                finish(h, cols.clone(), result);
                // SAFETY: as above.
                unsafe { store_tile(&out, puzzle * l * d, d, cols, result) };
            }
        });
    });
    result
}

pub(super) fn forward<F: Format>(
    h: &Tensor,
    weights: [&Parameter; 2],
    keep: bool,
) -> (Tensor, Option<Tensor>) {
    let [batch, _, d] = *h.shape() else { panic!("[B, L, D]") };
    let inner = weights[1].value().last_dim();
    let mut pre = keep.then(|| uninit(h.device(), &[batch, 2 * inner, d], h.dtype()));
    (run::<F>(h, weights, pre.as_mut(), |_, _, _| {}), pre)
}

/// `rms_norm(h + token_swiglu(h))` over tokens.
pub(super) fn residual_forward<F: Format>(h: &Tensor, weights: [&Parameter; 2]) -> Tensor {
    let [_, l, d] = *h.shape() else { panic!("[B, L, D]") };
    run::<F>(h, weights, None, |h, cols, tile| {
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
    })
}

/// Turns pre-activations into their gradients. Without any they are computed again first.
pub(super) fn backward<F: Format>(
    h: &Tensor,
    weights: [&Parameter; 2],
    pre: Option<Tensor>,
    d_out: &Tensor,
) -> Gated {
    let [batch, _, d] = *h.shape() else { panic!("[B, L, D]") };
    let inner = weights[1].value().last_dim();
    let recompute = pre.is_none().then_some(h);
    let mut d_pre = pre.unwrap_or_else(|| uninit(h.device(), &[batch, 2 * inner, d], h.dtype()));
    let mut act = uninit(h.device(), &[batch, inner, d], h.dtype());
    let mut d_x = uninit(h.device(), h.shape(), h.dtype());
    parts_backward::<F>(weights, recompute, d_out, [&mut d_pre, &mut act, &mut d_x]);
    Gated { d_x, d_pre, act }
}

fn parts_backward<F: Format>(
    weights: [&Parameter; 2],
    h: Option<&Tensor>,
    d_out: &Tensor,
    [d_pre, act, d_h]: [&mut Tensor; 3],
) {
    let [l, inner] = *weights[1].value().shape() else { panic!("a matrix") };
    let d = d_out.last_dim();
    let pass = Backward {
        inner,
        d,
        forward: h.map(|_| Weights::<F>::forward(weights)),
        weights: Weights::<F>::backward(weights),
        d_pre: Shared::new(d_pre.slice_mut::<F::Stored>()),
        act: Shared::new(act.slice_mut::<F::Stored>()),
    };
    let d_h = Shared::new(d_h.slice_mut::<F::Stored>());
    for_each_part(d_out, |puzzle, parts| {
        let size = parts.len() * grouped::<F>(l) * PANEL;
        let tiles = (3 * UNITS + parts.len() * l) * PANEL;
        scratch(2 * size + UNITS * PANEL, tiles, |operands, tiles| {
            let (d_outs, rest) = operands.split_at_mut(size);
            let (hs, of_units) = rest.split_at_mut(size);
            let (tiles, d_hs) = tiles.split_at_mut(3 * UNITS * PANEL);
            for (matrix, panels) in [(Some(d_out), &mut *d_outs), (h, &mut *hs)] {
                let Some(matrix) = matrix else { continue };
                let matrix = &matrix.slice::<F::Stored>()[puzzle * l * d..][..l * d];
                pack_panels::<F>(matrix, d, &parts, panels);
            }
            let panel = size / parts.len();
            for units in blocks_of_units(inner) {
                let operands = d_outs.chunks_exact(panel).zip(hs.chunks_exact(panel));
                let results = d_hs.chunks_exact_mut(l * PANEL);
                for ((operands, d_h), cols) in operands.zip(results).zip(&parts) {
                    let place = Place { puzzle, units: &units, cols };
                    pass.units(&place, operands, (tiles, of_units), d_h);
                }
            }
            for (cols, tile) in parts.iter().zip(d_hs.chunks_exact(l * PANEL)) {
                // SAFETY: the columns of a puzzle belong to this task.
                unsafe { store_tile(&d_h, puzzle * l * d, d, cols, tile) };
            }
        });
    });
}

/// What all tasks of a backward pass share; [`Weights::forward`] only to compute pre-activations again.
struct Backward<'a, F: Format> {
    inner: usize,
    d: usize,
    forward: Option<Weights<'a, F>>,
    weights: Weights<'a, F>,
    d_pre: Shared<'a, F::Stored>,
    act: Shared<'a, F::Stored>,
}

/// Some units of some columns of a puzzle, with the number of their block.
struct Place<'a> {
    puzzle: usize,
    units: &'a (usize, Range<usize>),
    cols: &'a Range<usize>,
}

impl<F: Format> Backward<'_, F> {
    /// The gradients of some units, and what they add to that of h; `tiles` and `of_units` are room.
    fn units(
        &self,
        place: &Place<'_>,
        (d_out, h): (&[F::Operand], &[F::Operand]),
        (tiles, of_units): (&mut [f32], &mut [F::Operand]),
        d_h: &mut [f32],
    ) {
        let Place { puzzle, units: (block, units), cols } = place;
        let (d, size) = (self.d, units.len() * PANEL);
        let (g, rest) = tiles.split_at_mut(size);
        let (u, rest) = rest.split_at_mut(size);
        let act = &mut rest[..size];
        let row = |half: usize| ((2 * puzzle + half) * self.inner + units.start) * d;
        match &self.forward {
            Some(Weights { gate, up, .. }) => {
                for (weight, tile) in [(gate, &mut *g), (up, &mut *u)] {
                    F::panel_product(weight.block(*block), h, tile, false);
                    round_in_place::<F::Stored>(tile);
                }
            }
            // SAFETY: the columns of a puzzle belong to one task.
            None => unsafe {
                load_tile(&self.d_pre, row(0), d, cols, g);
                load_tile(&self.d_pre, row(1), d, cols, u);
            },
        }
        F::panel_product(self.weights.down.block(*block), d_out, act, false);
        activate_backward(g, u, act);
        let of_units = &mut of_units[..grouped::<F>(units.len()) * PANEL];
        for (half, (weight, tile)) in
            [(self.weights.gate, &g), (self.weights.up, &u)].into_iter().enumerate()
        {
            interleave::<F>(tile, of_units);
            let weight = weight.block(0).columns(units.start..grouped::<F>(units.end));
            F::panel_product(weight, of_units, d_h, *block + half > 0);
        }
        // SAFETY: as above.
        unsafe {
            store_tile(&self.act, (puzzle * self.inner + units.start) * d, d, cols, act);
            store_tile(&self.d_pre, row(0), d, cols, g);
            store_tile(&self.d_pre, row(1), d, cols, u);
        }
    }
}

/// Adds `Σ_b a_b · b_bᵀ`. If a has more rows the transpose is computed: that way round they fill the micro-tiles
/// better.
pub(super) fn weight_gradient<F: Format>(sum: Sum<'_>, a: &Tensor, b: &Tensor) {
    let Sum { tensor, started } = sum;
    let [n, k] = *tensor.shape() else { panic!("a matrix") };
    let sum = tensor.slice_mut::<f32>();
    if n <= k {
        return sum_of_products::<F>((a, n), (b, k), |cols, tile| {
            for (row, tile) in tile.chunks_exact(PANEL).enumerate() {
                add(&mut sum[row * k..][cols.clone()], tile, started);
            }
        });
    }
    sum_of_products::<F>((b, k), (a, n), |cols, tile| {
        for (row, tile) in tile.chunks_exact(PANEL).enumerate() {
            for (col, value) in cols.clone().zip(tile) {
                let place = &mut sum[col * k + row];
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
    all.tasks().for_each(|(panel, tile)| {
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
