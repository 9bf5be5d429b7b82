//! The operations of the trait, each by its file in `ops/`.

use crate::gpu::Gpu;
use crate::ops;
use std::ops::Range;
use trm_ops::{
    Adam, AdamRule, Axis, DType, Device, DeviceError, Embedding, Extent, Gated, Grid, KINDS,
    Kernels, Keys, Launches, Lines, Memory, Parameter, Rope, Sum, Targets, Tensor, Units,
};

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

impl Kernels for Gpu {
    fn name(&self) -> String {
        self.name()
    }

    fn memory(&self) -> Memory {
        self.memory()
    }

    fn recover(&self) -> Result<(), DeviceError> {
        self.reopen()
    }

    fn launches(&self) -> Vec<(String, Launches)> {
        self.launched()
    }

    fn ceiling(&self, device: &Device, _: DType) -> f64 {
        self.peak_flops(device)
    }

    fn bandwidth(&self, device: &Device) -> Option<f64> {
        Some(self.peak_bytes(device))
    }

    fn formats(&self) -> &[DType] {
        if self.f16 { &[DType::F32, DType::F16] } else { &[DType::F32] }
    }

    fn portion(&self, _: usize, widest: usize, training: bool) -> usize {
        (self.widest(training) / (4 * widest.max(1))).max(1)
    }

    fn place(&self) -> String {
        self.place()
    }

    fn upload(&self, device: &Device, shape: &[usize], dtype: DType, values: &[f32]) -> Tensor {
        self.uploaded(device, shape, dtype, values)
    }

    fn zeros(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        self.zeroed(device, shape, dtype)
    }

    fn uninit(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        self.uninit(device, shape, dtype)
    }

    fn read(&self, x: &Tensor) -> Result<Vec<f32>, DeviceError> {
        self.values(x)
    }

    fn is_finite(&self, x: &Tensor) -> Result<bool, DeviceError> {
        self.finite(x)
    }

    fn square_sum(&self, x: &Tensor) -> Result<f64, DeviceError> {
        Ok(self.squares(&[x])?[0])
    }

    fn square_sums(&self, xs: &[&Tensor]) -> Result<Vec<f64>, DeviceError> {
        self.squares(xs)
    }

    fn argmax(&self, x: &Tensor) -> Result<Vec<u8>, DeviceError> {
        self.largest(x)
    }

    fn convert(&self, x: &Tensor, dtype: DType) -> Tensor {
        self.converted(x, dtype)
    }

    fn scale(&self, x: &mut Tensor, factor: f32) {
        self.scaled(x, factor);
    }

    fn accumulate(&self, sum: &mut Tensor, term: &Tensor) {
        self.blend(sum, term, [1.0, 1.0]);
    }

    fn select_rows(&self, x: &Tensor, rows: &[usize]) -> Tensor {
        self.gathered(x, rows)
    }

    fn append_rows(&self, x: &Tensor, other: &Tensor) -> Tensor {
        self.appended(x, other)
    }

    fn fill_row(&self, x: &mut Tensor, row: usize, values: &Tensor) {
        self.row_filled(x, row, values);
    }

