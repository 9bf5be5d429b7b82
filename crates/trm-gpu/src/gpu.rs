//! A GPU as a device.

use crate::Adapter;
use crate::buffers::Buffer;
use crate::opened::{Opened, lock};
use crate::programs::Mutant;
use crate::tuning::{Class, Sizes};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use trm_ops::{DType, Device, DeviceError, Launches, Memory, Tensor};

/// Bytes of the largest tensor of a portion of puzzles, without a gradient and with one: enough work for any GPU. With
/// one, what all operations saved is in memory at a time, some forty tensors of such a size.
const WIDEST: [u64; 2] = [2 << 30, 128 << 20];

/// What to keep within. Those of a device are [`Limits::of`] it; others are for measuring and for tests.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that one operation may see of a tensor; larger ones are taken piece by piece.
    pub binding: u64,
    /// Bytes of a tensor, at most.
    pub buffer: u64,
    /// How long to wait for one recording: a driver that takes longer hangs.
    pub patience: Duration,
    /// How launches are counted.
    pub counting: Counting,
    /// What sizes of work are chosen for.
    pub class: Class,
    /// A fault put into a program, which tests must find.
    pub mutant: Option<Mutant>,
}

/// What is known of launches afterwards ([`trm_ops::Kernels::launches`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// How many, and the bytes that they saw.
    Launches,
    /// And their seconds: every launch is waited for, which is slow.
    Seconds,
    /// As [`Counting::Launches`], but nothing runs and nothing has memory: sizes that no machine holds can be counted.
    Dry,
}

impl Limits {
    /// Those of a device. `TRM_GPU_PATIENCE`, in seconds, says how long to wait; 300 is the default.
    pub fn of(adapter: &Adapter) -> Limits {
        let told = std::env::var("TRM_GPU_PATIENCE").ok().and_then(|seconds| seconds.parse().ok());
        Limits {
            binding: adapter.binding_limit(),
            buffer: adapter.buffer_limit(),
            patience: Duration::from_secs(told.unwrap_or(300)),
            counting: Counting::Launches,
            class: Class::of(adapter),
            mutant: None,
        }
    }
}

/// A device that computes on a GPU.
///
/// # Errors
/// If it does not start.
pub fn open(adapter: &Adapter) -> Result<Device, DeviceError> {
    open_within(adapter, Limits::of(adapter))
}

/// [`open`] within other limits.
///
/// # Errors
/// If it does not start.
pub fn open_within(adapter: &Adapter, limits: Limits) -> Result<Device, DeviceError> {
    Ok(Device::new(Gpu::new(adapter, limits)?))
}

/// Gives a GPU up, as if its driver had lost it: to test what happens then.
///
/// # Panics
/// If the device is no GPU.
pub fn lose(device: &Device) {
    let gpu: Option<&Gpu> = (device.kernels() as &dyn std::any::Any).downcast_ref();
    gpu.expect("a GPU").opened().lose();
}

/// A GPU.
pub(crate) struct Gpu {
    name: String,
    adapter: String,
    pub(crate) limits: Limits,
    pub(crate) alignment: u64,
    pub(crate) sizes: Sizes,
    pub(crate) f16: bool,
    /// Opened once more after a fault.
    opened: RwLock<Arc<Opened>>,
    launches: Mutex<BTreeMap<String, Launches>>,
}

impl Gpu {
    fn new(adapter: &Adapter, limits: Limits) -> Result<Gpu, DeviceError> {
        Ok(Gpu {
            name: format!("gpu({})", adapter.name()),
            adapter: adapter.identity(),
            limits,
            alignment: u64::from(adapter.raw.limits().min_storage_buffer_offset_alignment),
            sizes: limits.class.sizes(adapter),
            f16: adapter.has_f16(),
            opened: RwLock::new(Arc::new(Opened::new(adapter, limits)?)),
            launches: Mutex::default(),
        })
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    /// With its driver's version.
    pub(crate) fn place(&self) -> String {
        format!("gpu({})", self.adapter)
    }

    pub(crate) fn opened(&self) -> Arc<Opened> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What went wrong first, if anything did.
    pub(crate) fn fault(&self) -> Option<DeviceError> {
        self.opened().fault()
    }

    /// Opens the GPU once more; tensors from before are lost.
    pub(crate) fn reopen(&self) -> Result<(), DeviceError> {
        let found = Adapter::all().into_iter().find(|adapter| adapter.identity() == self.adapter);
        let adapter = found.ok_or_else(|| DeviceError(format!("{} is gone", self.adapter)))?;
        let opened = Arc::new(Opened::new(&adapter, self.limits)?);
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = opened;
        Ok(())
    }

    pub(crate) fn memory(&self) -> Memory {
        self.opened().pool.memory()
    }

    /// Bytes of the largest tensor that a portion of puzzles should have, in training or without.
    pub(crate) fn widest(&self, training: bool) -> usize {
        WIDEST[usize::from(training)].min(self.limits.buffer) as usize
    }

    pub(crate) fn buffer(&self, bytes: u64) -> Buffer {
        let nothing_runs = self.limits.counting == Counting::Dry;
        self.opened().buffer(if nothing_runs { 4 } else { bytes })
    }

    /// A tensor of arbitrary contents.
    pub(crate) fn uninit(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        let bytes = shape.iter().product::<usize>() * dtype.size();
        Tensor::new(device, shape, dtype, Arc::new(self.buffer(bytes as u64)))
    }

    /// A buffer with these bytes.
    pub(crate) fn upload(&self, bytes: &[u8]) -> Buffer {
        let buffer = self.buffer(bytes.len() as u64);
        if self.limits.counting != Counting::Dry {
            self.opened().write(&buffer, bytes);
        }
        buffer
    }

    /// The first bytes of a buffer, after all that is recorded.
    ///
    /// # Errors
    /// If the device has a fault.
    pub(crate) fn read(&self, buffer: &Buffer, bytes: usize) -> Result<Vec<u8>, DeviceError> {
        match self.limits.counting {
            Counting::Dry => Ok(vec![0; bytes]),
            _ => self.opened().read(buffer, bytes),
        }
    }

    /// Counts what a launch multiplies.
    pub(crate) fn count_flops(&self, name: String, multiplications: usize) {
        lock(&self.launches).entry(name).or_default().flops += 2 * multiplications as u64;
    }

    /// Counts a launch.
    pub(crate) fn count(&self, name: String, bytes: u64, seconds: f64) {
        let mut launches = lock(&self.launches);
        let counted = launches.entry(name).or_default();
        counted.count += 1;
        counted.bytes += bytes;
        counted.seconds += seconds;
    }

    /// What was launched so far, by program.
    pub(crate) fn launched(&self) -> Vec<(String, Launches)> {
        lock(&self.launches).iter().map(|(name, launches)| (name.clone(), *launches)).collect()
    }
}
