use crate::tape::{Backward, Gradients, Var};
use crate::{Tape, Tensor};

impl Tape {
    /// `a + b`, element by element.
    ///
    /// # Shapes
    /// `a`, `b`, output: equal.
    pub fn add(&self, a: &Tensor, b: &Tensor) -> Tensor {
        assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()), "terms of a sum");
        let out = self.kernels().add(a, b);
        self.record(out, || Add { a: a.var(), b: b.var() })
    }
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
