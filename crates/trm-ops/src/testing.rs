//! Finite differences and comparison for the operations' own tests.

pub(crate) use crate::conformance::{Case, random_tensor, random_vec};

use crate::conformance::{Operation, agree, distance, read, seed_values};
use crate::{DType, Device, Parameter, Tape, Tensor};

/// The devices that everything is tested on.
pub(crate) fn devices() -> [Device; 2] {
    [Device::cpu(2), Device::plain()]
}

pub(crate) fn close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance * (1.0 + w.abs()), "element {i}: {g} instead of {w}");
    }
}

/// Compares every derivative of `Σ weight · output` with central differences (f32), the bf16
/// gradients with those of f32, and the devices with each other.
pub(crate) fn check_gradients(
    case: &Case,
    operation: impl Fn(&Tape, &[Tensor], &[Parameter]) -> Tensor,
) {
    for device in devices() {
        agree("an operation", &device, case, &operation);
        let exact = &case.run(&device, &operation, DType::F32)[1..];
        check_slopes(&device, case, exact, &operation);
        if !case.f32_only {
            let rounded = &case.run(&device, &operation, DType::Bf16)[1..];
            for (r, e) in rounded.iter().zip(exact) {
                let off = distance(r, e);
                assert!(off < 2e-2, "bf16 gradient is off by {off}");
            }
        }
    }
}

/// Compares gradients with fourth-order central differences.
fn check_slopes(device: &Device, case: &Case, exact: &[Vec<f32>], operation: Operation) {
    let values = case.values();
    for (i, (shape, _)) in values.iter().enumerate() {
        for j in 0..shape.iter().product() {
            let moved = |h: f32| {
                let mut values = values.clone();
                values[i].1[j] += h;
                let (inputs, parameters) = case.build(device, &values, DType::F32);
                let out = read(&operation(&Tape::off(device), &inputs, &parameters));
                let terms = out.iter().zip(seed_values(out.len()));
                terms.map(|(o, w)| f64::from(*o) * f64::from(w)).sum::<f64>()
            };
            let h = 1e-2;
            let slope = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h)))
                / (12.0 * h as f64);
            let got = exact[i][j] as f64;
            let error = (got - slope).abs();
            assert!(
                error < 2e-3 * (1.0 + slope.abs()),
                "{device:?}: d/d[{i}][{j}]: {got} instead of {slope}"
            );
        }
    }
}

#[test]
fn the_devices_conform() {
    for device in devices() {
        crate::conformance::check(&device);
    }
}
