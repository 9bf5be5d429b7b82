//! Losses, by their formulas.

use super::values::{like, tensor, values};
use crate::ops::cross_entropy::{Likelihood, Targets};
use crate::{DType, Tensor};

/// Place of the largest value, the first of equal ones.
pub(super) fn largest(row: &[f32]) -> u8 {
    (0..row.len()).rev().max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap_or(0) as u8
}

/// Probabilities of one cell, and the derivative of each score over the score.
fn probabilities(row: &[f32], likelihood: Likelihood) -> Vec<(f64, f64)> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scores = row.iter().map(|x| likelihood.score(f64::from(*x), f64::from(max)));
    let scores: Vec<(f64, f64)> = scores.collect();
    let sum: f64 = scores.iter().map(|(s, _)| s).sum();
    scores.iter().map(|(s, slope)| (s / sum, slope / s)).collect()
}

impl Targets {
    fn of_puzzle(&self, b: usize) -> &[u8] {
        &self.labels[b * self.cells..][..self.cells]
    }

    /// One over the number of labelled cells.
    fn share(&self, b: usize) -> f64 {
        1.0 / self.of_puzzle(b).iter().filter(|l| **l != self.ignore).count().max(1) as f64
    }

    fn target(&self, label: u8, token: usize, vocab: usize) -> f64 {
        let hit = if token == usize::from(label) { 1.0 - self.smoothing } else { 0.0 };
        hit + self.smoothing / vocab as f64
    }
}

pub(super) fn cross_entropy(logits: &Tensor, targets: &Targets) -> Tensor {
    let [batch, cells, vocab] = *logits.shape() else { panic!("[B, S, V]") };
    let of_cell = |b: usize, cell: usize| {
        let label = targets.of_puzzle(b)[cell];
        if label == targets.ignore {
            return 0.0;
        }
        let row = &values(logits)[(b * cells + cell) * vocab..][..vocab];
        let terms = probabilities(row, targets.likelihood).into_iter().enumerate();
        let terms = terms.map(|(token, (p, _))| (targets.target(label, token, vocab), p));
        -terms.filter(|(target, _)| *target > 0.0).map(|(target, p)| target * p.ln()).sum::<f64>()
    };
    let of = |b: usize| (0..cells).map(|cell| of_cell(b, cell)).sum::<f64>() * targets.share(b);
    let losses = (0..batch).map(|b| of(b) as f32).collect();
    tensor(logits.device(), &[batch], DType::F32, losses)
}

pub(super) fn cross_entropy_backward(logits: &Tensor, targets: &Targets, d_out: &Tensor) -> Tensor {
    let [_, cells, vocab] = *logits.shape() else { panic!("[B, S, V]") };
    like(logits, |at| {
        let (token, cell, b) = (at % vocab, at / vocab % cells, at / (vocab * cells));
        let label = targets.of_puzzle(b)[cell];
        if label == targets.ignore {
            return 0.0;
        }
        let row = &values(logits)[at - token..][..vocab];
        let (p, slope) = probabilities(row, targets.likelihood)[token];
        let slope = slope * (p - targets.target(label, token, vocab));
        (slope * targets.share(b) * f64::from(values(d_out)[b])) as f32
    })
}

pub(super) fn exact_rows(logits: &Tensor, labels: &[u8], ignore: u8) -> Tensor {
    let [batch, cells, vocab] = *logits.shape() else { panic!("[B, S, V]") };
    let exact = |b: usize| {
        let cells = (b * cells..(b + 1) * cells).filter(|cell| labels[*cell] != ignore);
        let right = |cell: usize| largest(&values(logits)[cell * vocab..][..vocab]) == labels[cell];
        cells.clone().next().is_some() && cells.clone().all(right)
    };
    let rows = (0..batch).map(|b| f32::from(u8::from(exact(b)))).collect();
    tensor(logits.device(), &[batch], DType::F32, rows)
}

/// Loss and its slope for a halting logit and its target.
pub(super) fn halting(q: f32, target: f32) -> (f32, f32) {
    let loss = q.max(0.0) - q * target + (-q.abs()).exp().ln_1p();
    (loss, 1.0 / (1.0 + (-q).exp()) - target)
}
