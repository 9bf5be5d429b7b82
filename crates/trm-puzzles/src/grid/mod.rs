//! Puzzles of a user's own: grids of symbols that a model learns from examples alone.
//!
//! Nothing is known about such a puzzle but its sizes, its symbols and its augmentations; all three are in the
//! name of its domain, such as `grid:9x9:.#ab:dihedral:permute=ab`. Token 0 is padding, then come the
//! symbols in their order. Smaller grids are filled up with spaces at the right and below, where the
//! alphabet has a space.
//!
//! Symbols of several characters are a list in the name, `grid:4x1:symbols=0,7,12`, with `%2C` for a comma, `%3A` for
//! a colon, `%20` for a space and `%25` for `%`; in lines of text blanks stand between them.
//!
//! Augmentations are named in this order: `dihedral`, `rows`, `columns`, `reversal`, `permute=`.
//!
//! Questions and answers of different sizes, as in `grid:5x5to3x1:.ab`, lie at the upper left of a canvas that holds
//! both. Beside them is token 0, which is neither learned nor counted where it is a label.

mod augmentation;
mod class;
mod evidence;
mod files;
mod format;
mod infer;
mod read;
mod row;
mod rules;
mod separate;
mod symbols;

pub use augmentation::Augmentation;
pub use evidence::Evidence;
pub use files::{Example, FileError, Wanted};
pub use format::{Format, FormatError, Size};
pub use infer::{infer, pairs, two_answers};
pub use read::{read_csv, read_jsonl};
pub use row::{Row, Rows};
pub use rules::FAMILY;
pub use separate::{cut, separate};
