//! Training and evaluation of tiny recursive models: the supervision step with its persistent
//! batch ([`Trainer`]), the run around it ([`Run`]), data sets, recipes, checkpoints, evaluation
//! and reports.

mod autoregressive;
mod carry;
mod checkpoint;
mod choosing;
mod evaluate;
mod first_errors;
mod in_order;
mod learner;
mod log;
mod memory;
mod optimizer;
mod recipe;
pub mod report;
mod run;
mod schedule;
mod score;
mod search;
mod state;
mod tally;
pub mod tensorboard;
mod trail;
mod train;
mod votes;
mod writer;

pub use autoregressive::{
    AutoregressiveTrainer, check_fit_autoregressive, evaluate_autoregressive, write_answers,
};
pub use carry::{Carry, Halting};
pub use checkpoint::Progress;
pub use choosing::{BestOf, Chosen, SampleOptions, best_of, write_best};
pub use evaluate::{
    Bin, EvalOptions, Evaluation, Outputs, StepScore, check_fit, evaluate, evaluate_until, fit,
    wilson,
};
pub use first_errors::{FirstErrors, first_errors};
pub use learner::{Core, Learner};
pub use log::{Line, read_log};
pub use memory::{available_bytes, checkpoint_bytes, training_bytes};
pub use recipe::{LikelihoodKind, OptimizerKind, Precision, Recipe, TrainConfig};
pub use run::{Ending, Event, Run, domain_of};
pub use schedule::Schedule;
pub use score::Score;
pub use search::{DomainReferee, SearchOptions, SearchReport, search};
pub use trail::{Effort, Told, Trail, TrailStep, think};
pub use train::{StepMetrics, Trainer};
pub use trm_data::Error;
pub use votes::{VoteOptions, VoteReport, vote};

/// The example of the README is built with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
