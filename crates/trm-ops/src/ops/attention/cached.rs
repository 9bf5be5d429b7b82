//! Attention of new tokens to all tokens so far, for generation.

use super::float32::{attend_head, join_heads, score_room, transpose};
use super::{Extent, Rope};
use crate::matmul::Mat;
use crate::storage::with_scratch;
use crate::{DType, Device, Tape, Tensor};
use rayon::prelude::*;

/// Keys that a product is taken with at least; those to come are zeros that nobody sees. The products of
/// gemm sum fewer in another order.
const FEWEST: usize = 8;

/// The keys, rotated, and values of the tokens that one layer has seen, for a batch of sequences.
pub struct KvCache {
    keys: Tensor,   // [B, H, E, capacity]
    values: Tensor, // [B, H, capacity, E]
    len: usize,
}

impl KvCache {
    /// An empty cache for `batch` sequences of at most `capacity` tokens, with `[heads, width]`.
    pub fn new(
        device: &Device,
        batch: usize,
        capacity: usize,
        [heads, width]: [usize; 2],
    ) -> KvCache {
        let empty = |[m, n]: [usize; 2]| Tensor::zeros(device, &[batch, heads, m, n], DType::F32);
        KvCache { keys: empty([width, capacity]), values: empty([capacity, width]), len: 0 }
    }

    /// Tokens seen.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been seen.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Tape {
    /// [`Tape::causal_attention`] for the next tokens of sequences whose earlier tokens are in `cache`;
    /// adds them to it. The same numbers as without a cache, bit for bit. Nothing is recorded.
    ///
    /// # Shapes
    /// qkv `[B, N, 3D]` of N new tokens, f32; output `[B, N, D]`.
    pub fn attention_of_next(
        &self,
        qkv: &Tensor,
        cache: &mut KvCache,
        rope: Option<&Rope>,
    ) -> Tensor {
        let [batch, heads, capacity, width] = *cache.values.shape() else { panic!("made so") };
        let new = Extent::of(qkv, heads, true);
        let total = cache.len + new.len;
        assert_eq!((qkv.shape()[0], new.width), (batch, width), "a cache for others");
        assert!(total <= capacity, "{total} tokens in a cache for {capacity}");
        let seen = Extent { len: total, ..new };
        self.device().count(batch * seen.multiplications(cache.len));
        let all = Extent { len: total.max(FEWEST).min(capacity), ..new };
        let mut by_head =
            Tensor::uninit(self.device(), &[batch, heads, new.len, width], DType::F32);
        let mut out = Tensor::uninit(self.device(), &[batch, new.len, new.features()], DType::F32);
        let (qkv, first, size) = (qkv.slice::<f32>(), cache.len, capacity * width);
        self.device().install(|| {
            let keys = cache.keys.slice_mut::<f32>().par_chunks_mut(size);
            let values = cache.values.slice_mut::<f32>().par_chunks_mut(size);
            let outs = by_head.slice_mut::<f32>().par_chunks_mut(new.len * width);
            outs.zip(keys.zip(values)).enumerate().for_each(|(task, (out, (keys, values)))| {
                let (sequence, head) = (task / heads, task % heads);
                let size = new.len * 3 * new.features();
                let qkv = &qkv[sequence * size..][..size];
                with_scratch(new.len * width + score_room(all.len), |scratch| {
                    let (rows, scores) = scratch.split_at_mut(new.len * width);
                    new.load((qkv, 1, head), (first, rope), rows);
                    transpose(rows, width, keys, (first, capacity));
                    let new_values = &mut values[first * width..total * width];
                    new.load((qkv, 2, head), (first, None), new_values);
                    new.load((qkv, 0, head), (first, rope), rows);
                    let keys = Mat::new(keys, width, capacity).block(0..width, 0..all.len);
                    let values = &values[..all.len * width];
                    attend_head(all, (first, rows), keys, values, scores, out);
                });
            });
            join_heads(&by_head, new, &mut out);
        });
        cache.len = total;
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random_tensor;

    /// `[B, range, W]` of `[B, L, W]`.
    fn part(x: &Tensor, range: std::ops::Range<usize>) -> Tensor {
        Tape::off(x.device()).tokens(x, range)
    }

    #[test]
    fn with_a_cache_every_token_gets_the_same_bits() {
        let device = Device::cpu(2);
        for (len, heads, width) in [(37, 2, 16), (200, 1, 32), (161, 4, 32), (12, 3, 6usize)] {
            let rope = Rope::new(len, width, 10_000.0);
            let qkv = random_tensor(&device, &[2, len, 3 * heads * width], 1);
            let tape = Tape::off(&device);
            let whole = tape.causal_attention(&qkv, heads, Some(&rope));
            for prompt in [1, len / 2, len] {
                let mut cache = KvCache::new(&device, 2, len, [heads, width]);
                let steps = std::iter::once(0..prompt).chain((prompt..len).map(|i| i..i + 1));
                for step in steps {
                    let next =
                        tape.attention_of_next(&part(&qkv, step.clone()), &mut cache, Some(&rope));
                    let want = part(&whole, step.clone());
                    assert_eq!(next.to_f32_vec(), want.to_f32_vec(), "tokens {step:?} of {len}");
                }
            }
        }
    }
}
