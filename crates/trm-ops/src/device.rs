use crate::DType;
use crate::cpu::Cpu;
use crate::cpu::tasks::Unfinished;
use crate::kernels::{DeviceError, Kernels, Memory};
use crate::plain::Plain;
use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where tensors live and operations run. Cloning is cheap: clones are one device.
#[derive(Clone)]
pub struct Device(Arc<Inner>);

struct Inner {
    kernels: Box<dyn Kernels>,
    flops: AtomicU64,
}

impl Device {
    /// A device that computes with these kernels.
    pub fn new(kernels: impl Kernels) -> Device {
        Device(Arc::new(Inner { kernels: Box::new(kernels), flops: AtomicU64::new(0) }))
    }

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
    pub fn try_cpu(threads: usize) -> Result<Device, DeviceError> {
        Ok(Device::new(Cpu::new(threads)?))
    }

    /// A device that does everything in the plainest way, on the calling thread: slow, to compare others with.
    ///
    /// ```
    /// use trm_ops::{Device, Tape, Tensor};
    ///
    /// let sum = |device: &Device| {
    ///     let x = Tensor::from_f32(device, &[2], &[1.5, -2.0]);
    ///     Tape::off(device).add(&x, &x).to_f32_vec().unwrap()
    /// };
    /// assert_eq!(sum(&Device::plain()), sum(&Device::cpu(1)));
    /// ```
    pub fn plain() -> Device {
        Device::new(Plain)
    }

    /// Number of threads that operations use.
    pub fn threads(&self) -> usize {
        self.as_cpu().map_or(1, Cpu::threads)
    }

    /// Runs `f` on the device's threads, if it has any. Operations do this for themselves; doing it once around
    /// many operations saves a change of thread for each.
    pub fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match self.as_cpu() {
            Some(cpu) => cpu.install(f),
            None => f(),
        }
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
        assert!(size > 0, "parts of nothing");
        let Some(cpu) = self.as_cpu() else { return in_tree(0..len, size, work, join, false) };
        let unfinished = Unfinished::new(len.div_ceil(size));
        let work = |range| unfinished.portion(|| work(range));
        cpu.install(|| in_tree(0..len, size, &work, join, true))
    }

    /// [`Kernels::ceiling`].
    pub fn ceiling(&self, dtype: DType) -> f64 {
        self.kernels().ceiling(self, dtype)
    }

    /// [`Kernels::bandwidth`].
    pub fn bandwidth(&self) -> Option<f64> {
        self.kernels().bandwidth(self)
    }

    /// [`Kernels::portion`].
    pub fn portion(&self, len: usize, widest: usize, training: bool) -> usize {
        self.kernels().portion(len, widest, training)
    }

    /// What the device has allocated since it was made.
    pub fn memory(&self) -> Memory {
        self.kernels().memory()
    }

    /// The number format that the device multiplies fastest.
    pub fn fastest(&self) -> DType {
        self.kernels().fastest()
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

    /// What computes.
    pub fn kernels(&self) -> &dyn Kernels {
        &*self.0.kernels
    }

    /// Whether it is the processor, whose memory is the machine's.
    pub fn is_cpu(&self) -> bool {
        self.as_cpu().is_some()
    }

    /// The kernels of a CPU, if it is one.
    pub(crate) fn as_cpu(&self) -> Option<&Cpu> {
        (self.kernels() as &dyn Any).downcast_ref()
    }
}

/// `work` on all parts, joined in a tree of neighbours.
fn in_tree<R: Send>(
    range: Range<usize>,
    size: usize,
    work: &(impl Fn(Range<usize>) -> R + Sync),
    join: &(impl Fn(R, R) -> R + Sync),
    parallel: bool,
) -> R {
    let parts = range.len().div_ceil(size);
    if parts <= 1 {
        return work(range);
    }
    let middle = range.start + parts / 2 * size;
    let first = || in_tree(range.start..middle, size, work, join, parallel);
    let second = || in_tree(middle..range.end, size, work, join, parallel);
    let (first, second) = if parallel { rayon::join(first, second) } else { (first(), second()) };
    join(first, second)
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kernels().name())
    }
}
