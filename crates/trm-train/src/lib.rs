//! Training and evaluation of tiny recursive models: the supervision step with its persistent
//! batch ([`Trainer`]), the run around it ([`Run`]), data sets, recipes, checkpoints, evaluation
//! and reports.

mod arc_data;
mod arc_leaks;
mod augmented;
mod autoregressive;
mod carry;
mod checkpoint;
mod choosing;
mod dataset;
mod error;
mod evaluate;
pub mod files;
mod first_errors;
mod grid_data;
mod in_order;
mod keys;
mod learner;
mod log;
mod maze_data;
mod memory;
mod merge;
mod metadata;
mod model_folder;
pub mod npy;
mod optimizer;
mod parallel;
mod provenance;
mod public;
mod random;
mod recipe;
pub mod report;
mod run;
mod sampler;
mod schedule;
mod score;
mod search;
mod splits;
mod state;
mod sudoku_data;
mod tally;
mod temporary;
pub mod tensorboard;
pub mod text;
pub mod torch;
mod trail;
mod train;
mod votes;
mod writer;

pub use arc_data::{ArcTasks, Leaks, arc_splits, read_arc};
pub use arc_leaks::arc_leaks;
pub use augmented::Augmented;
pub use autoregressive::{
    AutoregressiveTrainer, check_fit_autoregressive, evaluate_autoregressive, write_answers,
};
pub use carry::{Carry, Example, Halting};
pub use checkpoint::Progress;
pub use choosing::{BestOf, Chosen, SampleOptions, best_of, write_best};
pub use dataset::Dataset;
pub use error::Error;
pub use evaluate::{
    Bin, EvalOptions, Evaluation, Outputs, StepScore, check_fit, evaluate, evaluate_until, fit,
    wilson,
};
pub use first_errors::{FirstErrors, first_errors};
pub use grid_data::grids_from_files;
pub use learner::{Core, Learner};
pub use log::{Line, read_log};
pub use maze_data::{Mazes, generate_mazes, mazes_from_csv};
pub use memory::{available_bytes, checkpoint_bytes, training_bytes};
pub use merge::merge;
pub use metadata::{Metadata, Origin};
pub use model_folder::{
    AnyModel, export_model, load_any, load_autoregressive, load_model, newest_checkpoint,
    parse_config, save_model,
};
pub use provenance::{Machine, Provenance, program, weight_digest};
pub use public::{Known, import_tensors, public_name, public_tensors};
pub use random::{Purpose, stream};
pub use recipe::{LikelihoodKind, OptimizerKind, Precision, Recipe, TrainConfig};
pub use run::{Ending, Event, Run, domain_of};
pub use sampler::{Images, Sampler};
pub use schedule::Schedule;
pub use score::Score;
pub use search::{DomainReferee, SearchOptions, SearchReport, search};
pub use splits::Splits;
pub use sudoku_data::{Generated, Kind, generate_sudoku, sudoku_from_csv};
pub use trail::{Effort, Told, Trail, TrailStep, think};
pub use train::{StepMetrics, Trainer};
pub use votes::{VoteOptions, VoteReport, vote};

/// The example of the README is built with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
