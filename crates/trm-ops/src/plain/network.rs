//! The layers of a network, by their formulas.

use super::values::{like, product, tensor, values};
use crate::kernels::Gated;
use crate::ops::embed::Embedding;
use crate::ops::neighbours::{CELLS, Grid};
use crate::ops::residual_norm::NORM_EPS;
use crate::ops::units::{KINDS, Units};
use crate::{Axis, DType, Device, Parameter, Tensor};

/// The weights of a parameter as products in the dtype of x read them.
fn weights(weight: &Parameter, x: &Tensor) -> Vec<f32> {
    values(&weight.value().to_dtype(x.dtype())).to_vec()
}

/// `[.., n]` in the leading shape of x.
fn with_last(x: &Tensor, n: usize, out: Vec<f32>) -> Tensor {
    let mut shape = x.shape().to_vec();
    *shape.last_mut().expect("a dimension") = n;
    tensor(x.device(), &shape, x.dtype(), out)
}

pub(super) fn embed(device: &Device, embedding: &Embedding, form: (usize, DType)) -> Tensor {
    let Embedding { tokens, prefix_len, prefix, table, positions } = embedding;
    let ((batch, dtype), d) = (form, table.value().last_dim());
    let (cells, len) = (tokens.len() / batch.max(1), prefix_len + tokens.len() / batch.max(1));
    let value = |at: usize| {
        let (i, token, puzzle) = (at % d, at / d % len, at / (d * len));
        let value = match token.checked_sub(*prefix_len) {
            Some(cell) => values(table.value())[tokens[puzzle * cells + cell] as usize * d + i],
            None => prefix.as_ref().map_or(0.0, |prefix| {
                let row = &values(prefix)[puzzle * prefix.last_dim()..][..prefix.last_dim()];
                row.get(token * d + i).copied().unwrap_or(0.0)
            }),
        };
        let place =
            |(table, first): &(Parameter, usize)| values(table.value())[(first + token) * d + i];
        embedding.scale() * (value + positions.as_ref().map_or(0.0, place))
    };
    tensor(device, &[batch, len, d], dtype, (0..batch * len * d).map(value).collect())
}

pub(super) fn linear(x: &Tensor, weight: &Parameter, bias: Option<&Parameter>) -> Tensor {
    let [n, k] = *weight.value().shape() else { panic!("a matrix") };
    let (w, xs) = (weights(weight, x), values(x));
    let mut out = product([x.len() / k, n, k], |i, l| xs[i * k + l], |l, j| w[j * k + l]);
    if let Some(bias) = bias {
        let bias = values(bias.value());
        out.iter_mut().enumerate().for_each(|(at, y)| *y += bias[at % n]);
    }
    with_last(x, n, out)
}

pub(super) fn linear_backward(d_out: &Tensor, weight: &Parameter) -> Tensor {
    let [n, k] = *weight.value().shape() else { panic!("a matrix") };
    let (w, d) = (weights(weight, d_out), values(d_out));
    let d_x = product([d_out.len() / n, k, n], |i, j| d[i * n + j], |j, l| w[j * k + l]);
    with_last(d_out, k, d_x)
}

/// Where the values of a norm lie: (first, distance, count) of each.
fn groups(x: &Tensor, axis: Axis) -> Vec<(usize, usize, usize)> {
    let [batch, l, d] = *x.shape() else { panic!("[B, L, D]") };
    match axis {
        Axis::Features => (0..batch * l).map(|row| (row * d, 1, d)).collect(),
        Axis::Tokens => (0..batch * d).map(|i| (i / d * l * d + i % d, d, l)).collect(),
    }
}

pub(super) fn residual_norm(h: &Tensor, r: &Tensor, axis: Axis) -> (Tensor, Vec<f32>) {
    let (hs, rs) = (values(h), values(r));
    let mut out = vec![0.0; h.len()];
    let mut inverses = Vec::new();
    for (first, step, count) in groups(h, axis) {
        let places = || (0..count).map(|i| first + i * step);
        let squares: f64 = places().map(|at| f64::from(hs[at] + rs[at]).powi(2)).sum();
        let inverse = 1.0 / (squares / count as f64 + f64::from(NORM_EPS)).sqrt() as f32;
        places().for_each(|at| out[at] = (hs[at] + rs[at]) * inverse);
        inverses.push(inverse);
    }
    (tensor(h.device(), h.shape(), h.dtype(), out), inverses)
}

