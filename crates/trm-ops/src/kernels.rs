//! What a device computes. A new device is one implementation of [`Kernels`]; `conformance` says what is missing.

use crate::ops::attention::{Extent, Rope};
use crate::ops::cross_entropy::Targets;
use crate::ops::embed::Embedding;
use crate::ops::lines::Lines;
use crate::ops::neighbours::Grid;
use crate::ops::residual_norm::Axis;
use crate::ops::units::{KINDS, Units};
use crate::{Adam, AdamRule, DType, Device, Parameter, Tensor};
use std::any::Any;
use std::borrow::Cow;
use std::ops::Range;

/// What a device says that cannot go on: it was lost, or does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DeviceError(pub String);

/// Memory of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Buffers that were newly allocated, rather than recycled, since the device was made.
    pub allocations: usize,
    /// Bytes of all buffers, in use and waiting to be used again.
    pub bytes: usize,
}

/// Work that a device was sent, of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Launches {
    /// How many.
    pub count: u64,
    /// Bytes of all that they read and write, each once.
    pub bytes: u64,
    /// Floating-point operations of products and attention: two for each multiplication.
    pub flops: u64,
    /// Seconds, where the device was asked to count them.
    pub seconds: f64,
}

/// Where the gradient of a parameter is summed.
pub struct Sum<'a> {
    /// The sum, f32, in the shape of the parameter.
    pub tensor: &'a mut Tensor,
    /// Whether it holds a sum already; otherwise its contents are arbitrary and must be overwritten.
    pub started: bool,
}

/// What a gated layer has inside.
pub struct Gated {
    /// The gradient of the input.
    pub d_x: Tensor,
    /// That of the pre-activations `[g | u]`.
    pub d_pre: Tensor,
    /// `silu(g) ∘ u`.
    pub act: Tensor,
}

/// The keys and values that a device keeps between tokens, in a form of its own.
pub type Keys = Box<dyn Any + Send>;

/// The operations of a device. Shapes and equations are those of the [`Tape`](crate::Tape) method or function of
/// the same name, which checks shapes before it asks for anything; a method `…_backward` gets the gradient of the
/// output and gives that of the inputs.
///
/// Storage is the device's own ([`Tensor::new`]). Sums are taken in f32 or wider; a row's result does not depend on
/// the rows beside it, and the same input gives the same bits. Only reading can fail: a lost device computes
/// nothing, until somebody reads.
pub trait Kernels: Any + Send + Sync {
    /// The device in a few words, such as `cpu(2 threads)`.
    fn name(&self) -> String;
    /// What it has allocated.
    fn memory(&self) -> Memory;
    /// Starts once more after a fault that reading told of: tensors from before are lost.
    ///
    /// # Errors
    /// If it does not start, or nothing starts it once more.
    fn recover(&self) -> Result<(), DeviceError> {
        Err(DeviceError(format!("{} does not start once more", self.name())))
    }
    /// What it was sent since it was made, by program; nothing on a CPU.
    fn launches(&self) -> Vec<(String, Launches)> {
        Vec::new()
    }
    /// Measures how many floating-point operations a second it does at best: multiply-adds in registers alone. NaN
    /// where nobody measures it.
    fn ceiling(&self, _: &Device, _: DType) -> f64 {
        f64::NAN
    }
    /// Measures how many bytes a second a copy reads and writes, where launches count their bytes.
    fn bandwidth(&self, _: &Device) -> Option<f64> {
        None
    }
    /// The number format that it multiplies fastest.
    fn fastest(&self) -> DType {
        DType::F32
    }

    /// The number formats that it stores, f32 first.
    fn formats(&self) -> &[DType];
    /// How many puzzles, of `len` tokens and with `widest` numbers in their largest tensor, it likes to take through
    /// a whole network at a time, with a gradient or without; at least 1.
    fn portion(&self, _len: usize, _widest: usize, _training: bool) -> usize {
        usize::MAX
    }
    /// What decides the bits of results, beside their format: `cpu`, however many threads, or a GPU and its driver.
    fn place(&self) -> String {
        self.name()
    }

    // ── values ──────────────────────────────────────────────────────────────────────────────────

