//! Embedded questions.

use crate::cpu::element::Element;
use crate::cpu::memory::{start, uninit};
use crate::cpu::tasks::Tasks;
use crate::kernels::Sum;
use crate::ops::embed::Embedding;
use crate::{DType, Device, Tensor};
use rayon::prelude::*;

pub(super) fn forward<T: Element>(device: &Device, embedding: &Embedding, batch: usize) -> Tensor {
    let Embedding { tokens, prefix_len, table, positions, .. } = embedding;
    let (scale, d) = (embedding.scale(), table.value().last_dim());
    let len = prefix_len + tokens.len() / batch.max(1);
    let mut out = uninit(device, &[batch, len, d], T::DTYPE);
    let prefix = embedding.prefix.as_ref().map(|prefix| prefix.to_dtype(DType::F32));
    let prefix_width = prefix.as_ref().map_or(1, Tensor::last_dim);
    let prefix = prefix.as_ref().map_or(&[][..], |prefix| prefix.slice::<f32>());
    let table = table.value().slice::<f32>();
    let positions = positions.as_ref();
    let positions = positions.map(|(p, first)| &p.value().slice::<f32>()[first * d..]);
    out.slice_mut::<T>().par_chunks_mut(len * d).enumerate().tasks().for_each(|(b, out)| {
        let prefix = prefix.chunks_exact(prefix_width).nth(b).unwrap_or_default();
        let tokens = &tokens[b * (len - prefix_len)..];
        for (i, out) in out.chunks_exact_mut(d).enumerate() {
            for (j, out) in out.iter_mut().enumerate() {
                let value = match i.checked_sub(*prefix_len) {
                    Some(cell) => table[tokens[cell] as usize * d + j],
                    None => prefix.get(i * d + j).copied().unwrap_or(0.0),
                };
                let position = positions.map_or(0.0, |p| p[i * d + j]);
                *out = T::from_f32(scale * (value + position));
            }
        }
    });
    out
}

pub(super) fn tokens_backward(sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor) {
    let [_, len, d] = *d_out.shape() else { panic!("made so") };
    let cells = len - embedding.prefix_len;
    let d_out = d_out.to_dtype(DType::F32);
    let (rows, sum) = (d_out.slice::<f32>(), start(sum));
    for (row, token) in embedding.tokens.iter().enumerate() {
        let row = row / cells * len + embedding.prefix_len + row % cells;
        add_scaled(&mut sum[*token as usize * d..][..d], &rows[row * d..], embedding.scale());
    }
}

pub(super) fn positions_backward(sum: Sum<'_>, embedding: &Embedding, d_out: &Tensor) {
    let [_, len, d] = *d_out.shape() else { panic!("made so") };
    let first = embedding.positions.as_ref().map_or(0, |(_, first)| *first);
    let d_out = d_out.to_dtype(DType::F32);
    let sum = &mut start(sum)[first * d..][..len * d];
    let puzzles = d_out.slice::<f32>().chunks_exact(len * d);
    puzzles.for_each(|puzzle| add_scaled(sum, puzzle, embedding.scale()));
}

pub(super) fn prefix_backward(embedding: &Embedding, d_out: &Tensor, width: usize) -> Tensor {
    let [batch, len, d] = *d_out.shape() else { panic!("made so") };
    let (d_out, scale) = (d_out.to_dtype(DType::F32), embedding.scale());
    let puzzles = d_out.slice::<f32>().chunks_exact(len * d);
    let values: Vec<f32> = puzzles.flat_map(|p| &p[..width]).map(|g| scale * g).collect();
    Tensor::from_f32(d_out.device(), &[batch, width], &values)
}

fn add_scaled(sum: &mut [f32], terms: &[f32], scale: f32) {
    sum.iter_mut().zip(terms).for_each(|(s, t)| *s += scale * t);
}
