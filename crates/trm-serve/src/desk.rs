//! Puzzles of one size that are thought about.

use crate::admission::Place;
use crate::engine::Ask;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedSender;
use trm::{Found, News, Question, SearchSession, Session, Solver, Thought, sureness};
use trm_puzzles::Domain;
use trm_study::{DomainReferee, Effort, Origin, Told, TrailStep};

/// The two sessions of a size of puzzles, and who hears of them.
pub(crate) struct Desk {
    domain: Domain,
    alone: Session,
    alone_seats: HashMap<usize, Seat>,
    searching: SearchSession,
    searching_seats: HashMap<usize, Seat>,
}

/// A puzzle, and who hears of it.
struct Seat {
    request: Arc<Request>,
    /// Its place in the request.
    place: usize,
    question: Vec<u8>,
    draft: Option<Vec<u8>>,
    until: Instant,
}

struct Request {
    tell: UnboundedSender<(usize, Result<Told, Refusal>)>,
    _place: Place,
}

impl Seat {
    /// Whether somebody still listens.
    fn is_heard(&self) -> bool {
        !self.request.tell.is_closed()
    }

    fn tell(&self, told: Result<Told, Refusal>) {
        let _ = self.request.tell.send((self.place, told)); // who left hears nothing
    }

    fn step(&mut self, domain: &Domain, answer: Vec<u8>, origin: Origin) {
        let before = self.draft.as_deref();
        let step = TrailStep::new(domain, &self.question, before, answer, origin);
        self.draft = step.as_ref().ok().map(|step| step.answer.clone());
        self.tell(step.map(Told::Step).map_err(|error| Refusal::failed(error.to_string())));
    }
}

impl Seat {
    /// Tells the answer of a search, as a draft if it is another than the last, and the end.
    fn found(mut self, domain: &Domain, mut found: Found) {
        domain.clip(&mut found.answer);
        // empty if the time was up before the first step
        if self.draft.as_deref().unwrap_or_default() != found.answer {
            let Found { chain, chain_steps: step, halt_logit, .. } = found;
            let origin = Origin { chain, step, halt_logit, sureness: Vec::new() };
            self.step(domain, found.answer.clone(), origin);
        }
        self.end(Some(found));
    }

    /// Leaves, and tells the end: whoever hears of it finds the room free that it took.
    fn end(self, found: Option<Found>) {
        let Seat { request, place, .. } = self;
        let tell = request.tell.clone();
        drop(request);
        let _ = tell.send((place, Ok(Told::End(found)))); // who left hears nothing
    }
}

impl Desk {
    pub(crate) fn new(solver: &Solver, domain: &Domain) -> Desk {
        Desk {
            domain: domain.clone(),
            alone: solver.session(),
            alone_seats: HashMap::new(),
            searching: solver.search(Box::new(DomainReferee(Some(domain.clone())))),
            searching_seats: HashMap::new(),
        }
    }

    pub(crate) fn is_for(&self, domain: &Domain) -> bool {
        self.domain == *domain
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.alone.is_empty() && self.searching.is_empty()
    }

    /// Puts the puzzles of a request to the end of the queue.
    pub(crate) fn seat(&mut self, ask: Ask) {
        let question = Question { tokens: &ask.tokens, puzzles: &ask.puzzles };
        let pushed = match ask.effort {
            Effort::OnePass(limits) => self.alone.push(question, limits),
            Effort::Judged(options) => self.searching.push(question, options.search),
        };
        let seats = match ask.effort {
            Effort::OnePass(_) => &mut self.alone_seats,
            Effort::Judged(_) => &mut self.searching_seats,
        };
        let request = Arc::new(Request { tell: ask.tell, _place: ask.place });
        match pushed {
            Err(error) => {
                let _ = request.tell.send((0, Err(Refusal::content(error.to_string()))));
            }
            Ok(numbers) => {
                let cells = self.domain.seq_len();
                for (place, (number, question)) in
                    numbers.zip(ask.tokens.chunks_exact(cells)).enumerate()
                {
                    let (request, question) = (request.clone(), question.to_vec());
                    let seat = Seat { request, place, question, draft: None, until: ask.until };
                    seats.insert(number, seat);
                }
            }
        }
    }

    /// One step of all that is thought about.
    pub(crate) fn step(&mut self, metrics: &Metrics) {
        self.see_off(metrics);
        let alone = self.alone.step();
        metrics.step(self.alone.rows());
        failed(alone, &mut self.alone_seats);
        let searched = self.searching.step();
        metrics.step(self.searching.rows());
        failed(searched, &mut self.searching_seats);
        self.tell(metrics);
    }

    /// Who has left is not thought for, and whose time is up gets what there is.
    fn see_off(&mut self, metrics: &Metrics) {
        let left = |seats: &mut HashMap<usize, Seat>| {
            let left: Vec<usize> =
                seats.iter().filter(|(_, seat)| !seat.is_heard()).map(|(n, _)| *n).collect();
            left.iter().for_each(|number| _ = seats.remove(number));
            metrics.left.inc_by(left.len() as u64);
            left
        };
        for number in left(&mut self.alone_seats) {
            self.alone.withdraw(number);
        }
        for number in left(&mut self.searching_seats) {
            self.searching.withdraw(number);
        }
        let now = Instant::now();
        for (number, seat) in &self.searching_seats {
            if seat.until <= now {
                self.searching.give_up(*number);
            }
        }
    }

    fn tell(&mut self, metrics: &Metrics) {
        while let Some(thought) = self.alone.take() {
            let Thought { puzzle, step, last, answer, halt_logit, logits } = thought;
            let Some(seat) = self.alone_seats.get_mut(&puzzle) else { continue };
            let sureness = sureness(&logits, answer.len());
            seat.step(&self.domain, answer, Origin { chain: 1, step, halt_logit, sureness });
            if last && let Some(seat) = self.alone_seats.remove(&puzzle) {
                metrics.answered.inc();
                seat.end(None);
            }
        }
        while let Some(news) = self.searching.take() {
            match news {
                News::Draft { puzzle, step, answer, halt_logit, logits } => {
                    let Some(seat) = self.searching_seats.get_mut(&puzzle) else { continue };
                    let sureness = sureness(&logits, answer.len());
                    let origin = Origin { chain: 1, step, halt_logit, sureness };
                    seat.step(&self.domain, answer, origin);
                }
                News::Found(found) => {
                    let Some(seat) = self.searching_seats.remove(&found.puzzle) else { continue };
                    metrics.answered.inc();
                    seat.found(&self.domain, found);
                }
            }
        }
    }
}

/// Tells those whose puzzles have left the session without an answer.
fn failed(result: Result<(), trm::Error>, seats: &mut HashMap<usize, Seat>) {
    let Err(error) = result else { return };
    tracing::error!("{error}");
    let lost = |number: &usize| match &error {
        trm::Error::NotFinite { puzzles } => puzzles.contains(number),
        _ => true,
    };
    let lost: Vec<usize> = seats.keys().copied().filter(lost).collect();
    for seat in lost.iter().filter_map(|number| seats.remove(number)) {
        seat.tell(Err(Refusal::failed(error.to_string())));
    }
}
