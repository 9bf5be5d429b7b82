use std::f64::consts::PI;

/// Linear warm-up, then a cosine from 1 to `min_ratio`.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Steps of warm-up.
    pub warmup: u64,
    /// Step at which the cosine ends.
    pub total: u64,
    /// Where the cosine ends; 1 keeps the rate constant.
    pub min_ratio: f32,
}

impl Schedule {
    /// Factor on the learning rate at a step, counted from 1.
    pub fn factor(&self, step: u64) -> f32 {
        if step < self.warmup {
            return step as f32 / self.warmup as f32;
        }
        let span = self.total.saturating_sub(self.warmup).max(1);
        let progress = ((step - self.warmup) as f64 / span as f64).min(1.0);
        let min = self.min_ratio as f64;
        (min + (1.0 - min) * 0.5 * (1.0 + (PI * progress).cos())) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_then_falls_to_the_minimum() {
        let schedule = Schedule { warmup: 4, total: 14, min_ratio: 0.1 };
        let at = |step| schedule.factor(step);
        assert_eq!((at(1), at(2), at(4)), (0.25, 0.5, 1.0));
        assert!((at(9) - 0.55).abs() < 1e-6);
        assert!((at(14) - 0.1).abs() < 1e-6 && (at(99) - 0.1).abs() < 1e-6);
        assert_eq!(Schedule { warmup: 0, total: 5, min_ratio: 1.0 }.factor(3), 1.0);
    }
}
