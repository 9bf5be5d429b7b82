//! Weights survive the way to bytes and back; damaged ones are refused by name.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use trm::{Config, Error, Limits, Mix, Model, Network, Positions, Question, Solver};
use trm_ops::{DType, Device, Tensor};

fn config() -> Config {
    Config {
        vocab_size: 6,
        seq_len: 16,
        hidden: 16,
        heads: 2,
        inner_multiple: 8,
        mix: Mix::Attention,
        positions: Positions::Learned,
        prefix_len: 2,
        puzzle_embedding: 20,
        puzzle_identifiers: 3,
        ..Config::default()
    }
}

fn model(config: &Config) -> Model {
    Model::new(config, &Device::cpu(1), &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
}

const TWO_STEPS: Limits = Limits { steps: 2, halt: None };

fn load_error(config: &Config, bytes: &[u8]) -> String {
    match Model::from_safetensors(config, &Device::cpu(1), bytes) {
        Ok(_) => panic!("the weights were accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_model_read_back_gives_the_same_logits() {
    let first = model(&config());
    let bytes = first.to_safetensors(DType::F32).unwrap();
    let second = Model::from_safetensors(&config(), &Device::cpu(2), &bytes).unwrap();
    let logits = |model: &Model| -> Vec<f32> {
        let mut session = Solver::new(model.clone(), DType::F32).session();
        session.push(Question { tokens: &[1; 32], puzzles: &[0, 2] }, TWO_STEPS).unwrap();
        session.thoughts().flat_map(|thought| thought.unwrap().logits).collect()
    };
    assert_eq!(logits(&first), logits(&second));
    assert_eq!(bytes, second.to_safetensors(DType::F32).unwrap());
    assert!(first.to_safetensors(DType::Bf16).unwrap().len() < bytes.len() * 6 / 10);
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let bytes = model(&config()).to_safetensors(DType::F32).unwrap();
    let rope = Config { positions: Positions::Rope, ..config() };
    assert_eq!(
        load_error(&rope, &bytes),
        "tensor \"positions\" does not belong to this configuration"
    );
    assert_eq!(
        load_error(&Config { blocks: 3, ..config() }, &bytes),
        "tensor \"net.2.qkv\" is missing"
    );
    assert!(load_error(&Config { vocab_size: 7, ..config() }, &bytes).contains("lm_head"));
    assert!(load_error(&config(), &bytes[..100]).contains("not a readable safetensors file"));
}

#[test]
fn questions_that_do_not_fit_are_refused() {
    let mut session = Solver::new(model(&config()), DType::F32).session();
    let mut error = |tokens: &[u8], puzzles: &[u32]| {
        session.push(Question { tokens, puzzles }, TWO_STEPS).unwrap_err().to_string()
    };
    assert_eq!(error(&[1; 15], &[0]), "15 tokens for 1 puzzles: the model reads 16 tokens each");
    assert!(error(&[9; 16], &[0]).starts_with("token 9 at position 0"));
    assert!(error(&[1; 16], &[3]).starts_with("puzzle identifier 3"));
}

#[test]
fn cycles_without_gradient_recycle_their_buffers() {
    let model = model(&config());
    let mut session = Solver::new(model.clone(), DType::F32).session();
    let one = Question { tokens: &[1; 16], puzzles: &[0] };
    session.push(one, Limits { steps: 9, halt: None }).unwrap();
    (0..2).for_each(|_| session.step().unwrap());
    let before = model.device().memory().allocations;
    (0..3).for_each(|_| session.step().unwrap());
    assert_eq!(model.device().memory().allocations, before);
}

#[test]
fn finite_weights_that_overflow_are_an_error_not_an_answer() {
    let config = config();
    let device = Device::cpu(1);
    let mut huge = model(&config);
    for parameter in huge.parameters_mut() {
        let (shape, len) = (parameter.value().shape().to_vec(), parameter.value().len());
        parameter.set(Tensor::from_f32(&device, &shape, &vec![3e38; len]));
    }
    let mut session = Solver::new(huge, DType::F32).batch(1).session();
    let message =
        "the network computes no numbers (NaN or infinity): its weights are too large or damaged";
    session.push(Question { tokens: &[1; 32], puzzles: &[0, 0] }, TWO_STEPS).unwrap();
    for puzzle in 0..2 {
        let error = session.step().unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(matches!(error, Error::NotFinite { puzzles } if puzzles == [puzzle]));
        assert_eq!(session.take(), None);
    }
    assert!(session.is_empty() && session.thoughts().next().is_none());
}
