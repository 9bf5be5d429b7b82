//! How much faster an answer is written with a cache of keys and values: cargo run --release -p trm --example cache

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::time::Instant;
use trm::{Autoregressive, AutoregressiveConfig, Network, Sampling, generate};
use trm_ops::{DType, Device, Tape};

/// Greedily, the whole sequence read again for every token.
fn without_cache(model: &Autoregressive, prompt: &[u8], len: usize, tokens: usize) -> Vec<u8> {
    let tape = Tape::off(model.device());
    let mut sequence = prompt.to_vec();
    while sequence.len() < len {
        let last = sequence.len() - 1;
        let logits =
            model.logits(&tape, &sequence, last..last + 1, (1, DType::F32)).to_f32_vec().unwrap();
        let best = (0..tokens).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
        sequence.push(best.unwrap_or(0) as u8);
    }
    sequence.split_off(prompt.len())
}

fn main() -> Result<(), trm::Error> {
    let config = AutoregressiveConfig::default(); // 9×9 Sudoku: 81 cells, 128 features, 4 blocks
    let device = Device::cpu(0);
    let model = Autoregressive::new(&config, &device, &mut ChaCha8Rng::seed_from_u64(1))?;
    let prompt: Vec<u8> = (0..81).map(|cell| 1 + (7 * cell % 10) as u8).collect();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let started = Instant::now();
        let written = generate(&model, std::slice::from_ref(&prompt), (Sampling::Greedy, 0))?;
        with.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        let (len, tokens) = (config.sequence(), config.tokens());
        let again = device.install(|| without_cache(&model, &prompt, len, tokens));
        without.push(started.elapsed().as_secs_f64() * 1e3);
        assert_eq!(written[0].tokens, again);
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (with, without) = (median(&mut with), median(&mut without));
    println!(
        "81 cells: {with:.1} ms with a cache, {without:.1} ms without: {:.1} times",
        without / with
    );
    Ok(())
}
