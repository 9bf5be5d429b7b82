//! Search with referees who know nothing, everything or only a little.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::cell::{Cell, RefCell};
use trm::{Config, Found, Judgement, Model, News, Question, Referee, Search, Solver, Undo};
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

fn run(referee: &dyn Referee, search: &Search, puzzles: usize, stop_after: usize) -> Vec<Found> {
    let (model, tokens, mut found) = (model(), tokens(puzzles), Vec::new());
    let question = Question { tokens: &tokens, puzzles: &vec![0; puzzles] };
    let mut steps = 0;
    let mut stop = || {
        steps += 1;
        steps >= stop_after
    };
    let mut hear = |news| {
        if let News::Found(outcome) = news {
            found.push(outcome);
        }
    };
    let solver = Solver::new(&model, DType::F32);
    solver.search(question, referee, search, &mut stop, &mut hear).unwrap();
    found.sort_by_key(|f| f.puzzle);
    found
}

/// Says the same of every draft; puzzles have no images.
struct Always(Judgement);

impl Referee for Always {
    fn judge(&self, _: &[u8], _: &[u8]) -> Judgement {
        self.0
    }

    fn disguise(&self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        None
    }
}

const SEARCH: Search = Search {
    steps: 3,
    rollouts: 4,
    batch: 5,
    noise: 0.5,
    restart: 0.5,
    symmetries: true,
    patience: 0,
    halt: 1.0,
    seed: 7,
};

#[test]
fn a_right_draft_ends_its_puzzle_at_once_and_is_verified() {
    for found in run(&Always(Judgement::Right), &SEARCH, 7, usize::MAX) {
        assert!(found.verified);
        assert_eq!((found.chain, found.chain_steps), (1, 1));
        assert_eq!((found.steps, found.rollouts), (1, 1), "no second chain beside the first");
    }
}

#[test]
fn without_a_right_draft_all_chains_think_to_their_end_whatever_the_batch() {
    let outcome = run(&Always(Judgement::Wrong), &SEARCH, 3, usize::MAX);
    assert_eq!(outcome.len(), 3);
    for found in &outcome {
        assert!(!found.verified && found.answer.len() == CELLS);
        assert_eq!((found.steps, found.rollouts), (4 * 3, 4));
    }
    for batch in [1, 2, 100] {
        let search = Search { batch, ..SEARCH };
        assert_eq!(run(&Always(Judgement::Wrong), &search, 3, usize::MAX), outcome, "{batch}");
    }
}

#[test]
fn the_first_chain_is_the_models_own() {
    let model = model();
    let tokens = tokens(2);
    let mut session = Solver::new(&model, DType::F32).start(&tokens, &[0, 0]).unwrap();
    let draft = (0..3).map(|_| session.step().unwrap()).last().unwrap();
    let search = Search { rollouts: 1, ..SEARCH };
    let found = run(&Always(Judgement::Unknown), &search, 2, usize::MAX);
    let answers: Vec<u8> = found.into_iter().flat_map(|f| f.answer).collect();
    assert_eq!(answers, draft.answers);
}

#[test]
fn when_time_is_up_every_puzzle_gets_what_there_is() {
    let found = run(&Always(Judgement::Wrong), &Search { steps: 100, ..SEARCH }, 7, 2);
    assert_eq!(found.len(), 7);
    let begun = found.iter().filter(|f| f.rollouts > 0);
    assert!(begun.clone().count() == 5 && begun.clone().all(|f| f.answer.len() == CELLS));
    assert!(found.iter().filter(|f| f.rollouts == 0).all(|f| f.answer.is_empty()));
}

/// Turns questions around, and remembers what it is asked to judge.
#[derive(Default)]
struct Mirror {
    disguised: Cell<usize>,
    judged: RefCell<Vec<Vec<u8>>>,
}

impl Referee for Mirror {
    fn judge(&self, question: &[u8], draft: &[u8]) -> Judgement {
        assert_eq!(question, &tokens(1)[..], "judged by the puzzle itself, not its image");
        self.judged.borrow_mut().push(draft.to_vec());
        Judgement::Wrong
    }

    fn disguise(&self, question: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        self.disguised.set(self.disguised.get() + 1);
        question.reverse();
        Some(Box::new(|answer| answer.reverse()))
    }
}

