//! What a server, Python or any other program counts on: sessions go to other threads, take puzzles while they
//! work, know limits for each of them, and let one puzzle fail or leave alone.

use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::sync::mpsc;
use std::thread;
use trm::{
    Config, Error, Judgement, Limits, Model, Network, News, Question, Referee, Search,
    SearchSession, Session, Solver, Thought, Undo,
};
use trm_ops::{DType, Device, Stop, Tensor};

const CELLS: usize = 9;

const fn is_sendable<T: Send + 'static>() {}
const _: () = is_sendable::<Solver>();
const _: () = is_sendable::<Session>();
const _: () = is_sendable::<SearchSession>();

/// It is more or less sure of its drafts, and puzzles with the identifier 1 are too much for its numbers.
fn model() -> Model {
    let config = Config {
        vocab_size: 5,
        seq_len: CELLS,
        hidden: 16,
        heads: 2,
        inner_multiple: 8,
        cycles: 1,
        recursions: 1,
        prefix_len: 1,
        puzzle_embedding: 16,
        puzzle_identifiers: 2,
        ..Config::default()
    };
    let mut model =
        Model::new(&config, &Device::cpu(2), &mut ChaCha8Rng::seed_from_u64(4)).unwrap();
    let device = model.device().clone();
    let weights: Vec<f32> = (0..32u16).map(|i| f32::from(i * i % 7) - 3.0).collect();
    let mut parameters = model.parameters_mut();
    let head = parameters.len() - 2;
    parameters[head].set(Tensor::from_f32(&device, &[2, 16], &weights));
    let table = [vec![0.0; 16], vec![f32::MAX; 16]].concat();
    model.puzzle_embedding_mut().unwrap().set(Tensor::from_f32(&device, &[2, 16], &table));
    model
}

fn solver(batch: usize) -> Solver {
    Solver::new(model(), DType::F32).batch(batch)
}

fn tokens(puzzle: usize) -> Vec<u8> {
    (0..CELLS).map(|cell| ((cell * cell + puzzle * (cell + 1)) % 5) as u8).collect()
}

fn limits(steps: usize) -> Limits {
    Limits { steps, halt: None }
}

fn push(session: &mut Session, puzzle: usize, limits: Limits) -> usize {
    session.push(Question { tokens: &tokens(puzzle), puzzles: &[0] }, limits).unwrap().start
}

/// The drafts of a puzzle that has the session to itself.
fn alone(puzzle: usize, limits: Limits) -> Vec<Thought> {
    let mut session = solver(1).session();
    push(&mut session, puzzle, limits);
    session.thoughts().map(|thought| Thought { puzzle, ..thought.unwrap() }).collect()
}

#[test]
fn puzzles_are_pushed_from_another_thread_while_the_session_steps() {
    const PUZZLES: usize = 12;
    let (to_engine, requests) = mpsc::channel::<usize>();
    let (to_client, thoughts) = mpsc::channel::<Thought>();
    let mut session = solver(3).session();
    let engine = thread::spawn(move || {
        // waits for a puzzle, then takes up all that have come meanwhile before every step
        while let Ok(puzzle) = requests.recv() {
            push(&mut session, puzzle, limits(1 + puzzle % 4));
            while !session.is_empty() {
                while let Ok(puzzle) = requests.try_recv() {
                    push(&mut session, puzzle, limits(1 + puzzle % 4));
                }
                session.step().unwrap();
                while let Some(thought) = session.take() {
                    to_client.send(thought).unwrap();
                }
            }
        }
    });
    let mut found = vec![Vec::new(); PUZZLES];
    let mut hear = || {
        let thought = thoughts.recv().unwrap();
        let last = thought.last;
        found[thought.puzzle].push(thought);
        last
    };
    (0..4).for_each(|puzzle| to_engine.send(puzzle).unwrap());
    let (mut pushed, mut done) = (4, 0);
    while done < PUZZLES {
        if hear() {
            done += 1;
            if pushed < PUZZLES {
                to_engine.send(pushed).unwrap();
                pushed += 1;
            }
        }
    }
    drop(to_engine);
    engine.join().unwrap();
    for (puzzle, found) in found.into_iter().enumerate() {
        assert_eq!(found, alone(puzzle, limits(1 + puzzle % 4)), "puzzle {puzzle}");
    }
}

#[test]
fn every_puzzle_has_limits_of_its_own() {
    let drafts = alone(5, limits(6));
    let mut halting: Vec<f32> =
        drafts.iter().map(|draft| draft.halt_probability() as f32).collect();
    halting.sort_by(f32::total_cmp);
    let threshold = (halting[4] + halting[5]) / 2.0; // below one draft alone
    let sure = drafts.iter().position(|draft| draft.is_sure(threshold)).unwrap() + 1;
    let stops = Limits { steps: 6, halt: Some(threshold) };
    let mut session = solver(4).session();
    for limits in [limits(4), limits(1), limits(0), stops, limits(6)] {
        push(&mut session, 5, limits);
    }
    let mut steps = [0; 5];
    for thought in session.thoughts() {
        let thought = thought.unwrap();
        steps[thought.puzzle] = thought.step;
        assert_eq!(thought.logits, drafts[thought.step - 1].logits);
    }
    assert_eq!(steps, [4, 1, 1, sure, 6]);
}

