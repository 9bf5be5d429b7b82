//! Random initial values (docs/REFERENCE.md section 2).

use rand::{Rng, RngExt};

/// The law of a parameter's initial values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Init {
    Constant(f32),
    /// Truncated at two sigma; the number is the standard deviation after truncation.
    TruncatedNormal(f32),
}

impl Init {
    /// A linear layer: standard deviation 1/sqrt(fan_in).
    pub(crate) fn linear(fan_in: usize) -> Init {
        Init::TruncatedNormal(1.0 / (fan_in as f32).sqrt())
    }

    pub(crate) fn values(self, len: usize, rng: &mut impl Rng) -> Vec<f32> {
        // standard deviation of a standard normal cut off at ±2
        const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;
        match self {
            Init::Constant(value) => vec![value; len],
            Init::TruncatedNormal(std) => {
                let scale = std as f64 / TRUNCATED_STD;
                (0..len).map(|_| (truncated(rng) * scale) as f32).collect()
            }
        }
    }
}

fn truncated(rng: &mut impl Rng) -> f64 {
    loop {
        // Box–Muller
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let x = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
        if x.abs() <= 2.0 {
            return x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_truncated_law_has_the_wanted_deviation_and_bounds() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let values = Init::TruncatedNormal(0.5).values(100_000, &mut rng);
        let mean = values.iter().sum::<f32>() / 1e5;
        let std = (values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 1e5).sqrt();
        assert!(mean.abs() < 0.01 && (std - 0.5).abs() < 0.005, "{mean} {std}");
        assert!(values.iter().all(|x| x.abs() <= 2.0 * 0.5 / 0.8796));
    }
}
