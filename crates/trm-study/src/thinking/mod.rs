//! What a model thinks of puzzles, step by step, and searches that go on from there.

mod in_order;
pub(crate) mod search;
pub(crate) mod trail;
