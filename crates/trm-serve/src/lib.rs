//! Tiny recursive models behind a URL, and a page on which people watch them think.
//!
//! Every model has a thread, its engine, which owns the batch: puzzles of all requests join it between two steps
//! and leave it when they are done, so that a request waits for nobody, and what it gets does not depend on the
//! others. (An autoregressive model writes a batch to its end before it begins the next.) Requests are checked
//! before they are admitted, and refused with one line.
//!
//! ```text
//! request ── refused? ── admitted ──▶ engine thread: push, step, take ──▶ told: drafts, then the end ──▶ response
//! ```

mod admission;
mod asked;
mod body;
mod desk;
mod engine;
mod metrics;
mod models;
mod refusal;
mod routes;
mod run;
mod seat;
mod server;
mod settings;
mod thinking;
mod told;
mod web;
mod writing;

pub use models::{Models, Named};
pub use refusal::Refusal;
pub use run::{Log, log, run};
pub use server::{Server, serve};
pub use settings::Settings;
pub use web::{RUNTIME, RUNTIME_FILES, web_page};
