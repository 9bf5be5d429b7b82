//! Sizes of work by class of device: the only place where they stand.

use crate::Adapter;

/// How a device likes its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
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
    /// The table. What a real GPU likes best is not measured yet: its numbers are those of textbooks.
    pub(crate) fn of(adapter: &Adapter) -> Class {
        let shared = adapter.shared_limit().min(32 << 10) as usize;
        let class = Class { product: [16, 16], depth: 16, group: 256, reduce: 64, attention: [32, 8], most: 256, shared };
        match (adapter.is_software(), adapter.is_discrete()) {
            // eight threads are one vector: no group waits for itself
            (true, _) => Class { product: [4, 2], group: 64, reduce: 8, attention: [8, 1], ..class },
            (_, true) => class,
            // integrated: less of everything
            (_, false) => Class { product: [8, 8], group: 128, reduce: 32, attention: [16, 4], ..class },
        }
    }
}
