//! Models whose cells hear their neighbours: what they owe to every model, and what their shape promises.

mod common;

use common::first_logits as logits;
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::sync::Arc;
use trm::{Config, Mix, Model, Network};
use trm_ops::{DType, Device};

const COLUMNS: usize = 5;
const CELLS: usize = 4 * COLUMNS;

fn config() -> Config {
    Config {
        vocab_size: 6,
        seq_len: CELLS,
        columns: COLUMNS,
        hidden: 32,
        inner_multiple: 8,
        mix: Mix::Neighbours,
        cycles: 1,
        recursions: 1,
        blocks: 1,
        prefix_len: 0,
        puzzle_embedding: 0,
        ..Config::default()
    }
}

fn model(config: &Config) -> Arc<Model> {
    Model::new(config, &Device::cpu(2), &mut ChaCha8Rng::seed_from_u64(1)).unwrap().into()
}

fn questions(puzzles: usize) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    (0..puzzles * CELLS).map(|_| rng.random_range(1..6)).collect()
}

#[test]
fn a_puzzle_gets_the_same_alone_and_in_a_batch_bit_for_bit() {
    let (model, tokens) = (model(&config()), questions(5));
    for dtype in [DType::F32, DType::Bf16] {
        let alone: Vec<f32> = tokens
            .chunks_exact(CELLS)
            .flat_map(|question| logits(&model, dtype, question))
            .collect();
        assert_eq!(logits(&model, dtype, &tokens), alone, "{dtype}");
    }
}

#[test]
fn in_one_pass_news_go_one_cell_far_but_for_the_mean() {
    let model = model(&config());
    let question = questions(1);
    let mut other = question.clone();
    other[0] = other[0] % 5 + 1;
    let before = logits(&model, DType::F32, &question);
    let after = logits(&model, DType::F32, &other);
    let change = |cell: usize| -> f32 {
        let of = |logits: &[f32]| logits[cell * 6..][..6].to_vec();
        of(&before).iter().zip(of(&after)).map(|(a, b)| (a - b).abs()).sum()
    };
    // think and act are two passes of one block: two cells far
    let near: f32 = [0, 1, 2, COLUMNS, COLUMNS + 1, 2 * COLUMNS].map(change).iter().sum();
    let far: f32 = [4, 9, 14, 16, 17, 18].map(change).iter().sum();
    assert!(near > 5.0 * far && far > 0.0, "{near} near, {far} far");
}

#[test]
fn weights_are_saved_and_read_back() {
    let model = model(&config());
    let bytes = model.to_safetensors(DType::F32).unwrap();
    let again = Model::from_safetensors(&config(), &Device::cpu(1), &bytes).unwrap();
    assert_eq!(again.parameters().len(), 3 + 4);
    assert_eq!(
        logits(&again.into(), DType::F32, &questions(2)),
        logits(&model, DType::F32, &questions(2))
    );
}