#[test]
fn a_puzzle_without_numbers_fails_alone() {
    let mut session = solver(4).session();
    push(&mut session, 0, limits(3));
    let [a, b] = [tokens(1), tokens(2)];
    let bad = Question { tokens: &[a, b].concat(), puzzles: &[1, 1] };
    assert_eq!(session.push(bad, limits(3)).unwrap(), 1..3);
    push(&mut session, 3, limits(3));
    let (mut thoughts, mut failed) = (Vec::new(), Vec::new());
    for thought in session.thoughts() {
        match thought {
            Ok(thought) => thoughts.push(thought),
            Err(Error::NotFinite { puzzles }) => failed.extend(puzzles),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(failed, [1, 2]);
    for puzzle in [0, 3] {
        let of_puzzle = thoughts.iter().filter(|thought| thought.puzzle == puzzle);
        assert_eq!(of_puzzle.cloned().collect::<Vec<_>>(), alone(puzzle, limits(3)));
    }
}

/// Approves nothing.
struct Never;

impl Referee for Never {
    fn judge(&mut self, _: &[u8], _: &[u8]) -> Result<Judgement, Error> {
        Ok(Judgement::Wrong)
    }

    fn augment_question(&mut self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
        None
    }
}

#[test]
fn a_search_without_numbers_fails_alone_and_a_stopped_one_ends() {
    let stop = Stop::default();
    let question =
        Question { tokens: &[tokens(0), tokens(1), tokens(2)].concat(), puzzles: &[0, 1, 0] };
    let search = Search { steps: 2, rollouts: 2, ..Search::default() };
    let outcomes = |puzzles: &[u32], session: &mut SearchSession| {
        session.push(Question { puzzles, ..question }, search).unwrap();
        let (mut failed, mut found) = (Vec::new(), Vec::new());
        while !session.is_empty() {
            match session.step() {
                Err(Error::NotFinite { puzzles }) => failed.extend(puzzles),
                other => other.unwrap(),
            }
            while let Some(news) = session.take() {
                assert!(news.puzzle() != 1 || failed.is_empty());
                if let News::Found(outcome) = news {
                    found.push(outcome);
                }
            }
        }
        (failed, found)
    };
    let search_session = || solver(5).until(&stop).search(Box::new(Never));
    let (failed, found) = outcomes(question.puzzles, &mut search_session());
    let (none, mut all) = outcomes(&[0, 0, 0], &mut search_session());
    all.retain(|outcome| outcome.puzzle != 1);
    assert_eq!((failed, none), (vec![1], vec![]));
    assert_eq!(found, all);

    let mut session = solver(1).until(&stop).search(Box::new(Never));
    stop.request();
    for _ in 0..2 {
        session.push(question, search).unwrap();
        assert!(matches!(session.step(), Err(Error::Stopped)));
        assert!(session.is_empty() && session.take().is_none() && session.step().is_ok());
    }
}

#[test]
fn answers_wait_until_they_are_taken_and_drafts_give_way() {
    let mut session = solver(2).session();
    push(&mut session, 0, limits(1));
    push(&mut session, 1, limits(3));
    session.step().unwrap();
    session.step().unwrap();
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    while let Some(thought) = session.take() {
        waiting.push((thought.puzzle, thought.step));
    }
    assert_eq!(waiting, [(0, 1), (1, 2)]);
    assert_eq!(session.thoughts().map(|t| t.unwrap().step).collect::<Vec<_>>(), [3]);

    push(&mut session, 0, limits(1));
    session.step().unwrap();
    assert!(session.is_empty() && !session.withdraw(2), "it is done");
    assert_eq!(session.take(), None, "but nobody wants its answer any more");
}

#[test]
fn a_stopped_session_gives_nothing_and_ends() {
    let stop = Stop::default();
    let mut session = solver(1).until(&stop).session();
    push(&mut session, 0, limits(3));
    push(&mut session, 1, limits(3));
    let mut thoughts = session.thoughts();
    assert!(thoughts.next().unwrap().is_ok());
    stop.request();
    assert!(matches!(thoughts.next(), Some(Err(Error::Stopped))));
    assert!(thoughts.next().is_none());
    drop(thoughts);
    assert!(session.is_empty());
    push(&mut session, 2, limits(3)); // too late
    assert!(matches!(session.thoughts().collect::<Vec<_>>()[..], [Err(Error::Stopped)]));
}
