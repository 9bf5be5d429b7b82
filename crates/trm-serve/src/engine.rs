//! The threads that own models.

use crate::admission::Place;
use crate::refusal::Refusal;
use crate::seat::{Request, Seat, Tell};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use trm_puzzles::Domain;

/// Puzzles of one request, and how to answer them.
pub(crate) struct Ask<E> {
    /// The domain, in the size of these puzzles.
    pub domain: Domain,
    /// `[puzzles · S]`.
    pub tokens: Vec<u8>,
    /// Their identifiers.
    pub puzzles: Vec<u32>,
    /// How to answer them.
    pub effort: E,
    /// When searches are given up.
    pub until: Instant,
    /// Who hears of a puzzle, by its place: who no longer listens is not worked for.
    pub tell: Tell,
    /// The room that the request takes until it is answered.
    pub place: Place,
}

impl Ask<()> {
    /// With a way to answer.
    pub(crate) fn with<E>(self, effort: E) -> Ask<E> {
        let Ask { domain, tokens, puzzles, effort: (), until, tell, place } = self;
        Ask { domain, tokens, puzzles, effort, until, tell, place }
    }
}

impl<E> Ask<E> {
    /// A seat for every puzzle, in their order; the effort.
    pub(crate) fn seats(self) -> (Vec<Seat>, E) {
        let Ask { domain, tokens, until, tell, place, effort, .. } = self;
        let request = Arc::new(Request::new(tell, place));
        let questions = tokens.chunks_exact(domain.seq_len()).enumerate();
        let seat = |(place, question): (usize, &[u8])| {
            Seat::new(request.clone(), place, question.to_vec(), until)
        };
        (questions.map(seat).collect(), effort)
    }
}

/// A model that is asked from many sides: a thread that owns it.
///
/// It ends when it is dropped, after what it has been asked.
#[derive(Debug)]
pub(crate) struct Engine<E> {
    asks: Option<Sender<Ask<E>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<E: Send + 'static> Engine<E> {
    /// Starts the thread, which answers what it is asked.
    pub(crate) fn start(answer: impl FnOnce(&Asks<E>) + Send + 'static) -> Engine<E> {
        let (asks, asked) = channel();
        let run = move || answer(&Asks(asked));
        let thread = std::thread::Builder::new().name("trm-engine".into()).spawn(run);
        let thread = Mutex::new(Some(thread.expect("the system starts a thread")));
        Engine { asks: Some(asks), thread }
    }

    /// Asks; the answers come through `ask.tell`.
    pub(crate) fn ask(&self, ask: Ask<E>) -> Result<(), Refusal> {
        let ended = || Refusal::failed("the engine has ended: see the server's log");
        self.asks.as_ref().ok_or_else(ended)?.send(ask).map_err(|_| ended())
    }
}

impl<E> Drop for Engine<E> {
    fn drop(&mut self) {
        self.asks = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join(); // a panic has been printed
        }
    }
}

/// What a thread is asked.
pub(crate) struct Asks<E>(Receiver<Ask<E>>);

impl<E> Asks<E> {
    /// All that has come; waits for it if there is nothing else to do. `None` once nothing more can come.
    pub(crate) fn take(&self, is_idle: bool) -> Option<Vec<Ask<E>>> {
        let mut taken = Vec::new();
        if is_idle {
            taken.push(self.0.recv().ok()?);
        }
        loop {
            match self.0.try_recv() {
                Ok(ask) => taken.push(ask),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Some(taken),
            }
        }
    }
}
