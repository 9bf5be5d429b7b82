//! What a device has to pass: every operation, forward and backward, in every number format, against
//! [`Device::plain`] on odd sizes. With the feature `conformance` other crates can ask it of theirs.

mod case;
mod table;
mod values;

#[cfg(test)]
pub(crate) use case::seed_values;
pub(crate) use case::{Case, Operation, random_tensor, random_vec, values as read};

use crate::{DType, Device};

/// Checks a device.
///
/// # Panics
/// At the first operation that differs from the plain one, with its name and by how much.
///
/// ```
/// trm_ops::conformance::check(&trm_ops::Device::cpu(2));
/// ```
pub fn check(device: &Device) {
    values::check(device);
    for (name, case, operation) in table::cases() {
        agree(name, device, &case, &*operation);
    }
}

/// Compares an operation and its gradients with the plain device's.
pub(crate) fn agree(name: &str, device: &Device, case: &Case, operation: Operation) {
    let formats = device.kernels().formats();
    for dtype in formats.iter().filter(|dtype| **dtype == DType::F32 || !case.f32_only) {
        let tolerance = if *dtype == DType::F32 { 1e-5 } else { 2e-2 };
        let plain = case.run(&Device::plain(), operation, *dtype);
        let got = case.run(device, operation, *dtype);
        let unrecorded = case.output(device, operation, *dtype);
        let pairs = got.iter().zip(&plain).chain([(&unrecorded, &plain[0])]);
        for (i, (got, want)) in pairs.enumerate() {
            let off = distance(got, want);
            assert!(off < tolerance, "{name}, {dtype}, {device:?}: result {i} is off by {off:e}");
        }
    }
}

/// Norm of the difference over the norm of what is wanted; infinite where a value is not finite.
pub(crate) fn distance(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len(), "number of values");
    let norm = |values: &mut dyn Iterator<Item = f32>| {
        values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt()
    };
    let difference = norm(&mut got.iter().zip(want).map(|(g, w)| g - w));
    let distance = difference / norm(&mut want.iter().copied()).max(1e-6);
    if distance.is_nan() { f64::INFINITY } else { distance }
}
