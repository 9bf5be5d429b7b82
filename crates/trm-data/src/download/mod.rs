//! Originals of data sets, fetched from where they are published.

mod fetch;
mod originals;
mod part;
#[cfg(test)]
mod server;

pub use fetch::{Fetched, agent, fetch};
pub use originals::{
    ARC_AGI_1, ARC_AGI_2, CONCEPT_ARC, MAZE_HARD, Original, Originals, SUDOKU_EXTREME,
};
