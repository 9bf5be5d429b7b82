//! A puzzle that is worked on, and who hears of it.

use crate::admission::Place;
use crate::refusal::Refusal;
use crate::told::{Draft, Ending, Heard};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedSender;
use trm::{ChainEnd, Found};
use trm_puzzles::Domain;
use trm_study::{Origin, TrailStep};

/// Where what is told of a puzzle goes, by its place in the request.
pub(crate) type Tell = UnboundedSender<(usize, Result<Heard, Refusal>)>;

/// A request that is not yet answered.
pub(crate) struct Request {
    tell: Tell,
    _place: Place,
}

impl Request {
    pub(crate) fn new(tell: Tell, place: Place) -> Request {
        Request { tell, _place: place }
    }
}

/// A puzzle, and who hears of it.
pub(crate) struct Seat {
    request: Arc<Request>,
    /// Its place in the request.
    pub place: usize,
    /// `[S]` tokens.
    pub question: Vec<u8>,
    /// What was told last.
    pub draft: Option<Vec<u8>>,
    pub until: Instant,
}

impl Seat {
    pub(crate) fn new(
        request: Arc<Request>,
        place: usize,
        question: Vec<u8>,
        until: Instant,
    ) -> Seat {
        Seat { request, place, question, draft: None, until }
    }

    /// Whether somebody still listens.
    pub(crate) fn is_heard(&self) -> bool {
        !self.request.tell.is_closed()
    }

    fn tell(&self, told: Result<Heard, Refusal>) {
        let _ = self.request.tell.send((self.place, told)); // who left hears nothing
    }

    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.tell(Err(refusal));
    }

    /// Tells a draft of a recursive model.
    pub(crate) fn step(&mut self, domain: &Domain, answer: Vec<u8>, origin: Origin) {
        match TrailStep::new(domain, &self.question, self.draft.as_deref(), answer, origin) {
            Ok(step) => self.draft(step.into()),
            Err(error) => self.refuse(Refusal::failed(error.to_string())),
        }
    }

    /// Tells a draft.
    pub(crate) fn draft(&mut self, draft: Draft) {
        self.draft = Some(draft.answer.clone());
        self.tell(Ok(Heard::Draft(draft)));
    }

    /// Tells how a chain of a search ended.
    pub(crate) fn chain(&self, domain: &Domain, mut end: ChainEnd) {
        domain.clip(&mut end.answer);
        self.tell(Ok(Heard::Chain(end)));
    }

    /// Tells the answer of a search, as a draft if it is another than the last, and the end.
    pub(crate) fn found(mut self, domain: &Domain, mut found: Found) {
        domain.clip(&mut found.answer);
        // empty if the time was up before the first step
        if self.draft.as_deref().unwrap_or_default() != found.answer {
            let Found { chain, chain_steps: step, halt_logit, .. } = found;
            let origin = Origin { chain, step, halt_logit, sureness: Vec::new() };
            self.step(domain, found.answer.clone(), origin);
        }
        self.end(Ending::Searched(found));
    }

    /// Leaves, and tells the end: whoever hears of it finds the room free that it took.
    pub(crate) fn end(self, ending: Ending) {
        let Seat { request, place, .. } = self;
        let tell = request.tell.clone();
        drop(request);
        let _ = tell.send((place, Ok(Heard::End(ending)))); // who left hears nothing
    }
}
