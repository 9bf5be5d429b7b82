//! Sizes of work by class of device: the only place where they stand.

use crate::Adapter;

/// Threads of the largest groups; every Vulkan has 128, which is enough for the other classes.
const MOST: u32 = 256;

/// What kind of device it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// With memory of its own.
    Discrete,
    /// Beside the processor, in its memory.
    Integrated,
    /// A driver that computes on the processor.
    Software,
}

/// How a device likes its work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Threads of a group along the columns and rows of a product; each has 8 × 8 of them.
    pub(crate) product: [usize; 2],
    /// Terms of a product that a group loads at a time.
    pub(crate) depth: usize,
    /// Threads of a group where every thread works for itself.
    pub(crate) group: usize,
    /// Threads that reduce one row together.
    pub(crate) reduce: usize,
    /// Queries of a group in attention, and threads for each.
    pub(crate) attention: [usize; 2],
    /// Most threads of a group.
    pub(crate) most: usize,
    /// Bytes that the threads of a group share, at most.
    pub(crate) shared: usize,
}

impl Class {
    pub(crate) fn of(adapter: &Adapter) -> Class {
        match (adapter.is_software(), adapter.is_discrete() && adapter.group_limit() >= MOST) {
            (true, _) => Class::Software,
            (_, true) => Class::Discrete,
            (_, false) => Class::Integrated,
        }
    }

    /// The table. Those of software are measured (docs/GPU.md); what real GPUs like best is not yet: their numbers are
    /// those of textbooks.
    pub(crate) fn sizes(self, adapter: &Adapter) -> Sizes {
        let most = adapter.group_limit().min(MOST) as usize;
        let shared = adapter.shared_limit().min(32 << 10) as usize;
        let depth = 16;
        match self {
            Class::Discrete => {
                let (product, attention) = ([16, 16], [32, 8]);
                Sizes { product, depth, group: 256, reduce: 64, attention, most, shared }
            }
            Class::Integrated => {
                let (product, attention) = ([8, 8], [16, 4]);
                Sizes { product, depth, group: 128, reduce: 32, attention, most, shared }
            }
            // eight threads are one vector; many groups wait for each other slowly
            Class::Software => {
                let (product, attention) = ([8, 2], [8, 1]);
                Sizes { product, depth, group: 64, reduce: 8, attention, most, shared }
            }
        }
    }
}
