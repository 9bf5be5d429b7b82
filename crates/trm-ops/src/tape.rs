use crate::device::Device;
use crate::fault::FaultFinder;
use crate::kernels::{Kernels, Sum};
use crate::parameter::Parameter;
use crate::stop::Stop;
use crate::tensor::Tensor;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Place of a tensor's gradient on one particular tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Var {
    tape: u64,
    index: usize,
}

/// What an operation saved, and how it turns the gradient of its output into those of its inputs.
pub(crate) trait Backward: Send {
    /// `d_out` has the shape and dtype of the output.
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients);
}

struct Node {
    name: &'static str,
    output: usize,
    operation: Box<dyn Backward>,
}

#[derive(Default)]
struct Record {
    nodes: Vec<Node>,
    vars: usize,
}

/// Runs operations and, when recording, remembers what their gradients need.
///
/// A tensor made by one tape is a constant to every other: state carried from one supervision step
/// to the next is detached by construction.
pub struct Tape {
    id: u64,
    device: Device,
    record: Option<Mutex<Record>>,
    recompute: bool,
    faults: Option<FaultFinder>,
    stop: Option<Stop>,
}

impl Tape {
    /// A tape that remembers.
    pub fn recording(device: &Device) -> Tape {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Tape { id, record: Some(Mutex::default()), ..Tape::off(device) }
    }

    /// A tape that only runs: nothing is remembered, buffers are recycled at once.
    pub fn off(device: &Device) -> Tape {
        let device = device.clone();
        Tape { id: u64::MAX, device, record: None, recompute: false, faults: None, stop: None }
    }

    /// A tape that only runs, checked and stopped as this one is.
    pub fn without_gradient(&self) -> Tape {
        let (faults, stop) = (self.faults.clone(), self.stop.clone());
        Tape { faults, stop, ..Tape::off(&self.device) }
    }

    /// Leaves work out as soon as `stop` is requested. Results and gradients have the right shapes then, but
    /// mean nothing: whoever gives a stop must look at it before using them.
    pub fn until(self, stop: &Stop) -> Tape {
        Tape { stop: Some(stop.clone()), ..self }
    }

    /// Whether the work is to be left out.
    pub fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(Stop::is_requested)
    }

    /// Looks for results that are not finite.
    pub fn checked(self, finder: &FaultFinder) -> Tape {
        Tape { faults: Some(finder.clone()), ..self }
    }

    /// Saves as little as possible: the large inner activations are computed again for the gradient.
    /// Gradients stay the same, bit for bit.
    pub fn recompute(self, recompute: bool) -> Tape {
        Tape { recompute, ..self }
    }

    /// Whether inner activations are to be kept for the gradient.
    pub(crate) fn keeps_activations(&self) -> bool {
        self.is_recording() && !self.recompute
    }

    /// Whether operations without a gradient of their own may take the place of several.
    pub(crate) fn fuses(&self) -> bool {
        !self.is_recording() && self.faults.is_none()
    }

    /// The device that operations run on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What computes there.
    pub(crate) fn kernels(&self) -> &dyn Kernels {
        self.device.kernels()
    }

    /// Whether operations are remembered.
    pub fn is_recording(&self) -> bool {
        self.record.is_some()
    }

    /// The same tensor as a leaf of this tape, so that [`Gradients::of`] knows its gradient.
    pub fn watch(&self, tensor: &Tensor) -> Tensor {
        match &self.record {
            None => tensor.clone(),
            Some(record) => {
                let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                record.vars += 1;
                tensor.clone().with_var(Var { tape: self.id, index: record.vars - 1 })
            }
        }
    }

    /// Files an operation whose output is `output`. `saved` is called only when recording.
    pub(crate) fn record<B: Backward + 'static>(
        &self,
        output: Tensor,
        saved: impl FnOnce() -> B,
    ) -> Tensor {
        let name = short_name::<B>();
        if let Some(finder) = &self.faults {
            finder.check(|| name.to_owned(), [&output]);
        }
        let Some(record) = &self.record else { return output };
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        let index = record.vars;
        record.vars += 1;
        record.nodes.push(Node { name, output: index, operation: Box::new(saved()) });
        output.with_var(Var { tape: self.id, index })
    }

    /// Gradients of `Σ <output, seed>` with respect to every parameter and watched tensor. What an
    /// operation saved is freed as soon as its gradient has been taken.
    ///
    /// # Panics
    /// If an output was not made by this tape while recording, or a seed's shape differs from it.
    pub fn backward(self, seeds: &[(&Tensor, &Tensor)]) -> Gradients {
        let record = self.record.expect("a recording tape").into_inner();
        let record = record.unwrap_or_else(PoisonError::into_inner);
        let mut gradients = Gradients {
            tape: self.id,
            vars: (0..record.vars).map(|_| None).collect(),
            parameters: Vec::new(),
        };
        for (output, seed) in seeds {
            assert_eq!(output.shape(), seed.shape(), "an output and its seed");
            assert!(output.var().is_some_and(|v| v.tape == self.id), "an output of this tape");
            gradients.add(output.var(), (*seed).clone());
        }
        self.device.install(|| {
            let stop = self.stop.as_ref();
            let nodes = record.nodes.into_iter().rev();
            for node in nodes.take_while(|_| !stop.is_some_and(Stop::is_requested)) {
                if let Some(d_out) = gradients.vars[node.output].take() {
                    node.operation.backward(d_out, &mut gradients);
                    if let Some(finder) = &self.faults {
                        finder.check(|| format!("gradient of {}", node.name), gradients.all());
                    }
                }
            }
        });
        gradients
    }
}

