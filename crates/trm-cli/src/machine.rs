//! Where and how precisely to compute.

use crate::Failed;
use anyhow::Result;
use clap::{Args, ValueEnum};
use trm_ops::{DType, Device};
use trm_train::Precision;

#[derive(Args)]
pub(crate) struct DeviceArguments {
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceKind,
    /// Threads to compute with; 0 for one per core. Results do not depend on it.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u16).range(..=1024))]
    threads: u16,
}

#[derive(Clone, Copy, ValueEnum)]
enum DeviceKind {
    /// The processor.
    Cpu,
}

/// Number format of activations, as an argument.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionArgument {
    /// The fastest that this machine has: bf16 where the processor multiplies it, else f32.
    Auto,
    /// Single precision.
    F32,
    /// bfloat16 activations over f32 weights.
    Bf16,
}

impl From<PrecisionArgument> for Precision {
    fn from(argument: PrecisionArgument) -> Precision {
        match argument {
            PrecisionArgument::Auto => Precision::Auto,
            PrecisionArgument::F32 => Precision::F32,
            PrecisionArgument::Bf16 => Precision::Bf16,
        }
    }
}

impl PrecisionArgument {
    /// The number format that is meant on a device.
    pub(crate) fn on(self, device: &Device) -> DType {
        Precision::from(self).on(device)
    }

    /// The same as a recipe says it, never [`Precision::Auto`].
    pub(crate) fn chosen(self, device: &Device) -> Precision {
        Precision::from(self).chosen(device)
    }
}

impl DeviceArguments {
    pub(crate) fn device(&self) -> Result<Device> {
        match self.device {
            DeviceKind::Cpu => Device::try_cpu(usize::from(self.threads))
                .map_err(|error| Failed(format!("{error}: give --threads N")).into()),
        }
    }
}
