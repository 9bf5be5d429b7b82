//! Puzzles of a user's own: grids of symbols that a model learns from examples alone.
//!
//! Nothing is known about such a puzzle but its size, its symbols and its symmetries; all three are in the
//! name of its domain, such as `grid:9x9:.#ab:dihedral:permute=ab`. Token 0 is padding, then come the
//! symbols in their order. Smaller grids are filled up with spaces at the right and below, where the
//! alphabet has a space.

mod files;
mod format;
mod rules;

pub use files::{
    Example, FileError, Rows, Wanted, close_up, cut, infer, pairs, read_csv, read_jsonl,
};
pub use format::{Format, FormatError};
pub use rules::FAMILY;
