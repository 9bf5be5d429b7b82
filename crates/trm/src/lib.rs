//! The tiny recursive model ("Less is More: Recursive Reasoning with Tiny Networks",
//! arXiv 2510.04871): [`Model`] is the network and its recursion, [`Config`] its sizes,
//! [`Session`] the only path of inference, [`SearchSession`] a search on top of it. No files, no network, no clock.
//!
//! ```
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use trm::{Config, Limits, Model, Question, Solver};
//! use trm_ops::{DType, Device};
//!
//! let config = Config { vocab_size: 6, seq_len: 16, hidden: 32, heads: 2, ..Config::default() };
//! let mut rng = ChaCha8Rng::seed_from_u64(1);
//! let model = Model::new(&config, &Device::cpu(1), &mut rng)?;
//!
//! let mut session = Solver::new(model, DType::F32).session();
//! let blank = Question { tokens: &[1; 16], puzzles: &[0] }; // sixteen blank cells
//! session.push(blank, Limits { steps: 16, halt: Some(Limits::CAREFUL_HALT) })?;
//! session.step()?;
//! let draft = session.take().expect("a draft of every puzzle");
//! assert_eq!((draft.step, draft.answer.len()), (1, 16));
//! # Ok::<(), trm::Error>(())
//! ```

mod autoregressive;
mod config;
mod error;
mod initialize;
mod mix;
mod model;
mod network;
mod solve;

pub use autoregressive::{
    Autoregressive, AutoregressiveConfig, Lesson, Order, Sampling, UNLABELLED, Writing, Written,
    generate,
};
pub use config::{Config, Positions};
pub use error::{ConfigError, Error, InputError, WeightsError};
pub use mix::Mix;
pub use model::{Model, Question, State, Step};
pub use network::Network;
pub use solve::{
    ChainEnd, Found, Judgement, Limits, News, Referee, Search, SearchSession, Session, Solver,
    Thought, Undo, sureness,
};