/// Gradients by parameter and by watched tensor.
pub struct Gradients {
    tape: u64,
    vars: Vec<Option<Tensor>>,
    parameters: Vec<Option<Tensor>>,
}

impl Gradients {
    /// The f32 gradient of a parameter; `None` if it was not used.
    pub fn parameter(&self, parameter: &Parameter) -> Option<&Tensor> {
        self.parameters.get(parameter.index())?.as_ref()
    }

    /// Adds the gradients that another tape gave, of parameters alone: what a tape watches is its own.
    pub fn merge(&mut self, other: Gradients) {
        let terms = other.parameters.into_iter();
        if self.parameters.len() < terms.len() {
            self.parameters.resize_with(terms.len(), || None);
        }
        for (sum, term) in self.parameters.iter_mut().zip(terms) {
            match (sum, term) {
                (Some(sum), Some(term)) => accumulate(sum, &term),
                (sum @ None, term) => *sum = term,
                _ => {}
            }
        }
    }

    /// The gradient of a watched tensor; `None` if it was not used.
    pub fn of(&self, watched: &Tensor) -> Option<&Tensor> {
        self.index_of(watched.var()).and_then(|index| self.vars[index].as_ref())
    }

    /// All parameter gradients, by index; for scaling and clipping.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Tensor> {
        self.parameters.iter_mut().flatten()
    }

    fn all(&self) -> impl Iterator<Item = &Tensor> {
        self.vars.iter().chain(&self.parameters).flatten()
    }

    /// Adds to the gradient of an operation's input; constants are ignored.
    pub(crate) fn add(&mut self, input: Option<Var>, gradient: Tensor) {
        let Some(index) = self.index_of(input) else { return };
        let mut gradient = gradient.detach();
        match &mut self.vars[index] {
            Some(sum) => {
                if !sum.is_unique() {
                    std::mem::swap(sum, &mut gradient); // spares a copy of the shared one
                }
                accumulate(sum, &gradient);
            }
            empty => *empty = Some(gradient),
        }
    }

    /// Whether anybody asks for the gradient of this input.
    pub(crate) fn wants(&self, input: Option<Var>) -> bool {
        self.index_of(input).is_some()
    }

    /// Where a parameter's gradient is summed.
    pub(crate) fn sum_of(&mut self, parameter: &Parameter) -> Sum<'_> {
        let index = parameter.index();
        if self.parameters.len() <= index {
            self.parameters.resize_with(index + 1, || None);
        }
        let slot = &mut self.parameters[index];
        let started = slot.is_some();
        let value = parameter.value();
        let tensor = slot
            .get_or_insert_with(|| Tensor::uninit(value.device(), value.shape(), value.dtype()));
        Sum { tensor, started }
    }

    fn index_of(&self, input: Option<Var>) -> Option<usize> {
        input.filter(|var| var.tape == self.tape).map(|var| var.index)
    }
}

