//! Search with referees who know nothing, everything or only a little.

mod beside;
mod costs;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::{Arc, Mutex};
use trm::{
    Config, Error, Found, Judgement, Limits, Model, News, Question, Referee, Search, SearchSession,
    Solver, Thought, Undo,
};
use trm_ops::{DType, Device};

const CELLS: usize = 16;

fn model() -> Model {
    let config = Config {
        vocab_size: 6,
        seq_len: CELLS,
        hidden: 32,
        inner_multiple: 8,
        cycles: 1,
        recursions: 1,
        prefix_len: 0,
        puzzle_embedding: 0,
        ..Config::default()
    };
    Model::new(&config, &Device::cpu(2), &mut ChaCha8Rng::seed_from_u64(3)).unwrap()
}

fn tokens(puzzles: usize) -> Vec<u8> {
    (0..puzzles * CELLS).map(|i| (1 + i * i % 5) as u8).collect()
}

fn solver(batch: usize) -> Solver {
    Solver::new(model(), DType::F32).batch(batch)
}

/// The first drafts of the model alone.
fn drafts(tokens: &[u8], steps: usize) -> Vec<Thought> {
    let mut session = solver(9).session();
    let question = Question { tokens, puzzles: &vec![0; tokens.len() / CELLS] };
    session.push(question, Limits { steps, halt: None }).unwrap();
    session.thoughts().map(Result::unwrap).collect()
}

/// Searches to the end, or `stop_after` steps.
fn finish(session: &mut SearchSession, stop_after: usize) -> Vec<News> {
    let (mut told, mut steps) = (Vec::new(), 0);
    while !session.is_empty() {
        session.step().unwrap();
        steps += 1;
        if steps >= stop_after {
            (0..100).for_each(|puzzle| session.give_up(puzzle));
        }
        told.extend(std::iter::from_fn(|| session.take()));
    }
    told
}

/// The outcomes by puzzle.
fn found(told: Vec<News>) -> Vec<Found> {
    let of = |news| match news {
        News::Found(found) => Some(found),
        News::Draft { .. } | News::Chain(_) => None,
    };
    let mut found: Vec<Found> = told.into_iter().filter_map(of).collect();
    found.sort_by_key(|f| f.puzzle);
    found
}

fn run(
    referee: impl Referee + 'static,
    (search, batch): (Search, usize),
    puzzles: usize,
    stop_after: usize,
) -> Vec<Found> {
    let mut session = solver(batch).search(Box::new(referee));
    let question = Question { tokens: &tokens(puzzles), puzzles: &vec![0; puzzles] };
    session.push(question, search).unwrap();
    found(finish(&mut session, stop_after))
}

const RIGHT: Judgement = Judgement::Right { cost: None };

/// Says the same of every draft; puzzles have no images.
struct Always(Judgement);

impl Referee for Always {
    fn judge(&mut self, _: &[u8], _: &[u8]) -> Result<Judgement, Error> {
        Ok(self.0)
    }

    fn augment_question(&mut self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        None
    }
}

const SEARCH: Search = Search {
    steps: 3,
    rollouts: 4,
    noise: 0.5,
    restart: 0.5,
    symmetries: true,
    patience: 0,
    judged: true,
    halt: 1.0,
    seed: 7,
};

#[test]
fn a_right_draft_ends_its_puzzle_at_once_and_is_verified() {
    for found in run(Always(RIGHT), (SEARCH, 5), 7, usize::MAX) {
        assert!(found.verified);
        assert_eq!((found.chain, found.chain_steps), (1, 1));
        assert_eq!((found.steps, found.rollouts), (1, 1), "no second chain beside the first");
    }
}

#[test]
fn a_search_that_is_not_judged_asks_no_referee() {
    struct Nobody;

    impl Referee for Nobody {
        fn judge(&mut self, _: &[u8], _: &[u8]) -> Result<Judgement, Error> {
            panic!("nobody is to be asked")
        }

        fn augment_question(&mut self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
            None
        }
    }

    let alone = Search { judged: false, ..SEARCH };
    let unknown = run(Always(Judgement::Unknown), (SEARCH, 5), 3, usize::MAX);
    assert_eq!(run(Nobody, (alone, 5), 3, usize::MAX), unknown);
    assert!(unknown.iter().all(|found| !found.verified && found.rollouts == 4));
    // the first draft that the model is sure of
    let sure = Search { halt: 1e-6, ..alone };
    for found in run(Nobody, (sure, 5), 3, usize::MAX) {
        assert_eq!((found.verified, found.steps, found.rollouts), (false, 1, 1));
    }
}