pub(super) fn residual_norm_backward(
    [normed, inverse]: [&Tensor; 2],
    d_out: &Tensor,
    axis: Axis,
) -> Tensor {
    let (y, dy, inverses) = (values(normed), values(d_out), values(inverse));
    let mut d_sum = vec![0.0; d_out.len()];
    for ((first, step, count), inverse) in groups(d_out, axis).into_iter().zip(inverses) {
        let places = || (0..count).map(|i| first + i * step);
        let mean = places().map(|at| f64::from(y[at] * dy[at])).sum::<f64>() / count as f64;
        places().for_each(|at| d_sum[at] = inverse * (dy[at] - y[at] * mean as f32));
    }
    tensor(d_out.device(), d_out.shape(), d_out.dtype(), d_sum)
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `[g | u] = x · W_gate_upᵀ`, then `act = silu(g) ∘ u`.
pub(super) fn gates(x: &Tensor, gate_up: &Parameter) -> [Tensor; 2] {
    let pre = linear(x, gate_up, None);
    let inner = pre.last_dim() / 2;
    let (p, rows) = (values(&pre), pre.len() / (2 * inner));
    let act = (0..rows * inner).map(|at| {
        let (row, i) = (at / inner * 2 * inner, at % inner);
        p[row + i] * sigmoid(p[row + i]) * p[row + inner + i]
    });
    let act = with_last(x, inner, act.collect());
    [pre, act]
}

pub(super) fn swiglu_backward(
    x: &Tensor,
    [gate_up, down]: [&Parameter; 2],
    d_out: &Tensor,
) -> Gated {
    let [pre, act] = gates(x, gate_up);
    let (d_act, p, inner) = (linear_backward(d_out, down), values(&pre), act.last_dim());
    let d = values(&d_act);
    let d_pre = like(&pre, |at| {
        let (row, i) = (at / (2 * inner), at % inner);
        let first = row * 2 * inner;
        let (g, u, d) = (p[first + i], p[first + inner + i], d[row * inner + i]);
        let s = sigmoid(g);
        match at % (2 * inner) < inner {
            true => d * u * (s * (1.0 + g * (1.0 - s))),
            false => d * g * s,
        }
    });
    Gated { d_x: linear_backward(&d_pre, gate_up), d_pre, act }
}

pub(super) fn neighbours(h: &Tensor, grid: Grid) -> Tensor {
    let (d, len, parts) = (h.last_dim(), grid.len(), grid.parts());
    let hs = values(h);
    let heard = |at: usize| {
        let (i, part, token, puzzle) =
            (at % d, at / d % parts, at / (d * parts) % len, at / (d * parts * len));
        let of = |token: usize| hs[(puzzle * len + token) * d + i];
        match CELLS.get(part) {
            Some(to) => grid.beside(token, *to).map_or(0.0, of),
            None => {
                let kind = part - CELLS.len();
                let all: Vec<f32> = (0..len).filter(|t| grid.kind(*t).0 == kind).map(of).collect();
                all.iter().sum::<f32>() / all.len() as f32
            }
        }
    };
    let out = (0..h.len() * parts).map(heard).collect();
    with_last(h, d * parts, out)
}

pub(super) fn neighbours_backward(d_out: &Tensor, grid: Grid) -> Tensor {
    let (len, parts) = (grid.len(), grid.parts());
    let d = d_out.last_dim() / parts;
    let mut d_h = vec![0.0; d_out.len() / parts];
    for (at, owed) in values(d_out).iter().enumerate() {
        let (i, part, token, puzzle) =
            (at % d, at / d % parts, at / (d * parts) % len, at / (d * parts * len));
        let at = |token: usize| (puzzle * len + token) * d + i;
        match CELLS.get(part) {
            Some(to) => grid.beside(token, *to).into_iter().for_each(|t| d_h[at(t)] += owed),
            None => {
                let of_kind = (0..len).filter(|t| grid.kind(*t).0 == part - CELLS.len());
                of_kind.for_each(|t| d_h[at(t)] += owed / grid.kind(t).1);
            }
        }
    }
    with_last(d_out, d, d_h)
}

/// Sums over the candidates of every unit, times `factor`: `[B, n², D]` for every kind.
fn sums(h: &Tensor, units: Units, factor: f32) -> [Tensor; KINDS] {
    let (n, d, batch) = (units.size(), h.last_dim(), h.shape()[0]);
    let mut sums = [(); KINDS].map(|()| vec![0.0; batch * n * n * d]);
    for (at, x) in values(h).iter().enumerate() {
        let (i, candidate, puzzle) = (at % d, at / d % (n * n * n), at / (d * n * n * n));
        let of = units.of(candidate / (n * n), candidate / n % n, candidate % n);
        for (sums, unit) in sums.iter_mut().zip(of) {
            sums[(puzzle * n * n + unit) * d + i] += factor * x;
        }
    }
    sums.map(|sums| tensor(h.device(), &[batch, n * n, d], h.dtype(), sums))
}

/// Adds to every candidate what its units have, times `factor`.
fn spread(out: &Tensor, parts: &[Tensor], units: Units, factor: f32) -> Tensor {
    let (n, d, own) = (units.size(), out.last_dim(), values(out));
    like(out, |at| {
        let (i, candidate, puzzle) = (at % d, at / d % (n * n * n), at / (d * n * n * n));
        let of = units.of(candidate / (n * n), candidate / n % n, candidate % n);
        let heard = parts.iter().zip(of).map(|(p, u)| values(p)[(puzzle * n * n + u) * d + i]);
        own[at] + factor * heard.sum::<f32>()
    })
}

pub(super) fn mix_units(
    h: &Tensor,
    [own, of_units @ ..]: &[Parameter; 5],
    units: Units,
) -> (Tensor, [Tensor; KINDS]) {
    let means = sums(h, units, 1.0 / units.size() as f32);
    let messages: Vec<Tensor> =
        means.iter().zip(of_units).map(|(mean, weight)| linear(mean, weight, None)).collect();
    (spread(&linear(h, own, None), &messages, units, 1.0), means)
}

pub(super) fn mix_units_backward(
    [own, of_units @ ..]: &[Parameter; 5],
    units: Units,
    d_out: &Tensor,
) -> (Tensor, [Tensor; KINDS]) {
    let d_messages = sums(d_out, units, 1.0);
    let d_means: Vec<Tensor> =
        d_messages.iter().zip(of_units).map(|(d, weight)| linear_backward(d, weight)).collect();
    let d_h = linear_backward(d_out, own);
    (spread(&d_h, &d_means, units, 1.0 / units.size() as f32), d_messages)
}
