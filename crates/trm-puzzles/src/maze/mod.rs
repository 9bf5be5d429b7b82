//! Mazes: a grid of walls and free cells, a start and a goal; the answer is a shortest path.
//!
//! Tokens: 0 padding, 1 wall `#`, 2 free, 3 start `S`, 4 goal `G`, 5 path `o`. A [`Maze`] holds tokens 1
//! to 5, row by row.

mod csv;
mod cut;
mod generate;
mod grid;
mod path;
mod rules;
mod verify;

pub use csv::{CsvError, read_csv, read_pairs, write_csv};
pub use cut::cut;
pub use generate::{Law, generate};
pub use grid::{Cell, Maze, MazeError};
pub use path::{label, shortest};
pub use rules::{FAMILY, Size, class_hash};
pub use verify::{PathFault, PathVerdict, judge};
