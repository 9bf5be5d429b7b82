//! Every operation at the sizes of the public presets, in both number formats, forward and with its
//! gradient: `cargo bench -p trm-ops`, or a part of it by name, `cargo bench -p trm-ops -- attention`.
//!
//! Products count floating-point operations, everything else counts elements; a gradient counts as
//! two more products.

use criterion::{Criterion, Throughput};
use std::time::Duration;
use trm_ops::{Axis, DType, Device, Likelihood, Parameter, Rope, Tape, Tensor};

const BATCH: usize = 16;
const LEN: usize = 97;
const CELLS: usize = 81;
const VOCAB: usize = 11;
const HIDDEN: usize = 512;
const INNER: usize = 1536;
const TOKEN_INNER: usize = 512;
const HEADS: usize = 8;
const LONG: usize = 916;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .without_plots()
        .configure_from_args();
    let device = Device::cpu(0);
    for dtype in [DType::F32, DType::Bf16] {
        products(&mut criterion, &device, dtype);
        attention(&mut criterion, &device, dtype);
        elementwise(&mut criterion, &device, dtype);
    }
    cross_entropy(&mut criterion, &device);
    criterion.final_summary();
}

fn products(criterion: &mut Criterion, device: &Device, dtype: DType) {
    let hidden = [random(device, &[BATCH, LEN, HIDDEN], dtype)];
    let multiplications = |macs: usize| macs * BATCH * LEN * HIDDEN;

    let qkv = weight(device, 0, 3 * HIDDEN, HIDDEN);
    let case = Case::product("linear", dtype, multiplications(3 * HIDDEN));
    case.run(criterion, &hidden, |tape, x| tape.linear(&x[0], &qkv, None));

    let gate_up = weight(device, 0, 2 * INNER, HIDDEN);
    let down = weight(device, 1, HIDDEN, INNER);
    let case = Case::product("swiglu", dtype, multiplications(3 * INNER));
    case.run(criterion, &hidden, |tape, x| tape.swiglu(&x[0], &gate_up, &down));

    let gate_up = weight(device, 0, 2 * TOKEN_INNER, LEN);
    let down = weight(device, 1, LEN, TOKEN_INNER);
    let case = Case::product("token_swiglu", dtype, multiplications(3 * TOKEN_INNER));
    case.run(criterion, &hidden, |tape, x| tape.token_swiglu(&x[0], &gate_up, &down));
}

fn attention(criterion: &mut Criterion, device: &Device, dtype: DType) {
    for (batch, len) in [(BATCH, LEN), (1, LONG)] {
        let qkv = [random(device, &[batch, len, 3 * HIDDEN], dtype)];
        let rope = Rope::new(len, HIDDEN / HEADS, 10_000.0);
        let name = format!("attention {len}");
        let case = Case::product(&name, dtype, 2 * batch * len * len * HIDDEN);
        case.run(criterion, &qkv, |tape, x| tape.attention(&x[0], HEADS, Some(&rope)));
    }
}

fn elementwise(criterion: &mut Criterion, device: &Device, dtype: DType) {
    let shape = [BATCH, LEN, HIDDEN];
    let pair = [random(device, &shape, dtype), random(device, &shape, dtype)];
    let elements = BATCH * LEN * HIDDEN;
    let norms =
        [("residual_norm features", Axis::Features), ("residual_norm tokens", Axis::Tokens)];
    for (name, axis) in norms {
        let case = Case { name, dtype, forward: elements, backward: elements };
        case.run(criterion, &pair, |tape, x| tape.residual_norm(&x[0], &x[1], axis));
    }
    let case = Case { name: "add", dtype, forward: elements, backward: 0 }; // gradients pass through
    case.run(criterion, &pair, |tape, x| tape.add(&x[0], &x[1]));
}

fn cross_entropy(criterion: &mut Criterion, device: &Device) {
    let elements = BATCH * CELLS * VOCAB;
    let logits = [random(device, &[BATCH, CELLS, VOCAB], DType::F32)];
    let answers: Vec<u8> = (0..BATCH * CELLS).map(|i| (1 + i % (VOCAB - 1)) as u8).collect();
    let case =
        Case { name: "cross_entropy", dtype: DType::F32, forward: elements, backward: elements };
    case.run(criterion, &logits, |tape, x| {
        tape.cross_entropy(&x[0], &answers, 0, Likelihood::Stablemax, 0.0)
    });
}

/// An operation and what it counts.
struct Case<'a> {
    name: &'a str,
    dtype: DType,
    forward: usize,
    /// Beyond the forward part.
    backward: usize,
}

impl Case<'_> {
    fn product(name: &str, dtype: DType, multiplications: usize) -> Case<'_> {
        Case { name, dtype, forward: 2 * multiplications, backward: 4 * multiplications }
    }

    fn run(
        &self,
        criterion: &mut Criterion,
        inputs: &[Tensor],
        operation: impl Fn(&Tape, &[Tensor]) -> Tensor + Sync,
    ) {
        let device = inputs[0].device();
        let mut group = criterion.benchmark_group(format!("{} {}", self.name, self.dtype));
        group.throughput(Throughput::Elements(self.forward as u64));
        group.bench_function("forward", |bencher| {
            device.install(|| {
                let tape = Tape::off(device);
                bencher.iter(|| operation(&tape, inputs));
            });
        });
        let out = operation(&Tape::off(device), inputs);
        let seed = random(device, out.shape(), out.dtype());
        group.throughput(Throughput::Elements((self.forward + self.backward) as u64));
        group.bench_function("forward + backward", |bencher| {
            device.install(|| {
                bencher.iter(|| {
                    let tape = Tape::recording(device);
                    let inputs: Vec<Tensor> = inputs.iter().map(|x| tape.watch(x)).collect();
                    let out = operation(&tape, &inputs);
                    tape.backward(&[(&out, &seed)])
                });
            });
        });
        group.finish();
    }
}

fn weight(device: &Device, index: usize, n: usize, k: usize) -> Parameter {
    Parameter::new(index, format!("w{index}"), random(device, &[n, k], DType::F32))
}

/// Values in (-0.1, 0.1), the same every time.
fn random(device: &Device, shape: &[usize], dtype: DType) -> Tensor {
    let value = |i: usize| ((i * 7919 % 2003) as f32 / 1001.0 - 1.0) * 0.1;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_f32(device, shape, &values).to_dtype(dtype)
}
