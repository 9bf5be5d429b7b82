//! The threads of a CPU device.

use super::memory::Recycler;
use crate::kernels::DeviceError;
use std::sync::Arc;

/// A pool of threads and a recycler of buffers; [`Device::cpu`] makes one.
pub(crate) struct Cpu {
    threads: rayon::ThreadPool,
    pub(crate) recycler: Arc<Recycler>,
}

impl Cpu {
    /// With its own pool of so many threads (0: one per core).
    pub(crate) fn new(threads: usize) -> Result<Cpu, DeviceError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let threads = pool.thread_name(|i| format!("trm-cpu-{i}")).build().map_err(|error| {
            DeviceError(format!("the system starts no threads to compute with: {error}"))
        })?;
        Ok(Cpu { threads, recycler: Arc::default() })
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    pub(crate) fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        self.threads.install(f)
    }
}
