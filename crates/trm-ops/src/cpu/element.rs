//! The elements of tensors on the CPU, and their conversion.

use crate::DType;
use crate::cpu::math::vectorized;
use half::bf16;

/// An element type that a kernel can be written over.
pub(crate) trait Element: bytemuck::Pod + Send + Sync + 'static {
    const DTYPE: DType;
    fn to_f32(self) -> f32;
    fn from_f32(x: f32) -> Self;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    fn from_f32(x: f32) -> f32 {
        x
    }
}

impl Element for bf16 {
    const DTYPE: DType = DType::Bf16;
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits((self.to_bits() as u32) << 16)
    }
    /// Round to nearest even without a branch, so that loops vectorise. A NaN whose payload sits in
    /// the lower half only could become infinite; setting the quiet bit keeps it a NaN.
    #[inline(always)]
    fn from_f32(x: f32) -> bf16 {
        let bits = x.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        let nan = (bits >> 16) | 0x40;
        bf16::from_bits(if x.is_nan() { nan } else { rounded } as u16)
    }
}

/// Elements that copies take at a time.
const LANES: usize = 16;

/// `f` of every element. The array is read as a whole before the result is written: of a length that the compiler
/// knows, it makes vectors of that, but single elements of a loop from slice to slice, which may overlap for all it
/// knows. For use inside of [`vectorized`].
#[inline(always)]
pub(crate) fn map_array<S: Copy, T: bytemuck::Zeroable + Copy, const N: usize>(
    source: &[S; N],
    f: impl Fn(S) -> T,
) -> [T; N] {
    let (source, mut target) = (*source, [T::zeroed(); N]);
    for (t, s) in target.iter_mut().zip(source) {
        *t = f(s);
    }
    target
}

/// `target = f(source)` as far as both go; for use inside of [`vectorized`].
#[inline(always)]
pub(crate) fn map<S: Copy, T: bytemuck::Zeroable + Copy>(
    target: &mut [T],
    source: &[S],
    f: impl Fn(S) -> T,
) {
    let len = target.len().min(source.len());
    let (targets, target_tail) = target[..len].as_chunks_mut::<LANES>();
    let (sources, source_tail) = source[..len].as_chunks::<LANES>();
    for (t, s) in targets.iter_mut().zip(sources) {
        *t = map_array(s, &f);
    }
    for (t, s) in target_tail.iter_mut().zip(source_tail) {
        *t = f(*s);
    }
}

/// `target = source`, converted to f32; for use inside of [`vectorized`].
#[inline(always)]
pub(crate) fn widen<T: Element>(target: &mut [f32], source: &[T]) {
    map(target, source, T::to_f32);
}

/// `target = source`, rounded to the element type; for use inside of [`vectorized`].
#[inline(always)]
pub(crate) fn round<T: Element>(target: &mut [T], source: &[f32]) {
    map(target, source, T::from_f32);
}

/// Rounds to the element type and back: what storing and loading would give.
pub(crate) fn round_in_place<T: Element>(values: &mut [f32]) {
    vectorized!({
        for x in values.iter_mut() {
            *x = T::from_f32(*x).to_f32();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_equals_the_half_crate() {
        let mut bits = 0u32;
        while let Some(next) = bits.checked_add(65_521) {
            let x = f32::from_bits(bits);
            let (ours, theirs) = (<bf16 as Element>::from_f32(x), bf16::from_f32(x));
            assert!(ours == theirs || (x.is_nan() && ours.is_nan()), "{x:e}");
            bits = next;
        }
    }
}
