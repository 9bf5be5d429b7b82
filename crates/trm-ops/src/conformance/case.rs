//! Operations with inputs at random, run on a device.

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

/// The values of a tensor.
pub(crate) fn values(x: &Tensor) -> Vec<f32> {
    x.to_f32_vec().expect("a device that can be read")
}

/// Values that bf16 holds exactly, so that every dtype sees the same.
pub(crate) fn exact_vec(len: usize, seed: u64) -> Vec<f32> {
    random_vec(len, seed).iter().map(|x| half::bf16::from_f32(*x).to_f32()).collect()
}

/// Shapes of an operation's inputs and parameters, to be filled at random.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) inputs: Vec<Vec<usize>>,
    pub(crate) parameters: Vec<Vec<usize>>,
    pub(crate) f32_only: bool,
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

    /// Values for inputs, then parameters.
    pub(crate) fn values(&self) -> Vec<(Vec<usize>, Vec<f32>)> {
        let shapes = self.inputs.iter().chain(&self.parameters).zip(7..);
        shapes.map(|(s, seed)| (s.clone(), exact_vec(s.iter().product(), seed))).collect()
    }

    /// Inputs and parameters on a device.
    pub(crate) fn build(
        &self,
        device: &Device,
        values: &[(Vec<usize>, Vec<f32>)],
        dtype: DType,
    ) -> (Vec<Tensor>, Vec<Parameter>) {
        let (inputs, parameters) = values.split_at(self.inputs.len());
        let tensor =
            |(shape, values): &(Vec<usize>, Vec<f32>)| Tensor::from_f32(device, shape, values);
        let inputs = inputs.iter().map(|v| tensor(v).to_dtype(dtype)).collect();
        let parameters = parameters.iter().map(tensor).enumerate();
        let parameters = parameters.map(|(i, t)| Parameter::new(i, format!("p{i}"), t)).collect();
        (inputs, parameters)
    }

    /// The output on a tape that only runs, where operations may be fused.
    pub(crate) fn output(&self, device: &Device, operation: Operation, dtype: DType) -> Vec<f32> {
        let (inputs, parameters) = self.build(device, &self.values(), dtype);
        values(&operation(&Tape::off(device), &inputs, &parameters))
    }

    /// The output, and the gradients of `Σ weight · output` for inputs, then parameters.
    pub(crate) fn run(&self, device: &Device, operation: Operation, dtype: DType) -> Vec<Vec<f32>> {
        let (inputs, parameters) = self.build(device, &self.values(), dtype);
        let tape = Tape::recording(device);
        let inputs: Vec<Tensor> = inputs.iter().map(|x| tape.watch(x)).collect();
        let out = operation(&tape, &inputs, &parameters);
        let seed = Tensor::from_f32(device, out.shape(), &seed_values(out.len()));
        let output = values(&out);
        let gradients = tape.backward(&[(&out, &seed.to_dtype(out.dtype()))]);
        let of_inputs = inputs.iter().map(|x| gradients.of(x).expect("a gradient"));
        let of_parameters = parameters.iter().map(|p| gradients.parameter(p).expect("a gradient"));
        std::iter::once(output).chain(of_inputs.chain(of_parameters).map(values)).collect()
    }
}

pub(crate) type Operation<'a> = &'a dyn Fn(&Tape, &[Tensor], &[Parameter]) -> Tensor;

/// Weights of the scalar that is differentiated.
pub(crate) fn seed_values(len: usize) -> Vec<f32> {
    exact_vec(len, 99)
}
