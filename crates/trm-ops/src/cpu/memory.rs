//! What tensors are kept in: aligned buffers that go back to their device when dropped.

use crate::cpu::element::Element;
use crate::kernels::Sum;
use crate::{DType, Device, Tensor};
use bytemuck::{Pod, Zeroable};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// One cache line: the unit and the alignment of allocation.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A 64-byte aligned block of memory, returned to its recycler on drop.
pub(crate) struct Buffer {
    lines: Vec<Line>,
    recycler: Arc<Recycler>,
}

impl Buffer {
    /// A buffer of at least `bytes` bytes with **arbitrary** contents.
    pub(crate) fn new(recycler: &Arc<Recycler>, bytes: usize) -> Buffer {
        let lines = recycler.take(bytes.div_ceil(size_of::<Line>()));
        Buffer { lines, recycler: recycler.clone() }
    }

    pub(crate) fn slice<T: Element>(&self, len: usize) -> &[T] {
        &bytemuck::cast_slice(&self.lines)[..len]
    }

    pub(crate) fn slice_mut<T: Element>(&mut self, len: usize) -> &mut [T] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.recycler.give(std::mem::take(&mut self.lines));
    }
}

/// Keeps dropped buffers by size, ready to be used again.
#[derive(Default)]
pub(crate) struct Recycler {
    free: Mutex<BTreeMap<usize, Vec<Vec<Line>>>>,
    fresh: AtomicUsize,
    bytes: AtomicUsize,
}

impl Recycler {
    /// The smallest free block that fits and wastes less than half of itself, else a new one.
    fn take(&self, lines: usize) -> Vec<Line> {
        if lines == 0 {
            return Vec::new();
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, blocks) in free.range_mut(lines..=lines * 2) {
            if let Some(block) = blocks.pop() {
                return block;
            }
        }
        drop(free);
        self.fresh.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(lines * size_of::<Line>(), Ordering::Relaxed);
        vec![Line::zeroed(); lines]
    }

    fn give(&self, block: Vec<Line>) {
        if !block.is_empty() {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.entry(block.len()).or_default().push(block);
        }
    }

    pub(crate) fn fresh(&self) -> usize {
        self.fresh.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// A tensor of arbitrary contents.
pub(crate) fn uninit(device: &Device, shape: &[usize], dtype: DType) -> Tensor {
    let recycler = &device.as_cpu().expect("a tensor of a CPU").recycler;
    let bytes = shape.iter().product::<usize>() * dtype.size();
    Tensor::new(device, shape, dtype, Arc::new(Buffer::new(recycler, bytes)))
}

impl Tensor {
    /// The values, which a CPU holds.
    pub(crate) fn slice<T: Element>(&self) -> &[T] {
        assert_eq!(T::DTYPE, self.dtype(), "storage type");
        let buffer: Option<&Buffer> = self.storage().downcast_ref();
        buffer.expect("a tensor of a CPU").slice(self.len())
    }

    /// Write access; copies the storage first if another tensor shares it.
    pub(crate) fn slice_mut<T: Element>(&mut self) -> &mut [T] {
        assert_eq!(T::DTYPE, self.dtype(), "storage type");
        let len = self.len();
        if self.storage_mut().is_none() {
            let mut copy = uninit(self.device(), self.shape(), self.dtype());
            copy.slice_mut::<T>().copy_from_slice(self.slice::<T>());
            self.take_storage(copy);
        }
        let buffer = self.storage_mut().expect("just made unique").downcast_mut::<Buffer>();
        buffer.expect("a tensor of a CPU").slice_mut(len)
    }
}

/// The values of a sum, zeros if nothing has been added yet.
pub(crate) fn start(sum: Sum<'_>) -> &mut [f32] {
    let values = sum.tensor.slice_mut::<f32>();
    if !sum.started {
        values.fill(0.0);
    }
    values
}

/// Nobody who looked at [`Kernels::formats`](crate::Kernels::formats) asks for it.
pub(crate) fn no_f16() -> ! {
    panic!("the CPU stores no f16")
}

/// Runs a generic kernel with the element type that a dtype stands for.
macro_rules! dispatch {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::DType::Bf16 => {
                type $t = half::bf16;
                $body
            }
            $crate::DType::F16 => $crate::cpu::memory::no_f16(),
        }
    };
}
pub(crate) use dispatch;

/// Calls `f` with a scratch slice of arbitrary contents that belongs to this thread and is kept for
/// the next call.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static FREE: std::cell::RefCell<Vec<Vec<Line>>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let mut lines = FREE.with_borrow_mut(|free| free.pop()).unwrap_or_default();
    let wanted = (len * size_of::<f32>()).div_ceil(size_of::<Line>());
    if lines.len() < wanted {
        lines = vec![Line::zeroed(); wanted];
    }
    let result = f(&mut bytemuck::cast_slice_mut(&mut lines)[..len]);
    FREE.with_borrow_mut(|free| free.push(lines));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_used_again() {
        let recycler = Arc::<Recycler>::default();
        drop(Buffer::new(&recycler, 1000));
        drop(Buffer::new(&recycler, 900));
        assert_eq!(recycler.fresh(), 1);
        drop(Buffer::new(&recycler, 200)); // a fifth of it would waste too much
        assert_eq!(recycler.fresh(), 2);
    }
}
