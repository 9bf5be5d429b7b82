//! The CPU: kernels for AVX2, AVX-512 and AVX-512-BF16, and portable ones for the rest.

mod add;
mod attention;
pub(crate) mod ceiling;
mod element;
mod embed;
mod forms;
mod heads;
pub(crate) mod level;
mod linear;
mod lines;
mod losses;
mod math;
mod memory;
mod neighbours;
mod norm;
mod on_threads;
mod panels;
mod pool;
mod rows;
mod shared;
mod swiglu;
pub(crate) mod tasks;
mod token_swiglu;
mod units;
mod update;

use crate::kernels::{DeviceError, Gated, Kernels, Keys, Memory, Sum};
use crate::ops::attention::{Extent, Rope};
use crate::ops::cross_entropy::Targets;
use crate::ops::embed::Embedding;
use crate::ops::lines::Lines;
use crate::ops::neighbours::Grid;
use crate::ops::units::{KINDS, Units};
use crate::{Adam, AdamRule, Axis, DType, Device, Parameter, Tensor};
use half::bf16;
use memory::dispatch;
use on_threads::{in_format, on};
use panels::times;
pub(crate) use pool::Cpu;
use std::borrow::Cow;
use std::ops::Range;

impl Kernels for Cpu {
    fn name(&self) -> String {
        format!("cpu({} threads)", self.threads())
    }

    fn memory(&self) -> Memory {
        Memory { allocations: self.recycler.fresh(), bytes: self.recycler.bytes() }
    }

    fn fastest(&self) -> DType {
        if level::level().multiplies_bf16() { DType::Bf16 } else { DType::F32 }
    }

    fn ceiling(&self, device: &Device, dtype: DType) -> f64 {
        ceiling::ceiling(device, dtype)
    }

    fn formats(&self) -> &[DType] {
        &[DType::F32, DType::Bf16]
    }

    /// Enough rows for fast products, few enough for the caches of one thread.
    fn portion(&self, len: usize, _: usize, _: bool) -> usize {
        (256 / len.max(1)).max(1)
    }

    fn place(&self) -> String {
        "cpu".into()
    }

    fn upload(&self, device: &Device, shape: &[usize], dtype: DType, values: &[f32]) -> Tensor {
        let mut tensor = memory::uninit(device, shape, dtype);
        dispatch!(dtype, T => element::round(tensor.slice_mut::<T>(), values));
        tensor
    }

    fn zeros(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        let mut tensor = memory::uninit(device, shape, dtype);
        dispatch!(dtype, T => tensor.slice_mut::<T>().fill(bytemuck::Zeroable::zeroed()));
        tensor
    }

    fn uninit(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        memory::uninit(device, shape, dtype)
    }

    fn read(&self, x: &Tensor) -> Result<Vec<f32>, DeviceError> {
        let mut values = vec![0.0; x.len()];
        dispatch!(x.dtype(), T => element::widen(&mut values, x.slice::<T>()));
        Ok(values)
    }

