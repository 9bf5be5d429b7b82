//! From tokens to what the heads read, and from what they give to logits.

use crate::tape::{Backward, Gradients};
use crate::{Tape, Tensor};
use std::ops::Range;

/// Logit of tokens that are no symbol: next to no probability, and a finite loss.
pub const NO_SYMBOL: f32 = -30.0;

impl Tape {
    /// The tokens of a range, in f32: what the heads read.
    ///
    /// # Shapes
    /// h `[B, L, D]`, output `[B, range.len(), D]`, f32.
    pub fn tokens(&self, h: &Tensor, range: Range<usize>) -> Tensor {
        let [_, len, _] = *h.shape() else { panic!("{:?} is not [B, L, D]", h.shape()) };
        assert!(range.end <= len, "tokens {range:?} of {len}");
        let out = self.kernels().tokens(h, range.clone());
        self.record(out, || Tokens { h: h.clone(), range })
    }

    /// The mean over all tokens, in f32.
    ///
    /// # Shapes
    /// h `[B, L, D]`, output `[B, 1, D]`, f32.
    pub fn mean_token(&self, h: &Tensor) -> Tensor {
        assert_eq!(h.shape().len(), 3, "{:?} is not [B, L, D]", h.shape());
        let out = self.kernels().mean_token(h);
        self.record(out, || MeanToken { h: h.clone() })
    }

    /// Scores of candidates as logits of tokens: the last K tokens of a vocabulary of V are the
    /// symbols that a cell has candidates for, the others next to impossible.
    ///
    /// # Shapes
    /// scores `[B, S·K, 1]`, f32; output `[B, S, V]`, f32.
    pub fn symbol_logits(&self, scores: &Tensor, symbols: usize, vocab: usize) -> Tensor {
        let out = self.kernels().symbol_logits(scores, symbols, vocab);
        self.record(out, || SymbolLogits { scores: scores.clone(), symbols })
    }
}

struct Tokens {
    h: Tensor,
    range: Range<usize>,
}

impl Backward for Tokens {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let Tokens { h, range } = *self;
        let d_h = h.device().kernels().tokens_backward(&d_out, range, (h.shape(), h.dtype()));
        gradients.add(h.var(), d_h);
    }
}

struct MeanToken {
    h: Tensor,
}

impl Backward for MeanToken {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let h = &self.h;
        let d_h = h.device().kernels().mean_token_backward(&d_out, (h.shape(), h.dtype()));
        gradients.add(h.var(), d_h);
    }
}

struct SymbolLogits {
    scores: Tensor,
    symbols: usize,
}

impl Backward for SymbolLogits {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let d_scores = d_out.device().kernels().symbol_logits_backward(&d_out, self.symbols);
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
        check_gradients(&case, |tape, h, _| tape.tokens(&h[0], 2..5));
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
        assert_eq!(logits.to_f32_vec().unwrap(), [-30.0, 1.0, 2.0, -30.0, 3.0, 4.0]);
    }
}
