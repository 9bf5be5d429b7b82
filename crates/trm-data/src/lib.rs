//! Data sets and models on disk: [`Dataset`] with its [`Splits`] and [`Sampler`], data made or read from files of
//! others, and the folder of a model with its [`Provenance`]; [`torch`] reads and writes PyTorch checkpoints, and
//! `download` (with the feature `web`) fetches the originals.
//!
//! ```
//! use trm_data::{Generated, Augment, Kind, Sampler, generate_sudoku};
//! use trm_puzzles::sudoku::{Givens, Shape};
//!
//! let kind = Kind::Random(Givens::AtLeast(6..=10));
//! let wanted = Generated { shape: Shape::Four, train: 20, test: 5, kind, seed: 1 };
//! let splits = generate_sudoku(&wanted, None, &mut |_| ())?;
//! assert_eq!([splits.train.len(), splits.test.len()], [20, 5]);
//! let groups: Vec<usize> = (0..splits.train.groups()).collect();
//! let mut sampler = Sampler::new((&splits.train, &groups), Augment::None, 1, 0);
//! assert_eq!(sampler.draw().question.len(), 16);
//! # Ok::<(), trm_data::Error>(())
//! ```

mod dataset;
#[cfg(feature = "web")]
pub mod download;
mod error;
pub mod files;
mod formats;
#[cfg(feature = "web")]
mod hub;
pub mod keys;
mod making;
mod random;
mod referee;
pub mod text;
#[cfg(feature = "web")]
pub mod web;

pub use dataset::augmented::Augmented;
pub use dataset::example::Example;
pub use dataset::merge::merge;
pub use dataset::metadata::{Metadata, Origin};
pub use dataset::sampler::{Augment, Sampler};
pub use dataset::splits::Splits;
pub use dataset::{Dataset, npy};
pub use error::Error;
pub use formats::arrays::{Arrays, Reader, Stored};
pub use formats::card::{Carded, export_for_hub};
pub use formats::model_folder::{
    AnyModel, Content, Files, export_model, load_any, load_autoregressive, load_model, model_files,
    parse_config, save_files, save_model,
};
pub use formats::places::{checkpoints, newest_checkpoint};
pub use formats::provenance::{Machine, Provenance, program, weight_digest};
pub use formats::public::{
    Known, from_state_dict, import_tensors, public_name, public_tensors, state_dict,
};
pub use formats::shipped::{SHIPPED, Shipped};
pub use formats::{public, torch};
#[cfg(feature = "web")]
pub use hub::{HubName, Pulled};
pub use making::arc::{ArcTasks, Leaks, arc_splits, read_arc};
pub use making::grid::{Added, GridFacts, GridFile, Grids, Lonely, Told, augment_grids};
pub use making::leaks::arc_leaks;
pub use making::maze::{Mazes, generate_mazes, generate_mazes_in_team, mazes_from_csv};
pub use making::pieces::{Pieces, pieces_of_mazes};
pub use making::sudoku::{
    Generated, Kind, generate_sudoku, generate_sudoku_in_team, sudoku_from_csv,
};
pub use random::{Purpose, stream};
pub use referee::{Protocol, RefereeCommand, end_referees};
