//! What a model thinks of puzzles, step by step, and searches that go on from there.

pub(crate) mod effort;
mod in_order;
pub(crate) mod search;
pub(crate) mod trail;