#[test]
fn answers_to_images_are_turned_back() {
    let calm = Search { noise: 0.0, restart: 0.0, rollouts: 2, steps: 1, batch: 1, ..SEARCH };
    let mirror = Mirror::default();
    run(&mirror, &calm, 1, usize::MAX);
    assert_eq!(mirror.disguised.get(), 1, "the first chain sees the puzzle as it is");

    let (model, mut image) = (model(), tokens(1));
    image.reverse();
    let mut answer =
        Solver::new(&model, DType::F32).start(&image, &[0]).unwrap().step().unwrap().answers;
    answer.reverse();
    assert_eq!(mirror.judged.borrow()[1], answer);
    let plain = Search { symmetries: false, ..calm };
    let mirror = Mirror::default();
    run(&mirror, &plain, 1, usize::MAX);
    assert_eq!(mirror.disguised.get(), 0);
    assert_eq!(mirror.judged.borrow()[0], mirror.judged.borrow()[1]);
}

#[test]
fn noise_makes_chains_differ_and_the_seed_repeats_them() {
    let drafts = |seed| {
        let mirror = Mirror::default();
        run(&mirror, &Search { rollouts: 6, seed, batch: 1, ..SEARCH }, 1, usize::MAX);
        mirror.judged.into_inner()
    };
    let first = drafts(1);
    assert_eq!(first, drafts(1));
    assert_ne!(first, drafts(2));
    assert_eq!(first[..3], drafts(2)[..3], "the first chain has no noise");
}

/// Of a puzzle that is never solved, what is judged; tokens 1 may be supposed to be others.
#[derive(Default)]
struct Blanks(RefCell<Vec<Vec<u8>>>);

impl Referee for Blanks {
    fn judge(&self, question: &[u8], draft: &[u8]) -> Judgement {
        assert_eq!(question, &tokens(1)[..], "judged by the puzzle as it was asked");
        self.0.borrow_mut().push(draft.to_vec());
        Judgement::Wrong
    }

    fn disguise(&self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        None
    }

    fn is_open(&self, token: u8) -> bool {
        token == 1
    }
}

#[test]
fn later_chains_suppose_what_they_doubt_when_their_patience_ends() {
    let calm = Search { noise: 0.0, restart: 0.0, steps: 6, rollouts: 3, batch: 1, ..SEARCH };
    let drafts = |patience| {
        let blanks = Blanks::default();
        run(&blanks, &Search { patience, ..calm }, 1, usize::MAX);
        blanks.0.into_inner()
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
    run(&closed, &search, 1, usize::MAX);
    let judged = closed.judged.borrow();
    assert_eq!(judged[..6], judged[6..12], "nothing is open to be supposed");
}

/// Approves drafts that begin with their question's first cells, which only restoring them can make sure of.
struct Givens;

impl Referee for Givens {
    fn judge(&self, question: &[u8], draft: &[u8]) -> Judgement {
        match question[..8] == draft[..8] {
            true => Judgement::Right,
            false => Judgement::Wrong,
        }
    }

    fn restore_givens(&self, question: &[u8], draft: &mut [u8]) {
        draft[..8].copy_from_slice(&question[..8]);
    }

    fn disguise(&self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        None
    }
}

#[test]
fn givens_are_restored_before_a_draft_is_judged_told_or_found() {
    let (model, tokens, mut told) = (model(), tokens(3), Vec::new());
    let question = Question { tokens: &tokens, puzzles: &[0; 3] };
    let solver = Solver::new(&model, DType::F32);
    let raw = solver.start(&tokens, &[0; 3]).unwrap().step().unwrap().answers;
    assert_ne!(raw[..8], tokens[..8], "the model alone changes givens");
    solver.search(question, &Givens, &SEARCH, &mut || false, &mut |news| told.push(news)).unwrap();
    for puzzle in 0..3 {
        let kept = [&tokens[puzzle * CELLS..][..8], &raw[puzzle * CELLS + 8..][..8]].concat();
        let News::Draft { puzzle: of, step: 1, answer, halt_logit } = &told[puzzle] else {
            panic!("the first chains' drafts come first: {told:?}")
        };
        assert_eq!((*of, answer), (puzzle, &kept));
        let News::Found(found) = &told[3 + puzzle] else { panic!("{told:?}") };
        assert_eq!((&found.answer, found.verified, found.steps), (&kept, true, 1));
        assert_eq!(found.halt_logit, *halt_logit);
    }
}