#[test]
fn without_a_right_draft_all_chains_think_to_their_end_whatever_the_batch() {
    let outcome = run(Always(Judgement::Wrong), (SEARCH, 5), 3, usize::MAX);
    assert_eq!(outcome.len(), 3);
    for found in &outcome {
        assert!(!found.verified && found.answer.len() == CELLS);
        assert_eq!((found.steps, found.rollouts), (4 * 3, 4));
    }
    for batch in [1, 2, 100] {
        let again = run(Always(Judgement::Wrong), (SEARCH, batch), 3, usize::MAX);
        assert_eq!(again, outcome, "{batch}");
    }
}

#[test]
fn the_first_chain_is_the_models_own() {
    let search = Search { rollouts: 1, ..SEARCH };
    let found = run(Always(Judgement::Unknown), (search, 5), 2, usize::MAX);
    let last = drafts(&tokens(2), 3).into_iter().filter(|thought| thought.last);
    let answers: Vec<Vec<u8>> = last.map(|thought| thought.answer).collect();
    assert_eq!(found.into_iter().map(|f| f.answer).collect::<Vec<_>>(), answers);
}

#[test]
fn when_time_is_up_every_puzzle_gets_what_there_is() {
    let found = run(Always(Judgement::Wrong), (Search { steps: 100, ..SEARCH }, 5), 7, 2);
    assert_eq!(found.len(), 7);
    let begun = found.iter().filter(|f| f.rollouts > 0);
    assert!(begun.clone().count() == 5 && begun.clone().all(|f| f.answer.len() == CELLS));
    assert!(found.iter().filter(|f| f.rollouts == 0).all(|f| f.answer.is_empty()));
}

/// Turns questions around, and remembers how often and what it is asked to judge. Clones remember together.
#[derive(Clone, Default)]
struct Mirror {
    augmented: Arc<Mutex<usize>>,
    judged: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Mirror {
    fn judged(&self) -> Vec<Vec<u8>> {
        self.judged.lock().unwrap().clone()
    }
}

impl Referee for Mirror {
    fn judge(&mut self, question: &[u8], draft: &[u8]) -> Result<Judgement, Error> {
        assert_eq!(question, &tokens(1)[..], "judged by the puzzle itself, not its image");
        self.judged.lock().unwrap().push(draft.to_vec());
        Ok(Judgement::Wrong)
    }

    fn augment_question(&mut self, question: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        *self.augmented.lock().unwrap() += 1;
        question.reverse();
        Some(Box::new(|answer| answer.reverse()))
    }
}

#[test]
fn answers_to_images_are_turned_back() {
    let calm = Search { noise: 0.0, restart: 0.0, rollouts: 2, steps: 1, ..SEARCH };
    let mirror = Mirror::default();
    run(mirror.clone(), (calm, 1), 1, usize::MAX);
    assert_eq!(*mirror.augmented.lock().unwrap(), 1, "the first chain sees the puzzle as it is");

    let mut image = tokens(1);
    image.reverse();
    let mut answer = drafts(&image, 1).remove(0).answer;
    answer.reverse();
    assert_eq!(mirror.judged()[1], answer);
    let plain = Search { symmetries: false, ..calm };
    let mirror = Mirror::default();
    run(mirror.clone(), (plain, 1), 1, usize::MAX);
    assert_eq!(*mirror.augmented.lock().unwrap(), 0);
    assert_eq!(mirror.judged()[0], mirror.judged()[1]);
}

#[test]
fn noise_makes_chains_differ_and_the_seed_repeats_them() {
    let drafts = |seed| {
        let mirror = Mirror::default();
        run(mirror.clone(), (Search { rollouts: 6, seed, ..SEARCH }, 1), 1, usize::MAX);
        mirror.judged()
    };
    let first = drafts(1);
    assert_eq!(first, drafts(1));
    assert_ne!(first, drafts(2));
    assert_eq!(first[..3], drafts(2)[..3], "the first chain has no noise");
}

/// Of a puzzle that is never solved, what is judged; tokens 1 may be supposed to be others.
#[derive(Clone, Default)]
struct Blanks(Arc<Mutex<Vec<Vec<u8>>>>);

impl Referee for Blanks {
    fn judge(&mut self, question: &[u8], draft: &[u8]) -> Result<Judgement, Error> {
        assert_eq!(question, &tokens(1)[..], "judged by the puzzle as it was asked");
        self.0.lock().unwrap().push(draft.to_vec());
        Ok(Judgement::Wrong)
    }

    fn augment_question(&mut self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        None
    }

