//! How long a step is going to take.

use super::Run;
use crate::Error;
use crate::learners::Learner;
use crate::recipe::{Recipe, TrainConfig};
use std::time::{Duration, Instant};
use trm::Network;
use trm_data::Sampler;

/// A measurement that is long enough to tell.
const TELLING: Duration = Duration::from_millis(100);

impl<L: Learner> Run<L> {
    /// Seconds that a step is going to take, measured on a network of these sizes and as few rows of the batch as
    /// tell: on some more than one where that takes no time.
    ///
    /// # Errors
    /// If the network cannot be made, or its first step is not finite.
    pub fn seconds_per_step(&self) -> Result<f64, Error> {
        let device = self.trainer.core().model.device();
        let batch = self.recipe.train.batch;
        let mut rows = 1;
        loop {
            let train = TrainConfig { batch: rows, ..self.recipe.train.clone() };
            let mut learner =
                L::start(&Recipe { train, ..self.recipe.clone() }, &self.data, &device.into())?;
            let groups = (&*self.data, &*self.trained_on);
            let mut sampler = Sampler::new(groups, self.augment.clone(), self.recipe.seed, 0);
            let mut took = step(&mut learner, &mut sampler)?;
            if !device.is_cpu() {
                took = step(&mut learner, &mut sampler)?; // the first one compiles its programs
            }
            if took >= TELLING || rows == batch {
                return Ok(took.as_secs_f64() * batch as f64 / rows as f64);
            }
            rows = (4 * rows).min(batch);
        }
    }
}

/// How long a step takes.
fn step<L: Learner>(learner: &mut L, sampler: &mut Sampler<'_>) -> Result<Duration, Error> {
    let started = Instant::now();
    learner.step(&mut |_| sampler.draw())?;
    Ok(started.elapsed())
}
