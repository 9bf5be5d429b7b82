//! Every number of a run comes back from its files as the same bits.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use trm_train::{Line, Progress, Recipe, StepMetrics, TrainConfig};

const NUMBERS: usize = 20_000;

fn read_back<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_slice(&serde_json::to_vec_pretty(value).unwrap()).unwrap()
}

/// Numbers of any size, and shares of as many puzzles as may be held out.
fn random(rng: &mut ChaCha8Rng) -> f64 {
    if rng.random_bool(0.5) {
        let puzzles = rng.random_range(1..2000u32);
        return f64::from(rng.random_range(0..=puzzles)) / f64::from(puzzles);
    }
    std::iter::repeat_with(|| f64::from_bits(rng.random())).find(|x| x.is_finite()).unwrap()
}

fn random_f32(rng: &mut ChaCha8Rng) -> f32 {
    std::iter::repeat_with(|| f32::from_bits(rng.random())).find(|x| x.is_finite()).unwrap()
}

#[test]
fn progress_comes_back_as_the_same_bits() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..NUMBERS {
        let mut number = || random(&mut rng);
        let progress = Progress {
            seconds: number(),
            best_exact: number(),
            best_cells: number(),
            best_loss: number(),
            ..Progress::default()
        };
        let bits =
            |p: &Progress| [p.seconds, p.best_exact, p.best_cells, p.best_loss].map(f64::to_bits);
        assert_eq!(bits(&read_back(&progress)), bits(&progress), "{progress:?}");
    }
}

#[test]
fn the_log_comes_back_as_the_same_bits() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for step in 0..NUMBERS as u64 {
        let (seconds, exact) = (random(&mut rng), vec![random(&mut rng)]);
        let cells = vec![random(&mut rng)];
        let (valid, cost) = (None, None);
        let line = Line::Validation { seconds, step, puzzles: 150, exact, cells, valid, cost };
        assert_eq!(format!("{:?}", read_back(&line)), format!("{line:?}"));

        let mut number = || random_f32(&mut rng);
        let (loss, lm_loss, grad_norm, accuracy) = (number(), number(), number(), number());
        let metrics = StepMetrics { loss, lm_loss, grad_norm, accuracy, ..StepMetrics::default() };
        let line = Line::Step { seconds, metrics };
        assert_eq!(format!("{:?}", read_back(&line)), format!("{line:?}"));
    }
}

#[test]
fn recipes_come_back_as_the_same_bits() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..NUMBERS / 20 {
        let [lr, weight_decay] = [random_f32(&mut rng).abs(), random_f32(&mut rng).abs()];
        let [beta2, ema, exploration] = [(); 3].map(|()| rng.random::<f32>());
        let train =
            TrainConfig { lr, weight_decay, beta2, ema, exploration, ..TrainConfig::default() };
        let recipe = Recipe { train, ..Recipe::default() };
        assert_eq!(Recipe::parse(&recipe.to_toml(), &[]).unwrap(), recipe);
    }
}
