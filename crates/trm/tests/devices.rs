//! A model on the CPU, on the first GPU, if there is one, and on the plain device: the same drafts, halting logits, losses and gradients.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use trm::{Config, Mix, Model, Network, Positions, Question};
use trm_ops::{DType, Device, Likelihood, Tape, Tensor};

const QUESTION: Question<'_> = Question { tokens: &[3; 48], puzzles: &[2, 0, 2] };

/// What a step of training gives, by name.
fn results(config: &Config, device: &Device, dtype: DType) -> Vec<(String, Vec<f32>)> {
    let cpu = Device::cpu(1);
    let drawn = Model::new(config, &cpu, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    let weights = drawn.to_safetensors(DType::F32).unwrap();
    let model = Model::from_safetensors(config, device, &weights).unwrap();
    let tape = Tape::recording(device);
    let step = model.supervision_step(&tape, QUESTION, model.initial_state(3, dtype));
    let labels: Vec<u8> = (0..48).map(|cell| 1 + cell % 5).collect();
    let loss = tape.cross_entropy(&step.logits, &labels, 0, Likelihood::Stablemax, 0.0);
    let halt = tape.halt_loss(&step.q, &step.logits.exact_rows(&labels, 0));
    let seed = Tensor::from_f32(device, &[3], &[0.5, 1.0, -0.25]);
    let read = |x: &Tensor| x.to_f32_vec().unwrap();
    let mut results = vec![
        ("state".to_owned(), read(&step.state.y)),
        ("logits".into(), read(&step.logits)),
        ("halting".into(), step.halt_logits().unwrap()),
        ("losses".into(), [read(&loss), read(&halt)].concat()),
    ];
    let gradients = tape.backward(&[(&loss, &seed), (&halt, &seed)]);
    let vectors = step.puzzle_vectors.as_ref().map(|v| read(gradients.of(v).unwrap()));
    results.extend(vectors.map(|d| ("puzzle vectors".to_owned(), d)));
    for parameter in model.parameters() {
        let gradient = read(gradients.parameter(parameter).unwrap());
        results.push((parameter.name().to_owned(), gradient));
    }
    results
}

#[test]
fn a_model_computes_the_same_on_every_device() {
    let base = Config {
        vocab_size: 6,
        seq_len: 16,
        hidden: 32,
        heads: 2,
        inner_multiple: 16,
        cycles: 2,
        recursions: 1,
        prefix_len: 0,
        puzzle_embedding: 0,
        boxes: [2, 2],
        ..Config::default()
    };
    let configs = [
        Config { prefix_len: 2, puzzle_embedding: 40, puzzle_identifiers: 3, ..base.clone() },
        Config { mix: Mix::Attention, positions: Positions::Rope, ..base.clone() },
        Config { mix: Mix::Attention, positions: Positions::Rope2d, columns: 4, ..base.clone() },
        Config { mix: Mix::Units, ..base.clone() },
        Config { mix: Mix::Neighbours, columns: 4, ..base.clone() },
        Config { mix: Mix::Axes, columns: 4, ..base },
    ];
    let gpu = trm_gpu::Adapter::number(0).and_then(|adapter| trm_gpu::open(&adapter));
    if let Err(error) = &gpu {
        eprintln!("SKIPPED on a GPU: {error}");
    }
    for device in [Device::cpu(2)].into_iter().chain(gpu) {
        for (config, dtype) in
            configs.iter().flat_map(|c| device.kernels().formats().iter().map(move |d| (c, *d)))
        {
            let tolerance = if dtype == DType::F32 { 1e-4 } else { 0.1 };
            let plain = results(config, &Device::plain(), dtype);
            let got = results(config, &device, dtype);
            for ((name, want), (_, got)) in plain.iter().zip(&got) {
                let norm = |values: &mut dyn Iterator<Item = f32>| {
                    values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt()
                };
                let difference = norm(&mut got.iter().zip(want).map(|(g, w)| g - w));
                let off = difference / norm(&mut want.iter().copied()).max(1e-3);
                assert!(
                    off < tolerance,
                    "{device:?} {:?} {dtype}, {name}: off by {off:e}",
                    config.mix
                );
            }
        }
    }
}
