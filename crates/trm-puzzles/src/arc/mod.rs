//! ARC-AGI: tasks of coloured grids, their files, their coding on a canvas, their augmentations.
//!
//! Tokens: 0 padding, 1 end of a row or column, 2 to 11 the colours 0 to 9. A grid lies on a canvas of
//! 30 × 30 cells.

mod augment;
mod canonical;
mod canvas;
mod files;
mod grid;
mod rules;

pub use augment::{Augmentation, NameError};
pub use canonical::pair_class;
pub use canvas::{CELLS, SIDE, VOCABULARY, decode, decode_anywhere, encode, room};
pub use files::{FileError, read_challenges, read_tasks, write_submission};
pub use grid::{Grid, GridError, Pair, Task};
pub use rules::{Canvas, FAMILY};
