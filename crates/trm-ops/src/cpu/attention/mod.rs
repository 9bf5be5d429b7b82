//! Attention, one task per puzzle and head.

mod backward;
mod cached;
mod forward;

pub(super) use backward::backward;
pub(super) use cached::Packed;
pub(super) use forward::forward;