    fn is_open(&self, token: u8) -> bool {
        token == 1
    }
}

#[test]
fn later_chains_suppose_what_they_doubt_when_their_patience_ends() {
    let calm = Search { noise: 0.0, restart: 0.0, steps: 6, rollouts: 3, ..SEARCH };
    let drafts = |patience| {
        let blanks = Blanks::default();
        run(blanks.clone(), (Search { patience, ..calm }, 1), 1, usize::MAX);
        std::mem::take(&mut *blanks.0.lock().unwrap())
    };
    let own = drafts(0);
    assert_eq!(own[..6], own[6..12], "nothing disturbs the chains");
    let supposing = drafts(2);
    assert_eq!(supposing[..6], own[..6], "the first chain supposes nothing");
    for chain in [6, 12] {
        assert_eq!(supposing[chain..chain + 2], own[..2], "patience has not ended");
        assert_ne!(supposing[chain + 2..chain + 6], own[2..6]);
    }
    assert_ne!(supposing[6..12], supposing[12..18], "chains suppose different things");
    assert_eq!(supposing, drafts(2), "the seed repeats them");
    assert_eq!(drafts(6), own, "no step is left to suppose anything for");

    let (closed, search) = (Mirror::default(), Search { symmetries: false, patience: 2, ..calm });
    run(closed.clone(), (search, 1), 1, usize::MAX);
    let judged = closed.judged();
    assert_eq!(judged[..6], judged[6..12], "nothing is open to be supposed");
}

#[test]
fn every_chain_tells_its_end_and_what_it_supposed() {
    let search = Search { steps: 5, rollouts: 3, patience: 2, ..SEARCH };
    let blanks = Blanks::default();
    let mut session = solver(1).search(Box::new(blanks.clone()));
    let asked = tokens(1);
    session.push(Question { tokens: &asked, puzzles: &[0] }, search).unwrap();
    let told = finish(&mut session, usize::MAX);
    let ends: Vec<_> = told
        .iter()
        .filter_map(|news| match news {
            News::Chain(end) => Some(end),
            _ => None,
        })
        .collect();
    assert_eq!(ends.iter().map(|end| end.chain).collect::<Vec<_>>(), [1, 2, 3]);
    let judged = blanks.0.lock().unwrap();
    for (end, drafts) in ends.iter().zip(judged.chunks_exact(5)) {
        assert_eq!((end.puzzle, end.steps, end.judgement), (0, 5, Judgement::Wrong));
        assert_eq!(end.answer, drafts[4]);
        // after the second and the fourth step; a token that is open itself supposes nothing
        assert_eq!(end.supposed.is_empty(), end.chain == 1, "{end:?}");
        assert!(end.supposed.len() <= 2);
        assert!(end.supposed.iter().all(|(cell, token)| asked[*cell] == 1 && *token != 1));
    }
}

/// Approves drafts that begin with their question's first cells, which only restoring them can make sure of.
struct Givens;

impl Referee for Givens {
    fn judge(&mut self, question: &[u8], draft: &[u8]) -> Result<Judgement, Error> {
        Ok(match question[..8] == draft[..8] {
            true => RIGHT,
            false => Judgement::Wrong,
        })
    }

    fn restore_givens(&self, question: &[u8], draft: &mut [u8]) {
        draft[..8].copy_from_slice(&question[..8]);
    }

    fn augment_question(&mut self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        None
    }
}

#[test]
fn givens_are_restored_before_a_draft_is_judged_told_or_found() {
    let (tokens, mut session) = (tokens(3), solver(5).search(Box::new(Givens)));
    let raw: Vec<u8> = drafts(&tokens, 1).into_iter().flat_map(|thought| thought.answer).collect();
    assert_ne!(raw[..8], tokens[..8], "the model alone changes givens");
    session.push(Question { tokens: &tokens, puzzles: &[0; 3] }, SEARCH).unwrap();
    let told = finish(&mut session, usize::MAX);
    for puzzle in 0..3 {
        let kept = [&tokens[puzzle * CELLS..][..8], &raw[puzzle * CELLS + 8..][..8]].concat();
        let News::Draft { puzzle: of, step: 1, answer, halt_logit, .. } = &told[puzzle] else {
            panic!("the first chains' drafts come first: {told:?}")
        };
        assert_eq!((*of, answer), (puzzle, &kept));
        let News::Found(found) = &told[6 + puzzle] else { panic!("{told:?}") };
        assert_eq!((&found.answer, found.verified, found.steps), (&kept, true, 1));
        assert_eq!(found.halt_logit, *halt_logit);
    }
}
