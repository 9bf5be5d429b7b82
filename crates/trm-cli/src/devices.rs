//! `trm devices`: where this machine can compute.

use crate::Outcome;
use crate::output::out;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use trm_ops::{Device, level};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Print the devices as JSON.
    #[arg(long)]
    json: bool,
}

/// A device and its limits.
#[derive(Serialize)]
struct Listed {
    /// As `--device` takes it.
    device: String,
    name: String,
    formats: Vec<String>,
    /// Whether `--device auto` would ever take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    software: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binding_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buffer_bytes: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut devices = vec![cpu()?];
    devices.extend(gpus());
    if arguments.json {
        out!("{}", serde_json::to_string_pretty(&devices)?);
        return Ok(Outcome::Done);
    }
    for Listed { device, name, formats, software, binding_bytes, buffer_bytes } in &devices {
        let formats = formats.join(", ");
        let limits = binding_bytes.zip(*buffer_bytes).map_or(String::new(), |(binding, buffer)| {
            format!("; {} MiB in a binding, {} MiB in a tensor", binding >> 20, buffer >> 20)
        });
        let software = if *software == Some(true) {
            "; computes on the processor, auto does not take it"
        } else {
            ""
        };
        out!("{device:<6}  {name}: {formats}{limits}{software}");
    }
    #[cfg(not(feature = "gpu"))]
    crate::output::note!("{}", crate::machine::NO_GPUS);
    #[cfg(feature = "gpu")]
    if devices.len() == 1 {
        crate::output::note!(
            "no GPU: a driver for Vulkan, Metal or DX12 is missing, or it is too old"
        );
    }
    Ok(Outcome::Done)
}

fn cpu() -> Result<Listed> {
    let device = Device::try_cpu(0)?;
    let formats = device.kernels().formats().iter().map(ToString::to_string).collect();
    let name = format!("{} threads, {}", device.threads(), level());
    Ok(Listed {
        device: "cpu".into(),
        name,
        formats,
        software: None,
        binding_bytes: None,
        buffer_bytes: None,
    })
}

#[cfg(feature = "gpu")]
fn gpus() -> Vec<Listed> {
    let listed = |(index, gpu): (usize, trm_gpu::Adapter)| Listed {
        device: format!("gpu:{index}"),
        name: gpu.name(),
        formats: ["f32", "f16"]
            .into_iter()
            .take(1 + usize::from(gpu.has_f16()))
            .map(String::from)
            .collect(),
        software: Some(gpu.is_software()),
        binding_bytes: Some(gpu.binding_limit()),
        buffer_bytes: Some(gpu.buffer_limit()),
    };
    trm_gpu::Adapter::all().into_iter().enumerate().map(listed).collect()
}

#[cfg(not(feature = "gpu"))]
fn gpus() -> Vec<Listed> {
    Vec::new()
}
