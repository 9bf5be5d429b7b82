//! Sudoku of 4×4, 6×6 and 9×9 cells.
//!
//! Tokens: 0 padding, 1 blank, `d + 1` for digit `d`. Inside this module a [`Grid`] holds the
//! digits themselves, 0 for a blank.

mod board;
mod canonical;
mod check;
mod csv;
mod generate;
mod grid;
mod hard;
mod order;
mod parse;
mod published;
mod render;
mod rules;
mod shape;
mod solve;
mod symmetry;
mod verify;

pub use self::csv::{CsvError, Record, read_csv, read_csv_file, write_csv};
pub use canonical::{canonical, class_hash};
pub use check::{PuzzleError, check_question};
pub use generate::{Givens, GivensError, Puzzle, generate, random_solution};
pub use grid::{Grid, TokenError};
pub use hard::{Breeder, rate_fairly};
pub use order::solver_order;
pub use parse::ParseError;
pub use render::{render, render_tokens, render_with};
pub use rules::FAMILY;
pub use shape::{Shape, Unit};
pub use solve::{count_solutions, rate, solve};
pub use symmetry::Symmetry;
pub use verify::verify;
