//! Attention, by its formulas.

use super::values::{tensor, values};
use crate::Tensor;
use crate::ops::attention::{Extent, Rope};

/// The rows of one part (query 0, key 1, value 2) of one head of one puzzle, rotated.
fn rows(
    qkv: &Tensor,
    extent: Extent,
    rope: Option<&Rope>,
    [puzzle, head, part]: [usize; 3],
) -> Vec<Vec<f64>> {
    let stride = 3 * extent.features();
    let row = |place: usize| {
        let first = (puzzle * extent.len + place) * stride + extent.column(part, head);
        let mut row = values(qkv)[first..first + extent.width].to_vec();
        if let Some(rope) = rope.filter(|_| part < 2) {
            rope.rotate_row(place, &mut row, false);
        }
        row.into_iter().map(f64::from).collect()
    };
    (0..extent.len).map(row).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// What a query gives to every key that it sees; adds up to 1.
fn probabilities(query: &[f64], keys: &[Vec<f64>], extent: Extent) -> Vec<f64> {
    let scores = keys.iter().map(|key| dot(query, key) * f64::from(extent.scale()));
    let scores: Vec<f64> = scores.collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
    scores.iter().map(|s| (s - max).exp() / sum).collect()
}

pub(super) fn forward(qkv: &Tensor, extent: Extent, rope: Option<&Rope>) -> Tensor {
    let (batch, Extent { len, heads, width, .. }) = (qkv.shape()[0], extent);
    let mut out = vec![0.0; batch * len * extent.features()];
    for (puzzle, head) in (0..batch).flat_map(|b| (0..heads).map(move |h| (b, h))) {
        let [q, k, v] = [0, 1, 2].map(|part| rows(qkv, extent, rope, [puzzle, head, part]));
        for (place, query) in q.iter().enumerate() {
            let weights = probabilities(query, &k[..extent.visible(place)], extent);
            let first = ((puzzle * len + place) * heads + head) * width;
            for (i, out) in out[first..first + width].iter_mut().enumerate() {
                *out = weights.iter().zip(&v).map(|(w, v)| w * v[i]).sum::<f64>() as f32;
            }
        }
    }
    tensor(qkv.device(), &[batch, len, extent.features()], qkv.dtype(), out)
}

pub(super) fn backward(
    qkv: &Tensor,
    extent: Extent,
    rope: Option<&Rope>,
    d_out: &Tensor,
) -> Tensor {
    let (batch, Extent { len, heads, width, .. }) = (qkv.shape()[0], extent);
    let mut d_qkv = vec![0.0; qkv.len()];
    for (puzzle, head) in (0..batch).flat_map(|b| (0..heads).map(move |h| (b, h))) {
        let parts = [0, 1, 2].map(|part| rows(qkv, extent, rope, [puzzle, head, part]));
        let first = |place: usize| ((puzzle * len + place) * heads + head) * width;
        let d_rows: Vec<Vec<f64>> = (0..len)
            .map(|place| values(d_out)[first(place)..][..width].iter().map(|d| f64::from(*d)))
            .map(Iterator::collect)
            .collect();
        for (part, d) in of_head(&parts, &d_rows, extent).into_iter().enumerate() {
            for (place, d) in d.into_iter().enumerate() {
                let mut d: Vec<f32> = d.into_iter().map(|d| d as f32).collect();
                if let Some(rope) = rope.filter(|_| part < 2) {
                    rope.rotate_row(place, &mut d, true);
                }
                let at = (puzzle * len + place) * 3 * extent.features();
                d_qkv[at + extent.column(part, head)..][..width].copy_from_slice(&d);
            }
        }
    }
    tensor(qkv.device(), qkv.shape(), qkv.dtype(), d_qkv)
}

/// Gradients of the queries, keys and values of one head.
fn of_head(
    [q, k, v]: &[Vec<Vec<f64>>; 3],
    d_out: &[Vec<f64>],
    extent: Extent,
) -> [Vec<Vec<f64>>; 3] {
    let mut gradients = [(); 3].map(|()| vec![vec![0.0; extent.width]; extent.len]);
    let [dq, dk, dv] = &mut gradients;
    let scale = f64::from(extent.scale());
    for (i, d_out) in d_out.iter().enumerate() {
        let p = probabilities(&q[i], &k[..extent.visible(i)], extent);
        let dp: Vec<f64> = v[..p.len()].iter().map(|v| dot(d_out, v)).collect();
        let mean = dot(&p, &dp);
        for j in 0..p.len() {
            let ds = p[j] * (dp[j] - mean) * scale;
            for e in 0..extent.width {
                dv[j][e] += p[j] * d_out[e];
                dq[i][e] += ds * k[j][e];
                dk[j][e] += ds * q[i][e];
            }
        }
    }
    gradients
}
