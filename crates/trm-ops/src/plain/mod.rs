//! A device that is deliberately plain: one thread, vectors of f32, every operation by its formula. It shows what a
//! device has to do, and is what all others are compared with.

mod attention;
mod lines;
mod losses;
mod network;
mod updates;
mod values;

use crate::kernels::{DeviceError, Gated, Kernels, Keys, Memory, Sum};
use crate::ops::attention::{Extent, Rope};
use crate::ops::cross_entropy::Targets;
use crate::ops::embed::Embedding;
use crate::ops::heads::NO_SYMBOL;
use crate::ops::lines::Lines;
use crate::ops::neighbours::Grid;
use crate::ops::units::{KINDS, Units};
use crate::{Adam, AdamRule, Axis, DType, Device, Parameter, Tensor};
use std::ops::Range;
use values::{add_to, change, like, product, tensor, turned, values};

/// The plain device; [`Device::plain`] makes one.
pub(crate) struct Plain;

impl Kernels for Plain {
    fn name(&self) -> String {
        "plain".into()
    }

    fn memory(&self) -> Memory {
        Memory::default()
    }

    fn formats(&self) -> &[DType] {
        &[DType::F32, DType::Bf16, DType::F16]
    }

    fn upload(&self, device: &Device, shape: &[usize], dtype: DType, values: &[f32]) -> Tensor {
        tensor(device, shape, dtype, values.to_vec())
    }

    fn zeros(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        tensor(device, shape, dtype, vec![0.0; shape.iter().product()])
    }

    fn read(&self, x: &Tensor) -> Result<Vec<f32>, DeviceError> {
        Ok(values(x).to_vec())
    }

    fn is_finite(&self, x: &Tensor) -> Result<bool, DeviceError> {
        Ok(values(x).iter().all(|x| x.is_finite()))
    }

    fn square_sum(&self, x: &Tensor) -> Result<f64, DeviceError> {
        Ok(values(x).iter().map(|x| f64::from(*x).powi(2)).sum())
    }

    fn argmax(&self, x: &Tensor) -> Result<Vec<u8>, DeviceError> {
        Ok(values(x).chunks_exact(x.last_dim()).map(losses::largest).collect())
    }

    fn convert(&self, x: &Tensor, dtype: DType) -> Tensor {
        tensor(x.device(), x.shape(), dtype, values(x).to_vec())
    }

    fn scale(&self, x: &mut Tensor, factor: f32) {
        change(x, |x| x.iter_mut().for_each(|x| *x *= factor));
    }

    fn accumulate(&self, sum: &mut Tensor, term: &Tensor) {
        add_to(Sum { tensor: sum, started: true }, |at| values(term)[at]);
    }

    fn select_rows(&self, x: &Tensor, rows: &[usize]) -> Tensor {
        let (len, xs) = (x.row_len(), values(x));
        let mut shape = x.shape().to_vec();
        shape[0] = rows.len();
        let selected = rows.iter().flat_map(|row| &xs[row * len..][..len]).copied().collect();
        tensor(x.device(), &shape, x.dtype(), selected)
    }

    fn append_rows(&self, x: &Tensor, other: &Tensor) -> Tensor {
        let mut shape = x.shape().to_vec();
        shape[0] += other.shape()[0];
        tensor(x.device(), &shape, x.dtype(), [values(x), values(other)].concat())
    }

    fn fill_row(&self, x: &mut Tensor, row: usize, with: &Tensor) {
        let (len, with) = (x.row_len(), values(with));
        change(x, |x| {
            let row = x[row * len..][..len].iter_mut();
            row.enumerate().for_each(|(i, x)| *x = with[i % with.len()]);
        });
    }

