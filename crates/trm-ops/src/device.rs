use crate::storage::Recycler;
use crate::tasks::Unfinished;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where tensors live and operations run: here, a pool of CPU threads and a recycler of buffers.
/// Cloning is cheap and shares both.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    threads: rayon::ThreadPool,
    recycler: Arc<Recycler>,
    flops: AtomicU64,
}

impl Device {
    /// A CPU device with its own pool of `threads` threads (0: one per core).
    ///
    /// # Panics
    /// When the operating system refuses to start the threads; [`Device::try_cpu`] does not.
    pub fn cpu(threads: usize) -> Device {
        Device::try_cpu(threads).unwrap_or_else(|error| panic!("{error}"))
    }

    /// [`Device::cpu`] for machines that may have no room for the threads.
    ///
    /// # Errors
    /// When the operating system refuses to start them.
    pub fn try_cpu(threads: usize) -> Result<Device, String> {
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("trm-cpu-{i}"))
            .build()
            .map_err(|error| format!("the system starts no threads to compute with: {error}"))?;
        Ok(Device(Arc::new(Inner { threads, recycler: Arc::default(), flops: AtomicU64::new(0) })))
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

    /// `work` on `0..len`, cut into parts of `size` (the last may be shorter): several at the same time, each with
    /// its operations on this device; they are cut into tasks for other threads only when a thread has no part left.
    /// Results are joined two by two, neighbours, and always the same two: the bits
    /// of a sum do not depend on the number of threads.
    ///
    /// ```
    /// let device = trm_ops::Device::cpu(2);
    /// let numbers = device.in_parts(10, 3, &|part| vec![part], &|mut a, b| { a.extend(b); a });
    /// assert_eq!(numbers, [0..3, 3..6, 6..9, 9..10]);
    /// ```
    ///
    /// # Panics
    /// If the size is 0.
    pub fn in_parts<R: Send>(
        &self,
        len: usize,
        size: usize,
        work: &(impl Fn(Range<usize>) -> R + Sync),
        join: &(impl Fn(R, R) -> R + Sync),
    ) -> R {
        fn run<R: Send>(
            range: Range<usize>,
            size: usize,
            work: &(impl Fn(Range<usize>) -> R + Sync),
            join: &(impl Fn(R, R) -> R + Sync),
        ) -> R {
            let parts = range.len().div_ceil(size);
            if parts <= 1 {
                return work(range);
            }
            let middle = range.start + parts / 2 * size;
            let (first, second) = (range.start..middle, middle..range.end);
            let halves =
                rayon::join(|| run(first, size, work, join), || run(second, size, work, join));
            join(halves.0, halves.1)
        }
        assert!(size > 0, "parts of nothing");
        let unfinished = Unfinished::new(len.div_ceil(size));
        let work = |range| unfinished.portion(|| work(range));
        self.install(|| run(0..len, size, &work, join))
    }

    /// How many buffers were newly allocated, rather than recycled, since the device was made.
    pub fn fresh_allocations(&self) -> usize {
        self.0.recycler.fresh()
    }

    /// Bytes of all buffers, in use and waiting to be used again.
    pub fn allocated_bytes(&self) -> usize {
        self.0.recycler.bytes()
    }

    /// Floating-point operations of all products since the device was made: two per multiplication that
    /// results or gradients need. What is multiplied again to save memory, or padding, does not count.
    pub fn flops(&self) -> u64 {
        self.0.flops.load(Ordering::Relaxed)
    }

    /// Counts a product of so many multiplications.
    pub(crate) fn count(&self, multiplications: usize) {
        self.0.flops.fetch_add(2 * multiplications as u64, Ordering::Relaxed);
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
