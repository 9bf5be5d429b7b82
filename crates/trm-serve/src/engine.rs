//! The thread that owns a model's batch.

use crate::admission::Place;
use crate::desk::Desk;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedSender;
use trm::{Model, Solver};
use trm_ops::DType;
use trm_puzzles::Domain;
use trm_study::{Effort, Told};

/// Puzzles of one request.
pub(crate) struct Ask {
    /// The domain, in the size of these puzzles.
    pub domain: Domain,
    /// `[puzzles · S]`.
    pub tokens: Vec<u8>,
    /// Their identifiers.
    pub puzzles: Vec<u32>,
    /// How to think about them.
    pub effort: Effort,
    /// When searches are given up.
    pub until: Instant,
    /// Who hears of a puzzle, by its place: who no longer listens is not thought for.
    pub tell: UnboundedSender<(usize, Result<Told, Refusal>)>,
    /// The room that the request takes until it is answered.
    pub place: Place,
}

/// A model that is asked from many sides: a thread that pushes what has come to the batch, steps, and tells.
///
/// It ends when it is dropped, after what it has been asked.
#[derive(Debug)]
pub struct Engine {
    asks: Option<Sender<Ask>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the thread of a model, with so many rows of a batch.
    pub(crate) fn start(model: Arc<Model>, dtype: DType, batch: usize, metrics: Metrics) -> Engine {
        let (asks, asked) = channel();
        let solver = move |domain: &Domain| {
            Solver::new(trm_train::fit(model.clone(), &domain.name()), dtype).batch(batch)
        };
        let run = move || run(&solver, &asked, &metrics);
        let thread = std::thread::Builder::new().name("trm-engine".into()).spawn(run);
        let thread = Mutex::new(Some(thread.expect("the system starts a thread")));
        Engine { asks: Some(asks), thread }
    }

    /// Asks; the answers come through `ask.tell`.
    pub(crate) fn ask(&self, ask: Ask) -> Result<(), Refusal> {
        let ended = || Refusal::failed("the engine has ended: see the server's log");
        self.asks.as_ref().ok_or_else(ended)?.send(ask).map_err(|_| ended())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.asks = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join(); // a panic has been printed
        }
    }
}

/// Steps as long as there is something to think about, and waits otherwise.
fn run(solver: &dyn Fn(&Domain) -> Solver, asked: &Receiver<Ask>, metrics: &Metrics) {
    let mut desks: Vec<Desk> = Vec::new();
    loop {
        let mut next = match desks.iter().all(Desk::is_empty) {
            true => match asked.recv() {
                Ok(ask) => Some(ask),
                Err(_) => return,
            },
            false => asked.try_recv().ok(),
        };
        while let Some(ask) = next {
            seat(&mut desks, solver, ask);
            next = asked.try_recv().ok();
        }
        for desk in desks.iter_mut().filter(|desk| !desk.is_empty()) {
            desk.step(metrics);
        }
    }
}

/// Sizes of puzzles that are kept ready although nobody asks for them.
const SPARE_DESKS: usize = 4;

/// Brings puzzles to the desk for their size.
fn seat(desks: &mut Vec<Desk>, solver: &dyn Fn(&Domain) -> Solver, ask: Ask) {
    let place = desks.iter().position(|desk| desk.is_for(&ask.domain)).unwrap_or_else(|| {
        while let (true, Some(spare)) =
            (desks.len() > SPARE_DESKS, desks.iter().position(Desk::is_empty))
        {
            desks.remove(spare);
        }
        desks.push(Desk::new(&solver(&ask.domain), &ask.domain));
        desks.len() - 1
    });
    desks[place].seat(ask);
}
