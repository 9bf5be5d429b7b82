//! The gradient through some or all cycles of a supervision step.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use trm::{Config, ConfigError, Model, Network, Question};
use trm_ops::{DType, Device, Likelihood, Tape, Tensor};

const QUESTION: Question<'_> = Question { tokens: &[1, 2, 3, 4, 4, 3, 2, 1], puzzles: &[0, 0] };

fn model(gradient_cycles: usize) -> Model {
    let config = Config {
        vocab_size: 5,
        seq_len: 4,
        hidden: 8,
        heads: 2,
        inner_multiple: 4,
        blocks: 1,
        cycles: 3,
        gradient_cycles,
        recursions: 1,
        prefix_len: 0,
        puzzle_embedding: 0,
        ..Config::default()
    };
    Model::new(&config, &Device::cpu(1), &mut ChaCha8Rng::seed_from_u64(3)).unwrap()
}

/// The summed loss of a step, and its gradient by the first parameter.
fn loss(model: &Model) -> (f64, Vec<f32>) {
    let tape = Tape::recording(model.device());
    let step = model.supervision_step(&tape, QUESTION, model.initial_state(2, DType::F32));
    let loss = tape.cross_entropy(&step.logits, &[1; 8], 0, Likelihood::Softmax, 0.0);
    let ones = Tensor::from_f32(model.device(), &[2], &[1.0; 2]);
    let gradients = tape.backward(&[(&loss, &ones)]);
    let sum = loss.to_f32_vec().unwrap().iter().map(|l| f64::from(*l)).sum();
    let first = gradients.parameter(model.parameters()[0]).unwrap();
    (sum, first.to_f32_vec().unwrap())
}

#[test]
fn through_all_cycles_it_is_that_of_the_whole_step() {
    let whole = model(3);
    let (_, gradient) = loss(&whole);
    let mut off = 0.0f64;
    for (i, got) in gradient.iter().enumerate() {
        let moved = |by: f32| {
            let mut model = whole.clone();
            let parameter = &mut model.parameters_mut()[0];
            let mut values = parameter.value().to_f32_vec().unwrap();
            values[i] += by;
            let shape = parameter.value().shape().to_vec();
            parameter.set(Tensor::from_f32(whole.device(), &shape, &values));
            loss(&model).0
        };
        let h = 1e-2; // a fourth-order central difference
        let slope = (8.0 * (moved(h) - moved(-h)) - (moved(2.0 * h) - moved(-2.0 * h)))
            / (12.0 * f64::from(h));
        off = off.max((slope - f64::from(*got)).abs() / (0.05 + slope.abs()));
    }
    assert!(off < 0.02, "off by {off}");
}

#[test]
fn fewer_cycles_change_the_gradient_and_not_the_step() {
    let ([one, two, three], again) = ([1, 2, 3].map(|g| loss(&model(g))), loss(&model(1)));
    assert_eq!(one, again);
    assert!(one.0 == two.0 && two.0 == three.0);
    assert!(one.1 != two.1 && two.1 != three.1);
}

#[test]
fn there_are_no_more_than_cycles_and_old_files_stay_as_they_were() {
    let config = |gradient_cycles| Config { gradient_cycles, ..Config::default() };
    let refused = ConfigError::GradientCycles { gradient_cycles: 4, cycles: 3 };
    assert_eq!(config(4).check(), Err(refused));
    assert_eq!(config(0).check(), Err(ConfigError::Zero { key: "gradient_cycles" }));
    assert!(!serde_json::to_string(&config(1)).unwrap().contains("gradient_cycles"));
    assert!(serde_json::to_string(&config(2)).unwrap().contains("gradient_cycles"));
}
