//! Training of tiny recursive models: the supervision step with its persistent batch ([`Trainer`]), the run around it
//! ([`Run`]) with its log and checkpoints, [`Recipe`]s, and how often a model is right ([`evaluate`]).
//!
//! ```
//! use std::sync::Arc;
//! use trm_data::{Generated, Kind, generate_sudoku};
//! use trm_ops::{Device, Stop};
//! use trm_puzzles::sudoku::{Givens, Shape};
//! use trm_train::{Ending, Recipe, Run};
//!
//! let kind = Kind::Random(Givens::AtLeast(6..=10));
//! let wanted = Generated { shape: Shape::Four, train: 20, test: 5, kind, seed: 1 };
//! let data = generate_sudoku(&wanted, None, &mut |_| ())?.train;
//! let text = "model = { hidden = 32, heads = 1, prefix_len = 0, puzzle_embedding = 0 }
//! train = { steps = 2, batch = 4, validation = 0 }";
//! let recipe = Recipe::parse(text, &[]).map_err(trm_train::Error::Recipe)?;
//! let folder = std::env::temp_dir().join(format!("trm-example-{}", std::process::id()));
//! let mut run: Run = Run::create(&folder, recipe, data, &Device::cpu(1))?;
//! assert_eq!(run.train(&Stop::default(), &mut |_| ())?, Ending::Finished);
//! # std::fs::remove_dir_all(folder).ok();
//! # Ok::<(), trm_train::Error>(())
//! ```

mod evaluate;
mod learners;
mod recipe;
mod run;

pub use evaluate::score::Score;
pub use evaluate::validity::Validity;
pub use evaluate::{
    Bin, EvalOptions, Evaluation, Outputs, StepScore, check_fit, evaluate, evaluate_in_team,
    evaluate_until, fit,
};
pub use learners::autoregressive::{
    AutoregressiveTrainer, OpenCells, check_fit_autoregressive, evaluate_autoregressive,
    evaluate_autoregressive_in_team, write_answers, write_some,
};
pub use learners::carry::{Carry, Halting};
pub use learners::memory::{available_bytes, checkpoint_bytes, training_bytes};
pub use learners::metrics::StepMetrics;
pub use learners::schedule::Schedule;
pub use learners::train::Trainer;
pub use learners::workers::Workers;
pub use learners::{Core, Learner};
pub use recipe::{
    Changes, LikelihoodKind, OptimizerKind, Precision, Recipe, Said, TrainConfig, free_folder,
};
pub use run::checkpoint::Progress;
pub use run::log::{Line, read_log};
pub use run::{Ending, Event, Run, domain_of, tensorboard};
pub use trm_data::Error;
