//! The autoregressive model: what it may see, and that a cache changes nothing.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use trm::{
    Autoregressive, AutoregressiveConfig, Lesson, Network, Order, Sampling, UNLABELLED, generate,
};
use trm_ops::{DType, Device, Likelihood, Tape, Tensor};

fn model(order: Order, blocks: usize) -> Autoregressive {
    let config = AutoregressiveConfig {
        vocab_size: 6,
        seq_len: 16,
        order,
        hidden: 64,
        heads: 4,
        blocks,
        ..AutoregressiveConfig::default()
    };
    Autoregressive::new(&config, &Device::cpu(2), &mut ChaCha8Rng::seed_from_u64(4)).unwrap()
}

/// Sixteen tokens, of 1 to 5.
fn question(i: usize) -> Vec<u8> {
    (0..16).map(|j| 1 + ((7 * i + 3 * j + i * j) % 5) as u8).collect()
}

#[test]
fn writing_with_a_cache_equals_writing_without() {
    for (order, sampling) in [
        (Order::Raster, Sampling::Greedy),
        (Order::Solver, Sampling::Greedy),
        (Order::Raster, Sampling::Temperature { temperature: 1.5, seed: 3 }),
    ] {
        for batch in [1, 3] {
            let model = model(order, 3);
            let config = model.config();
            let questions: Vec<u8> = (0..batch).flat_map(question).collect();
            let written = generate(&model, &questions, &vec![16; batch], (sampling, 0));
            // everything at once, without a cache: every chosen token has the likelihood that it was given
            for (i, written) in written.iter().enumerate() {
                let lesson = Lesson::new(16, &[(&question(i), written.tokens.clone())]);
                let places = 15..15 + lesson.answer;
                let tape = Tape::off(model.device());
                let logits =
                    model.logits(&tape, &lesson.tokens, places, (1, DType::F32)).to_f32_vec();
                let mut log_probability = 0.0f32;
                for (place, row) in logits.chunks_exact(config.tokens()).enumerate() {
                    let allowed = config.allowed(place);
                    let token = written.tokens[place] as usize;
                    let max =
                        row[allowed.clone()].iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    if sampling == Sampling::Greedy {
                        assert_eq!(row[token], max, "token {place} of sequence {i}");
                    }
                    let sum: f64 = row[allowed].iter().map(|x| f64::from(x - max).exp()).sum();
                    log_probability += (f64::from(row[token] - max) - sum.ln()) as f32;
                }
                assert_eq!(log_probability.to_bits(), written.log_probability.to_bits());
            }
        }
    }
}

#[test]
fn logits_depend_on_nothing_that_comes_later() {
    let model = model(Order::Raster, 2);
    let tape = Tape::off(model.device());
    let mut tokens = [question(1), question(2)[..15].to_vec()].concat();
    for dtype in [DType::F32, DType::Bf16] {
        let before = model.logits(&tape, &tokens, 0..31, (1, dtype)).to_f32_vec();
        for place in [0, 5, 15, 16, 30] {
            let token = std::mem::replace(&mut tokens[place], 0);
            let after = model.logits(&tape, &tokens, 0..31, (1, dtype)).to_f32_vec();
            tokens[place] = token;
            assert_eq!(before[..place * 6], after[..place * 6], "a change of token {place}");
            assert_ne!(before[place * 6..], after[place * 6..]);
        }
    }
}

#[test]
fn the_loss_is_of_answer_tokens_only() {
    let model = model(Order::Solver, 2);
    let device = model.device();
    let pairs = |cells: usize, last: u8| {
        let mut written = model.config().write(&question(2), &(0..cells).collect::<Vec<_>>());
        *written.last_mut().unwrap() = last;
        written
    };
    let (q, r) = (question(0), question(1));
    // the second answer is shorter: what lies beyond it has no label and no gradient
    let lesson = Lesson::new(16, &[(&q, pairs(5, 2)), (&r, pairs(3, 2))]);
    let tape = Tape::recording(device);
    let logits = model.logits(&tape, &lesson.tokens, 15..15 + lesson.answer, (2, DType::F32));
    let loss = tape.cross_entropy(&logits, &lesson.labels, UNLABELLED, Likelihood::Softmax, 0.0);
    let alone = Lesson::new(16, &[(&r, pairs(3, 2))]);
    let off = Tape::off(device);
    let logits = model.logits(&off, &alone.tokens, 15..15 + alone.answer, (1, DType::F32));
    let want = off.cross_entropy(&logits, &alone.labels, UNLABELLED, Likelihood::Softmax, 0.0);
    assert_eq!(loss.to_f32_vec()[1], want.to_f32_vec()[0]);

    let seed = Tensor::from_f32(device, &[2], &[1.0, 1.0]);
    let gradients = tape.backward(&[(&loss, &seed)]);
    assert!(
        model.parameters().iter().all(|p| gradients.parameter(p).is_some_and(Tensor::is_finite))
    );
    // a token that is only ever the last label is never read: its embedding gets no gradient
    let table = model.parameters()[8];
    assert_eq!(table.name(), "token_embedding");
    let unread = model.config().vocab_size + 15; // a cell that nobody names
    let gradient = gradients.parameter(table).unwrap().to_f32_vec();
    assert!(gradient[unread * 64..][..64].iter().all(|g| *g == 0.0));
}

#[test]
fn a_model_survives_its_file() {
    let model = model(Order::Solver, 2);
    let bytes = model.to_safetensors(DType::F32);
    let again = Autoregressive::from_safetensors(model.config(), model.device(), &bytes).unwrap();
    let write = |m: &Autoregressive| generate(m, &question(3), &[9], (Sampling::Greedy, 0));
    assert_eq!(write(&model), write(&again));
}
