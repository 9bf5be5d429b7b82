//! What the heads read, and what becomes of scores.

use crate::gpu::Gpu;
use crate::job::each;
use crate::programs::{Program, source};
use std::ops::Range;
use trm_ops::{DType, NO_SYMBOL, Tensor};

impl Gpu {
    pub(crate) fn some_tokens(&self, h: &Tensor, range: Range<usize>) -> Tensor {
        let [batch, len, d] = *h.shape() else { panic!("[B, L, D]") };
        let out = self.beside(h, &[batch, range.len(), d], DType::F32);
        let operands = [each(h, batch), each(&out, batch).out()];
        let numbers = numbers([len, d, range.start, range.len()]);
        self.run_each(
            Program::new(source::heads, "tokens", h.dtype()),
            batch,
            range.len() * d,
            &operands,
            &numbers,
        );
        out
    }

    pub(crate) fn some_tokens_backward(
        &self,
        d_out: &Tensor,
        range: Range<usize>,
        (shape, dtype): (&[usize], DType),
    ) -> Tensor {
        let [batch, len, d] = *shape else { panic!("[B, L, D]") };
        let out = self.beside(d_out, shape, dtype);
        let operands = [each(d_out, batch), each(&out, batch).out()];
        let numbers = numbers([len, d, range.start, range.len()]);
        self.run_each(
            Program::new(source::heads, "tokens_backward", dtype),
            batch,
            len * d,
            &operands,
            &numbers,
        );
        out
    }

    pub(crate) fn mean_of_tokens(&self, h: &Tensor) -> Tensor {
        let [batch, len, d] = *h.shape() else { panic!("[B, L, D]") };
        let out = self.beside(h, &[batch, 1, d], DType::F32);
        let operands = [each(h, batch), each(&out, batch).out()];
        let program = Program::new(source::heads, "mean", h.dtype());
        self.run_each(program, batch, d, &operands, &numbers([len, d, 0, 0]));
        out
    }

    pub(crate) fn mean_of_tokens_backward(
        &self,
        d_out: &Tensor,
        (shape, dtype): (&[usize], DType),
    ) -> Tensor {
        let [batch, len, d] = *shape else { panic!("[B, L, D]") };
        let out = self.beside(d_out, shape, dtype);
        let operands = [each(d_out, batch), each(&out, batch).out()];
        let program = Program::new(source::heads, "mean_backward", dtype);
        self.run_each(program, batch, len * d, &operands, &numbers([len, d, 0, 0]));
        out
    }

    pub(crate) fn logits_of_symbols(
        &self,
        scores: &Tensor,
        symbols: usize,
        vocab: usize,
    ) -> Tensor {
        let (batch, cells) = (scores.shape()[0], scores.shape()[1] / symbols);
        let out = self.beside(scores, &[batch, cells, vocab], DType::F32);
        let rows = batch * cells;
        let operands = [each(scores, rows), each(&out, rows).out()];
        let program = Program::new(source::heads, "symbols", scores.dtype());
        self.run_each(program, rows, vocab, &operands, &numbers([0, vocab, 0, symbols]));
        out
    }

    pub(crate) fn logits_of_symbols_backward(&self, d_out: &Tensor, symbols: usize) -> Tensor {
        let [batch, cells, vocab] = *d_out.shape() else { panic!("[B, S, V]") };
        let out = self.beside(d_out, &[batch, cells * symbols, 1], DType::F32);
        let rows = batch * cells;
        let operands = [each(d_out, rows), each(&out, rows).out()];
        let program = Program::new(source::heads, "symbols_backward", DType::F32);
        self.run_each(program, rows, symbols, &operands, &numbers([0, vocab, 0, symbols]));
        out
    }
}

fn numbers(sizes: [usize; 4]) -> [u32; 5] {
    let [len, d, from, count] = sizes.map(|x| x as u32);
    [len, d, from, count, NO_SYMBOL.to_bits()]
}
