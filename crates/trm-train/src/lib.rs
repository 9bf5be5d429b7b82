//! Training and evaluation of tiny recursive models: the supervision step with its persistent
//! batch ([`Trainer`]), data sets, recipes, checkpoints,
//! evaluation and reports.

mod carry;
mod dataset;
mod error;
pub mod files;
mod keys;
mod optimizer;
mod random;
mod recipe;
mod sampler;
mod schedule;
mod score;
mod train;

pub use carry::{Carry, Example, Halting};
pub use dataset::{Dataset, Metadata, Origin};
pub use error::Error;
pub use random::{Purpose, stream};
pub use recipe::{LikelihoodKind, OptimizerKind, Precision, Recipe, TrainConfig};
pub use sampler::Sampler;
pub use schedule::Schedule;
pub use score::Score;
pub use train::{StepMetrics, Trainer};
