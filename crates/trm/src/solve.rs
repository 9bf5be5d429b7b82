//! The only path of inference: evaluation, `trm solve` and programs all go through it.
//!
//! Sessions own all that they need and can be sent to another thread. Puzzles are pushed to them at any
//! time, take their steps together, and what comes of them is taken.

use crate::model::Model;
use std::sync::Arc;
use trm_ops::{DType, Stop};

mod batch;
mod search;
mod session;

pub use search::{ChainEnd, Found, Judgement, News, Referee, Search, SearchSession, Undo};
pub use session::{Limits, Session, Thought, sureness};

use batch::Batch;

/// A model, and how to run it. Cloning is cheap and shares the weights.
///
/// ```
/// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// # use trm::{Config, Model};
/// # let config = Config { vocab_size: 6, seq_len: 16, hidden: 32, heads: 2, ..Config::default() };
/// # let mut rng = ChaCha8Rng::seed_from_u64(1);
/// use trm_ops::{DType, Device, Stop};
/// # let model = Model::new(&config, &Device::cpu(1), &mut rng)?;
///
/// let stop = Stop::default(); // for whoever may end the work
/// let solver = trm::Solver::new(model, DType::F32).batch(64).until(&stop);
/// let session = solver.session();
/// let other = std::thread::spawn(move || solver.session().len()); // the same weights, another thread
/// assert_eq!((session.len(), other.join().unwrap()), (0, 0));
/// # Ok::<(), trm::Error>(())
/// ```
#[derive(Clone)]
pub struct Solver {
    model: Arc<Model>,
    dtype: DType,
    batch: usize,
    stop: Stop,
}

impl Solver {
    /// A solver that keeps its activations in `dtype` and takes 32 puzzles at a time.
    pub fn new(model: impl Into<Arc<Model>>, dtype: DType) -> Solver {
        Solver { model: model.into(), dtype, batch: 32, stop: Stop::default() }
    }

    /// Takes at most `batch` puzzles at a time, or chains of a search; 0 counts as 1. Changes speed and memory, never
    /// a draft.
    pub fn batch(self, batch: usize) -> Solver {
        Solver { batch: batch.max(1), ..self }
    }

    /// Lets its sessions end as soon as `stop` is requested, inside a step too.
    pub fn until(self, stop: &Stop) -> Solver {
        Solver { stop: stop.clone(), ..self }
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// A session without puzzles.
    pub fn session(&self) -> Session {
        Session::new(Batch::new(self.clone()))
    }

    /// A search without puzzles, whose drafts `referee` judges.
    pub fn search(&self, referee: Box<dyn Referee>) -> SearchSession {
        SearchSession::new(Batch::new(self.clone()), referee)
    }
}