    fn read_bytes<'x>(&self, x: &'x Tensor) -> Result<Cow<'x, [u8]>, DeviceError> {
        if cfg!(target_endian = "little") && x.dtype() == DType::F32 {
            return Ok(Cow::Borrowed(bytemuck::cast_slice(x.slice::<f32>())));
        }
        Ok(Cow::Owned(self.read(x)?.iter().flat_map(|x| x.to_le_bytes()).collect()))
    }

    fn is_finite(&self, x: &Tensor) -> Result<bool, DeviceError> {
        Ok(dispatch!(x.dtype(), T => x.slice::<T>().iter().all(|x| x.is_finite())))
    }

    fn square_sum(&self, x: &Tensor) -> Result<f64, DeviceError> {
        Ok(add::square_sum(x))
    }

    fn argmax(&self, x: &Tensor) -> Result<Vec<u8>, DeviceError> {
        Ok(dispatch!(x.dtype(), T => add::argmax::<T>(x)))
    }

    fn convert(&self, x: &Tensor, dtype: DType) -> Tensor {
        match dtype {
            DType::F32 => add::convert::<bf16, f32>(x),
            DType::Bf16 => add::convert::<f32, bf16>(x),
            DType::F16 => memory::no_f16(),
        }
    }

    fn scale(&self, x: &mut Tensor, factor: f32) {
        x.slice_mut::<f32>().iter_mut().for_each(|x| *x *= factor);
    }

    fn accumulate(&self, sum: &mut Tensor, term: &Tensor) {
        on!(self, sum.dtype(), T => add::accumulate::<T>(sum, term))
    }

    fn select_rows(&self, x: &Tensor, rows: &[usize]) -> Tensor {
        dispatch!(x.dtype(), T => rows::select::<T>(x, rows))
    }

    fn append_rows(&self, x: &Tensor, other: &Tensor) -> Tensor {
        dispatch!(x.dtype(), T => rows::append::<T>(x, other))
    }

    fn fill_row(&self, x: &mut Tensor, row: usize, values: &Tensor) {
        dispatch!(x.dtype(), T => rows::fill::<T>(x, row, values))
    }

    fn add_to_row(&self, x: &mut Tensor, row: usize, terms: &[f32]) {
        dispatch!(x.dtype(), T => rows::add::<T>(x, row, terms))
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Tensor {
        on!(self, a.dtype(), T => add::add::<T>(a, b))
    }

    fn embed(
        &self,
        device: &Device,
        embedding: &Embedding,
        (batch, dtype): (usize, DType),
    ) -> Tensor {
        on!(self, dtype, T => embed::forward::<T>(device, embedding, batch))
    }

    fn embed_tokens_backward(&self, sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor) {
        embed::tokens_backward(sum, embedding, d_out);
    }

    fn embed_positions_backward(&self, sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor) {
        embed::positions_backward(sum, embedding, d_out);
    }

    fn embed_prefix_backward(&self, embedding: &Embedding, d_out: &Tensor, width: usize) -> Tensor {
        embed::prefix_backward(embedding, d_out, width)
    }

    fn linear(&self, x: &Tensor, weight: &Parameter, bias: Option<&Parameter>) -> Tensor {
        let n = weight.value().shape()[0];
        let mut out = in_format!(self, x.dtype(), F => times::<F>(x, &weight.columns(1)[0], n));
        if let Some(bias) = bias {
            dispatch!(x.dtype(), T => linear::add_bias::<T>(&mut out, bias));
        }
        out
    }

    fn linear_backward(&self, d_out: &Tensor, weight: &Parameter) -> Tensor {
        let k = weight.value().last_dim();
        in_format!(self, d_out.dtype(), F => times::<F>(d_out, weight.rows(), k))
    }

    fn weight_gradient(&self, sum: Sum<'_>, d_out: &Tensor, x: &Tensor) {
        in_format!(self, x.dtype(), F => linear::weight_gradient::<F>(sum, d_out, x))
    }

    fn bias_gradient(&self, sum: Sum<'_>, d_out: &Tensor) {
        dispatch!(d_out.dtype(), T => linear::bias_gradient::<T>(sum, d_out))
    }

    fn residual_norm(&self, h: &Tensor, r: &Tensor, axis: Axis) -> (Tensor, Tensor) {
        on!(self, h.dtype(), T => norm::forward::<T>(h, r, axis))
    }

    fn residual_norm_backward(&self, forward: [&Tensor; 2], d_out: &Tensor, axis: Axis) -> Tensor {
        on!(self, d_out.dtype(), T => norm::backward::<T>(forward, d_out, axis))
    }

    fn swiglu(&self, x: &Tensor, weights: [&Parameter; 2], keep: bool) -> (Tensor, Option<Tensor>) {
        in_format!(self, x.dtype(), F => swiglu::forward::<F>(x, weights, keep))
    }

    fn swiglu_backward(
        &self,
        x: &Tensor,
        weights: [&Parameter; 2],
        pre: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated {
        in_format!(self, x.dtype(), F => swiglu::backward::<F>(x, weights, pre, d_out))
    }

    fn token_swiglu(
        &self,
        h: &Tensor,
        weights: [&Parameter; 2],
        keep: bool,
    ) -> (Tensor, Option<Tensor>) {
        in_format!(self, h.dtype(), F => token_swiglu::forward::<F>(h, weights, keep))
    }

    fn token_swiglu_backward(
        &self,
        h: &Tensor,
        weights: [&Parameter; 2],
        pre: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated {
        in_format!(self, h.dtype(), F => token_swiglu::backward::<F>(h, weights, pre, d_out))
    }

    fn token_weight_gradient(&self, sum: Sum<'_>, a: &Tensor, b: &Tensor) {
        in_format!(self, a.dtype(), F => token_swiglu::weight_gradient::<F>(sum, a, b))
    }

    fn attention(&self, qkv: &Tensor, extent: Extent, rope: Option<&Rope>) -> Tensor {
        in_format!(self, qkv.dtype(), F => attention::forward::<F>(qkv, extent, rope))
    }

    fn attention_backward(
        &self,
        qkv: &Tensor,
        extent: Extent,
        rope: Option<&Rope>,
        d_out: &Tensor,
    ) -> Tensor {
        in_format!(self, qkv.dtype(), F => attention::backward::<F>(qkv, extent, rope, d_out))
    }

    fn keys(&self, device: &Device, batch: usize, capacity: usize, heads: [usize; 2]) -> Keys {
        Box::new(attention::Packed::new(device, batch, capacity, heads))
    }

    fn attention_of_next(
        &self,
        qkv: &Tensor,
        keys: &mut Keys,
        extent: (Extent, usize),
        rope: Option<&Rope>,
    ) -> Tensor {
        let packed: &mut attention::Packed = keys.downcast_mut().expect("keys of a CPU");
        self.install(|| packed.attend(qkv, extent, rope))
    }

    fn neighbours(&self, h: &Tensor, grid: Grid) -> Tensor {
        on!(self, h.dtype(), T => neighbours::gather::<T>(h, grid))
    }

    fn neighbours_backward(&self, d_out: &Tensor, grid: Grid) -> Tensor {
        on!(self, d_out.dtype(), T => neighbours::scatter::<T>(d_out, grid))
    }

    fn lines(&self, h: &Tensor, lines: Lines) -> Tensor {
        on!(self, h.dtype(), T => lines::forward::<T>(h, lines))
    }

    fn lines_backward(&self, h: &Tensor, d_out: &Tensor, lines: Lines) -> Tensor {
        on!(self, h.dtype(), T => lines::backward::<T>(h, d_out, lines))
    }

    fn add_lines(&self, x: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor {
        on!(self, x.dtype(), T => lines::add::<T>(x, rows, columns))
    }

    fn sum_lines(&self, x: &Tensor, lines: Lines) -> Tensor {
        on!(self, x.dtype(), T => lines::sums::<T>(x, lines))
    }

    fn mix_units(
        &self,
        h: &Tensor,
        weights: &[Parameter; 5],
        units: Units,
    ) -> (Tensor, [Tensor; KINDS]) {
        self.install(|| units::forward(h, weights, units))
    }

    fn mix_units_backward(
        &self,
        weights: &[Parameter; 5],
        units: Units,
        d_out: &Tensor,
    ) -> (Tensor, [Tensor; KINDS]) {
        self.install(|| units::backward(weights, units, d_out))
    }

    fn tokens(&self, h: &Tensor, range: Range<usize>) -> Tensor {
        dispatch!(h.dtype(), T => heads::tokens::<T>(h, range))
    }

    fn tokens_backward(
        &self,
        d_out: &Tensor,
        range: Range<usize>,
        (shape, dtype): (&[usize], DType),
    ) -> Tensor {
        dispatch!(dtype, T => heads::tokens_backward::<T>(d_out, range, shape))
    }

    fn mean_token(&self, h: &Tensor) -> Tensor {
        dispatch!(h.dtype(), T => heads::mean_token::<T>(h))
    }

    fn mean_token_backward(&self, d_out: &Tensor, (shape, dtype): (&[usize], DType)) -> Tensor {
        dispatch!(dtype, T => heads::mean_token_backward::<T>(d_out, shape))
    }

    fn symbol_logits(&self, scores: &Tensor, symbols: usize, vocab: usize) -> Tensor {
        heads::symbol_logits(scores, symbols, vocab)
    }

    fn symbol_logits_backward(&self, d_out: &Tensor, symbols: usize) -> Tensor {
        heads::symbol_logits_backward(d_out, symbols)
    }

    fn residual_linear(&self, h: &Tensor, x: &Tensor, weight: &Parameter) -> Tensor {
        in_format!(self, x.dtype(), F => linear::residual_linear::<F>(h, x, weight))
    }

    fn residual_swiglu(&self, x: &Tensor, weights: [&Parameter; 2]) -> Tensor {
        in_format!(self, x.dtype(), F => swiglu::residual_forward::<F>(x, weights))
    }

    fn residual_token_swiglu(&self, h: &Tensor, weights: [&Parameter; 2]) -> Tensor {
        in_format!(self, h.dtype(), F => token_swiglu::residual_forward::<F>(h, weights))
    }

    fn cross_entropy(&self, logits: &Tensor, targets: &Targets) -> Tensor {
        self.install(|| losses::cross_entropy(logits, targets))
    }

    fn cross_entropy_backward(&self, logits: &Tensor, targets: &Targets, d_out: &Tensor) -> Tensor {
        self.install(|| losses::cross_entropy_backward(logits, targets, d_out))
    }

    fn exact_rows(&self, logits: &Tensor, labels: &[u8], ignore: u8) -> Tensor {
        losses::exact_rows(logits, labels, ignore)
    }

    fn halt_loss(&self, q: &Tensor, correct: &Tensor) -> Tensor {
        losses::halt_loss(q, correct)
    }

    fn halt_loss_backward(&self, q: &Tensor, correct: &Tensor, d_out: &Tensor) -> Tensor {
        losses::halt_loss_backward(q, correct, d_out)
    }

    fn adam(&self, p: &mut Tensor, g: &Tensor, moments: [&mut Tensor; 2], adam: (&Adam, AdamRule)) {
        self.install(|| update::adam(p, g, moments, adam));
    }

    fn sgd(&self, p: &mut Tensor, direction: &Tensor, rate: f32, decay: f32) {
        update::sgd(p, direction, rate, decay);
    }

    fn sign_sgd_rows(
        &self,
        p: &mut Tensor,
        rows: &[(usize, Vec<usize>)],
        g: &Tensor,
        rate: [f32; 2],
    ) {
        update::sign_sgd_rows(p, rows, g, rate);
    }

    fn lerp(&self, average: &mut Tensor, value: &Tensor, rate: f32) {
        self.install(|| update::lerp(average, value, rate));
    }

    fn orthogonalize(&self, matrix: &Tensor, steps: usize) -> Tensor {
        self.install(|| update::orthogonalize(matrix, steps))
    }
}
