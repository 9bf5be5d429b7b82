//! Answers that cost something, and referees that give up.

use super::{Always, RIGHT, SEARCH, found, run, solver, tokens};
use rand::Rng;
use std::sync::{Arc, Mutex};
use trm::{Error, Judgement, Question, Referee, Search, Undo};

/// Drafts and what they cost.
type Costs = Vec<(Vec<u8>, f64)>;

/// A draft costs the number of its tokens that are even; what was judged is written down. Every `wrong`th draft is
/// wrong.
struct Priced {
    judged: Arc<Mutex<Costs>>,
    wrong: usize,
}

impl Referee for Priced {
    fn judge(&mut self, _: &[u8], draft: &[u8]) -> Result<Judgement, Error> {
        let cost = draft.iter().filter(|token| **token % 2 == 0).count() as f64;
        let mut judged = self.judged.lock().unwrap();
        let is_wrong = judged.len().is_multiple_of(self.wrong);
        judged.push((draft.to_vec(), if is_wrong { f64::INFINITY } else { cost }));
        Ok(if is_wrong { Judgement::Wrong } else { Judgement::Right { cost: Some(cost) } })
    }

    fn augment_question(&mut self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        None
    }
}

#[test]
fn with_costs_all_chains_go_to_their_end_and_the_first_of_the_cheapest_wins() {
    for wrong in [2, usize::MAX] {
        let judged = Arc::new(Mutex::new(Vec::new()));
        let priced = Priced { judged: judged.clone(), wrong };
        let outcome = run(priced, (SEARCH, 5), 1, usize::MAX);
        let judged = judged.lock().unwrap();
        assert_eq!((outcome[0].steps, outcome[0].rollouts, judged.len()), (12, 4, 12));
        let least = judged.iter().map(|(_, cost)| *cost).fold(f64::INFINITY, f64::min);
        let first = judged.iter().find(|(_, cost)| *cost == least).unwrap();
        assert!(judged.iter().any(|(_, cost)| *cost > least), "there is something to choose");
        assert!(outcome[0].verified);
        assert_eq!((outcome[0].cost, &outcome[0].answer), (Some(least), &first.0));
    }
}

#[test]
fn a_search_that_is_given_up_has_the_cheapest_so_far() {
    let judged = Arc::new(Mutex::new(Vec::new()));
    let priced = Priced { judged: judged.clone(), wrong: usize::MAX };
    let outcome = run(priced, (Search { steps: 50, ..SEARCH }, 5), 1, 3);
    let judged = judged.lock().unwrap();
    let least = judged.iter().map(|(_, cost)| *cost).fold(f64::INFINITY, f64::min);
    assert_eq!((outcome[0].steps, outcome[0].cost, outcome[0].verified), (3, Some(least), true));
}

#[test]
fn answers_without_a_cost_have_none() {
    let outcome = run(Always(RIGHT), (SEARCH, 5), 1, usize::MAX);
    assert_eq!((outcome[0].cost, outcome[0].steps), (None, 1));
    let outcome = run(Always(Judgement::Wrong), (SEARCH, 5), 1, usize::MAX);
    assert_eq!((outcome[0].cost, outcome[0].verified), (None, false));
}

/// Gives up at once.
struct Lost;

impl Referee for Lost {
    fn judge(&mut self, _: &[u8], _: &[u8]) -> Result<Judgement, Error> {
        Err(Error::Referee("the referee is ill".into()))
    }

    fn augment_question(&mut self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        None
    }
}

#[test]
fn a_lost_referee_ends_all_searches_with_its_words() {
    let mut session = solver(5).search(Box::new(Lost));
    let question = Question { tokens: &tokens(7), puzzles: &[0; 7] };
    session.push(question, SEARCH).unwrap();
    assert_eq!(session.step().unwrap_err().to_string(), "the referee is ill");
    assert!(session.is_empty() && session.take().is_none());
    session.step().unwrap();
    assert!(found(std::iter::from_fn(|| session.take()).collect()).is_empty());
}
