use crate::dtype::Element;
use crate::math::{exp, vectorized};
use crate::matmul::{Mat, MatMut, matmul};
use crate::storage::with_scratch;
use crate::tape::{Backward, Gradients};
use crate::tensor::dispatch;
use crate::{Tape, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// Query rows that share one block of scores; the whole L × L matrix is never held.
const QUERY_BLOCK: usize = 64;

/// Rotary position embedding, half-split form: feature pair (j, j + E/2) of a head of width E is
/// rotated by the angle `position · base^(−2j/E)`.
#[derive(Clone, Debug)]
pub struct Rope {
    cos: Arc<[f32]>,
    sin: Arc<[f32]>,
    half: usize,
}

impl Rope {
    /// Tables for positions `0..len` of heads of width `head_dim`.
    ///
    /// # Panics
    /// If `head_dim` is odd.
    pub fn new(len: usize, head_dim: usize, base: f32) -> Rope {
        assert_eq!(head_dim % 2, 0, "rotary embedding of an odd head width");
        let half = head_dim / 2;
        let angle = |i: usize| {
            let frequency = base.powf(-((2 * (i % half)) as f32) / head_dim as f32);
            (i / half) as f32 * frequency
        };
        let table = |f: fn(f32) -> f32| (0..len * half).map(|i| f(angle(i))).collect();
        Rope { cos: table(f32::cos), sin: table(f32::sin), half }
    }

    /// Rotates every row of a head `[L, E]`; backwards when `inverse`.
    fn rotate(&self, head: &mut [f32], inverse: bool) {
        let half = self.half;
        let sign = if inverse { -1.0 } else { 1.0 };
        for (i, row) in head.chunks_exact_mut(2 * half).enumerate() {
            let (left, right) = row.split_at_mut(half);
            let table = i * half..(i + 1) * half;
            let (cos, sin) = (&self.cos[table.clone()], &self.sin[table]);
            for j in 0..half {
                let (a, b, s) = (left[j], right[j], sign * sin[j]);
                left[j] = a * cos[j] - b * s;
                right[j] = b * cos[j] + a * s;
            }
        }
    }
}

/// Extents of one call: L tokens, H heads of width E.
#[derive(Clone, Copy)]
struct Extent {
    len: usize,
    heads: usize,
    width: usize,
}

impl Extent {
    fn scale(self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// Copies a head's part (0 query, 1 key, 2 value) of one puzzle's `[L, 3·H·E]` to `[L, E]`.
    fn gather<T: Element>(self, qkv: &[T], part: usize, head: usize, target: &mut [f32]) {
        let Extent { heads, width, .. } = self;
        let start = (part * heads + head) * width;
        for (row, target) in qkv.chunks_exact(3 * heads * width).zip(target.chunks_exact_mut(width))
        {
            target.iter_mut().zip(&row[start..]).for_each(|(t, x)| *t = x.to_f32());
        }
    }

    /// Writes `[L, E]` into columns `start..` of one puzzle's rows of `stride` values.
    fn scatter<T: Element>(self, source: &[f32], target: &mut [T], stride: usize, start: usize) {
        let rows = target.chunks_exact_mut(stride).zip(source.chunks_exact(self.width));
        for (target, source) in rows {
            let target = &mut target[start..start + self.width];
            target.iter_mut().zip(source).for_each(|(t, x)| *t = T::from_f32(*x));
        }
    }
}

impl Tape {
    /// Non-causal multi-head attention: for each head `softmax(q · kᵀ / sqrt(E)) · v`, with rotary
    /// positions on q and k if given.
    ///
    /// # Shapes
    /// qkv `[B, L, 3D]`: all query heads, then all key heads, then all value heads; D = heads · E;
    /// output `[B, L, D]`.
    pub fn attention(&self, qkv: &Tensor, heads: usize, rope: Option<&Rope>) -> Tensor {
        let [batch, len, width] = *qkv.shape() else { panic!("{:?}: not [B, L, 3D]", qkv.shape()) };
        assert_eq!(width % (3 * heads), 0, "{width} features for {heads} heads");
        let extent = Extent { len, heads, width: width / 3 / heads };
        let mut out = Tensor::uninit(self.device(), &[batch, len, width / 3], qkv.dtype());
        self.device().install(|| {
            dispatch!(qkv.dtype(), T => forward::<T>(qkv, extent, rope, &mut out));
        });
        self.record(out, || Attention { qkv: qkv.clone(), extent, rope: rope.cloned() })
    }
}

/// One task per puzzle and head; the heads of a puzzle write to their own `[L, E]` first.
fn forward<T: Element>(qkv: &Tensor, extent: Extent, rope: Option<&Rope>, out: &mut Tensor) {
    let Extent { len, heads, width } = extent;
    let size = len * width;
    let mut by_head = Tensor::uninit(out.device(), out.shape(), crate::DType::F32);
    by_head.slice_mut::<f32>().par_chunks_mut(size).enumerate().for_each(|(task, out)| {
        let (puzzle, head) = (task / heads, task % heads);
        let qkv = &qkv.slice::<T>()[puzzle * 3 * heads * size..][..3 * heads * size];
        with_scratch(3 * size + QUERY_BLOCK * len, |scratch| {
            let (qkv_head, scores) = scratch.split_at_mut(3 * size);
            load_head(qkv, extent, head, rope, qkv_head);
            let (q, kv) = qkv_head.split_at(size);
            let (k, v) = kv.split_at(size);
            let blocks = q.chunks(QUERY_BLOCK * width).zip(out.chunks_mut(QUERY_BLOCK * width));
            for (q, out) in blocks {
                let rows = q.len() / width;
                let scores = &mut scores[..rows * len];
                probabilities(q, k, extent, scores);
                let v = Mat::new(v, len, width);
                matmul(MatMut::new(out, rows, width), Mat::new(scores, rows, len), v, false);
            }
        });
    });
    let sources = by_head.slice::<f32>().par_chunks(heads * size);
    out.slice_mut::<T>().par_chunks_mut(heads * size).zip(sources).for_each(|(out, source)| {
        for (head, source) in source.chunks_exact(size).enumerate() {
            extent.scatter(source, out, heads * width, head * width);
        }
    });
}

/// Fills `[q | k | v]`, each `[L, E]`, rotated.
fn load_head<T: Element>(
    qkv: &[T],
    extent: Extent,
    head: usize,
    rope: Option<&Rope>,
    target: &mut [f32],
) {
    vectorized(|| {
        for (part, target) in target.chunks_exact_mut(extent.len * extent.width).enumerate() {
            extent.gather(qkv, part, head, target);
            if let (Some(rope), 0 | 1) = (rope, part) {
                rope.rotate(target, false);
            }
        }
    });
}

/// `scores = softmax(q · kᵀ · scale)` for a block of query rows.
fn probabilities(q: &[f32], k: &[f32], extent: Extent, scores: &mut [f32]) {
    let Extent { len, width, .. } = extent;
    let rows = q.len() / width;
    let k = Mat::new(k, len, width).t();
    matmul(MatMut::new(scores, rows, len), Mat::new(q, rows, width), k, false);
    vectorized(|| {
        for row in scores.chunks_exact_mut(len) {
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

struct Attention {
    qkv: Tensor,
    extent: Extent,
    rope: Option<Rope>,
}

impl Backward for Attention {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let mut d_qkv = Tensor::uninit(self.qkv.device(), self.qkv.shape(), self.qkv.dtype());
        dispatch!(d_out.dtype(), T => self.run::<T>(&d_out, &mut d_qkv));
        gradients.add(&self.qkv, d_qkv);
    }
}

impl Attention {
    /// Probabilities are computed again, block by block. With P = softmax(S), S = q kᵀ·scale:
    /// `dv = Pᵀ dO`, `dP = dO vᵀ`, `dS = P ∘ (dP − Σ_j dP_j P_j)`, `dq = dS k·scale`, `dk = dSᵀ q·scale`.
    fn run<T: Element>(&self, d_out: &Tensor, d_qkv: &mut Tensor) {
        let Extent { len, heads, width } = self.extent;
        let size = len * width;
        let mut by_head = Tensor::uninit(d_qkv.device(), d_qkv.shape(), crate::DType::F32);
        by_head.slice_mut::<f32>().par_chunks_mut(3 * size).enumerate().for_each(
            |(task, d_head)| {
                let (puzzle, head) = (task / heads, task % heads);
                let qkv = &self.qkv.slice::<T>()[puzzle * 3 * heads * size..][..3 * heads * size];
                let d_out = &d_out.slice::<T>()[puzzle * heads * size..][..heads * size];
                with_scratch(4 * size + 2 * QUERY_BLOCK * len, |scratch| {
                    let (inputs, scores) = scratch.split_at_mut(4 * size);
                    let (qkv_head, d_out_head) = inputs.split_at_mut(3 * size);
                    load_head(qkv, self.extent, head, self.rope.as_ref(), qkv_head);
                    for (row, target) in
                        d_out.chunks_exact(heads * width).zip(d_out_head.chunks_exact_mut(width))
                    {
                        target
                            .iter_mut()
                            .zip(&row[head * width..])
                            .for_each(|(t, x)| *t = x.to_f32());
                    }
                    self.head_backward(qkv_head, d_out_head, scores, d_head);
                });
            },
        );
        let sources = by_head.slice::<f32>().par_chunks(3 * heads * size);
        let targets = d_qkv.slice_mut::<T>().par_chunks_mut(3 * heads * size);
        targets.zip(sources).for_each(|(target, source)| {
            for (i, source) in source.chunks_exact(size).enumerate() {
                let (head, part) = (i / 3, i % 3);
                let start = (part * heads + head) * width;
                self.extent.scatter(source, target, 3 * heads * width, start);
            }
        });
    }

    /// From `[q | k | v]` and the gradient of the head's output to `[dq | dk | dv]`.
    fn head_backward(&self, qkv: &[f32], d_out: &[f32], scores: &mut [f32], d_qkv: &mut [f32]) {
        let Extent { len, width, .. } = self.extent;
        let size = len * width;
        let (q, k, v) = (&qkv[..size], &qkv[size..2 * size], &qkv[2 * size..]);
        let (d_q, d_kv) = d_qkv.split_at_mut(size);
        let (d_k, d_v) = d_kv.split_at_mut(size);
        let (p, d_p) = scores.split_at_mut(QUERY_BLOCK * len);
        let block = QUERY_BLOCK * width;
        let parts = q.chunks(block).zip(d_out.chunks(block)).zip(d_q.chunks_mut(block));
        for (i, ((q, d_out), d_q)) in parts.enumerate() {
            let rows = q.len() / width;
            let (p, d_p) = (&mut p[..rows * len], &mut d_p[..rows * len]);
            probabilities(q, k, self.extent, p);
            let d_out = Mat::new(d_out, rows, width);
            let pt = Mat::new(p, rows, len).t();
            matmul(MatMut::new(d_v, len, width), pt, d_out, i > 0);
            matmul(MatMut::new(d_p, rows, len), d_out, Mat::new(v, len, width).t(), false);
            scores_backward(p, d_p, len, self.extent.scale());
            let d_s = Mat::new(d_p, rows, len);
            matmul(MatMut::new(d_q, rows, width), d_s, Mat::new(k, len, width), false);
            matmul(MatMut::new(d_k, len, width), d_s.t(), Mat::new(q, rows, width), i > 0);
        }
        if let Some(rope) = &self.rope {
            rope.rotate(d_q, true);
            rope.rotate(d_k, true);
        }
    }
}

/// `d_p` becomes the gradient of the unscaled scores.
fn scores_backward(p: &[f32], d_p: &mut [f32], len: usize, scale: f32) {
    vectorized(|| {
        for (p, d_p) in p.chunks_exact(len).zip(d_p.chunks_exact_mut(len)) {
            let dot: f32 = p.iter().zip(&*d_p).map(|(p, d)| p * d).sum();
            for (p, d) in p.iter().zip(d_p) {
                *d = p * (*d - dot) * scale;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients, close, random_tensor};

    #[test]
    fn gradients_equal_finite_differences() {
        for rope in [None, Some(Rope::new(5, 4, 10_000.0))] {
            let case = Case::new().input(&[2, 5, 3 * 8]);
            check_gradients(&case, |tape, x, _| tape.attention(&x[0], 2, rope.as_ref()));
        }
    }

    #[test]
    fn equals_the_plain_formula_beyond_one_block_of_queries() {
        let device = Device::cpu(2);
        let (len, heads, width) = (70, 2, 4);
        let qkv = random_tensor(&device, &[1, len, 3 * heads * width], 1);
        let got = Tape::off(&device).attention(&qkv, heads, None).to_f32_vec();
        let x = qkv.to_f32_vec();
        let at = |i: usize, part: usize, h: usize, e: usize| {
            x[i * 3 * heads * width + (part * heads + h) * width + e] as f64
        };
        for h in 0..heads {
            for i in 0..len {
                let score = |j| (0..width).map(|e| at(i, 0, h, e) * at(j, 1, h, e)).sum::<f64>();
                let weights: Vec<f64> = (0..len).map(|j| (score(j) / 2.0).exp()).collect();
                let sum: f64 = weights.iter().sum();
                let want: Vec<f32> = (0..width)
                    .map(|e| {
                        ((0..len).map(|j| weights[j] * at(j, 2, h, e)).sum::<f64>() / sum) as f32
                    })
                    .collect();
                close(&got[(i * heads + h) * width..][..width], &want, 1e-5);
            }
        }
    }

    #[test]
    fn rotation_keeps_lengths_and_depends_on_distance_only() {
        let rope = Rope::new(9, 6, 10_000.0);
        let (a, b) = ([0.3, -1.0, 0.5, 2.0, 0.1, -0.7f32], [1.0, 0.2, -0.4, 0.6, 0.9, 0.0f32]);
        let dot = |i: usize, j: usize| {
            let place = |v: &[f32; 6], position: usize| {
                let mut rows = v.repeat(9);
                rope.rotate(&mut rows, false);
                rows[position * 6..(position + 1) * 6].to_vec()
            };
            place(&a, i).iter().zip(place(&b, j)).map(|(x, y)| x * y).sum::<f32>()
        };
        close(&[dot(1, 4), dot(3, 3)], &[dot(5, 8), dot(0, 0)], 1e-5);
    }
}
