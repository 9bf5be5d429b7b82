//! Memory of a GPU: buffers that are used again.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use trm_ops::{DeviceError, Memory};

/// Sizes are rounded up to a multiple of this: what bindings are aligned to, at most.
const GRAIN: u64 = 256;

const USAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_SRC)
    .union(wgpu::BufferUsages::COPY_DST);

/// All buffers of a device that nobody uses.
pub(crate) struct Pool {
    device: wgpu::Device,
    limit: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: BTreeMap<u64, Vec<wgpu::Buffer>>,
    memory: Memory,
}

/// A buffer in use; dropped, it goes back to its pool. What is recorded already still finds its contents: later
/// commands run later.
pub(crate) struct Buffer {
    pub(crate) raw: wgpu::Buffer,
    pool: Arc<Pool>,
}

impl Pool {
    pub(crate) fn new(device: &wgpu::Device, limit: u64) -> Arc<Pool> {
        Arc::new(Pool { device: device.clone(), limit, state: Mutex::default() })
    }

    pub(crate) fn memory(&self) -> Memory {
        self.state().memory
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer for so many bytes, of arbitrary contents.
    ///
    /// # Errors
    /// If the device has no memory for it.
    pub(crate) fn take(self: &Arc<Pool>, bytes: u64) -> Result<Buffer, DeviceError> {
        let size = rounded(bytes, self.limit);
        if size > self.limit {
            let most = self.limit >> 20;
            return Err(DeviceError(format!(
                "the GPU has buffers of at most {most} MiB, and a tensor needs {} MiB: give smaller batches or a \
                 smaller network",
                size >> 20
            )));
        }
        if let Some(raw) = self.state().idle.get_mut(&size).and_then(Vec::pop) {
            return Ok(Buffer { raw, pool: self.clone() });
        }
        let raw = self.create(size)?;
        let mut state = self.state();
        state.memory.allocations += 1;
        state.memory.bytes += size as usize;
        drop(state);
        Ok(Buffer { raw, pool: self.clone() })
    }

    fn create(&self, size: u64) -> Result<wgpu::Buffer, DeviceError> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let settings =
            wgpu::BufferDescriptor { label: None, size, usage: USAGE, mapped_at_creation: false };
        let buffer = self.device.create_buffer(&settings);
        match pollster::block_on(scope.pop()) {
            None => Ok(buffer),
            Some(_) => Err(DeviceError(format!(
                "the GPU is out of memory: {} MiB in use, {} more were wanted; give smaller batches (--batch, \
                 --set train.batch=N) or train.recompute = true",
                self.memory().bytes >> 20,
                size.div_ceil(1 << 20)
            ))),
        }
    }

    /// A buffer for nobody, in the place of one that there is no memory for.
    pub(crate) fn nothing(self: &Arc<Pool>) -> Buffer {
        let settings = wgpu::BufferDescriptor {
            label: None,
            size: GRAIN,
            usage: USAGE,
            mapped_at_creation: false,
        };
        Buffer { raw: self.device.create_buffer(&settings), pool: self.clone() }
    }

    /// Gives all buffers that nobody uses back to the device.
    pub(crate) fn give_up_idle(&self) {
        let mut state = self.state();
        let idle = std::mem::take(&mut state.idle);
        let freed: usize = idle.iter().map(|(size, of_size)| *size as usize * of_size.len()).sum();
        state.memory.bytes = state.memory.bytes.saturating_sub(freed); // those in the place of none were not counted
        drop(state);
        drop(idle);
        // frees what is no longer used; its failure is found elsewhere
        let _ = catch_unwind(AssertUnwindSafe(|| self.device.poll(wgpu::PollType::Poll)));
    }
}

impl Buffer {
    /// Whether it is of this device, as it was opened last.
    pub(crate) fn is_of(&self, pool: &Arc<Pool>) -> bool {
        Arc::ptr_eq(&self.pool, pool)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let raw = self.raw.clone();
        self.pool.state().idle.entry(raw.size()).or_default().push(raw);
    }
}

/// Sizes come in quarters of a power of two, so that few of them exist and little is wasted; near the limit of a
/// buffer in grains.
fn rounded(bytes: u64, limit: u64) -> u64 {
    let step = (bytes.max(1).next_power_of_two() / 8).max(GRAIN);
    let size = bytes.max(1).next_multiple_of(step);
    if size > limit { bytes.next_multiple_of(GRAIN) } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_few_and_waste_little() {
        let rounded = |bytes| rounded(bytes, (1 << 31) - 1);
        assert_eq!(rounded(0), 256);
        assert_eq!(rounded(257), 512);
        assert_eq!(rounded(1 << 20), 1 << 20);
        for bytes in [1000u64, 65_537, 1_000_000, 3 << 28] {
            assert!(rounded(bytes) >= bytes && rounded(bytes) <= bytes + (bytes / 4).max(GRAIN));
        }
        assert_eq!(rounded((1 << 31) - 600), (1 << 31) - 512);
        let sizes: std::collections::BTreeSet<u64> =
            (1 << 20..2 << 20).step_by(999).map(rounded).collect();
        assert!(sizes.len() <= 9, "{sizes:?}");
    }
}
