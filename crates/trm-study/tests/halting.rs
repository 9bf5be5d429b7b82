//! Evaluation and solving with halting: puzzles that leave the batch and others that take their
//! place change no answer and no number.

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::sync::Arc;
use trm::{Config, Limits, Mix, Model, Network, Positions, Question, Search, Solver};
use trm_data::{Dataset, Generated, Kind, generate_sudoku};
use trm_ops::{DType, Device, Tensor};
use trm_puzzles::Domain;
use trm_puzzles::sudoku::{Givens, Shape};
use trm_study::{Effort, SearchOptions, Trail};
use trm_train::{EvalOptions, Evaluation, Score, evaluate};

const PUZZLES: usize = 23;
const CELLS: usize = 16;
const STEPS: usize = 5;

/// A model with a halting head that is sure of some puzzles at once, of others later or never.
fn model(mix: Mix) -> Model {
    let config = Config {
        domain: "sudoku4".into(),
        vocab_size: 6,
        seq_len: CELLS,
        hidden: 32,
        heads: 4,
        inner_multiple: 8,
        cycles: 2,
        recursions: 2,
        prefix_len: 1,
        puzzle_embedding: 32,
        mix,
        positions: Positions::Learned,
        ..Config::default()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut model = Model::new(&config, &Device::cpu(2), &mut rng).unwrap();
    let weights: Vec<f32> = (0..64).map(|_| rng.random_range(-1.0..1.0)).collect();
    set_halting_head(&mut model, &weights, 0.0);
    let drafts = Drafts::new(&Solver::new(model.clone(), DType::F32), &puzzles());
    let mut logits = drafts.halt_logits.concat();
    logits.sort_by(f32::total_cmp);
    set_halting_head(&mut model, &weights, -logits[logits.len() * 3 / 4]);
    model
}

fn set_halting_head(model: &mut Model, weights: &[f32], bias: f32) {
    let device = model.device().clone();
    let mut parameters = model.parameters_mut();
    let head = parameters.len() - 2;
    parameters[head].set(Tensor::from_f32(&device, &[2, weights.len() / 2], weights));
    parameters[head + 1].set(Tensor::from_f32(&device, &[2], &[bias, 0.0]));
}

fn puzzles() -> Dataset {
    let kind = Kind::Random(Givens::AtLeast(6..=10));
    let wanted = Generated { shape: Shape::Four, train: PUZZLES, test: 1, kind, seed: 5 };
    generate_sudoku(&wanted, None, &mut |_| ()).unwrap().train
}

/// What a model drafts for all puzzles in one batch that nobody leaves, by step and puzzle.
struct Drafts {
    answers: Vec<Vec<u8>>,
    halt_logits: Vec<Vec<f32>>,
    logits: Vec<Vec<f32>>,
}

impl Drafts {
    fn new(solver: &Solver, data: &Dataset) -> Drafts {
        let mut session = solver.clone().batch(PUZZLES).session();
        let question = Question { tokens: &data.inputs, puzzles: &data.example_identifiers() };
        session.push(question, Limits { steps: STEPS, halt: None }).unwrap();
        let mut drafts = Drafts {
            answers: vec![Vec::new(); STEPS],
            halt_logits: vec![Vec::new(); STEPS],
            logits: vec![Vec::new(); STEPS],
        };
        for thought in session.thoughts() {
            let thought = thought.unwrap();
            let step = thought.step - 1;
            drafts.logits[step].extend(thought.logits);
            drafts.answers[step].extend(thought.answer);
            drafts.halt_logits[step].push(thought.halt_logit);
        }
        drafts
    }

    fn answer(&self, step: usize, puzzle: usize) -> &[u8] {
        &self.answers[step][puzzle * CELLS..][..CELLS]
    }

    /// Whether the halting probability is above a threshold.
    fn sure(&self, step: usize, puzzle: usize, threshold: f32) -> bool {
        let logit = self.halt_logits[step][puzzle];
        1.0 / (1.0 + (-f64::from(logit)).exp()) > f64::from(threshold)
    }

    /// Index of the step at which a puzzle stops, if it may stop.
    fn stop(&self, puzzle: usize, halt: Option<f32>) -> usize {
        let sure = |step: &usize| halt.is_some_and(|p| self.sure(*step, puzzle, p));
        (0..STEPS).find(sure).unwrap_or(STEPS - 1)
    }
}

/// The puzzles, half of them with labels that the model drafts at some step, so that it is right.
fn data(solver: &Solver) -> Dataset {
    let mut data = puzzles();
    let drafts = Drafts::new(solver, &data);
    for puzzle in (0..PUZZLES).step_by(2) {
        let label = drafts.answer(puzzle / 2 % STEPS, puzzle);
        data.labels[puzzle * CELLS..][..CELLS].copy_from_slice(label);
    }
    data
}

fn all(test: impl Fn(&Solver, DType)) {
    for mix in [Mix::Mixer, Mix::Attention] {
        let model = Arc::new(model(mix));
        for dtype in [DType::F32, DType::Bf16] {
            test(&Solver::new(model.clone(), dtype), dtype);
        }
    }
}

fn assert_is(evaluation: &Evaluation, drafts: &Drafts, data: &Dataset, halt: Option<f32>) {
    let threshold = halt.unwrap_or(0.5);
    assert_eq!((evaluation.halt, evaluation.sure_above()), (halt, threshold));
    let score = |step: usize, puzzle: usize| {
        Score::new(drafts.answer(step, puzzle), data.label(puzzle), 1, data.ignore_label())
    };
    for (k, found) in evaluation.steps.iter().enumerate() {
        let stops = (0..PUZZLES).map(|p| (drafts.stop(p, halt).min(k), p));
        let count =
            |f: &dyn Fn(usize, usize) -> bool| stops.clone().filter(|s| f(s.0, s.1)).count();
        let exact = |step, puzzle| score(step, puzzle).exact[0];
        let sure = |step: usize, puzzle: usize| drafts.sure(step, puzzle, threshold);
        assert_eq!(found.exact, count(&exact), "exact by step {}", k + 1);
        assert_eq!(found.halted, count(&sure));
        assert_eq!(found.halted_exact, count(&|s, p| exact(s, p) && sure(s, p)));
        let cells: f64 = stops.clone().map(|(s, p)| f64::from(score(s, p).cells[0])).sum();
        assert_eq!(found.cells, cells / PUZZLES as f64);
    }
    let outputs = evaluation.outputs.as_ref().unwrap();
    for puzzle in 0..PUZZLES {
        let stop = drafts.stop(puzzle, halt);
        let of = |values: &[f32]| {
            let len = values.len() / PUZZLES;
            values[puzzle * len..][..len].iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(outputs.answers[puzzle * CELLS..][..CELLS], *drafts.answer(stop, puzzle));
        assert_eq!(of(&outputs.halt_logits), of(&drafts.halt_logits[stop]));
        assert_eq!(of(&outputs.logits), of(&drafts.logits[stop]));
    }
    let mean = |halt| {
        (0..PUZZLES).map(|p| drafts.stop(p, halt) + 1).sum::<usize>() as f64 / PUZZLES as f64
    };
    let first_sure = mean(Some(threshold));
    assert_eq!((evaluation.mean_steps, evaluation.mean_halt_step), (mean(halt), first_sure));
}

#[test]
fn evaluation_on_a_refilled_batch_equals_that_on_a_whole_one() {
    all(|solver, dtype| {
        let data = data(solver);
        let drafts = Drafts::new(solver, &data);
        for halt in [None, Some(0.4), Some(0.5), Some(0.6), Some(1.0)] {
            let mut stops: Vec<usize> = (0..PUZZLES).map(|p| drafts.stop(p, halt)).collect();
            stops.sort_unstable();
            stops.dedup();
            let even = halt.is_none_or(|p| p == 1.0);
            assert!(even || stops.len() > 2, "{dtype}: {stops:?} is too even to test anything");
            let mut pages = Vec::new();
            for batch in [1, 4, PUZZLES, PUZZLES + 5] {
                let options = EvalOptions { steps: STEPS, batch, halt, dtype, keep_outputs: true };
                let mut done = Vec::new();
                let mut found =
                    evaluate(solver.model(), &data, options, &mut |n| done.push(n)).unwrap();
                assert!(done.is_sorted_by(|one, next| one < next), "{done:?}");
                assert_eq!(done.last(), Some(&PUZZLES));
                assert!(!even || batch < PUZZLES || done.len() == 1, "told puzzle by puzzle");
                assert_is(&found, &drafts, &data, halt);
                assert!(found.steps.iter().any(|step| (1..PUZZLES).contains(&step.exact)));
                found.seconds = 0.0;
                pages.push(serde_json::to_string(&found).unwrap());
            }
            assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
            let written = halt.map_or("null".into(), |p| format!("{p:?}"));
            assert!(pages[0].contains(&format!("\"halt\":{written},")), "{}", pages[0]);
        }
    });
}

#[test]
fn trails_of_many_puzzles_are_those_of_each_in_their_order() {
    let domain: Domain = "sudoku4".parse().unwrap();
    all(|solver, dtype| {
        let data = data(solver);
        let question = Question { tokens: &data.inputs, puzzles: &[0; PUZZLES] };
        let limits = Limits { steps: STEPS, halt: Some(Limits::CAREFUL_HALT) };
        let search = Search { steps: STEPS, rollouts: 1, ..Search::default() };
        let judged = Effort::Judged(SearchOptions { search, time: None });
        for effort in [Effort::OnePass(limits), judged] {
            let follow = |question, batch| {
                let solver = solver.clone().batch(batch);
                Trail::follow_all(&solver, &domain, question, effort).unwrap()
            };
            let alone = |puzzle| {
                follow(Question { tokens: data.input(puzzle), puzzles: &[0] }, 1).remove(0)
            };
            let wanted: Vec<Trail> = (0..PUZZLES).map(alone).collect();
            assert!(wanted.iter().any(|trail| trail.steps.len() > 1));
            for batch in [1, 4, PUZZLES + 5] {
                assert_eq!(follow(question, batch), wanted, "{dtype}, batch {batch}");
            }
        }
        let short = Question { tokens: &data.inputs[1..], ..question };
        assert!(Trail::follow_all(solver, &domain, short, judged).is_err());
    });
}

#[test]
fn judged_thinking_keeps_givens_and_ends_where_the_rules_approve() {
    let domain: Domain = "sudoku4".parse().unwrap();
    let solver = Solver::new(model(Mix::Mixer), DType::F32);
    for blanks in [0, 1, 16] {
        let mut question = domain.parse("1324423124133142").unwrap();
        question[..blanks].fill(1);
        let trail = Trail::follow(&solver, &domain, &question, STEPS).unwrap();
        for step in &trail.steps {
            assert_eq!(step.answer[blanks..], question[blanks..]);
        }
        let approved = trail.steps.iter().position(|step| step.verdict.is_solved());
        assert_eq!(trail.steps.len(), approved.map_or(STEPS, |last| last + 1));
        assert!(blanks > 0 || trail.last().verdict.is_solved(), "nothing was left to solve");
    }
}

#[test]
fn thresholds_that_are_no_probability_are_refused() {
    let (model, dtype) = (Arc::new(model(Mix::Mixer)), DType::F32);
    for halt in [0.0, -1.0, 1.5, f32::NAN].map(Some) {
        let options = EvalOptions { steps: STEPS, batch: 4, halt, dtype, keep_outputs: false };
        let error = evaluate(&model, &puzzles(), options, &mut |_| ()).unwrap_err();
        assert!(error.is_misuse(), "{error}");
        assert!(error.to_string().contains("must be a probability above 0"), "{error}");
    }
}
