//! The autoregressive model: what it may see, and that a cache changes nothing.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use trm::{
    Autoregressive, AutoregressiveConfig, Lesson, Network, Order, Sampling, UNLABELLED, Written,
    generate,
};
use trm_ops::{DType, Device, Likelihood, Parameter, Tape, Tensor};

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
    (0..16).map(|j| 1 + ((2 * i + 3 * j + i * j * j + j / 3) % 5) as u8).collect()
}

/// Prompts of various lengths, if the order makes them so.
fn prompt(model: &Autoregressive, i: usize) -> Vec<u8> {
    model.config().prompt(&question(i), |token| usize::from(token) < i + 2)
}

#[test]
fn writing_with_a_cache_equals_writing_without() {
    for (order, sampling) in [
        (Order::Raster, Sampling::Greedy),
        (Order::Solver, Sampling::Greedy),
        (Order::Raster, Sampling::Temperature { temperature: 1.5, seed: 3 }),
    ] {
        let model = model(order, 3);
        for batch in [1, 3] {
            let prompts: Vec<Vec<u8>> = (0..batch).map(|i| prompt(&model, i)).collect();
            for (prompt, written) in
                prompts.iter().zip(generate(&model, &prompts, (sampling, 0)).unwrap())
            {
                assert_eq!(prompt.len() + written.tokens.len(), model.config().sequence());
                check_without_cache(&model, prompt, &written, sampling);
            }
        }
    }
}

/// Everything at once, without a cache: every chosen token has the likelihood that it was given.
fn check_without_cache(
    model: &Autoregressive,
    prompt: &[u8],
    written: &Written,
    sampling: Sampling,
) {
    let config = model.config();
    let lesson = Lesson::new(&[(prompt.to_vec(), written.tokens.clone())]);
    let places = lesson.first..config.sequence() - 1;
    let tape = Tape::off(model.device());
    let logits = model.logits(&tape, &lesson.tokens, places, (1, DType::F32)).to_f32_vec().unwrap();
    let mut log_probability = 0.0f32;
    for (i, row) in logits.chunks_exact(config.tokens()).enumerate() {
        let allowed = config.allowed(prompt.len() + i);
        let token = written.tokens[i] as usize;
        let max = row[allowed.clone()].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert!(allowed.contains(&token) && (sampling != Sampling::Greedy || row[token] == max));
        let sum: f64 = row[allowed].iter().map(|x| f64::from(x - max).exp()).sum();
        log_probability += (f64::from(row[token] - max) - sum.ln()) as f32;
    }
    assert_eq!(log_probability.to_bits(), written.log_probability.to_bits());
}

#[test]
fn logits_depend_on_nothing_that_comes_later() {
    let model = model(Order::Raster, 2);
    let tape = Tape::off(model.device());
    let mut tokens = [question(1), question(2)[..15].to_vec()].concat();
    for dtype in [DType::F32, DType::Bf16] {
        let before = model.logits(&tape, &tokens, 0..31, (1, dtype)).to_f32_vec().unwrap();
        for place in [0, 5, 15, 16, 30] {
            let token = std::mem::replace(&mut tokens[place], 0);
            let after = model.logits(&tape, &tokens, 0..31, (1, dtype)).to_f32_vec().unwrap();
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
    let pair = |i: usize| {
        let prompt = prompt(&model, i);
        let open: Vec<usize> = (0..16).filter(|c| usize::from(question(i)[*c]) < i + 2).collect();
        (prompt, model.config().write(&[3; 16], &open))
    };
    let loss_of = |tape: &Tape, pairs: &[(Vec<u8>, Vec<u8>)]| {
        let lesson = Lesson::new(pairs);
        let form = (pairs.len(), DType::F32);
        let logits = model.logits(tape, &lesson.tokens, lesson.first..31, form);
        tape.cross_entropy(&logits, &lesson.labels, UNLABELLED, Likelihood::Softmax, 0.0)
    };
    // the second prompt is shorter: beside it, what is left of the first has no label
    let (long, short) = (pair(0), pair(2));
    assert!(long.0.len() > short.0.len());
    let trained = |pairs: &[(Vec<u8>, Vec<u8>)], weights: &[f32]| {
        let tape = Tape::recording(device);
        let loss = loss_of(&tape, pairs);
        let seed = Tensor::from_f32(device, &[weights.len()], weights);
        let gradients = tape.backward(&[(&loss, &seed)]);
        let of = |p: &Parameter| gradients.parameter(p).unwrap().to_f32_vec().unwrap();
        let all: Vec<Vec<f32>> = model.parameters().into_iter().map(of).collect();
        (loss.to_f32_vec().unwrap()[0], all)
    };
    let (loss, alone) = trained(std::slice::from_ref(&long), &[1.0]);
    let (beside, gradients) = trained(&[long.clone(), short], &[1.0, 0.0]);
    assert_eq!(loss, beside);
    for (got, want) in gradients.concat().iter().zip(alone.concat()) {
        assert!((got - want).abs() <= 1e-6 * (1.0 + want.abs()), "{got} instead of {want}");
    }
    assert!(alone.iter().all(|gradient| gradient.iter().any(|g| *g != 0.0)));
}

#[test]
fn a_model_survives_its_file() {
    let model = model(Order::Solver, 2);
    let bytes = model.to_safetensors(DType::F32).unwrap();
    let again = Autoregressive::from_safetensors(model.config(), model.device(), &bytes).unwrap();
    let write = |m: &Autoregressive| generate(m, &[prompt(m, 3)], (Sampling::Greedy, 0)).unwrap();
    assert_eq!(write(&model), write(&again));
}
