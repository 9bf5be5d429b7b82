use crate::Tensor;
use std::sync::{Arc, Mutex, PoisonError};

/// Finds the first operation whose result is not finite, on all tapes that were given it
/// ([`Tape::checked`](crate::Tape::checked)). It costs a look at every result: for the post-mortem of
/// a step, not for every step.
///
/// ```
/// use trm_ops::{Device, FaultFinder, Tape, Tensor};
///
/// let device = Device::cpu(1);
/// let finder = FaultFinder::default();
/// let tape = Tape::recording(&device).checked(&finder);
/// let large = Tensor::from_f32(&device, &[1], &[f32::MAX]);
/// tape.add(&tape.add(&large, &large), &large);
/// assert_eq!(finder.first().as_deref(), Some("Add"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct FaultFinder(Arc<Mutex<Option<String>>>);

impl FaultFinder {
    /// The operation, "gradient of …" if its backward failed; `None` if all was finite so far.
    pub fn first(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes `operation` if one of its results is the first that is not finite.
    pub(crate) fn check<'t>(
        &self,
        operation: impl FnOnce() -> String,
        results: impl IntoIterator<Item = &'t Tensor>,
    ) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() && results.into_iter().any(|result| !result.is_finite().unwrap_or(true))
        {
            *first = Some(operation());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Parameter, Tape};

    #[test]
    fn the_first_fault_is_found_forwards_and_backwards() {
        let device = Device::cpu(1);
        let one = |value: f32| Tensor::from_f32(&device, &[1, 1], &[value]);
        let weight = Parameter::new(0, "w", one(1e30));

        let finder = FaultFinder::default();
        let tape = Tape::off(&device).checked(&finder);
        let h = tape.add(&one(1e20), &one(1.0));
        assert_eq!(finder.first(), None);
        let h = tape.linear(&h, &weight, None);
        tape.add(&h, &h);
        assert_eq!(finder.first().as_deref(), Some("Linear"));

        let finder = FaultFinder::default();
        let tape = Tape::recording(&device).checked(&finder);
        let x = tape.watch(&one(1e-20));
        let y = tape.linear(&tape.add(&x, &x), &weight, None);
        assert_eq!(finder.first(), None);
        tape.backward(&[(&y, &one(1e20))]);
        assert_eq!(finder.first().as_deref(), Some("gradient of Linear"));
    }
}
