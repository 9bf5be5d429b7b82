//! What is shown of a run: its report, a puzzle worth watching, accuracy against compute.

pub mod compute;
mod run;
mod watched;

pub use run::{Reported, training_charts, write};
pub use watched::{Watched, grids, most_thoughtful, worth_watching};
