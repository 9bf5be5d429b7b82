//! Elementary functions that vectorise, and the run-time dispatch that lets them.

#[cfg(target_arch = "x86_64")]
use crate::cpu::level::{CpuLevel, level};

/// Runs `f` compiled for the best instruction set of this processor, below the cap of `TRM_CPU`. Only what is
/// inlined into it counts: mark closures and functions `#[inline(always)]`. Loops inside vectorise to its width;
/// the operations are the same on every machine (a multiply-add is fused where it is written, and nowhere else).
#[inline(always)]
pub(crate) fn with_best_instructions<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let (CpuLevel::Avx2, Some(avx2)) = (level(), pulp::x86::V3::try_new()) {
        return pulp::Arch::V3(avx2).dispatch(f);
    }
    pulp::Arch::new().dispatch(f)
}

/// [`with_best_instructions`] for a block, inlined as it must be.
macro_rules! vectorized {
    ($body:expr) => {
        $crate::cpu::math::with_best_instructions(
            #[inline(always)]
            || $body,
        )
    };
}
pub(crate) use vectorized;

/// e^x with a relative error below 2e-7 for x in [-87, 88]; clamped outside.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor polynomial of degree 7; scaled by 2^n
/// through the exponent bits.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LN2_HI: f32 = 0.693_359_4; // few bits: n * LN2_HI is exact
    const LN2_LO: f32 = -2.121_944_4e-4;
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, x));
    let p = 1.0f32 / 5040.0;
    let p = p.mul_add(r, 1.0 / 720.0);
    let p = p.mul_add(r, 1.0 / 120.0);
    let p = p.mul_add(r, 1.0 / 24.0);
    let p = p.mul_add(r, 1.0 / 6.0);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r, 1.0);
    let p = p.mul_add(r, 1.0);
    let scale = f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23);
    p * scale
}

/// 2^x with a relative error below 4e-6 for x in [-126, 126], 0 below, clamped above: for results that
/// are rounded to bf16 anyway.
#[inline(always)]
pub(crate) fn exp2_coarse(x: f32) -> f32 {
    let (r, scale) = split_power(x);
    // Taylor's polynomial of 2^r, |r| <= 1/2
    let p = 1.333_355_8e-3f32;
    let p = p.mul_add(r, 9.618_129e-3);
    let p = p.mul_add(r, 5.550_411e-2);
    let p = p.mul_add(r, 2.402_265e-1);
    let p = p.mul_add(r, std::f32::consts::LN_2);
    p.mul_add(r, 1.0) * scale
}

/// 2^x with a relative error below 2e-7 for x in [-126, 126], 0 below, clamped above.
#[inline(always)]
pub(crate) fn exp2(x: f32) -> f32 {
    let (r, scale) = split_power(x);
    // the same polynomial, two terms longer
    let p = 1.525_273_4e-5f32;
    let p = p.mul_add(r, 1.540_353e-4);
    let p = p.mul_add(r, 1.333_355_8e-3);
    let p = p.mul_add(r, 9.618_129e-3);
    let p = p.mul_add(r, 5.550_411e-2);
    let p = p.mul_add(r, 2.402_265e-1);
    let p = p.mul_add(r, std::f32::consts::LN_2);
    p.mul_add(r, 1.0) * scale
}

/// r in [-1/2, 1/2] and a power of two, or 0 below, with 2^x = 2^r times it.
#[inline(always)]
fn split_power(x: f32) -> (f32, f32) {
    const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let vanishes = x < -126.0;
    let x = x.clamp(-126.0, 126.0);
    let shifted = x + MAGIC;
    let power = f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23);
    (x - (shifted - MAGIC), if vanishes { 0.0 } else { power })
}

/// 1 / (1 + e^-x), relative error below 4e-7 for x above -87.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// atan2(y, x) for x >= 0, absolute error below 3e-7; 0 for (0, 0).
#[inline(always)]
pub(crate) fn atan2_right(y: f32, x: f32) -> f32 {
    let (a, b) = (y.abs(), x);
    let (small, large) = if a > b { (b, a) } else { (a, b) };
    let t = if large > 0.0 { small / large } else { 0.0 };
    // atan t = π/8-shifted argument keeps |u| <= tan(π/8), where a short odd polynomial is enough
    let high = t > 0.414_213_57;
    let u = if high { (t - 1.0) / (t + 1.0) } else { t };
    let s = u * u;
    let p = 8.053_744_5e-2;
    let p = p * s - 1.387_768_6e-1;
    let p = p * s + 1.997_771_1e-1;
    let p = p * s - 3.333_295e-1;
    let atan_u = p * s * u + u;
    let atan_t = if high { std::f32::consts::FRAC_PI_4 + atan_u } else { atan_u };
    let angle = if a > b { std::f32::consts::FRAC_PI_2 - atan_t } else { atan_t };
    if y < 0.0 { -angle } else { angle }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate() {
        let mut x = -87.0f32;
        while x < 88.0 {
            let exact = (x as f64).exp();
            let error = ((exp(x) as f64 - exact) / exact).abs();
            assert!(error < 2e-7, "exp({x}): relative error {error:e}");
            x += 0.001_37;
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(1e30).is_finite() && exp(-1e30) < 1e-37);
    }

    #[test]
    fn powers_of_two_are_accurate() {
        for (power, most) in [(exp2_coarse as fn(f32) -> f32, 4e-6), (exp2, 2e-7)] {
            let mut x = -126.0f32;
            while x < 126.0 {
                let exact = (x as f64).exp2();
                let error = ((power(x) as f64 - exact) / exact).abs();
                assert!(error < most, "2^{x}: relative error {error:e}");
                x += 0.001_37;
            }
            assert_eq!((power(0.0), power(-3.0)), (1.0, 0.125));
            assert_eq!(power(f32::NEG_INFINITY), 0.0);
        }
    }

    #[test]
    fn sigmoid_is_accurate() {
        let mut x = -80.0f32;
        while x < 80.0 {
            let exact = 1.0 / (1.0 + (-x as f64).exp());
            let error = ((sigmoid(x) as f64 - exact) / exact).abs();
            assert!(error < 4e-7, "sigmoid({x}): relative error {error:e}");
            x += 0.001_7;
        }
    }

    #[test]
    fn atan2_is_accurate() {
        for i in -2000i32..2000 {
            for x in [0.0f32, 1e-12, 0.3, 1.0, 2.7, 1e6] {
                let y = i as f32 * 0.0031;
                let exact = (y as f64).atan2(x as f64);
                let error = (atan2_right(y, x) as f64 - exact).abs();
                assert!(error < 3e-7, "atan2({y}, {x}): error {error:e}");
            }
        }
        assert_eq!(atan2_right(0.0, 0.0), 0.0);
    }
}
