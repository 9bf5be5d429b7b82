//! What a puzzle gets does not depend on the batch, bit for bit: not on the puzzles beside it, not
//! on its place, not on who leaves and joins. So halting early saves work and changes nothing.

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::sync::Arc;
use trm::{Config, Limits, Mix, Model, Network, Positions, Question, Session, Solver, Thought};
use trm_ops::{DType, Device, Tensor};

const CELLS: usize = 17;
const PUZZLES: usize = 31; // several portions
const STEPS: usize = 5;

/// A model with a halting head that is sure of some puzzles at once, of others later or never.
fn model(mix: Mix, positions: Positions) -> Model {
    let config = Config {
        vocab_size: 7,
        seq_len: CELLS,
        hidden: 40,
        heads: 5,
        inner_multiple: 8,
        cycles: 2,
        recursions: 2,
        prefix_len: 2,
        puzzle_embedding: 60,
        puzzle_identifiers: 3,
        mix,
        positions,
        ..Config::default()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut model = Model::new(&config, &Device::cpu(2), &mut rng).unwrap();
    let device = model.device().clone();
    let mut parameters = model.parameters_mut();
    let head = parameters.len() - 2;
    let weights: Vec<f32> = (0..80).map(|_| rng.random_range(-1.0..1.0)).collect();
    parameters[head].set(Tensor::from_f32(&device, &[2, 40], &weights));
    parameters[head + 1].set(Tensor::from_f32(&device, &[2], &[0.0, 0.0]));
    model
}

/// Every variant of the network in both number formats.
fn all(test: impl Fn(Solver, &str)) {
    for (mix, positions) in [(Mix::Mixer, Positions::Learned), (Mix::Attention, Positions::Rope)] {
        let model = Arc::new(model(mix, positions));
        for dtype in [DType::F32, DType::Bf16] {
            test(Solver::new(model.clone(), dtype), &format!("{mix:?} {dtype}"));
        }
    }
}

/// Different puzzles, with different identifiers.
fn question() -> (Vec<u8>, Vec<u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let tokens = (0..PUZZLES * CELLS).map(|_| rng.random_range(0..7)).collect();
    (tokens, (0..PUZZLES as u32).map(|puzzle| puzzle % 3).collect())
}

/// Answer, halting logit and logits of a puzzle, to be compared bit for bit.
type Bits = (Vec<u8>, u32, Vec<u32>);

fn bits(thought: &Thought) -> Bits {
    let logits = thought.logits.iter().map(|x| x.to_bits()).collect();
    (thought.answer.clone(), thought.halt_logit.to_bits(), logits)
}

const ALL_STEPS: Limits = Limits { steps: STEPS, halt: None };

/// All drafts of every puzzle, each alone in its session: `[PUZZLES][STEPS]`.
fn alone(solver: &Solver) -> Vec<Vec<Bits>> {
    let (tokens, puzzles) = question();
    let drafts = |(tokens, puzzle): (&[u8], &u32)| {
        let mut session = solver.session();
        session.push(Question { tokens, puzzles: &[*puzzle] }, ALL_STEPS).unwrap();
        session.thoughts().map(|thought| bits(&thought.unwrap())).collect()
    };
    tokens.chunks(CELLS).zip(&puzzles).map(drafts).collect()
}

#[test]
fn a_puzzle_gets_the_same_alone_and_anywhere_in_any_batch() {
    let (tokens, puzzles) = question();
    all(|solver, what| {
        let alone = alone(&solver);
        for size in [2, 3, 8, 9, 13, 14, PUZZLES] {
            for turn in 0..size.min(3) {
                // every batch turned, so that a puzzle stands at several places
                let mut order: Vec<usize> = (0..size).collect();
                order.rotate_left(turn);
                let tokens: Vec<u8> =
                    order.iter().flat_map(|p| &tokens[p * CELLS..][..CELLS]).copied().collect();
                let puzzles: Vec<u32> = order.iter().map(|p| puzzles[*p]).collect();
                let mut session = solver.clone().batch(size).session();
                session.push(Question { tokens: &tokens, puzzles: &puzzles }, ALL_STEPS).unwrap();
                for (i, thought) in session.thoughts().enumerate() {
                    let (step, place, thought) = (i / size, i % size, thought.unwrap());
                    assert_eq!((thought.puzzle, thought.step), (place, step + 1));
                    let puzzle = order[place];
                    let same = bits(&thought) == alone[puzzle][step];
                    assert!(same, "{what}: puzzle {puzzle} at {place} of {size}, step {step}");
                }
            }
        }
    });
}

#[test]
fn puzzles_leave_and_join_without_a_trace() {
    let (tokens, puzzles) = question();
    let part = |from: usize, to: usize| Question {
        tokens: &tokens[from * CELLS..to * CELLS],
        puzzles: &puzzles[from..to],
    };
    all(|solver, what| {
        let alone = alone(&solver);
        let expect = |session: &mut Session, rows: &[(usize, usize)]| {
            session.step().unwrap();
            for (puzzle, step) in rows {
                let thought = session.take().unwrap();
                assert_eq!((thought.puzzle, thought.step), (*puzzle, *step), "{what}");
                let same = bits(&thought) == alone[*puzzle][step - 1];
                assert!(same, "{what}: puzzle {puzzle}, step {step}");
            }
            assert_eq!(session.take(), None);
        };
        let mut session = solver.batch(5).session();
        assert_eq!(session.push(part(0, 4), ALL_STEPS).unwrap(), 0..4);
        expect(&mut session, &[(0, 1), (1, 1), (2, 1), (3, 1)]);
        assert!(session.withdraw(0) && session.withdraw(2) && !session.withdraw(0));
        expect(&mut session, &[(1, 2), (3, 2)]);
        assert_eq!(session.push(part(4, 9), ALL_STEPS).unwrap(), 4..9);
        expect(&mut session, &[(1, 3), (3, 3), (4, 1), (5, 1), (6, 1)]);
        assert!(session.withdraw(7), "it waits");
        assert!([3, 4, 5].into_iter().all(|puzzle| session.withdraw(puzzle)));
        expect(&mut session, &[(1, 4), (6, 2), (8, 1)]);
        let unfit = Question { tokens: &[0; CELLS], puzzles: &[3] };
        assert!(session.push(unfit, ALL_STEPS).is_err());
        expect(&mut session, &[(1, 5), (6, 3), (8, 2)]);
        assert!(!session.withdraw(1), "it is done");
        assert!(session.withdraw(6) && session.withdraw(8));
        assert!(session.is_empty());
        expect(&mut session, &[]);
        assert_eq!(session.push(part(9, 11), ALL_STEPS).unwrap(), 9..11);
        expect(&mut session, &[(9, 1), (10, 1)]);
    });
}

/// Thresholds that part the drafts of these models; at one half exactly the logits above 0 are
/// above.
const THRESHOLDS: [f32; 4] = [0.3, Limits::PUBLISHED_HALT, 0.6, 0.75];

/// For every puzzle its drafts up to the first that its model is sure of, in at most `steps` steps.
fn until_sure(alone: &[Vec<Bits>], threshold: f32, steps: usize) -> Vec<Vec<Bits>> {
    let sure = |(_, logit, _): &Bits| match f32::from_bits(*logit) {
        logit if threshold == 0.5 => logit > 0.0,
        logit => 1.0 / (1.0 + (-f64::from(logit)).exp()) > f64::from(threshold),
    };
    let mut drafts = alone.to_vec();
    for drafts in &mut drafts {
        let sure = drafts.iter().position(sure);
        drafts.truncate(sure.map_or(steps, |step| (step + 1).min(steps)));
    }
    drafts
}

/// Thinks about all puzzles and sorts the drafts by puzzle.
fn by_puzzle(solver: &Solver, batch: usize, limits: Limits) -> Vec<Vec<Thought>> {
    let (tokens, puzzles) = question();
    let mut session = solver.clone().batch(batch).session();
    session.push(Question { tokens: &tokens, puzzles: &puzzles }, limits).unwrap();
    let mut found = vec![Vec::new(); PUZZLES];
    for thought in session.thoughts() {
        let thought = thought.unwrap();
        found[thought.puzzle].push(thought);
    }
    found
}

fn assert_same(found: &[Vec<Thought>], wanted: &[Vec<Bits>], what: &str) {
    for (puzzle, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert_eq!(found.len(), wanted.len(), "{what}: steps of puzzle {puzzle}");
        for (i, (thought, wanted)) in found.iter().zip(wanted).enumerate() {
            assert!(bits(thought) == *wanted, "{what}: puzzle {puzzle}, step {}", i + 1);
            assert_eq!((thought.step, thought.last), (i + 1, i + 1 == found.len()));
        }
    }
}

#[test]
fn a_refilled_batch_gives_what_every_puzzle_gives_alone_until_it_halts() {
    all(|solver, what| {
        let alone = alone(&solver);
        for threshold in THRESHOLDS {
            let wanted = until_sure(&alone, threshold, STEPS);
            let mut steps: Vec<usize> = wanted.iter().map(Vec::len).collect();
            steps.sort_unstable();
            steps.dedup();
            let what = format!("{what}, threshold {threshold}");
            assert!(steps.len() > 2, "{what}: {steps:?} is too even to test anything");
            // shorter than the queue, as long, longer
            for batch in [1, 2, 4, PUZZLES, PUZZLES + 9, usize::MAX] {
                let limits = Limits { steps: STEPS, halt: Some(threshold) };
                let found = by_puzzle(&solver, batch, limits);
                assert_same(&found, &wanted, &format!("{what}, batch {batch}"));
            }
        }
    });
}

#[test]
fn a_higher_threshold_never_takes_fewer_steps() {
    all(|solver, what| {
        let lengths = |halt| -> Vec<usize> {
            let limits = Limits { steps: STEPS, halt };
            by_puzzle(&solver, 4, limits).iter().map(Vec::len).collect()
        };
        let found: Vec<Vec<usize>> = THRESHOLDS.map(|p| lengths(Some(p))).into();
        let total = |steps: &Vec<usize>| steps.iter().sum::<usize>();
        assert!(total(&found[0]) < total(&found[3]), "{what}: {found:?} are too even");
        for pair in found.windows(2) {
            assert!(pair[0].iter().zip(&pair[1]).all(|(low, high)| low <= high), "{what}");
        }
        assert_eq!(lengths(Some(1.0)), lengths(None), "{what}");
    });
}

#[test]
fn the_limit_of_steps_ends_what_does_not_halt() {
    all(|solver, what| {
        let alone = alone(&solver);
        let limits = Limits { steps: 2, halt: Some(0.5) };
        assert_same(&by_puzzle(&solver, 3, limits), &until_sure(&alone, 0.5, 2), what);
        assert_same(&by_puzzle(&solver, 3, ALL_STEPS), &alone, what);
        let nothing = by_puzzle(&solver, 0, Limits { steps: 0, halt: None });
        assert!(nothing.iter().all(|drafts| drafts.len() == 1 && drafts[0].last));
    });
}

#[test]
fn the_next_puzzle_joins_as_soon_as_there_is_room() {
    let model = model(Mix::Mixer, Positions::Learned);
    let solver = Solver::new(model, DType::F32).batch(4);
    let drafts = until_sure(&alone(&solver), 0.5, STEPS);
    let steps: Vec<usize> = drafts.iter().map(Vec::len).collect();
    let (mut wanted, mut rows, mut next) = (Vec::new(), Vec::new(), 0);
    while next < PUZZLES || !rows.is_empty() {
        while rows.len() < 4 && next < PUZZLES {
            rows.push((next, 0));
            next += 1;
        }
        rows.iter_mut().for_each(|(_, step)| *step += 1);
        wanted.extend(rows.iter().copied());
        rows.retain(|(puzzle, step)| *step < steps[*puzzle]);
    }
    let (tokens, puzzles) = question();
    let question = Question { tokens: &tokens, puzzles: &puzzles };
    let mut session = solver.session();
    session.push(question, Limits { steps: STEPS, halt: Some(0.5) }).unwrap();
    let thoughts = session.thoughts();
    let found: Vec<(usize, usize)> =
        thoughts.map(|t| t.map(|t| (t.puzzle, t.step)).unwrap()).collect();
    assert_eq!(found, wanted);
}

#[test]
fn questions_and_thresholds_that_do_not_fit_are_refused_before_anything_is_computed() {
    let model = model(Mix::Mixer, Positions::None);
    let mut session = Solver::new(model, DType::F32).session();
    let limits = Limits { steps: STEPS, halt: Some(0.5) };
    let mut error = |tokens: &[u8], puzzles: &[u32], limits: Limits| {
        let refused = session.push(Question { tokens, puzzles }, limits).unwrap_err().to_string();
        assert!(session.is_empty(), "none of them has joined");
        refused
    };
    let mut tokens = vec![1; 3 * CELLS];
    assert!(error(&tokens, &[0, 1], limits).starts_with("51 tokens for 2 puzzles"));
    assert!(error(&tokens, &[0, 1, 3], limits).starts_with("puzzle identifier 3"));
    tokens[2 * CELLS] = 7;
    assert!(error(&tokens, &[0, 1, 2], limits).starts_with("token 7 at position 34"));
    for threshold in [0.0, -0.5, 1.0001, f32::NAN, f32::INFINITY] {
        let error = error(&[], &[], Limits { halt: Some(threshold), ..limits });
        let expected = format!("halt = {threshold}: must be a probability above 0 and at most 1");
        assert_eq!(error, expected);
    }
    assert_eq!(session.push(Question { tokens: &[], puzzles: &[] }, limits).unwrap(), 0..0);
    assert!(session.thoughts().next().is_none());
}
