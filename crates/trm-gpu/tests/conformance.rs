//! Every operation against the plain device, on the first GPU of this machine: in CI a software driver.

use trm_gpu::{Adapter, Class, Limits, open_within};
use trm_ops::conformance;

/// The suite, within these limits of the GPU, if there is one.
fn conforms(limits: impl Fn(Limits) -> Limits) {
    match Adapter::number(0) {
        Err(error) => eprintln!("SKIPPED: {error}"),
        Ok(gpu) => conformance::check(&open_within(&gpu, limits(Limits::of(&gpu))).expect("a GPU that starts")),
    }
}

#[test]
fn every_operation_is_that_of_the_plain_device() {
    conforms(|limits| limits);
}

#[test]
fn in_the_sizes_of_every_class_of_devices() {
    for class in [Class::Discrete, Class::Integrated, Class::Software] {
        conforms(|limits| Limits { class, ..limits });
    }
}

#[test]
fn where_tensors_do_not_fit_into_a_binding() {
    conforms(|limits| Limits { binding: 16 << 10, ..limits });
}
