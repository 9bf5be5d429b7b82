//! How long a whole study takes: first a bound, then what it has taken so far.

use super::study::Study;
use trm_data::text::{counted, duration};
use trm_ops::{DType, Device};

/// All trainings of a study, and those that are done.
pub(super) struct Total {
    trainings: usize,
    done: usize,
    seconds: f64,
}

impl Total {
    /// Also says what is to come, and how long that takes at least.
    pub(super) fn new(study: &Study, contenders: usize, device: &Device) -> (Total, String) {
        let trainings = contenders * study.seeds.len();
        let least = trainings as f64 * study.training_flops / device.ceiling(DType::F32);
        let text = format!(
            "{} with {:.3e} operations each: more than {} here; after the first there is an estimate",
            counted(trainings, "training"),
            study.training_flops,
            duration(least)
        );
        (Total { trainings, done: 0, seconds: 0.0 }, text)
    }

    /// "3 of 15"
    pub(super) fn place(&self) -> String {
        format!("{} of {}", self.done + 1, self.trainings)
    }

    /// Counts a training that has taken so long, and says how long all others will, if there are any.
    pub(super) fn done(&mut self, seconds: f64) -> String {
        self.done += 1;
        self.seconds += seconds;
        let left = self.seconds / self.done as f64 * (self.trainings - self.done) as f64;
        if left > 0.0 { format!("; about {} left", duration(left)) } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_what_is_done() {
        let mut total = Total { trainings: 3, done: 0, seconds: 0.0 };
        assert_eq!(total.place(), "1 of 3");
        assert_eq!(total.done(10.0), "; about 20 s left");
        assert_eq!(total.done(20.0), "; about 15 s left");
        assert_eq!((&total.place()[..], &total.done(3.0)[..]), ("3 of 3", ""));
    }
}
