//! What the machine can do at best, to judge everything else by.

use crate::cpu::panels::{Format, Operand, dispatch_format};
use crate::{DType, Device};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_millis(200);
const WINDOWS: usize = 5;

/// Rounds between two looks at the clock.
const ROUNDS: usize = 10_000;

/// Measures how many floating-point operations a second the processor does at best: all threads of the device
/// multiply and add in registers alone, for a second in all, and the best fifth of it counts.
///
/// Two for each multiply-add. Whatever loads and stores cannot quite reach it.
pub(super) fn ceiling(device: &Device, dtype: DType) -> f64 {
    let rate = || dispatch_format!(dtype, F => rate::<F>());
    let window = || device.install(|| rayon::broadcast(|_| rate()).iter().sum());
    (0..WINDOWS).map(|_| window()).fold(0.0, f64::max)
}

/// Operations per second of the calling thread, over one window.
fn rate<F: Format>() -> f64 {
    let (started, mut multiplications) = (Instant::now(), 0);
    while started.elapsed() < WINDOW {
        multiplications += F::Operand::peak(ROUNDS);
    }
    2.0 * multiplications as f64 / started.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rate is of a clock; what can be wrong is what it counts.
    #[test]
    fn a_window_counts_every_multiplication_of_its_registers() {
        fn check<F: Format>() {
            let once = F::Operand::peak(1);
            assert!(once >= F::Operand::TILE_ROWS * F::Operand::GROUP, "{once}");
            assert_eq!(F::Operand::peak(1000), 1000 * once);
        }
        for dtype in [DType::F32, DType::Bf16] {
            dispatch_format!(dtype, F => check::<F>());
        }
    }
}
