//! From candidates to what the heads read and give.

use crate::dtype::Element;
use crate::tape::{Backward, Gradients};
use crate::tensor::dispatch;
use crate::{DType, Tape, Tensor};

/// Logit of tokens that are no symbol: next to no probability, and a finite loss.
const NO_SYMBOL: f32 = -30.0;

impl Tape {
    /// The mean over all tokens, in f32.
    ///
    /// # Shapes
    /// h `[B, L, D]`, output `[B, 1, D]`, f32.
    pub fn mean_token(&self, h: &Tensor) -> Tensor {
        let [batch, len, d] = *h.shape() else { panic!("{:?} is not [B, L, D]", h.shape()) };
        let mut out = Tensor::zeros(self.device(), &[batch, 1, d], DType::F32);
        dispatch!(h.dtype(), T => mean::<T>(h, out.slice_mut()));
        self.record(out, || MeanToken { h: h.clone(), len })
    }

    /// Scores of candidates as logits of tokens: the last K tokens of a vocabulary of V are the
    /// symbols that a cell has candidates for, the others next to impossible.
    ///
    /// # Shapes
    /// scores `[B, S·K, 1]`, f32; output `[B, S, V]`, f32.
    pub fn symbol_logits(&self, scores: &Tensor, symbols: usize, vocab: usize) -> Tensor {
        let (batch, cells) = (scores.shape()[0], scores.shape()[1] / symbols);
        let mut logits = vec![NO_SYMBOL; batch * cells * vocab];
        let scores_of_cells = scores.slice::<f32>().chunks_exact(symbols);
        for (logits, scores) in logits.chunks_exact_mut(vocab).zip(scores_of_cells) {
            logits[vocab - symbols..].copy_from_slice(scores);
        }
        let out = Tensor::from_f32(self.device(), &[batch, cells, vocab], &logits);
        self.record(out, || SymbolLogits { scores: scores.clone(), symbols })
    }
}

fn mean<T: Element>(h: &Tensor, out: &mut [f32]) {
    let (len, d) = (h.shape()[1], h.last_dim());
    for (out, puzzle) in out.chunks_exact_mut(d).zip(h.slice::<T>().chunks_exact(len * d)) {
        for token in puzzle.chunks_exact(d) {
            out.iter_mut().zip(token).for_each(|(sum, x)| *sum += x.to_f32());
        }
        out.iter_mut().for_each(|sum| *sum /= len as f32);
    }
}

struct MeanToken {
    h: Tensor,
    len: usize,
}

impl Backward for MeanToken {
    fn backward(self: Box<Self>, mut d_out: Tensor, gradients: &mut Gradients) {
        let d = d_out.last_dim();
        d_out.scale(1.0 / self.len as f32);
        let mut d_h = Tensor::uninit(self.h.device(), self.h.shape(), self.h.dtype());
        dispatch!(self.h.dtype(), T => {
            let puzzles = d_h.slice_mut::<T>().chunks_exact_mut(self.len * d);
            for (puzzle, d_out) in puzzles.zip(d_out.slice::<f32>().chunks_exact(d)) {
                for token in puzzle.chunks_exact_mut(d) {
                    token.iter_mut().zip(d_out).for_each(|(t, g)| *t = T::from_f32(*g));
                }
            }
        });
        gradients.add(self.h.var(), d_h);
    }
}

struct SymbolLogits {
    scores: Tensor,
    symbols: usize,
}

impl Backward for SymbolLogits {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let vocab = d_out.last_dim();
        let cells = d_out.slice::<f32>().chunks_exact(vocab);
        let d_scores: Vec<f32> = cells.flat_map(|d| &d[vocab - self.symbols..]).copied().collect();
        let d_scores = Tensor::from_f32(d_out.device(), self.scores.shape(), &d_scores);
        gradients.add(self.scores.var(), d_scores);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Case, check_gradients};
    use crate::{Device, Tape, Tensor};

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[2, 5, 3]);
        check_gradients(&case, |tape, h, _| tape.mean_token(&h[0]));
        let case = Case::new().input(&[2, 6, 1]).f32_only();
        check_gradients(&case, |tape, x, _| tape.symbol_logits(&x[0], 3, 5));
    }

    #[test]
    fn symbols_are_the_last_tokens() {
        let device = Device::cpu(1);
        let scores = Tensor::from_f32(&device, &[1, 4, 1], &[1.0, 2.0, 3.0, 4.0]);
        let logits = Tape::off(&device).symbol_logits(&scores, 2, 3);
        assert_eq!(logits.shape(), [1, 2, 3]);
        assert_eq!(logits.to_f32_vec(), [-30.0, 1.0, 2.0, -30.0, 3.0, 4.0]);
    }
}
