use super::{Extent, Rope};
use crate::math::{exp, vectorized};
use crate::matmul::{Mat, MatMut, matmul};
use crate::storage::with_scratch;
use crate::{DType, Tensor};
use rayon::prelude::*;

/// Query rows that share one block of scores; the whole L × L matrix is never held.
const QUERY_BLOCK: usize = 64;

impl Extent {
    /// Copies columns `start..start + E` of rows of `stride` values to `[L, E]`.
    fn gather(self, rows: &[f32], stride: usize, start: usize, target: &mut [f32]) {
        let rows = rows.chunks_exact(stride).zip(target.chunks_exact_mut(self.width));
        rows.for_each(|(row, target)| target.copy_from_slice(&row[start..start + self.width]));
    }

    /// Copies `[L, E]` to columns `start..start + E` of rows of `stride` values.
    fn scatter(self, source: &[f32], rows: &mut [f32], stride: usize, start: usize) {
        let rows = rows.chunks_exact_mut(stride).zip(source.chunks_exact(self.width));
        rows.for_each(|(row, source)| row[start..start + self.width].copy_from_slice(source));
    }

    /// Fills `[q | kᵀ | v]` of one head, `[L, E]` each but kᵀ `[E, L]`, rotated; `spare` is `[L, E]`.
    fn load_head(
        self,
        qkv: &[f32],
        head: usize,
        rope: Option<&Rope>,
        target: &mut [f32],
        spare: &mut [f32],
    ) {
        let (q, kv) = target.split_at_mut(self.len * self.width);
        let (k, v) = kv.split_at_mut(self.len * self.width);
        self.load((qkv, 0, head), (0, rope), q);
        self.load((qkv, 1, head), (0, rope), spare);
        transpose(spare, self.width, k, (0, self.len));
        self.load((qkv, 2, head), (0, None), v);
    }

    /// Fills `[L, E]` with the queries (part 0), keys (1) or values (2) of one head of tokens from place
    /// `first` on, rotated if there is a rope.
    pub(super) fn load(
        self,
        (qkv, part, head): (&[f32], usize, usize),
        (first, rope): (usize, Option<&Rope>),
        target: &mut [f32],
    ) {
        self.gather(qkv, 3 * self.features(), self.column(part, head), target);
        if let Some(rope) = rope {
            vectorized!(rope.rotate(first, target, false));
        }
    }
}

/// Writes rows of `width` values as columns `first..` of rows of `stride` values.
pub(super) fn transpose(
    rows: &[f32],
    width: usize,
    target: &mut [f32],
    (first, stride): (usize, usize),
) {
    for (i, row) in rows.chunks_exact(width).enumerate() {
        row.iter().enumerate().for_each(|(j, x)| target[j * stride + first + i] = *x);
    }
}

/// One task per puzzle and head; the heads of a puzzle write to their own `[L, E]` first.
pub(super) fn forward(qkv: &Tensor, extent: Extent, rope: Option<&Rope>, out: &mut Tensor) {
    let Extent { len, heads, width, .. } = extent;
    let size = len * width;
    let mut by_head = Tensor::uninit(out.device(), out.shape(), DType::F32);
    by_head.slice_mut::<f32>().par_chunks_mut(size).enumerate().for_each(|(task, out)| {
        let (puzzle, head) = (task / heads, task % heads);
        let qkv = &qkv.slice::<f32>()[puzzle * 3 * heads * size..][..3 * heads * size];
        with_scratch(4 * size + score_room(len), |scratch| {
            let (qkv_head, rest) = scratch.split_at_mut(3 * size);
            let (spare, scores) = rest.split_at_mut(size);
            extent.load_head(qkv, head, rope, qkv_head, spare);
            let (q, kv) = qkv_head.split_at(size);
            let (k, v) = kv.split_at(size);
            attend_head(extent, (0, q), Mat::new(k, width, len), v, scores, out);
        });
    });
    join_heads(&by_head, extent, out);
}

/// From `[B, H, L, E]` to `[B, L, D]`.
pub(super) fn join_heads(by_head: &Tensor, extent: Extent, out: &mut Tensor) {
    let Extent { len, heads, width, .. } = extent;
    let size = len * width;
    let sources = by_head.slice::<f32>().par_chunks(heads * size);
    out.slice_mut::<f32>().par_chunks_mut(heads * size).zip(sources).for_each(|(out, source)| {
        for (head, source) in source.chunks_exact(size).enumerate() {
            extent.scatter(source, out, heads * width, head * width);
        }
    });
}

/// What the queries from place `first` on, `[rows, E]`, get of all keys, `[E, L]`, and values, `[L, E]`.
/// `scores` is room for [`score_room`] numbers.
pub(super) fn attend_head(
    extent: Extent,
    (first, q): (usize, &[f32]),
    k: Mat<'_>,
    v: &[f32],
    scores: &mut [f32],
    out: &mut [f32],
) {
    let Extent { len, width, .. } = extent;
    let block = QUERY_BLOCK * width;
    for (i, (q, out)) in q.chunks(block).zip(out.chunks_mut(block)).enumerate() {
        let rows = q.len() / width;
        let scores = &mut scores[..rows * len];
        probabilities((first + i * QUERY_BLOCK, q), k, extent, scores);
        let v = Mat::new(v, len, width);
        matmul(MatMut::new(out, rows, width), Mat::new(scores, rows, len), v, false);
    }
}

