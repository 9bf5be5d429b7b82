//! Puzzles of one size that are thought about.

use crate::engine::Ask;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::seat::Seat;
use crate::told::Ending;
use std::collections::HashMap;
use std::time::Instant;
use trm::{News, Question, SearchSession, Session, Solver, Thought, sureness};
use trm_puzzles::Domain;
use trm_study::{DomainReferee, Effort, Origin};

/// The two sessions of a size of puzzles, and who hears of them.
pub(crate) struct Desk {
    domain: Domain,
    alone: Session,
    alone_seats: HashMap<usize, Seat>,
    searching: SearchSession,
    searching_seats: HashMap<usize, Seat>,
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
    pub(crate) fn seat(&mut self, ask: Ask<Effort>) {
        let question = Question { tokens: &ask.tokens, puzzles: &ask.puzzles };
        let pushed = match ask.effort {
            Effort::OnePass(limits) => self.alone.push(question, limits),
            Effort::Judged(options) => self.searching.push(question, options.search),
        };
        let (seats, effort) = ask.seats();
        let taken = match effort {
            Effort::OnePass(_) => &mut self.alone_seats,
            Effort::Judged(_) => &mut self.searching_seats,
        };
        match pushed {
            Err(error) => seats[0].refuse(Refusal::content(error.to_string())),
            Ok(numbers) => taken.extend(numbers.zip(seats)),
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
                seat.end(Ending::Alone);
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
                News::Chain(end) => {
                    let Some(seat) = self.searching_seats.get(&end.puzzle) else { continue };
                    seat.chain(&self.domain, end);
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
        seat.refuse(Refusal::failed(error.to_string()));
    }
}
