//! Where and how precisely to compute.

use crate::Failed;
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::str::FromStr;
use trm_ops::{DType, Device, DeviceError};
use trm_train::Precision;

#[derive(Args)]
pub(crate) struct DeviceArguments {
    /// Where to compute: cpu; gpu, the first one; gpu:N, that of `trm devices`; auto, a GPU if there is a real one.
    #[arg(long, env = "TRM_DEVICE", default_value = "cpu", value_name = "DEVICE")]
    device: Place,
    /// Threads to compute with; 0 for one per core. Results do not depend on it.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: u16,
}

/// A device, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A GPU that is one, or else the processor.
    Auto,
    /// The processor.
    Cpu,
    /// The GPU of this number.
    Gpu(usize),
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Place, &'static str> {
        let number = |number: &str| number.parse().map(Place::Gpu);
        match text {
            "auto" => Ok(Place::Auto),
            "cpu" => Ok(Place::Cpu),
            "gpu" => Ok(Place::Gpu(0)),
            _ => text
                .strip_prefix("gpu:")
                .and_then(|n| number(n).ok())
                .ok_or("not auto, cpu, gpu or gpu:N"),
        }
    }
}

impl Place {
    /// The device, with so many threads if it is the processor.
    pub(crate) fn open(self, threads: usize) -> Result<Device> {
        let cpu = || {
            Device::try_cpu(threads)
                .map_err(|error| Failed(format!("{error}: give --threads N")).into())
        };
        match self {
            Place::Cpu => cpu(),
            Place::Gpu(index) => gpu(index).map_err(|error| Failed(error.to_string()).into()),
            Place::Auto => {
                real_gpu().map_or_else(cpu, |device| Ok(device.map_err(|e| Failed(e.to_string()))?))
            }
        }
    }
}

#[cfg(feature = "gpu")]
fn gpu(index: usize) -> Result<Device, DeviceError> {
    trm_gpu::open(&trm_gpu::Adapter::number(index)?)
}

#[cfg(not(feature = "gpu"))]
fn gpu(_: usize) -> Result<Device, DeviceError> {
    Err(DeviceError(NO_GPUS.into()))
}

/// The first GPU that does not compute on the processor.
#[cfg(feature = "gpu")]
fn real_gpu() -> Option<Result<Device, DeviceError>> {
    trm_gpu::Adapter::all()
        .into_iter()
        .find(|gpu| !gpu.is_software())
        .map(|gpu| trm_gpu::open(&gpu))
}

#[cfg(not(feature = "gpu"))]
fn real_gpu() -> Option<Result<Device, DeviceError>> {
    None
}

/// What a program says that was built without them.
#[cfg(not(feature = "gpu"))]
pub(crate) const NO_GPUS: &str = "this trm was built without GPUs: cargo install --path crates/trm-cli --features gpu, or --device cpu";

/// Number format of activations, as an argument.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionArgument {
    /// The fastest that the device has: bf16 where the processor multiplies it, else f32.
    Auto,
    /// Single precision.
    F32,
    /// bfloat16 activations over f32 weights, on the processor.
    Bf16,
    /// Half-precision activations over f32 weights, on a GPU.
    F16,
}

impl From<PrecisionArgument> for Precision {
    fn from(argument: PrecisionArgument) -> Precision {
        match argument {
            PrecisionArgument::Auto => Precision::Auto,
            PrecisionArgument::F32 => Precision::F32,
            PrecisionArgument::Bf16 => Precision::Bf16,
            PrecisionArgument::F16 => Precision::F16,
        }
    }
}

impl PrecisionArgument {
    /// The number format that is meant on a device.
    ///
    /// # Errors
    /// If the device has it not.
    pub(crate) fn on(self, device: &Device) -> Result<DType> {
        let precision = Precision::from(self);
        precision.check(device).map_err(anyhow::Error::msg)?;
        Ok(precision.on(device))
    }

    /// The same as a recipe says it, never [`Precision::Auto`].
    pub(crate) fn chosen(self, device: &Device) -> Precision {
        Precision::from(self).chosen(device)
    }
}

impl DeviceArguments {
    pub(crate) fn device(&self) -> Result<Device> {
        self.device.open(usize::from(self.threads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names() {
        let named = ["auto", "cpu", "gpu", "gpu:2"].map(str::parse);
        assert_eq!(named, [Ok(Place::Auto), Ok(Place::Cpu), Ok(Place::Gpu(0)), Ok(Place::Gpu(2))]);
        assert!(
            ["", "GPU", "gpu:", "gpu:-1", "cuda"].iter().all(|name| name.parse::<Place>().is_err())
        );
    }
}
