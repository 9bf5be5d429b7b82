use crate::storage::Recycler;
use std::fmt;
use std::sync::Arc;

/// Where tensors live and operations run: here, a pool of CPU threads and a recycler of buffers.
/// Cloning is cheap and shares both.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    threads: rayon::ThreadPool,
    recycler: Arc<Recycler>,
}

impl Device {
    /// A CPU device with its own pool of `threads` threads (0: one per core).
    ///
    /// # Panics
    /// When the operating system refuses to start the threads.
    pub fn cpu(threads: usize) -> Device {
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("trm-cpu-{i}"))
            .build()
            .expect("the operating system refused to start compute threads");
        Device(Arc::new(Inner { threads, recycler: Arc::default() }))
    }

    /// Number of threads that operations use.
    pub fn threads(&self) -> usize {
        self.0.threads.current_num_threads()
    }

    /// Runs `f` on the device's pool. Operations do this for themselves; doing it once around many
    /// operations saves a change of thread for each.
    pub fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        self.0.threads.install(f)
    }

    /// How many buffers were newly allocated, rather than recycled, since the device was made.
    pub fn fresh_allocations(&self) -> usize {
        self.0.recycler.fresh()
    }

    /// Bytes of all buffers, in use and waiting to be used again.
    pub fn allocated_bytes(&self) -> usize {
        self.0.recycler.bytes()
    }

    pub(crate) fn recycler(&self) -> &Arc<Recycler> {
        &self.0.recycler
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cpu({} threads)", self.threads())
    }
}
