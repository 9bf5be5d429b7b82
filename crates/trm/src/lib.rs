//! The tiny recursive model ("Less is More: Recursive Reasoning with Tiny Networks",
//! arXiv 2510.04871): [`Model`] is the network and its recursion, [`Config`] its sizes,
//! [`Solver`] the only path of inference. No files, no network, no clock.
//!
//! ```
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use trm::{Config, Model, Solver};
//! use trm_ops::{DType, Device};
//!
//! let config = Config { vocab_size: 6, seq_len: 16, hidden: 32, heads: 2, ..Config::default() };
//! let mut rng = ChaCha8Rng::seed_from_u64(1);
//! let model = Model::new(&config, &Device::cpu(1), &mut rng)?;
//!
//! let question = [1; 16]; // sixteen blank cells
//! let mut session = Solver::new(&model, DType::F32).start(&question, &[0])?;
//! let draft = session.step()?;
//! assert_eq!(draft.answers.len(), 16);
//! # Ok::<(), trm::Error>(())
//! ```

mod autoregressive;
mod config;
mod error;
mod initialize;
mod mix;
mod model;
mod network;
mod queue;
mod search;
mod solver;

pub use autoregressive::{
    Autoregressive, AutoregressiveConfig, Lesson, Order, Sampling, UNLABELLED, Written, generate,
};
pub use config::{Config, Positions};
pub use error::{ConfigError, Error, InputError, WeightsError};
pub use mix::Mix;
pub use model::{Model, Question, State, Step};
pub use network::Network;
pub use queue::{Limits, Thought, Thoughts};
pub use search::{Found, Judgement, News, Referee, Search, Undo};
pub use solver::{Draft, Session, Solver};
