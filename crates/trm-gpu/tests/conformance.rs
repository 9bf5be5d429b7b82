//! Every operation against the plain device, on the first GPU of this machine: in CI a software driver.

use trm_gpu::{Adapter, Limits, open, open_within};
use trm_ops::conformance;

/// The GPU that is tested, or why none is.
fn gpu() -> Option<Adapter> {
    let adapter = Adapter::number(0);
    if let Err(error) = &adapter {
        eprintln!("SKIPPED: {error}");
    }
    adapter.ok()
}

#[test]
fn every_operation_is_that_of_the_plain_device() {
    let Some(adapter) = gpu() else { return };
    conformance::check(&open(&adapter).expect("a GPU that starts"));
}

#[test]
fn tensors_that_do_not_fit_into_a_binding_are_split() {
    let Some(adapter) = gpu() else { return };
    let limits = Limits { binding: 16 << 10, ..Limits::of(&adapter) };
    conformance::check(&open_within(&adapter, limits).expect("a GPU that starts"));
}
