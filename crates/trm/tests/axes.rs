//! Models of matrices: rows and columns have no order, and no fixed number.

mod common;

use common::first_logits as logits;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::sync::Arc;
use trm::{Config, Mix, Model, Network};
use trm_ops::{DType, Device};

const ROWS: usize = 4;
const COLUMNS: usize = 5;

fn model() -> Arc<Model> {
    let config = Config {
        vocab_size: 6,
        seq_len: ROWS * COLUMNS,
        columns: COLUMNS,
        hidden: 32,
        inner_multiple: 8,
        mix: Mix::Axes,
        cycles: 1,
        recursions: 1,
        blocks: 1,
        prefix_len: 0,
        puzzle_embedding: 0,
        ..Config::default()
    };
    Model::new(&config, &Device::cpu(2), &mut ChaCha8Rng::seed_from_u64(1)).unwrap().into()
}

fn questions(puzzles: usize, cells: usize) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    (0..puzzles * cells).map(|_| rng.random_range(1..6)).collect()
}

#[test]
fn a_puzzle_gets_the_same_alone_and_in_a_batch_bit_for_bit() {
    let (model, tokens) = (model(), questions(5, ROWS * COLUMNS));
    for dtype in [DType::F32, DType::Bf16] {
        let alone: Vec<f32> =
            tokens.chunks(ROWS * COLUMNS).flat_map(|one| logits(&model, dtype, one)).collect();
        assert_eq!(logits(&model, dtype, &tokens), alone, "{dtype}");
    }
}

#[test]
fn permuted_rows_and_columns_give_the_permuted_answer() {
    let (model, question) = (model(), questions(1, ROWS * COLUMNS));
    let (rows, columns) = ([2, 0, 3, 1], [4, 1, 0, 2, 3]);
    let cells = || rows.iter().flat_map(|r| columns.iter().map(move |c| r * COLUMNS + c));
    let permuted: Vec<u8> = cells().map(|cell| question[cell]).collect();
    assert_ne!(permuted, question);
    let (before, after) =
        (logits(&model, DType::F32, &question), logits(&model, DType::F32, &permuted));
    let expected = cells().flat_map(|cell| &before[cell * 6..][..6]);
    let largest = expected.zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 1e-4, "off by {largest}");
}

#[test]
fn news_cross_a_matrix_in_two_passes() {
    let (model, question) = (model(), questions(1, ROWS * COLUMNS));
    let mut other = question.clone();
    other[0] = other[0] % 5 + 1;
    let (before, after) =
        (logits(&model, DType::F32, &question), logits(&model, DType::F32, &other));
    // think and act are two passes: the farthest cell hears through a cell of its row or column
    let last = (ROWS * COLUMNS - 1) * 6;
    assert_ne!(before[last..], after[last..]);
}

#[test]
fn weights_fit_matrices_of_other_sizes() {
    let small = model();
    let large = Arc::new(small.on_grid("tokens", [7, 9]).unwrap().expect("axes fit any grid"));
    let weights = |model: &Model| model.to_safetensors(DType::F32).unwrap();
    assert_eq!(weights(&large), weights(&small));
    assert_eq!(logits(&large, DType::F32, &questions(1, 63)).len(), 63 * 6);
}
