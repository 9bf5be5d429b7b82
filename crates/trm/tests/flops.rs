//! Operations by formula against those that the engine counts.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use trm::{
    Autoregressive, AutoregressiveConfig, Config, Lesson, Mix, Model, Network, Order, Positions,
    Question, Sampling, UNLABELLED, generate,
};
use trm_ops::{DType, Device, Likelihood, Tape, Tensor};

fn close(counted: u64, formula: f64, what: &str) {
    let ratio = counted as f64 / formula;
    assert!(
        (ratio - 1.0).abs() < 0.01,
        "{what}: counted {counted}, by formula {formula} ({ratio:.4})"
    );
}

#[test]
fn the_formula_of_the_recursive_model_is_what_the_engine_does() {
    let base = Config {
        vocab_size: 6,
        seq_len: 16,
        hidden: 32,
        heads: 2,
        inner_multiple: 16,
        cycles: 3,
        recursions: 2,
        prefix_len: 0,
        puzzle_embedding: 0,
        boxes: [2, 2],
        ..Config::default()
    };
    let configs = [
        base.clone(),
        Config { recursions: 0, cycles: 1, ..base.clone() },
        Config { gradient_cycles: 2, ..base.clone() },
        Config { prefix_len: 2, puzzle_embedding: 32, ..base.clone() },
        Config { mix: Mix::Attention, positions: Positions::Rope, ..base.clone() },
        Config { mix: Mix::Units, ..base.clone() },
        Config { mix: Mix::Neighbours, columns: 4, ..base.clone() },
        Config { mix: Mix::Axes, columns: 4, ..base },
    ];
    for (config, dtype) in configs.iter().flat_map(|c| [(c, DType::F32), (c, DType::Bf16)]) {
        let device = Device::cpu(2);
        let model = Model::new(config, &device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let batch = 3;
        let question = Question { tokens: &[1; 48], puzzles: &[0; 3] };
        let what = format!("{:?} n {} {dtype}", config.mix, config.recursions);
        let before = device.flops();
        model.supervision_step(&Tape::off(&device), question, model.initial_state(batch, dtype));
        let forward = device.flops() - before;
        close(forward, batch as f64 * config.forward_flops(), &what);

        let tape = Tape::recording(&device);
        let step = model.supervision_step(&tape, question, model.initial_state(batch, dtype));
        let loss = tape.cross_entropy(&step.logits, &[2; 48], 0, Likelihood::Softmax, 0.0);
        let halt = tape.halt_loss(&step.q, &Tensor::from_f32(&device, &[3], &[1.0; 3]));
        let ones = Tensor::from_f32(&device, &[3], &[1.0; 3]);
        tape.backward(&[(&loss, &ones), (&halt, &ones)]);
        let training = device.flops() - before - forward;
        close(training, batch as f64 * config.training_flops(), &format!("training {what}"));
    }
}

#[test]
fn the_formula_of_the_autoregressive_model_is_what_the_engine_does() {
    for (order, tied) in [(Order::Raster, false), (Order::Solver, true)] {
        let config = AutoregressiveConfig {
            vocab_size: 6,
            seq_len: 16,
            order,
            hidden: 32,
            heads: 2,
            tied,
            ..AutoregressiveConfig::default()
        };
        let device = Device::cpu(2);
        let model =
            Autoregressive::new(&config, &device, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let parameters: usize = model.parameters().iter().map(|p| p.value().len()).sum();
        assert_eq!(parameters, config.parameters());

        let cells: Vec<usize> = (0..10).collect();
        let question: Vec<u8> = (0..16).map(|cell| if cell < 10 { 1 } else { 3 }).collect();
        let prompt = config.prompt(&question, |token| token == 1);
        let before = device.flops();
        generate(&model, &[prompt.clone(), prompt.clone()], (Sampling::Greedy, 0)).unwrap();
        let generation = device.flops() - before;
        let answer = config.answer_len(cells.len());
        close(
            generation,
            2.0 * config.forward_flops(answer),
            &format!("writing in {order:?} order"),
        );

        let pair = (prompt, config.write(&[2; 16], &cells));
        let lesson = Lesson::new(&[pair.clone(), pair]);
        let tape = Tape::recording(&device);
        let places = lesson.first..config.sequence() - 1;
        let logits = model.logits(&tape, &lesson.tokens, places, (2, DType::Bf16));
        let loss =
            tape.cross_entropy(&logits, &lesson.labels, UNLABELLED, Likelihood::Softmax, 0.0);
        let ones = Tensor::from_f32(&device, &[2], &[1.0; 2]);
        tape.backward(&[(&loss, &ones)]);
        let training = device.flops() - before - generation;
        close(
            training,
            2.0 * config.training_flops(answer),
            &format!("training in {order:?} order"),
        );
    }
}
