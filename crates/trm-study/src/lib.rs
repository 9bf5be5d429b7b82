//! Measuring tiny recursive models: how often they are right ([`evaluate`], [`wilson`] for its interval), what they
//! think ([`Trail`]), what searching, voting and choosing bring ([`search`], [`vote`], [`best_of`]), and [`report`]s.
//! With the feature `web` also `compare`: studies of several models, and of language models that are asked.
//!
//! ```
//! use trm::{Config, Model, Solver};
//! use trm_data::{Purpose, stream};
//! use trm_ops::{DType, Device};
//! use trm_puzzles::Domain;
//! use trm_study::Trail;
//!
//! let domain: Domain = "sudoku4".parse()?;
//! let sizes = Config { domain: domain.name(), seq_len: 16, vocab_size: 6, ..Config::default() };
//! let config = Config { hidden: 32, heads: 1, prefix_len: 0, puzzle_embedding: 0, ..sizes };
//! let model = Model::new(&config, &Device::cpu(1), &mut stream(1, Purpose::Weights, 0))?;
//! let question = domain.parse("1.....3..4.....2")?;
//! let trail = Trail::follow(&Solver::new(model, DType::F32), &domain, &question, 3)?;
//! assert_eq!(trail.last().answer[0], question[0]); // drafts keep what is given
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "web")]
pub mod compare;
mod intervals;
pub mod pages;
pub mod report;
mod thinking;
mod votes;
mod writing;

pub use intervals::wilson;
pub use thinking::effort::Wish;
pub use thinking::search::{DomainReferee, SearchOptions, SearchReport, search};
pub use thinking::trail::{Effort, Origin, Told, Trail, TrailStep, probability, think};
pub use trm_data::Error;
pub use trm_train::{
    Bin, EvalOptions, Evaluation, Outputs, Score, StepScore, Validity, check_fit, evaluate,
    evaluate_autoregressive, evaluate_until, fit,
};
pub use votes::{VoteOptions, VoteReport, vote, vote_in_team};
pub use writing::choosing::{BestOf, Choice, Chosen, SampleOptions, best_of, write_best};
pub use writing::first_errors::{FirstErrors, first_errors};

/// What does not fit together, in words.
fn mismatch(why: impl std::fmt::Display) -> Error {
    Error::Mismatch(why.to_string())
}

/// The example of the README is built with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
