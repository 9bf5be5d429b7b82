//! Losses, in f64 inside.

use crate::DType;
use crate::Tensor;
use crate::cpu::add::largest;
use crate::cpu::memory::uninit;
use crate::cpu::tasks::Tasks;
use crate::ops::cross_entropy::{Likelihood, Targets};
use rayon::prelude::*;

pub(super) fn cross_entropy(logits: &Tensor, targets: &Targets) -> Tensor {
    let mut losses = uninit(logits.device(), &[logits.shape()[0]], DType::F32);
    let of_puzzles = logits.slice::<f32>().par_chunks(logits.row_len());
    let outs = losses.slice_mut::<f32>().par_iter_mut().zip(of_puzzles).enumerate();
    outs.tasks().for_each(|(b, (loss, logits))| {
        *loss = targets.puzzle(logits, b, |_, _| ()) as f32;
    });
    losses
}

pub(super) fn cross_entropy_backward(logits: &Tensor, targets: &Targets, d_out: &Tensor) -> Tensor {
    let mut d_logits = logits.zeros_like();
    let of_puzzles = logits.slice::<f32>().par_chunks(logits.row_len());
    let outs = d_logits.slice_mut::<f32>().par_chunks_mut(logits.row_len());
    let scales = d_out.slice::<f32>();
    outs.zip(of_puzzles).zip(scales).enumerate().tasks().for_each(|(b, ((out, logits), scale))| {
        targets.puzzle(logits, b, |i, g| out[i] = (g * *scale as f64) as f32);
    });
    d_logits
}

impl Targets {
    /// Loss of one puzzle from its logits `[S · V]`; `gradient` receives (index of a logit, derivative).
    fn puzzle(&self, logits: &[f32], b: usize, mut gradient: impl FnMut(usize, f64)) -> f64 {
        let cells = self.cells;
        let vocab = logits.len() / cells;
        let labels = &self.labels[b * cells..][..cells];
        let counted = labels.iter().filter(|l| **l != self.ignore).count().max(1) as f64;
        let mut loss = 0.0;
        for (cell, label) in labels.iter().enumerate().filter(|(_, l)| **l != self.ignore) {
            let row = &logits[cell * vocab..][..vocab];
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
            let score = |x: f32| self.likelihood.score(x as f64, max);
            let sum: f64 = row.iter().map(|x| score(*x).0).sum();
            for (v, x) in row.iter().enumerate() {
                let hit = if v == *label as usize { 1.0 - self.smoothing } else { 0.0 };
                let target = hit + self.smoothing / vocab as f64;
                let (s, slope) = score(*x);
                if target > 0.0 {
                    loss -= target * self.log_probability(*x as f64, max, s, sum);
                }
                let ratio = if s > 0.0 { slope / s } else { 1.0 };
                gradient(cell * vocab + v, (slope / sum - target * ratio) / counted);
            }
        }
        loss / counted
    }

    fn log_probability(&self, x: f64, max: f64, s: f64, sum: f64) -> f64 {
        match self.likelihood {
            Likelihood::Stablemax => (s / sum).ln(),
            Likelihood::Softmax => x - max - sum.ln(),
        }
    }
}

pub(super) fn exact_rows(logits: &Tensor, labels: &[u8], ignore: u8) -> Tensor {
    let [batch, cells, vocab] = *logits.shape() else { panic!("[B, S, V]") };
    let rows = logits.slice::<f32>().chunks_exact(vocab).zip(labels);
    let right: Vec<Option<bool>> =
        rows.map(|(row, label)| (*label != ignore).then(|| largest(row) == *label)).collect();
    let exact = |row: &[Option<bool>]| {
        let mut labelled = row.iter().flatten().peekable();
        f32::from(u8::from(labelled.peek().is_some() && labelled.all(|right| *right)))
    };
    let exact: Vec<f32> = right.chunks_exact(cells).map(exact).collect();
    Tensor::from_f32(logits.device(), &[batch], &exact)
}

pub(super) fn halt_loss(q: &Tensor, correct: &Tensor) -> Tensor {
    let losses: Vec<f32> =
        halting(q, correct).map(|(q, t)| q.max(0.0) - q * t + (-q.abs()).exp().ln_1p()).collect();
    Tensor::from_f32(q.device(), &[losses.len()], &losses)
}

pub(super) fn halt_loss_backward(q: &Tensor, correct: &Tensor, d_out: &Tensor) -> Tensor {
    let rows = halting(q, correct).zip(d_out.slice::<f32>());
    let values: Vec<f32> =
        rows.flat_map(|((q, t), d)| [d * (1.0 / (1.0 + (-q).exp()) - t), 0.0]).collect();
    Tensor::from_f32(q.device(), q.shape(), &values)
}

/// Halting logit and target of every puzzle.
fn halting<'x>(q: &'x Tensor, correct: &'x Tensor) -> impl Iterator<Item = (f32, f32)> + 'x {
    let logits = q.slice::<f32>().chunks_exact(2).map(|q| q[0]);
    logits.zip(correct.slice::<f32>().iter().copied())
}
