//! How data sets are made: generated, or from files of others.

pub(crate) mod arc;
pub(crate) mod grid;
pub(crate) mod leaks;
pub(crate) mod maze;
mod parallel;
pub(crate) mod pieces;
pub(crate) mod sudoku;