/// Numbers that the scores of a block of queries take.
pub(super) fn score_room(len: usize) -> usize {
    QUERY_BLOCK * len
}

/// `scores = softmax(q · kᵀ · scale)` for a block of query rows, 0 for keys that a query does not see. Keys
/// are `[E, L]`: products of rows with rows would be summed in another order where there are few.
fn probabilities((first, q): (usize, &[f32]), k: Mat<'_>, extent: Extent, scores: &mut [f32]) {
    let Extent { len, width, .. } = extent;
    let rows = q.len() / width;
    matmul(MatMut::new(scores, rows, len), Mat::new(q, rows, width), k, false);
    vectorized!({
        for (i, row) in scores.chunks_exact_mut(len).enumerate() {
            let (row, hidden) = row.split_at_mut(extent.visible(first + i));
            hidden.fill(0.0);
            let max = row.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
            let mut sum = 0.0;
            for x in row.iter_mut() {
                *x = exp((*x - max) * extent.scale());
            }
            for x in row.iter() {
                sum += *x;
            }
            row.iter_mut().for_each(|x| *x /= sum);
        }
    });
}

/// Fills `d_qkv` from the gradient of the output. Probabilities are computed again, block by block.
pub(super) fn backward(
    qkv: &Tensor,
    extent: Extent,
    rope: Option<&Rope>,
    d_out: &Tensor,
    d_qkv: &mut Tensor,
) {
    let Extent { len, heads, width, .. } = extent;
    let size = len * width;
    let mut by_head = Tensor::uninit(d_qkv.device(), d_qkv.shape(), DType::F32);
    by_head.slice_mut::<f32>().par_chunks_mut(3 * size).enumerate().for_each(|(task, d_head)| {
        let (puzzle, head) = (task / heads, task % heads);
        let qkv = &qkv.slice::<f32>()[puzzle * 3 * heads * size..][..3 * heads * size];
        let d_out = &d_out.slice::<f32>()[puzzle * heads * size..][..heads * size];
        with_scratch(4 * size + 2 * QUERY_BLOCK * len, |scratch| {
            let (inputs, scores) = scratch.split_at_mut(4 * size);
            let (qkv_head, d_out_head) = inputs.split_at_mut(3 * size);
            extent.load_head(qkv, head, rope, qkv_head, d_out_head);
            extent.gather(d_out, heads * width, head * width, d_out_head);
            head_backward(extent, qkv_head, d_out_head, scores, d_head);
            if let Some(rope) = rope {
                vectorized!({
                    d_head[..2 * size]
                        .chunks_exact_mut(size)
                        .for_each(|part| rope.rotate(0, part, true));
                });
            }
        });
    });
    let sources = by_head.slice::<f32>().par_chunks(3 * heads * size);
    let targets = d_qkv.slice_mut::<f32>().par_chunks_mut(3 * heads * size);
    targets.zip(sources).for_each(|(target, source)| {
        for (i, source) in source.chunks_exact(size).enumerate() {
            extent.scatter(source, target, 3 * heads * width, extent.column(i % 3, i / 3));
        }
    });
}

/// From `[q | kᵀ | v]` and the gradient of the head's output to `[dq | dk | dv]`.
fn head_backward(
    extent: Extent,
    qkv: &[f32],
    d_out: &[f32],
    scores: &mut [f32],
    d_qkv: &mut [f32],
) {
    let Extent { len, width, .. } = extent;
    let size = len * width;
    let (q, k, v) = (&qkv[..size], Mat::new(&qkv[size..2 * size], width, len), &qkv[2 * size..]);
    let (d_q, d_kv) = d_qkv.split_at_mut(size);
    let (d_k, d_v) = d_kv.split_at_mut(size);
    let (p, d_p) = scores.split_at_mut(QUERY_BLOCK * len);
    let block = QUERY_BLOCK * width;
    let parts = q.chunks(block).zip(d_out.chunks(block)).zip(d_q.chunks_mut(block));
    for (i, ((q, d_out), d_q)) in parts.enumerate() {
        let rows = q.len() / width;
        let (p, d_p) = (&mut p[..rows * len], &mut d_p[..rows * len]);
        probabilities((i * QUERY_BLOCK, q), k, extent, p);
        let d_out = Mat::new(d_out, rows, width);
        let pt = Mat::new(p, rows, len).t();
        matmul(MatMut::new(d_v, len, width), pt, d_out, i > 0);
        matmul(MatMut::new(d_p, rows, len), d_out, Mat::new(v, len, width).t(), false);
        scores_backward(p, d_p, len, extent.scale());
        let d_s = Mat::new(d_p, rows, len);
        matmul(MatMut::new(d_q, rows, width), d_s, k.t(), false);
        matmul(MatMut::new(d_k, len, width), d_s.t(), Mat::new(q, rows, width), i > 0);
    }
}

/// `d_p` becomes the gradient of the unscaled scores.
fn scores_backward(p: &[f32], d_p: &mut [f32], len: usize, scale: f32) {
    vectorized!({
        for (p, d_p) in p.chunks_exact(len).zip(d_p.chunks_exact_mut(len)) {
            let dot: f32 = p.iter().zip(&*d_p).map(|(p, d)| p * d).sum();
            for (p, d) in p.iter().zip(d_p) {
                *d = p * (*d - dot) * scale;
            }
        }
    });
}
