//! What the machine can do at best, to judge everything else by.

use crate::bfloat16::{Lhs, PANEL, TILE_ROWS, panel_product};
use crate::matmul::{Mat, MatMut, matmul};
use crate::{DType, Device};
use half::bf16;
use std::hint::black_box;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_millis(500);
const WINDOWS: usize = 4;

/// Depth of the product that is repeated: the width of the public presets.
const DEPTH: usize = 512;

/// Rows of the left operands: full micro-tiles.
const ROWS: usize = 8 * TILE_ROWS;

/// Columns of the f32 product, so that all three matrices fit the second cache.
const F32_COLS: usize = 256;

/// Measures the best sustained rate of the products that operations are made of, in floating-point
/// operations per second: all threads of the device repeat one product whose operands stay in their
/// caches, for two seconds in all, and the best half second counts.
///
/// Operations that move data as well cannot reach it.
pub fn ceiling(device: &Device, dtype: DType) -> f64 {
    let thread: fn() -> f64 = match dtype {
        DType::F32 => repeat_f32,
        DType::Bf16 => repeat_bf16,
    };
    let window = || device.install(|| rayon::broadcast(|_| thread()).iter().sum());
    (0..WINDOWS).map(|_| window()).fold(0.0, f64::max)
}

fn repeat_bf16() -> f64 {
    let (lhs, panel) = (vec![bf16::ONE; ROWS * DEPTH], vec![bf16::ONE; DEPTH * PANEL]);
    let mut out = vec![0.0; ROWS * PANEL];
    let lhs = Lhs::row_major(&lhs, ROWS, DEPTH);
    rate(ROWS * DEPTH * PANEL, || panel_product(lhs, &panel, black_box(&mut out), false))
}

fn repeat_f32() -> f64 {
    let (a, b) = (vec![1.0; ROWS * DEPTH], vec![1.0; DEPTH * F32_COLS]);
    let mut out = vec![0.0; ROWS * F32_COLS];
    let (a, b) = (Mat::new(&a, ROWS, DEPTH), Mat::new(&b, DEPTH, F32_COLS));
    rate(ROWS * DEPTH * F32_COLS, || {
        let out = MatMut::new(black_box(&mut out), ROWS, F32_COLS);
        matmul(out, a, b, false);
    })
}

/// Operations per second of a product with so many multiplications, over one window.
fn rate(multiplications: usize, mut product: impl FnMut()) -> f64 {
    product(); // the operands reach the caches
    let (started, mut count) = (Instant::now(), 0.0);
    while started.elapsed() < WINDOW {
        product();
        count += 1.0;
    }
    2.0 * multiplications as f64 * count / started.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_is_a_plausible_rate() {
        let rate = ceiling(&Device::cpu(1), DType::F32);
        assert!((1e7..1e14).contains(&rate), "{rate}");
    }
}