    fn add_to_row(&self, x: &mut Tensor, row: usize, terms: &[f32]) {
        let len = x.row_len();
        change(x, |x| x[row * len..][..len].iter_mut().zip(terms).for_each(|(x, t)| *x += t));
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Tensor {
        like(a, |at| values(a)[at] + values(b)[at])
    }

    fn embed(&self, device: &Device, embedding: &Embedding, form: (usize, DType)) -> Tensor {
        network::embed(device, embedding, form)
    }

    fn embed_tokens_backward(&self, sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor) {
        let [batch, len, d] = *d_out.shape() else { panic!("[B, L, D]") };
        let cells = len - embedding.prefix_len;
        let token = |row: usize| usize::from(embedding.tokens[row]);
        let row = |row: usize| row / cells * len + embedding.prefix_len + row % cells;
        add_to(sum, |at| {
            let rows = (0..batch * cells).filter(|r| token(*r) == at / d);
            embedding.scale() * rows.map(|r| values(d_out)[row(r) * d + at % d]).sum::<f32>()
        });
    }

    fn embed_positions_backward(&self, sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor) {
        let [batch, len, d] = *d_out.shape() else { panic!("[B, L, D]") };
        let first = embedding.positions.as_ref().map_or(0, |(_, first)| *first);
        add_to(sum, |at| match (at / d).checked_sub(first).filter(|place| *place < len) {
            None => 0.0,
            Some(place) => {
                let of = |b: usize| values(d_out)[(b * len + place) * d + at % d];
                embedding.scale() * (0..batch).map(of).sum::<f32>()
            }
        });
    }

    fn embed_prefix_backward(&self, embedding: &Embedding, d_out: &Tensor, width: usize) -> Tensor {
        let (batch, len) = (d_out.shape()[0], d_out.row_len());
        let of = |at: usize| embedding.scale() * values(d_out)[at / width * len + at % width];
        let d_prefix = (0..batch * width).map(of).collect();
        tensor(d_out.device(), &[batch, width], DType::F32, d_prefix)
    }

    fn linear(&self, x: &Tensor, weight: &Parameter, bias: Option<&Parameter>) -> Tensor {
        network::linear(x, weight, bias)
    }

    fn linear_backward(&self, d_out: &Tensor, weight: &Parameter) -> Tensor {
        network::linear_backward(d_out, weight)
    }

    fn weight_gradient(&self, sum: Sum<'_>, d_out: &Tensor, x: &Tensor) {
        let (n, k, d, xs) = (d_out.last_dim(), x.last_dim(), values(d_out), values(x));
        let terms = product([n, k, x.len() / k], |j, i| d[i * n + j], |i, l| xs[i * k + l]);
        add_to(sum, |at| terms[at]);
    }

    fn bias_gradient(&self, sum: Sum<'_>, d_out: &Tensor) {
        let n = d_out.last_dim();
        add_to(sum, |i| values(d_out).iter().skip(i).step_by(n).sum());
    }

    fn residual_norm(&self, h: &Tensor, r: &Tensor, axis: Axis) -> (Tensor, Tensor) {
        let (out, inverses) = network::residual_norm(h, r, axis);
        let inverses = tensor(h.device(), &[inverses.len()], DType::F32, inverses);
        (out, inverses)
    }

    fn residual_norm_backward(&self, forward: [&Tensor; 2], d_out: &Tensor, axis: Axis) -> Tensor {
        network::residual_norm_backward(forward, d_out, axis)
    }

    fn swiglu(&self, x: &Tensor, weights: [&Parameter; 2], _: bool) -> (Tensor, Option<Tensor>) {
        let [_, act] = network::gates(x, weights[0]);
        (network::linear(&act, weights[1], None), None)
    }

    fn swiglu_backward(
        &self,
        x: &Tensor,
        weights: [&Parameter; 2],
        _: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated {
        network::swiglu_backward(x, weights, d_out)
    }

    fn token_swiglu(
        &self,
        h: &Tensor,
        weights: [&Parameter; 2],
        keep: bool,
    ) -> (Tensor, Option<Tensor>) {
        (turned(&self.swiglu(&turned(h), weights, keep).0), None)
    }

    fn token_swiglu_backward(
        &self,
        h: &Tensor,
        weights: [&Parameter; 2],
        _: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated {
        let Gated { d_x, d_pre, act } =
            network::swiglu_backward(&turned(h), weights, &turned(d_out));
        Gated { d_x: turned(&d_x), d_pre: turned(&d_pre), act: turned(&act) }
    }

    fn token_weight_gradient(&self, sum: Sum<'_>, a: &Tensor, b: &Tensor) {
        self.weight_gradient(sum, &turned(a), &turned(b));
    }

    fn attention(&self, qkv: &Tensor, extent: Extent, rope: Option<&Rope>) -> Tensor {
        attention::forward(qkv, extent, rope)
    }

    fn attention_backward(
        &self,
        qkv: &Tensor,
        extent: Extent,
        rope: Option<&Rope>,
        d_out: &Tensor,
    ) -> Tensor {
        attention::backward(qkv, extent, rope, d_out)
    }

    /// Everything seen so far, `[B, L, 3D]`.
    fn keys(&self, device: &Device, batch: usize, _: usize, [heads, width]: [usize; 2]) -> Keys {
        Box::new(self.zeros(device, &[batch, 0, 3 * heads * width], DType::F32))
    }

    fn attention_of_next(
        &self,
        qkv: &Tensor,
        keys: &mut Keys,
        (new, first): (Extent, usize),
        rope: Option<&Rope>,
    ) -> Tensor {
        let seen: &mut Tensor = keys.downcast_mut().expect("keys of a plain device");
        let [batch, _, width] = *qkv.shape() else { panic!("[B, N, 3D]") };
        let rows = |x: &Tensor, b: usize| values(x)[b * x.row_len()..][..x.row_len()].to_vec();
        let all: Vec<f32> =
            (0..batch).flat_map(|b| [rows(seen, b), rows(qkv, b)].concat()).collect();
        let extent = Extent { len: first + new.len, ..new };
        *seen = tensor(qkv.device(), &[batch, extent.len, width], DType::F32, all);
        self.tokens(&attention::forward(seen, extent, rope), first..extent.len)
    }

    fn neighbours(&self, h: &Tensor, grid: Grid) -> Tensor {
        network::neighbours(h, grid)
    }

    fn neighbours_backward(&self, d_out: &Tensor, grid: Grid) -> Tensor {
        network::neighbours_backward(d_out, grid)
    }

    fn lines(&self, h: &Tensor, lines: Lines) -> Tensor {
        lines::forward(h, lines)
    }

    fn lines_backward(&self, h: &Tensor, d_out: &Tensor, lines: Lines) -> Tensor {
        lines::backward(h, d_out, lines)
    }

    fn add_lines(&self, x: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor {
        lines::add(x, rows, columns)
    }

    fn sum_lines(&self, x: &Tensor, lines: Lines) -> Tensor {
        lines::sums(x, lines)
    }

    fn mix_units(
        &self,
        h: &Tensor,
        weights: &[Parameter; 5],
        units: Units,
    ) -> (Tensor, [Tensor; KINDS]) {
        network::mix_units(h, weights, units)
    }

    fn mix_units_backward(
        &self,
        weights: &[Parameter; 5],
        units: Units,
        d_out: &Tensor,
    ) -> (Tensor, [Tensor; KINDS]) {
        network::mix_units_backward(weights, units, d_out)
    }

    fn tokens(&self, h: &Tensor, range: Range<usize>) -> Tensor {
        let [batch, len, d] = *h.shape() else { panic!("[B, L, D]") };
        let of = |b: usize| &values(h)[(b * len + range.start) * d..(b * len + range.end) * d];
        let some = (0..batch).flat_map(of).copied().collect();
        tensor(h.device(), &[batch, range.len(), d], DType::F32, some)
    }

    fn tokens_backward(
        &self,
        d_out: &Tensor,
        range: Range<usize>,
        (shape, dtype): (&[usize], DType),
    ) -> Tensor {
        let [batch, len, d] = *shape else { panic!("[B, L, D]") };
        let of = |at: usize| {
            let (puzzle, token) = (at / (len * d), at / d % len);
            let place = range.contains(&token).then(|| token - range.start);
            let at = |place: usize| (puzzle * range.len() + place) * d + at % d;
            place.map_or(0.0, |place| values(d_out)[at(place)])
        };
        tensor(d_out.device(), shape, dtype, (0..batch * len * d).map(of).collect())
    }

    fn mean_token(&self, h: &Tensor) -> Tensor {
        let [batch, len, d] = *h.shape() else { panic!("[B, L, D]") };
        let of = |at: usize| {
            let tokens = (0..len).map(|token| values(h)[(at / d * len + token) * d + at % d]);
            tokens.sum::<f32>() / len as f32
        };
        tensor(h.device(), &[batch, 1, d], DType::F32, (0..batch * d).map(of).collect())
    }

    fn mean_token_backward(&self, d_out: &Tensor, (shape, dtype): (&[usize], DType)) -> Tensor {
        let [batch, len, d] = *shape else { panic!("[B, L, D]") };
        let of = |at: usize| values(d_out)[at / (len * d) * d + at % d] / len as f32;
        tensor(d_out.device(), shape, dtype, (0..batch * len * d).map(of).collect())
    }

    fn symbol_logits(&self, scores: &Tensor, symbols: usize, vocab: usize) -> Tensor {
        let (batch, cells) = (scores.shape()[0], scores.shape()[1] / symbols);
        let of = |at: usize| match (at % vocab).checked_sub(vocab - symbols) {
            Some(symbol) => values(scores)[at / vocab * symbols + symbol],
            None => NO_SYMBOL,
        };
        let logits = (0..batch * cells * vocab).map(of).collect();
        tensor(scores.device(), &[batch, cells, vocab], DType::F32, logits)
    }

    fn symbol_logits_backward(&self, d_out: &Tensor, symbols: usize) -> Tensor {
        let [batch, cells, vocab] = *d_out.shape() else { panic!("[B, S, V]") };
        let of = |at: usize| values(d_out)[at / symbols * vocab + vocab - symbols + at % symbols];
        let d_scores = (0..batch * cells * symbols).map(of).collect();
        tensor(d_out.device(), &[batch, cells * symbols, 1], DType::F32, d_scores)
    }

    fn cross_entropy(&self, logits: &Tensor, targets: &Targets) -> Tensor {
        losses::cross_entropy(logits, targets)
    }

    fn cross_entropy_backward(&self, logits: &Tensor, targets: &Targets, d_out: &Tensor) -> Tensor {
        losses::cross_entropy_backward(logits, targets, d_out)
    }

    fn exact_rows(&self, logits: &Tensor, labels: &[u8], ignore: u8) -> Tensor {
        losses::exact_rows(logits, labels, ignore)
    }

    fn halt_loss(&self, q: &Tensor, correct: &Tensor) -> Tensor {
        let of = |row: usize| losses::halting(values(q)[2 * row], values(correct)[row]).0;
        like(correct, of)
    }

    fn halt_loss_backward(&self, q: &Tensor, correct: &Tensor, d_out: &Tensor) -> Tensor {
        like(q, |at| match at % 2 {
            0 => {
                let slope = losses::halting(values(q)[at], values(correct)[at / 2]).1;
                slope * values(d_out)[at / 2]
            }
            _ => 0.0,
        })
    }

    fn adam(&self, p: &mut Tensor, g: &Tensor, moments: [&mut Tensor; 2], adam: (&Adam, AdamRule)) {
        updates::adam(p, g, moments, adam);
    }

    fn sgd(&self, p: &mut Tensor, direction: &Tensor, rate: f32, decay: f32) {
        let d = values(direction);
        change(p, |p| p.iter_mut().zip(d).for_each(|(p, d)| *p = *p * decay - rate * d));
    }

    fn sign_sgd_rows(
        &self,
        p: &mut Tensor,
        rows: &[(usize, Vec<usize>)],
        g: &Tensor,
        rate: [f32; 2],
    ) {
        updates::sign_sgd_rows(p, rows, g, rate);
    }

    fn lerp(&self, average: &mut Tensor, value: &Tensor, rate: f32) {
        let new = values(value);
        change(average, |a| {
            a.iter_mut().zip(new).for_each(|(a, v)| *a = rate * *a + (1.0 - rate) * v);
        });
    }

    fn orthogonalize(&self, matrix: &Tensor, steps: usize) -> Tensor {
        updates::orthogonalize(matrix, steps)
    }
}
