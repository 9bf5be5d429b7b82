//! Puzzle domains: everything about a puzzle that is not the network.
//!
//! A [`Domain`] turns puzzles into token sequences and back, checks questions, judges
//! answers and draws random symmetries. What is particular to one kind of puzzle lives in
//! its own module: [`sudoku`] also solves, rates, generates and reads files, [`maze`] labels, generates and
//! reads files, [`arc`] reads tasks and augments them, [`grid`] is for puzzles that no other domain knows.
//! All that others need of it stands behind [`Rules`]; [`register`] adds a domain of another crate.
//!
//! ```
//! use trm_puzzles::Domain;
//!
//! let domain: Domain = "sudoku4".parse()?;
//! let question = domain.parse("1... ..3. .4.. ...2")?;
//! let answer = domain.check_question(&question)?.expect("Sudoku has one solution");
//! assert_eq!(domain.format_line(&answer), "1324423124133142");
//! assert!(domain.verify(&question, &answer)?.is_solved());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod arc;
mod columns;
mod dihedral;
mod domain;
mod error;
pub mod grid;
mod hash;
pub mod maze;
mod questions;
mod referee;
mod rules;
pub mod sudoku;
mod verdict;

pub use dihedral::Dihedral;
pub use domain::{Domain, Family, Taken, UnknownDomain, register};
pub use error::Error;
pub use questions::{QuestionError, puzzles_of_csv, questions};
pub use referee::{Asked, Judge, RefereeError, Ruling};
pub use rules::{Layout, Look, Paint, Pair, Published, Rules, Undo};
pub use verdict::{ConstraintVerdict, Verdict};