    fn add_to_row(&self, x: &mut Tensor, row: usize, terms: &[f32]) {
        self.row_changed(x, row, terms);
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Tensor {
        self.sum(a, b)
    }

    fn embed(&self, device: &Device, embedding: &Embedding, form: (usize, DType)) -> Tensor {
        self.embedded(device, embedding, form)
    }

    fn embed_tokens_backward(&self, sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor) {
        self.embedded_tokens_backward(sum, embedding, d_out);
    }

    fn embed_positions_backward(&self, sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor) {
        self.embedded_positions_backward(sum, embedding, d_out);
    }

    fn embed_prefix_backward(&self, embedding: &Embedding, d_out: &Tensor, width: usize) -> Tensor {
        self.embedded_prefix_backward(embedding, d_out, width)
    }

    fn linear(&self, x: &Tensor, weight: &Parameter, bias: Option<&Parameter>) -> Tensor {
        self.linear_of(x, weight, bias)
    }

    fn linear_backward(&self, d_out: &Tensor, weight: &Parameter) -> Tensor {
        self.linear_turned(d_out, weight)
    }

    fn weight_gradient(&self, sum: Sum<'_>, d_out: &Tensor, x: &Tensor) {
        self.add_rows_product(sum.tensor, sum.started, d_out, x);
    }

    fn bias_gradient(&self, sum: Sum<'_>, d_out: &Tensor) {
        self.add_columns(sum.tensor, sum.started, d_out);
    }

    fn residual_norm(&self, h: &Tensor, r: &Tensor, axis: Axis) -> (Tensor, Tensor) {
        let (out, inverses) = self.norm([h, r], axis, None);
        (out, inverses.expect("new ones"))
    }

    fn residual_norm_backward(
        &self,
        [normed, inverses]: [&Tensor; 2],
        d_out: &Tensor,
        axis: Axis,
    ) -> Tensor {
        self.norm([normed, d_out], axis, Some(inverses)).0
    }

    fn swiglu(
        &self,
        x: &Tensor,
        [gate_up, down]: [&Parameter; 2],
        keep: bool,
    ) -> (Tensor, Option<Tensor>) {
        let (act, pre) = self.gates(x, gate_up, keep);
        (self.linear_of(&act, down, None), pre)
    }

    fn swiglu_backward(
        &self,
        x: &Tensor,
        weights: [&Parameter; 2],
        pre: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated {
        self.gated_backward(x, weights, pre, d_out)
    }

    fn token_swiglu(
        &self,
        h: &Tensor,
        [gate_up, down]: [&Parameter; 2],
        keep: bool,
    ) -> (Tensor, Option<Tensor>) {
        let (act, pre) = self.token_gates(h, gate_up, keep);
        (self.tokens_down(&act, down), pre)
    }

    fn token_swiglu_backward(
        &self,
        h: &Tensor,
        weights: [&Parameter; 2],
        pre: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated {
        self.token_gated_backward(h, weights, pre, d_out)
    }

    fn token_weight_gradient(&self, sum: Sum<'_>, a: &Tensor, b: &Tensor) {
        self.add_tokens_product(sum.tensor, sum.started, a, b);
    }

    fn attention(&self, qkv: &Tensor, extent: Extent, rope: Option<&Rope>) -> Tensor {
        self.attend(qkv, extent, rope)
    }

    fn attention_backward(
        &self,
        qkv: &Tensor,
        extent: Extent,
        rope: Option<&Rope>,
        d_out: &Tensor,
    ) -> Tensor {
        self.attend_backward(qkv, extent, rope, d_out)
    }

    fn keys(
        &self,
        device: &Device,
        batch: usize,
        capacity: usize,
        [heads, width]: [usize; 2],
    ) -> Keys {
        Box::new(self.new_keys(self.uninit(
            device,
            &[batch, capacity, 2 * heads * width],
            DType::F32,
        )))
    }

    fn attention_of_next(
        &self,
        qkv: &Tensor,
        keys: &mut Keys,
        extent: (Extent, usize),
        rope: Option<&Rope>,
    ) -> Tensor {
        let keys: &mut ops::Keys = keys.downcast_mut().expect("keys of a GPU");
        self.attend_next(qkv, keys, extent, rope)
    }

    fn neighbours(&self, h: &Tensor, grid: Grid) -> Tensor {
        self.heard_beside(h, grid)
    }

    fn neighbours_backward(&self, d_out: &Tensor, grid: Grid) -> Tensor {
        self.heard_beside_backward(d_out, grid)
    }

    fn lines(&self, h: &Tensor, lines: Lines) -> Tensor {
        self.of_lines(h, lines)
    }

    fn lines_backward(&self, h: &Tensor, d_out: &Tensor, lines: Lines) -> Tensor {
        self.of_lines_backward(h, d_out, lines)
    }

    fn add_lines(&self, x: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor {
        self.lines_added(x, rows, columns)
    }

    fn sum_lines(&self, x: &Tensor, lines: Lines) -> Tensor {
        self.sums_of_lines(x, lines)
    }

    fn mix_units(
        &self,
        h: &Tensor,
        weights: &[Parameter; 5],
        units: Units,
    ) -> (Tensor, [Tensor; KINDS]) {
        self.units_mixed(h, weights, units)
    }

    fn mix_units_backward(
        &self,
        weights: &[Parameter; 5],
        units: Units,
        d_out: &Tensor,
    ) -> (Tensor, [Tensor; KINDS]) {
        self.units_mixed_backward(weights, units, d_out)
    }

    fn tokens(&self, h: &Tensor, range: Range<usize>) -> Tensor {
        self.some_tokens(h, range)
    }

    fn tokens_backward(&self, d_out: &Tensor, range: Range<usize>, h: (&[usize], DType)) -> Tensor {
        self.some_tokens_backward(d_out, range, h)
    }

    fn mean_token(&self, h: &Tensor) -> Tensor {
        self.mean_of_tokens(h)
    }

    fn mean_token_backward(&self, d_out: &Tensor, h: (&[usize], DType)) -> Tensor {
        self.mean_of_tokens_backward(d_out, h)
    }

    fn symbol_logits(&self, scores: &Tensor, symbols: usize, vocab: usize) -> Tensor {
        self.logits_of_symbols(scores, symbols, vocab)
    }

    fn symbol_logits_backward(&self, d_out: &Tensor, symbols: usize) -> Tensor {
        self.logits_of_symbols_backward(d_out, symbols)
    }

    fn residual_linear(&self, h: &Tensor, x: &Tensor, weight: &Parameter) -> Tensor {
        self.linear_normed(h, x, weight)
    }

    fn residual_swiglu(&self, x: &Tensor, [gate_up, down]: [&Parameter; 2]) -> Tensor {
        self.linear_normed(x, &self.gates(x, gate_up, false).0, down)
    }

    fn residual_token_swiglu(&self, h: &Tensor, [gate_up, down]: [&Parameter; 2]) -> Tensor {
        self.tokens_normed(h, &self.token_gates(h, gate_up, false).0, down)
    }

    fn cross_entropy(&self, logits: &Tensor, targets: &Targets) -> Tensor {
        self.entropy(logits, targets)
    }

    fn cross_entropy_backward(&self, logits: &Tensor, targets: &Targets, d_out: &Tensor) -> Tensor {
        self.entropy_backward(logits, targets, d_out)
    }

    fn exact_rows(&self, logits: &Tensor, labels: &[u8], ignore: u8) -> Tensor {
        self.exact(logits, labels, ignore)
    }

    fn halt_loss(&self, q: &Tensor, correct: &Tensor) -> Tensor {
        self.halting(q, correct)
    }

    fn halt_loss_backward(&self, q: &Tensor, correct: &Tensor, d_out: &Tensor) -> Tensor {
        self.halting_backward(q, correct, d_out)
    }

    fn adam(&self, p: &mut Tensor, g: &Tensor, moments: [&mut Tensor; 2], adam: (&Adam, AdamRule)) {
        self.adam_step(p, g, moments, adam);
    }

    fn sgd(&self, p: &mut Tensor, direction: &Tensor, rate: f32, decay: f32) {
        self.blend(p, direction, [decay, -rate]);
    }

    fn sign_sgd_rows(
        &self,
        p: &mut Tensor,
        rows: &[(usize, Vec<usize>)],
        g: &Tensor,
        rate: [f32; 2],
    ) {
        self.sign_step(p, rows, g, rate);
    }

    fn lerp(&self, average: &mut Tensor, value: &Tensor, rate: f32) {
        self.blend(average, value, [rate, 1.0 - rate]);
    }

    fn orthogonalize(&self, matrix: &Tensor, steps: usize) -> Tensor {
        self.orthogonal(matrix, steps)
    }
}
