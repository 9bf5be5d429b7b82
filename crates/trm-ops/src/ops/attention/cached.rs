//! Attention of new tokens to all tokens so far, for generation.

#![allow(unsafe_code)]

use super::forward::{Memory, attend, query_block};
use super::{Extent, Rope};
use crate::panels::{F32, PANEL, STRIP, scratch};
use crate::shared::Shared;
use crate::tasks::Tasks;
use crate::{DType, Device, Tape, Tensor};
use rayon::prelude::*;

/// The keys, rotated, and values of the tokens that one layer has seen, for a batch of sequences; packed
/// as products want them.
pub struct KvCache {
    keys: Tensor,   // [B, H, panels of 32 tokens, 2, E, 16]
    values: Tensor, // [B, H, panels of 32 features, 2, capacity, 16]
    capacity: usize,
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
        let empty = |panels: usize, rows: usize| {
            Tensor::zeros(device, &[batch, heads, 2 * panels, rows, STRIP], DType::F32)
        };
        let keys = empty(capacity.div_ceil(PANEL), width);
        let values = empty(width.div_ceil(PANEL), capacity);
        KvCache { keys, values, capacity, len: 0 }
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
        let [batch, heads, _, width, _] = *cache.keys.shape() else { panic!("made so") };
        let new = Extent::of(qkv, heads, true);
        let (first, total) = (cache.len, cache.len + new.len);
        assert_eq!((qkv.shape()[0], new.width), (batch, width), "a cache for others");
        assert!(total <= cache.capacity, "{total} tokens in a cache for {}", cache.capacity);
        let seen = Extent { len: total, ..new };
        self.device().count(batch * seen.multiplications(first));
        let mut out = Tensor::uninit(self.device(), &[batch, new.len, new.features()], DType::F32);
        let (qkv, size) = (qkv.slice::<f32>(), new.len * 3 * new.features());
        let value_panel = cache.capacity * PANEL;
        self.device().install(|| {
            let of_head = |x: &Tensor| x.len() / (batch * heads);
            let (k_size, v_size) = (of_head(&cache.keys), of_head(&cache.values));
            let keys = cache.keys.slice_mut::<f32>().par_chunks_mut(k_size);
            let values = cache.values.slice_mut::<f32>().par_chunks_mut(v_size);
            let out = Shared::new(out.slice_mut::<f32>());
            keys.zip(values).enumerate().tasks().for_each(|(task, (k, v))| {
                let (sequence, head) = (task / heads, task % heads);
                let head = Head { new, qkv: &qkv[sequence * size..][..size], head, rope, first };
                head.remember(k, (v, value_panel));
                let memory = Memory { k, v, value_panel };
                head.attend(seen, &memory, |place, col, values| {
                    let row = sequence * new.len + place - first;
                    let at = (row * heads + head.head) * width + col;
                    // SAFETY: this head of this sequence belongs to this task alone.
                    unsafe { out.store(at, values) };
                });
            });
        });
        cache.len = total;
        out
    }
}

/// New tokens of one sequence, from place `first` on, as one head has them.
struct Head<'a> {
    new: Extent,
    qkv: &'a [f32],
    head: usize,
    rope: Option<&'a Rope>,
    first: usize,
}

impl Head<'_> {
    fn columns(&self, part: usize) -> (&[f32], usize, usize) {
        (self.qkv, 3 * self.new.features(), self.new.column(part, self.head))
    }

    /// Adds keys and values to what is packed of earlier ones.
    fn remember(&self, k: &mut [f32], (v, value_panel): (&mut [f32], usize)) {
        let Head { new, first, .. } = *self;
        let places = first..first + new.len;
        scratch::<f32, _>(0, new.len * new.width, |_, rows| {
            new.load_rows::<F32>(self.columns(1), (self.rope, first), 0..new.len, rows);
            let strips = new.width * STRIP;
            for (place, row) in places.clone().zip(rows.chunks_exact(new.width)) {
                let strip = &mut k[place / STRIP * strips..][..strips];
                let column = strip.iter_mut().skip(place % STRIP).step_by(STRIP);
                column.zip(row).for_each(|(target, x)| *target = *x);
            }
            new.load_rows::<F32>(self.columns(2), (None, first), 0..new.len, rows);
            for (place, row) in places.zip(rows.chunks_exact(new.width)) {
                for (strip, part) in v.chunks_exact_mut(value_panel / 2).zip(row.chunks(STRIP)) {
                    strip[place * STRIP..][..part.len()].copy_from_slice(part);
                }
            }
        });
    }

    fn attend(
        &self,
        seen: Extent,
        memory: &Memory<'_, f32>,
        mut take: impl FnMut(usize, usize, &[f32]),
    ) {
        let Head { new, first, .. } = *self;
        let block = query_block::<F32>(seen).min(new.len);
        scratch::<f32, _>(0, block * new.width, |_, q| {
            for start in (0..new.len).step_by(block) {
                let rows = start..(start + block).min(new.len);
                let q = &mut q[..rows.len() * new.width];
                new.load_rows::<F32>(self.columns(0), (self.rope, first + start), rows, q);
                attend::<F32>(seen, (first + start, &*q), memory, &mut take);
            }
        });
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
        for (len, heads, width) in
            [(37, 2, 16), (200, 1, 32), (161, 4, 32), (12, 3, 6usize), (300, 1, 40)]
        {
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
