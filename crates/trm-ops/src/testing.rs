//! Finite differences and comparison for the operations' own tests.

use crate::{DType, Device, Parameter, Tape, Tensor};

/// Values in (-1, 1), the same for the same seed.
pub(crate) fn random_vec(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) fn random_tensor(device: &Device, shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_f32(device, shape, &random_vec(shape.iter().product(), seed))
}

pub(crate) fn close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance * (1.0 + w.abs()), "element {i}: {g} instead of {w}");
    }
}

/// Shapes of an operation's inputs and parameters, to be filled at random.
#[derive(Default)]
pub(crate) struct Case {
    inputs: Vec<Vec<usize>>,
    parameters: Vec<Vec<usize>>,
    f32_only: bool,
}

impl Case {
    pub(crate) fn new() -> Case {
        Case::default()
    }

    pub(crate) fn input(mut self, shape: &[usize]) -> Case {
        self.inputs.push(shape.into());
        self
    }

    pub(crate) fn parameter(mut self, shape: &[usize]) -> Case {
        self.parameters.push(shape.into());
        self
    }

    /// For operations that take f32 inputs by definition.
    pub(crate) fn f32_only(mut self) -> Case {
        self.f32_only = true;
        self
    }
}

type Operation<'a> = &'a dyn Fn(&Tape, &[Tensor], &[Parameter]) -> Tensor;

/// Compares every derivative of `Σ weight · output` with central differences (f32), and the bf16
/// gradients with those of f32.
pub(crate) fn check_gradients(
    case: &Case,
    operation: impl Fn(&Tape, &[Tensor], &[Parameter]) -> Tensor,
) {
    let values: Vec<(Vec<usize>, Vec<f32>)> = (case.inputs.iter().chain(&case.parameters))
        .enumerate()
        .map(|(i, shape)| {
            let values = random_vec(shape.iter().product(), 7 + i as u64);
            // exactly representable in bf16, so that both dtypes see the same inputs
            let values = values.iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect();
            (shape.clone(), values)
        })
        .collect();
    let device = &Device::cpu(2);
    let exact = gradients(device, case, &values, &operation, DType::F32);
    for (i, (shape, _)) in values.iter().enumerate() {
        for j in 0..shape.iter().product() {
            let moved = |h: f32| {
                let mut values = values.clone();
                values[i].1[j] += h;
                objective(device, case, &values, &operation)
            };
            let h = 1e-2;
            // fourth-order central difference
            let slope = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h)))
                / (12.0 * h as f64);
            let got = exact[i][j] as f64;
            let error = (got - slope).abs();
            assert!(error < 2e-3 * (1.0 + slope.abs()), "d/d[{i}][{j}]: {got} instead of {slope}");
        }
    }
    if !case.f32_only {
        let rounded = gradients(device, case, &values, &operation, DType::Bf16);
        for (r, e) in rounded.iter().zip(&exact) {
            let norm = |v: &[f32]| v.iter().map(|x| (x * x) as f64).sum::<f64>().sqrt();
            let difference: Vec<f32> = r.iter().zip(e).map(|(r, e)| r - e).collect();
            let relative = norm(&difference) / norm(e).max(1e-6);
            assert!(relative < 2e-2, "bf16 gradient is off by {relative}");
        }
    }
}

fn build(
    device: &Device,
    case: &Case,
    values: &[(Vec<usize>, Vec<f32>)],
    dtype: DType,
) -> (Vec<Tensor>, Vec<Parameter>) {
    let (inputs, parameters) = values.split_at(case.inputs.len());
    let tensor = |(shape, values): &(Vec<usize>, Vec<f32>)| Tensor::from_f32(device, shape, values);
    let inputs = inputs.iter().map(|v| tensor(v).to_dtype(dtype)).collect();
    let parameters = parameters.iter().map(tensor).enumerate();
    let parameters = parameters.map(|(i, t)| Parameter::new(i, format!("p{i}"), t)).collect();
    (inputs, parameters)
}

/// Weights of the scalar that is differentiated, exactly representable in bf16.
fn seed_values(len: usize) -> Vec<f32> {
    random_vec(len, 99).iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect()
}

fn objective(
    device: &Device,
    case: &Case,
    values: &[(Vec<usize>, Vec<f32>)],
    operation: Operation,
) -> f64 {
    let (inputs, parameters) = build(device, case, values, DType::F32);
    let out = operation(&Tape::off(device), &inputs, &parameters).to_f32_vec();
    out.iter().zip(seed_values(out.len())).map(|(o, w)| (*o as f64) * w as f64).sum()
}

fn gradients(
    device: &Device,
    case: &Case,
    values: &[(Vec<usize>, Vec<f32>)],
    operation: Operation,
    dtype: DType,
) -> Vec<Vec<f32>> {
    let (inputs, parameters) = build(device, case, values, dtype);
    let tape = Tape::recording(device);
    let inputs: Vec<Tensor> = inputs.iter().map(|x| tape.watch(x)).collect();
    let out = operation(&tape, &inputs, &parameters);
    let seed = Tensor::from_f32(device, out.shape(), &seed_values(out.len()));
    let gradients = tape.backward(&[(&out, &seed.to_dtype(out.dtype()))]);
    let of_inputs = inputs.iter().map(|x| gradients.of(x).expect("a gradient").to_f32_vec());
    let of_parameters =
        parameters.iter().map(|p| gradients.parameter(p).expect("a gradient").to_f32_vec());
    of_inputs.chain(of_parameters).collect()
}
