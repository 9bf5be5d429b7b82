//! Every operation against the plain device, on the first GPU of this machine, in CI a software driver.

use trm_gpu::{Adapter, Class, Limits, open_within};
use trm_ops::conformance;

/// Where the validation layers of Vulkan are found, in Debian and elsewhere.
const LAYERS: [&str; 2] = ["/usr/share/vulkan/explicit_layer.d", "/etc/vulkan/explicit_layer.d"];

fn gpu() -> Option<Adapter> {
    let gpu = Adapter::number(0);
    if let Err(error) = &gpu {
        eprintln!("SKIPPED: {error}");
    }
    gpu.ok()
}

/// The suite within these limits; and what the validation layers have to say, which is nothing.
fn conforms(limits: impl Fn(Limits) -> Limits) {
    let Some(gpu) = gpu() else { return };
    conformance::check(&open_within(&gpu, limits(Limits::of(&gpu))).expect("a GPU that starts"));
    let said = wgpu_hal::VALIDATION_CANARY.get_and_reset();
    assert!(said.is_empty(), "{said:#?}");
    let layer = |folder: &&str| {
        std::path::Path::new(folder).join("VkLayer_khronos_validation.json").exists()
    };
    if !LAYERS.iter().any(layer) {
        eprintln!("SKIPPED: the validation layers, which are not installed");
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
