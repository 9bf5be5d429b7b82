//! Attention of new tokens to all tokens so far, for generation.

#![allow(unsafe_code)]

use super::forward::{Memory, attend, query_block};
use crate::cpu::memory::uninit;
use crate::cpu::panels::{F32, PANEL, STRIP, scratch};
use crate::cpu::shared::Shared;
use crate::cpu::tasks::Tasks;
use crate::ops::attention::{Extent, Rope};
use crate::{DType, Device, Tensor};
use rayon::prelude::*;

/// Keys and values, packed as products want them.
pub(in crate::cpu) struct Packed {
    keys: Tensor,   // [B, H, panels of 32 tokens, 2, E, 16]
    values: Tensor, // [B, H, panels of 32 features, 2, capacity, 16]
    capacity: usize,
}

impl Packed {
    pub(in crate::cpu) fn new(
        device: &Device,
        batch: usize,
        capacity: usize,
        [heads, width]: [usize; 2],
    ) -> Packed {
        let empty = |panels: usize, rows: usize| {
            Tensor::zeros(device, &[batch, heads, 2 * panels, rows, STRIP], DType::F32)
        };
        let keys = empty(capacity.div_ceil(PANEL), width);
        let values = empty(width.div_ceil(PANEL), capacity);
        Packed { keys, values, capacity }
    }

    /// What `new` tokens attend to, which follow `first` others.
    pub(in crate::cpu) fn attend(
        &mut self,
        qkv: &Tensor,
        (new, first): (Extent, usize),
        rope: Option<&Rope>,
    ) -> Tensor {
        let (batch, Extent { heads, width, .. }) = (qkv.shape()[0], new);
        let seen = Extent { len: first + new.len, ..new };
        let mut out = uninit(qkv.device(), &[batch, new.len, new.features()], DType::F32);
        let (qkv, size) = (qkv.slice::<f32>(), new.len * 3 * new.features());
        let value_panel = self.capacity * PANEL;
        let of_head = |x: &Tensor| x.len() / (batch * heads);
        let (k_size, v_size) = (of_head(&self.keys), of_head(&self.values));
        let keys = self.keys.slice_mut::<f32>().par_chunks_mut(k_size);
        let values = self.values.slice_mut::<f32>().par_chunks_mut(v_size);
        let shared = Shared::new(out.slice_mut::<f32>());
        keys.zip(values).enumerate().tasks().for_each(|(task, (k, v))| {
            let (sequence, head) = (task / heads, task % heads);
            let head = Head { new, qkv: &qkv[sequence * size..][..size], head, rope, first };
            head.remember(k, (v, value_panel));
            let memory = Memory { k, v, value_panel };
            head.attend(seen, &memory, |place, col, values| {
                let row = sequence * new.len + place - first;
                let at = (row * heads + head.head) * width + col;
                // SAFETY: this head of this sequence belongs to this task alone.
                unsafe { shared.store(at, values) };
            });
        });
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
