use crate::tape::{Backward, Gradients};
use crate::{Axis, Parameter, Tape, Tensor};

impl Tape {
    /// `y = x · Wᵀ + b`.
    ///
    /// # Shapes
    /// x `[.., K]`, weight `[N, K]`, bias `[N]`, output `[.., N]`.
    pub fn linear(&self, x: &Tensor, weight: &Parameter, bias: Option<&Parameter>) -> Tensor {
        let [n, k] = *weight.value().shape() else { panic!("{} is not a matrix", weight.name()) };
        assert_eq!(x.last_dim(), k, "input width of {}", weight.name());
        self.device().count(x.len() * n);
        assert!(bias.is_none_or(|bias| bias.value().shape() == [n]), "a bias of {n}");
        let out = self.kernels().linear(x, weight, bias);
        let saved = || Linear { x: x.clone(), weight: weight.clone(), bias: bias.cloned() };
        self.record(out, saved)
    }

    /// `rms_norm(h + x · Wᵀ)` over features: the same as [`Tape::residual_norm`] of
    /// [`Tape::linear`], in one pass where that is faster;
    /// on a CPU bit for bit.
    ///
    /// # Shapes
    /// h, output `[B, L, N]`; x `[B, L, K]`, weight `[N, K]`.
    pub fn residual_linear(&self, h: &Tensor, x: &Tensor, weight: &Parameter) -> Tensor {
        if !self.fuses() {
            return self.residual_norm(h, &self.linear(x, weight, None), Axis::Features);
        }
        let (n, k) = (h.last_dim(), x.last_dim());
        assert_eq!(weight.value().shape(), [n, k], "{}", weight.name());
        self.device().count(x.len() * n);
        self.kernels().residual_linear(h, x, weight)
    }
}

/// Adds `d_outᵀ · x`, summed over all rows, to the gradient of `weight`; both of one dtype.
pub(crate) fn add_weight_gradient(
    gradients: &mut Gradients,
    weight: &Parameter,
    d_out: &Tensor,
    x: &Tensor,
) {
    x.device().count(x.len() * d_out.last_dim());
    x.device().kernels().weight_gradient(gradients.sum_of(weight), d_out, x);
}

struct Linear {
    x: Tensor,
    weight: Parameter,
    bias: Option<Parameter>,
}

impl Backward for Linear {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let Linear { x, weight, bias } = *self;
        let kernels = x.device().kernels();
        if gradients.wants(x.var()) {
            x.device().count(d_out.len() * x.last_dim());
            gradients.add(x.var(), kernels.linear_backward(&d_out, &weight));
        }
        add_weight_gradient(gradients, &weight, &d_out, &x);
        if let Some(bias) = &bias {
            kernels.bias_gradient(gradients.sum_of(bias), &d_out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Case, check_gradients};

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[2, 3, 5]).parameter(&[7, 5]).parameter(&[7]);
        check_gradients(&case, |tape, x, w| tape.linear(&x[0], &w[0], Some(&w[1])));
    }

    #[test]
    fn gradients_add_up_when_a_weight_is_used_twice() {
        let case = Case::new().input(&[4, 5]).parameter(&[5, 5]);
        check_gradients(&case, |tape, x, w| {
            tape.linear(&tape.linear(&x[0], &w[0], None), &w[0], None)
        });
    }
}