/// The name of a type without its path.
fn short_name<T>() -> &'static str {
    std::any::type_name::<T>().rsplit("::").next().unwrap_or_default()
}

/// `sum += term`, in the dtype of `sum`.
pub(crate) fn accumulate(sum: &mut Tensor, term: &Tensor) {
    assert_eq!((sum.shape(), sum.dtype()), (term.shape(), term.dtype()), "gradients of one tensor");
    term.device().kernels().accumulate(sum, term);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Holds what an operation saved; optionally checks that nobody else still does.
    struct Probe {
        input: Tensor,
        saved: Arc<()>,
        must_be_last: bool,
    }

    impl Backward for Probe {
        fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
            assert!(!self.must_be_last || Arc::strong_count(&self.saved) == 1);
            gradients.add(self.input.var(), d_out);
        }
    }

    #[test]
    fn what_later_operations_saved_is_freed_before_earlier_ones_run() {
        let device = Device::cpu(1);
        let tape = Tape::recording(&device);
        let x = tape.watch(&Tensor::from_f32(&device, &[1], &[1.0]));
        let saved = Arc::new(());
        let probe = |input: &Tensor, saved: Arc<()>, must_be_last| {
            let node = Probe { input: input.clone(), saved, must_be_last };
            tape.record(input.clone().detach(), || node)
        };
        let first = probe(&x, saved.clone(), true);
        let second = probe(&first, saved.clone(), false);
        let y = probe(&second, saved, false);
        let gradients = tape.backward(&[(&y, &Tensor::from_f32(&device, &[1], &[3.0]))]);
        assert_eq!(gradients.of(&x).unwrap().to_f32_vec().unwrap(), [3.0]);
    }

    #[test]
    fn gradients_of_several_tapes_add_up() {
        let device = Device::cpu(1);
        let parameter = |index, values: &[f32]| {
            Parameter::new(index, "w", Tensor::from_f32(&device, &[1, 2], values))
        };
        let (one, two) = (parameter(0, &[1.0, 2.0]), parameter(1, &[3.0, 4.0]));
        let gradients = |x: [f32; 2], weight: &Parameter| {
            let tape = Tape::recording(&device);
            let y = tape.linear(&Tensor::from_f32(&device, &[1, 2], &x), weight, None);
            tape.backward(&[(&y, &Tensor::from_f32(&device, &[1, 1], &[1.0]))])
        };
        let mut sum = gradients([1.0, 10.0], &one);
        sum.merge(gradients([0.5, 5.0], &two));
        sum.merge(gradients([2.0, 20.0], &one));
        assert_eq!(sum.parameter(&one).unwrap().to_f32_vec().unwrap(), [3.0, 30.0]);
        assert_eq!(sum.parameter(&two).unwrap().to_f32_vec().unwrap(), [0.5, 5.0]);
    }

    #[test]
    fn a_stopped_tape_takes_no_gradient() {
        let (device, stop) = (Device::cpu(1), Stop::default());
        let tape = Tape::recording(&device).until(&stop);
        assert!(!tape.without_gradient().is_stopped());
        let x = tape.watch(&Tensor::from_f32(&device, &[1], &[1.0]));
        let probe = |saved| Probe { input: x.clone(), saved: Arc::new(saved), must_be_last: false };
        let y = tape.record(x.clone().detach(), || probe(()));
        stop.request();
        assert!(tape.is_stopped() && tape.without_gradient().is_stopped());
        assert!(tape.backward(&[(&y, &y.clone().detach())]).of(&x).is_none());
    }

    #[test]
    fn a_tensor_of_another_tape_is_a_constant() {
        let device = Device::cpu(1);
        let one = Tensor::from_f32(&device, &[1], &[1.0]);
        let (first, second) = (Tape::recording(&device), Tape::recording(&device));
        let foreign = first.watch(&one);
        let own = second.watch(&one);
        let sum = second.add(&foreign, &own);
        let gradients = second.backward(&[(&sum, &one)]);
        assert!(gradients.of(&foreign).is_none() && gradients.of(&own).is_some());
    }
}
