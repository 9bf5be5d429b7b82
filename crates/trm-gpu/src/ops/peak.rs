//! What the device can do at best, to judge everything else by.

use crate::gpu::Gpu;
use crate::job::each;
use crate::programs::{Program, source};
use std::time::Instant;
use trm_ops::{DType, Device, Tensor};

/// Threads of the measurement, and operations of each in a round.
const THREADS: usize = 1 << 17;
const OPERATIONS: usize = 2 * 64;
/// Bytes that are copied.
const COPIED: usize = 64 << 20;
/// How long one launch should take, and how many count.
const WINDOW: f64 = 0.1;
const WINDOWS: usize = 3;

impl Gpu {
    /// Floating-point operations a second, in registers. Arithmetic is f32 whatever is stored.
    pub(crate) fn peak_flops(&self, device: &Device) -> f64 {
        let out = self.uninit(device, &[THREADS], DType::F32);
        let run = |rounds: usize| {
            let program = Program::new(source::peak, "multiply_add", DType::F32);
            self.run_each(program, THREADS, 1, &[each(&out, THREADS).out()], &[rounds as u32]);
        };
        self.best(&out, 16, run) * (THREADS * OPERATIONS) as f64
    }

    /// Bytes a second that are read and written by a copy, each counted.
    pub(crate) fn peak_bytes(&self, device: &Device) -> f64 {
        let len = (COPIED as u64).min(self.limits.binding) as usize / 4;
        let [x, y] = [0.0, 1.0].map(|_: f32| self.zeroed(device, &[len], DType::F32));
        let run = |rounds: usize| {
            for _ in 0..rounds {
                let program = Program::new(source::peak, "copy", DType::F32);
                let operands = [each(&x, len / 4), each(&y, len / 4).out()];
                self.run_each(program, len / 4, 1, &operands, &[0]);
            }
        };
        self.best(&y, 1, run) * (8 * len) as f64
    }

    /// Rounds a second, of windows that are long enough.
    fn best(&self, out: &Tensor, first: usize, run: impl Fn(usize)) -> f64 {
        let seconds = |rounds: usize| {
            let started = Instant::now();
            run(rounds);
            let _ = self.values(&self.gathered(out, &[0])); // waits; a fault is found by who reads what is asked for
            started.elapsed().as_secs_f64()
        };
        let mut rounds = first;
        while seconds(rounds) < WINDOW && rounds < 1 << 22 && self.fault().is_none() {
            rounds *= 4;
        }
        (0..WINDOWS).map(|_| rounds as f64 / seconds(rounds)).fold(0.0, f64::max)
    }
}
