//! The thread of a recursive model: it pushes what has come to the batch, steps, and tells.

use crate::desk::Desk;
use crate::engine::{Ask, Asks};
use crate::metrics::Metrics;
use trm::Solver;
use trm_puzzles::Domain;
use trm_study::Effort;

/// Steps as long as there is something to think about, and waits otherwise. `solver` makes one for a size of puzzles.
pub(crate) fn run(solver: &dyn Fn(&Domain) -> Solver, asked: &Asks<Effort>, metrics: &Metrics) {
    let mut desks: Vec<Desk> = Vec::new();
    while let Some(asks) = asked.take(desks.iter().all(Desk::is_empty)) {
        asks.into_iter().for_each(|ask| seat(&mut desks, solver, ask));
        for desk in desks.iter_mut().filter(|desk| !desk.is_empty()) {
            desk.step(metrics);
        }
    }
}

/// Sizes of puzzles that are kept ready although nobody asks for them.
const SPARE_DESKS: usize = 4;

/// Brings puzzles to the desk for their size.
fn seat(desks: &mut Vec<Desk>, solver: &dyn Fn(&Domain) -> Solver, ask: Ask<Effort>) {
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