    /// A tensor with these values, rounded to `dtype`.
    fn upload(&self, device: &Device, shape: &[usize], dtype: DType, values: &[f32]) -> Tensor;
    /// A tensor of zeros.
    fn zeros(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor;
    /// A tensor of arbitrary contents.
    fn uninit(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        self.zeros(device, shape, dtype)
    }
    /// All values, in row-major order.
    ///
    /// # Errors
    /// If the device is lost.
    fn read(&self, x: &Tensor) -> Result<Vec<f32>, DeviceError>;
    /// All values as little-endian f32; borrowed where they lie so.
    ///
    /// # Errors
    /// If the device is lost.
    fn read_bytes<'x>(&self, x: &'x Tensor) -> Result<Cow<'x, [u8]>, DeviceError> {
        Ok(Cow::Owned(self.read(x)?.iter().flat_map(|x| x.to_le_bytes()).collect()))
    }
    /// Whether no value is a NaN or an infinity.
    ///
    /// # Errors
    /// If the device is lost.
    fn is_finite(&self, x: &Tensor) -> Result<bool, DeviceError>;
    /// Sum of squares of an f32 tensor, in f64.
    ///
    /// # Errors
    /// If the device is lost.
    fn square_sum(&self, x: &Tensor) -> Result<f64, DeviceError>;
    /// [`Kernels::square_sum`] of several, in one reading.
    ///
    /// # Errors
    /// If the device is lost.
    fn square_sums(&self, xs: &[&Tensor]) -> Result<Vec<f64>, DeviceError> {
        xs.iter().map(|x| self.square_sum(x)).collect()
    }
    /// Of every row along the last dimension the place of its largest value, the first of equal ones.
    ///
    /// # Errors
    /// If the device is lost.
    fn argmax(&self, x: &Tensor) -> Result<Vec<u8>, DeviceError>;
    /// [`Tensor::to_dtype`] into another format.
    fn convert(&self, x: &Tensor, dtype: DType) -> Tensor;
    /// [`Tensor::scale`].
    fn scale(&self, x: &mut Tensor, factor: f32);
    /// `sum += term`, both of one dtype.
    fn accumulate(&self, sum: &mut Tensor, term: &Tensor);

    // ── rows, the parts along the first dimension ───────────────────────────────────────────────

    /// [`Tensor::select_rows`].
    fn select_rows(&self, x: &Tensor, rows: &[usize]) -> Tensor;
    /// [`Tensor::append_rows`].
    fn append_rows(&self, x: &Tensor, other: &Tensor) -> Tensor;
    /// [`Tensor::fill_row`].
    fn fill_row(&self, x: &mut Tensor, row: usize, values: &Tensor);
    /// [`Tensor::add_to_row`].
    fn add_to_row(&self, x: &mut Tensor, row: usize, terms: &[f32]);

    // ── the network ─────────────────────────────────────────────────────────────────────────────

    /// Forward.
    fn add(&self, a: &Tensor, b: &Tensor) -> Tensor;
    /// Forward, for `batch` puzzles in `dtype`.
    fn embed(&self, device: &Device, embedding: &Embedding, form: (usize, DType)) -> Tensor;
    /// Adds to the gradient of the token table.
    fn embed_tokens_backward(&self, sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor);
    /// Adds to the gradient of the table of positions.
    fn embed_positions_backward(&self, sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor);
    /// Gradient of the prefix, `[B, width]` f32.
    fn embed_prefix_backward(&self, embedding: &Embedding, d_out: &Tensor, width: usize) -> Tensor;
    /// Forward.
    fn linear(&self, x: &Tensor, weight: &Parameter, bias: Option<&Parameter>) -> Tensor;
    /// `d_out · W`.
    fn linear_backward(&self, d_out: &Tensor, weight: &Parameter) -> Tensor;
    /// Adds `d_outᵀ · x`, summed over all rows.
    fn weight_gradient(&self, sum: Sum<'_>, d_out: &Tensor, x: &Tensor);
    /// Adds the sum of all rows.
    fn bias_gradient(&self, sum: Sum<'_>, d_out: &Tensor);
    /// `rms_norm(h + r)`, and what each sum was multiplied by.
    fn residual_norm(&self, h: &Tensor, r: &Tensor, axis: Axis) -> (Tensor, Tensor);
    /// From the two results of [`Kernels::residual_norm`].
    fn residual_norm_backward(&self, forward: [&Tensor; 2], d_out: &Tensor, axis: Axis) -> Tensor;
    /// Forward; the pre-activations besides, if they are kept.
    fn swiglu(&self, x: &Tensor, weights: [&Parameter; 2], keep: bool) -> (Tensor, Option<Tensor>);
    /// Without pre-activations they are computed again.
    fn swiglu_backward(
        &self,
        x: &Tensor,
        weights: [&Parameter; 2],
        pre: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated;
    /// Forward; the pre-activations besides, if they are kept.
    fn token_swiglu(
        &self,
        h: &Tensor,
        weights: [&Parameter; 2],
        keep: bool,
    ) -> (Tensor, Option<Tensor>);
    /// Without pre-activations they are computed again.
    fn token_swiglu_backward(
        &self,
        h: &Tensor,
        weights: [&Parameter; 2],
        pre: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated;
    /// Adds `Σ_b a_b · b_bᵀ`, `[N, K]`, for a `[B, N, D]` and b `[B, K, D]`.
    fn token_weight_gradient(&self, sum: Sum<'_>, a: &Tensor, b: &Tensor);
    /// Forward.
    fn attention(&self, qkv: &Tensor, extent: Extent, rope: Option<&Rope>) -> Tensor;
    /// Backward.
    fn attention_backward(
        &self,
        qkv: &Tensor,
        extent: Extent,
        rope: Option<&Rope>,
        d_out: &Tensor,
    ) -> Tensor;
    /// Room for the keys and values of `batch` sequences of `capacity` tokens, with `[heads, width]`.
    fn keys(&self, device: &Device, batch: usize, capacity: usize, heads: [usize; 2]) -> Keys;
    /// Forward for new tokens that follow `first` others, whose keys and values are added to those of the others.
    fn attention_of_next(
        &self,
        qkv: &Tensor,
        keys: &mut Keys,
        extent: (Extent, usize),
        rope: Option<&Rope>,
    ) -> Tensor;
    /// Forward.
    fn neighbours(&self, h: &Tensor, grid: Grid) -> Tensor;
    /// Backward.
    fn neighbours_backward(&self, d_out: &Tensor, grid: Grid) -> Tensor;
    /// Forward.
    fn lines(&self, h: &Tensor, lines: Lines) -> Tensor;
    /// Backward; the first of the largest of a line gets their gradient.
    fn lines_backward(&self, h: &Tensor, d_out: &Tensor, lines: Lines) -> Tensor;
    /// Forward.
    fn add_lines(&self, x: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor;
    /// The sum over the cells of every line, `[B, lines, D]` for x `[B, S, D]`.
    fn sum_lines(&self, x: &Tensor, lines: Lines) -> Tensor;
    /// Forward; the means of all units besides, `[B, n², D]` for every kind.
    fn mix_units(
        &self,
        h: &Tensor,
        weights: &[Parameter; 5],
        units: Units,
    ) -> (Tensor, [Tensor; KINDS]);
    /// The gradient of h, and those of what the units say.
    fn mix_units_backward(
        &self,
        weights: &[Parameter; 5],
        units: Units,
        d_out: &Tensor,
    ) -> (Tensor, [Tensor; KINDS]);
    /// Forward.
    fn tokens(&self, h: &Tensor, range: Range<usize>) -> Tensor;
    /// The gradient of h, which has this shape and dtype.
    fn tokens_backward(&self, d_out: &Tensor, range: Range<usize>, h: (&[usize], DType)) -> Tensor;
    /// Forward.
    fn mean_token(&self, h: &Tensor) -> Tensor;
    /// The gradient of h, which has this shape and dtype.
    fn mean_token_backward(&self, d_out: &Tensor, h: (&[usize], DType)) -> Tensor;
    /// Forward.
    fn symbol_logits(&self, scores: &Tensor, symbols: usize, vocab: usize) -> Tensor;
    /// Backward.
    fn symbol_logits_backward(&self, d_out: &Tensor, symbols: usize) -> Tensor;

    // ── several of them at once, in one pass where that is faster: the same numbers, on a CPU the same bits ──

    /// [`Kernels::residual_norm`] of h and [`Kernels::linear`].
    fn residual_linear(&self, h: &Tensor, x: &Tensor, weight: &Parameter) -> Tensor {
        self.residual_norm(h, &self.linear(x, weight, None), Axis::Features).0
    }
    /// [`Kernels::residual_norm`] of x and [`Kernels::swiglu`].
    fn residual_swiglu(&self, x: &Tensor, weights: [&Parameter; 2]) -> Tensor {
        self.residual_norm(x, &self.swiglu(x, weights, false).0, Axis::Features).0
    }
    /// [`Kernels::residual_norm`] of h and [`Kernels::token_swiglu`].
    fn residual_token_swiglu(&self, h: &Tensor, weights: [&Parameter; 2]) -> Tensor {
        self.residual_norm(h, &self.token_swiglu(h, weights, false).0, Axis::Tokens).0
    }

    // ── losses ──────────────────────────────────────────────────────────────────────────────────

    /// Forward.
    fn cross_entropy(&self, logits: &Tensor, targets: &Targets) -> Tensor;
    /// Backward.
    fn cross_entropy_backward(&self, logits: &Tensor, targets: &Targets, d_out: &Tensor) -> Tensor;
    /// [`Tensor::exact_rows`].
    fn exact_rows(&self, logits: &Tensor, labels: &[u8], ignore: u8) -> Tensor;
    /// Forward.
    fn halt_loss(&self, q: &Tensor, correct: &Tensor) -> Tensor;
    /// Backward.
    fn halt_loss_backward(&self, q: &Tensor, correct: &Tensor, d_out: &Tensor) -> Tensor;

    // ── updates of f32 tensors in place ─────────────────────────────────────────────────────────

    /// [`adam`](crate::adam) of parameter, gradient, m and v.
    fn adam(&self, p: &mut Tensor, g: &Tensor, moments: [&mut Tensor; 2], adam: (&Adam, AdamRule));
    /// [`sgd`](crate::sgd).
    fn sgd(&self, p: &mut Tensor, direction: &Tensor, rate: f32, decay: f32);
    /// [`sign_sgd_rows`](crate::sign_sgd_rows): row `rows[i]` by the sum of the rows of the gradient in `of[i]`.
    fn sign_sgd_rows(
        &self,
        p: &mut Tensor,
        rows: &[(usize, Vec<usize>)],
        g: &Tensor,
        rate: [f32; 2],
    );
    /// [`lerp`](crate::lerp).
    fn lerp(&self, average: &mut Tensor, value: &Tensor, rate: f32);
    /// [`orthogonalize`](crate::orthogonalize).
    fn orthogonalize(&self, matrix: &Tensor, steps: usize) -> Tensor;
}
