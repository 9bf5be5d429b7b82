use crate::dtype::Element;
use crate::math::vectorized;
use crate::tape::{Backward, Gradients, Var};
use crate::tasks::Tasks;
use crate::tensor::dispatch;
use crate::{Tape, Tensor};
use rayon::prelude::*;

const BLOCK: usize = 1 << 14;

impl Tape {
    /// `a + b`, element by element.
    ///
    /// # Shapes
    /// `a`, `b`, output: equal.
    pub fn add(&self, a: &Tensor, b: &Tensor) -> Tensor {
        assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()), "terms of a sum");
        let mut out = Tensor::uninit(self.device(), a.shape(), a.dtype());
        self.device().install(|| dispatch!(a.dtype(), T => forward::<T>(a, b, &mut out)));
        self.record(out, || Add { a: a.var(), b: b.var() })
    }
}

fn forward<T: Element>(a: &Tensor, b: &Tensor, out: &mut Tensor) {
    let (a, b) = (a.slice::<T>().par_chunks(BLOCK), b.slice::<T>().par_chunks(BLOCK));
    out.slice_mut::<T>().par_chunks_mut(BLOCK).zip(a.zip(b)).tasks().for_each(|(out, (a, b))| {
        vectorized!({
            for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                *out = T::from_f32(a.to_f32() + b.to_f32());
            }
        });
    });
}

struct Add {
    a: Option<Var>,
    b: Option<Var>,
}

impl Backward for Add {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        gradients.add(self.a, d_out.clone());
        gradients.add(self.b, d_out);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Case, check_gradients};

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[3, 5]).input(&[3, 5]);
        check_gradients(&case, |tape, x, _| tape.add(&x[0], &tape.add(&x[0], &x[1])));
    }
}
