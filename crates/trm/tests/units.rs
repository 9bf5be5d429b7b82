//! Models whose tokens are candidates: what they owe to every model, and what their shape promises.

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::sync::Arc;
use trm::{Config, Error, Limits, Mix, Model, Network, Positions, Question, Solver, Thought};
use trm_ops::{DType, Device};

const CELLS: usize = 36;

fn config() -> Config {
    Config {
        vocab_size: 8,
        seq_len: CELLS,
        hidden: 32,
        inner_multiple: 8,
        mix: Mix::Units,
        boxes: [2, 3],
        cycles: 2,
        recursions: 2,
        prefix_len: 0,
        puzzle_embedding: 0,
        ..Config::default()
    }
}

fn model() -> Arc<Model> {
    Model::new(&config(), &Device::cpu(2), &mut ChaCha8Rng::seed_from_u64(1)).unwrap().into()
}

/// Cells that are blank more often than not.
fn questions(puzzles: usize) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut cell = || if rng.random_bool(0.6) { 1 } else { rng.random_range(2..8) };
    (0..puzzles * CELLS).map(|_| cell()).collect()
}

/// The last drafts of so many steps.
fn drafts(model: &Arc<Model>, dtype: DType, tokens: &[u8], steps: usize) -> Vec<Thought> {
    let puzzles = vec![0; tokens.len() / CELLS];
    let mut session = Solver::new(model.clone(), dtype).session();
    let limits = Limits { steps, halt: None };
    session.push(Question { tokens, puzzles: &puzzles }, limits).unwrap();
    session.thoughts().map(Result::unwrap).filter(|thought| thought.last).collect()
}

fn logits(model: &Arc<Model>, dtype: DType, tokens: &[u8]) -> Vec<f32> {
    drafts(model, dtype, tokens, 2).into_iter().flat_map(|thought| thought.logits).collect()
}

#[test]
fn a_puzzle_gets_the_same_alone_and_in_a_batch_bit_for_bit() {
    let (model, tokens) = (model(), questions(5));
    for dtype in [DType::F32, DType::Bf16] {
        let alone: Vec<f32> = tokens
            .chunks_exact(CELLS)
            .flat_map(|question| logits(&model, dtype, question))
            .collect();
        assert_eq!(logits(&model, dtype, &tokens), alone, "{dtype}");
    }
}

#[test]
fn other_names_for_digits_and_another_order_of_bands_change_nothing_else() {
    let (model, question) = (model(), questions(1));
    let digit = |d: u8| (d + 2) % 6; // from 0
    let row = |r: usize| [4, 5, 1, 0, 2, 3][r]; // bands of two rows
    let mut image = vec![0; CELLS];
    for (cell, token) in question.iter().enumerate() {
        let token = token.checked_sub(2).map_or(*token, |d| digit(d) + 2);
        image[row(cell / 6) * 6 + cell % 6] = token;
    }
    let (of_question, of_image) =
        (logits(&model, DType::F32, &question), logits(&model, DType::F32, &image));
    for cell in 0..CELLS {
        let there = row(cell / 6) * 6 + cell % 6;
        for d in 0..6u8 {
            let a = of_question[cell * 8 + 2 + usize::from(d)];
            let b = of_image[there * 8 + 2 + usize::from(digit(d))];
            assert!((a - b).abs() < 1e-3, "cell {cell}, digit {d}: {a} and {b}");
        }
    }
}

#[test]
fn every_draft_has_digits_alone() {
    let (model, tokens) = (model(), questions(3));
    let drafts = drafts(&model, DType::Bf16, &tokens, 1);
    let mut answers = drafts.iter().flat_map(|thought| &thought.answer);
    assert!(drafts.len() == 3 && answers.all(|token| (2..8).contains(token)));
}

#[test]
fn both_number_formats_agree() {
    let (model, tokens) = (model(), questions(2));
    let pairs = logits(&model, DType::F32, &tokens).into_iter();
    let far = pairs.zip(logits(&model, DType::Bf16, &tokens)).filter(|(a, b)| (a - b).abs() > 0.1);
    assert_eq!(far.count(), 0);
}

#[test]
fn weights_survive_the_file() {
    let model = model();
    let bytes = model.to_safetensors(DType::F32).unwrap();
    let loaded = Model::from_safetensors(&config(), model.device(), &bytes).unwrap();
    let tokens = questions(1);
    assert_eq!(logits(&model, DType::F32, &tokens), logits(&loaded.into(), DType::F32, &tokens));
}

#[test]
fn what_is_no_sudoku_is_refused() {
    let refuse = |config: Config| {
        let error = Model::new(&config, &Device::cpu(1), &mut ChaCha8Rng::seed_from_u64(1));
        match error {
            Err(Error::Config(error)) => error.to_string(),
            other => panic!("{:?}", other.map(|_| ())),
        }
    };
    assert!(refuse(Config { boxes: [3, 3], ..config() }).contains("n + 2 tokens"));
    assert!(refuse(Config { boxes: [usize::MAX, 3], ..config() }).contains("n + 2 tokens"));
    assert!(refuse(Config { hidden: 40, ..config() }).contains("multiple of 16"));
    let placed = Config { positions: Positions::Learned, ..config() };
    assert!(refuse(placed).contains("positions = \"none\""));
    let rotated = Config { positions: Positions::Rope, ..config() };
    assert!(refuse(rotated).contains("positions = \"none\""));
}
