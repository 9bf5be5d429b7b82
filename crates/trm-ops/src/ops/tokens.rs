use crate::dtype::Element;
use crate::tape::{Backward, Gradients};
use crate::tensor::dispatch;
use crate::{DType, Tape, Tensor};
use std::ops::Range;

impl Tape {
    /// The tokens of a range, in f32: what the heads read.
    ///
    /// # Shapes
    /// h `[B, L, D]`, output `[B, range.len(), D]`, f32.
    pub fn tokens(&self, h: &Tensor, range: Range<usize>) -> Tensor {
        let [batch, len, d] = *h.shape() else { panic!("{:?} is not [B, L, D]", h.shape()) };
        assert!(range.end <= len, "tokens {range:?} of {len}");
        let mut out = Tensor::uninit(self.device(), &[batch, range.len(), d], DType::F32);
        dispatch!(h.dtype(), T => copy::<T>(h, range.clone(), out.slice_mut()));
        self.record(out, || Tokens { h: h.clone(), range })
    }
}

fn copy<T: Element>(h: &Tensor, range: Range<usize>, out: &mut [f32]) {
    let (puzzle, d) = (h.len() / h.shape()[0], h.last_dim());
    let puzzles = h.slice::<T>().chunks_exact(puzzle);
    for (puzzle, out) in puzzles.zip(out.chunks_exact_mut(range.len() * d)) {
        let cells = &puzzle[range.start * d..range.end * d];
        out.iter_mut().zip(cells).for_each(|(o, x)| *o = x.to_f32());
    }
}

struct Tokens {
    h: Tensor,
    range: Range<usize>,
}

impl Backward for Tokens {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let mut d_h = Tensor::zeros(self.h.device(), self.h.shape(), self.h.dtype());
        dispatch!(self.h.dtype(), T => place::<T>(&d_out, self.range, &mut d_h));
        gradients.add(self.h.var(), d_h);
    }
}

fn place<T: Element>(d_out: &Tensor, range: Range<usize>, d_h: &mut Tensor) {
    let (puzzle, d) = (d_h.len() / d_h.shape()[0], d_h.last_dim());
    let puzzles = d_h.slice_mut::<T>().chunks_exact_mut(puzzle);
    for (puzzle, d_out) in puzzles.zip(d_out.slice::<f32>().chunks_exact(range.len() * d)) {
        let cells = &mut puzzle[range.start * d..range.end * d];
        cells.iter_mut().zip(d_out).for_each(|(c, g)| *c = T::from_f32(*g));
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Case, check_gradients};

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[2, 5, 3]);
        check_gradients(&case, |tape, h, _| tape.tokens(&h[0], 2..5));
    }
}
