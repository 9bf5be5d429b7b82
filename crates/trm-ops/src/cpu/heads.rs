//! Tokens taken apart for the heads.

use crate::cpu::element::Element;
use crate::cpu::memory::uninit;
use crate::ops::heads::NO_SYMBOL;
use crate::{DType, Tensor};
use std::ops::Range;

pub(super) fn tokens<T: Element>(h: &Tensor, range: Range<usize>) -> Tensor {
    let [batch, len, d] = *h.shape() else { panic!("checked") };
    let mut out = uninit(h.device(), &[batch, range.len(), d], DType::F32);
    let outs = out.slice_mut::<f32>().chunks_exact_mut(range.len() * d);
    for (puzzle, out) in h.slice::<T>().chunks_exact(len * d).zip(outs) {
        let cells = &puzzle[range.start * d..range.end * d];
        out.iter_mut().zip(cells).for_each(|(o, x)| *o = x.to_f32());
    }
    out
}

pub(super) fn tokens_backward<T: Element>(
    d_out: &Tensor,
    range: Range<usize>,
    shape: &[usize],
) -> Tensor {
    let mut d_h = Tensor::zeros(d_out.device(), shape, T::DTYPE);
    let d = d_h.last_dim();
    let puzzles = d_h.slice_mut::<T>().chunks_exact_mut(shape[1] * d);
    for (puzzle, d_out) in puzzles.zip(d_out.slice::<f32>().chunks_exact(range.len() * d)) {
        let cells = &mut puzzle[range.start * d..range.end * d];
        cells.iter_mut().zip(d_out).for_each(|(c, g)| *c = T::from_f32(*g));
    }
    d_h
}

pub(super) fn mean_token<T: Element>(h: &Tensor) -> Tensor {
    let [batch, len, d] = *h.shape() else { panic!("checked") };
    let mut means = Tensor::zeros(h.device(), &[batch, 1, d], DType::F32);
    let outs = means.slice_mut::<f32>().chunks_exact_mut(d);
    for (out, puzzle) in outs.zip(h.slice::<T>().chunks_exact(len * d)) {
        for token in puzzle.chunks_exact(d) {
            out.iter_mut().zip(token).for_each(|(sum, x)| *sum += x.to_f32());
        }
        out.iter_mut().for_each(|sum| *sum /= len as f32);
    }
    means
}

pub(super) fn mean_token_backward<T: Element>(d_out: &Tensor, shape: &[usize]) -> Tensor {
    let (len, d) = (shape[1], d_out.last_dim());
    let mut d_h = uninit(d_out.device(), shape, T::DTYPE);
    let puzzles = d_h.slice_mut::<T>().chunks_exact_mut(len * d);
    for (puzzle, d_out) in puzzles.zip(d_out.slice::<f32>().chunks_exact(d)) {
        for token in puzzle.chunks_exact_mut(d) {
            let part = 1.0 / len as f32;
            token.iter_mut().zip(d_out).for_each(|(t, g)| *t = T::from_f32(g * part));
        }
    }
    d_h
}

pub(super) fn symbol_logits(scores: &Tensor, symbols: usize, vocab: usize) -> Tensor {
    let (batch, cells) = (scores.shape()[0], scores.shape()[1] / symbols);
    let mut logits = vec![NO_SYMBOL; batch * cells * vocab];
    let of_cells = scores.slice::<f32>().chunks_exact(symbols);
    for (logits, scores) in logits.chunks_exact_mut(vocab).zip(of_cells) {
        logits[vocab - symbols..].copy_from_slice(scores);
    }
    Tensor::from_f32(scores.device(), &[batch, cells, vocab], &logits)
}

pub(super) fn symbol_logits_backward(d_out: &Tensor, symbols: usize) -> Tensor {
    let [batch, cells, vocab] = *d_out.shape() else { panic!("[B, S, V]") };
    let of_cells = d_out.slice::<f32>().chunks_exact(vocab);
    let d_scores: Vec<f32> = of_cells.flat_map(|d| &d[vocab - symbols..]).copied().collect();
    Tensor::from_f32(d_out.device(), &[batch, cells * symbols, 1], &d_scores)
}
