use crate::dtype::Element;
use crate::ops::residual_norm::norm_rows;
use crate::panels::{
    Format, add_transposed_product, dispatch_format, row_block, scratch, times, times_block,
};
use crate::tape::{Backward, Gradients};
use crate::tasks::Tasks;
use crate::tensor::dispatch;
use crate::{Axis, Parameter, Tape, Tensor};
use rayon::prelude::*;

impl Tape {
    /// `y = x · Wᵀ + b`.
    ///
    /// # Shapes
    /// x `[.., K]`, weight `[N, K]`, bias `[N]`, output `[.., N]`.
    pub fn linear(&self, x: &Tensor, weight: &Parameter, bias: Option<&Parameter>) -> Tensor {
        let [n, k] = *weight.value().shape() else { panic!("{} is not a matrix", weight.name()) };
        assert_eq!(x.last_dim(), k, "input width of {}", weight.name());
        self.device().count(x.len() * n);
        let out = self.device().install(|| {
            let mut out = dispatch_format!(x.dtype(), F => times::<F>(x, &weight.columns(1)[0], n));
            if let Some(bias) = bias {
                assert_eq!(bias.value().shape(), [n], "{}", bias.name());
                dispatch!(x.dtype(), T => add_bias::<T>(&mut out, bias));
            }
            out
        });
        let saved = || Linear { x: x.clone(), weight: weight.clone(), bias: bias.cloned() };
        self.record(out, saved)
    }

    /// `rms_norm(h + x · Wᵀ)` over features: the same as [`Tape::residual_norm`] of
    /// [`Tape::linear`], bit for bit, in one pass where that is faster.
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
        let mut out = Tensor::uninit(self.device(), h.shape(), h.dtype());
        self.device().install(|| {
            dispatch_format!(x.dtype(), F => residual_times::<F>(h, x, weight, &mut out));
        });
        out
    }
}

/// `out = rms_norm(h + x · Wᵀ)`, block by block.
fn residual_times<F: Format>(h: &Tensor, x: &Tensor, weight: &Parameter, out: &mut Tensor) {
    let (n, k) = (h.last_dim(), x.last_dim());
    let (matrix, block) = (&weight.columns::<F>(1)[0], row_block::<F>(h.len() / n));
    let hs = h.slice::<F::Stored>().par_chunks(block * n);
    let xs = x.slice::<F::Stored>().par_chunks(block * k);
    let outs = out.slice_mut::<F::Stored>().par_chunks_mut(block * n);
    outs.zip(hs.zip(xs)).tasks().for_each(|(out, (h, x))| {
        scratch(h.len(), 0, |product, _| {
            times_block(x, k, matrix, product, n);
            norm_rows(h, product, out, n);
        });
    });
}

/// Adds `d_outᵀ · x`, summed over all rows, to the gradient of `weight`; both of one dtype.
pub(crate) fn add_weight_gradient(
    gradients: &mut Gradients,
    weight: &Parameter,
    d_out: &Tensor,
    x: &Tensor,
) {
    let (n, k) = (d_out.last_dim(), x.last_dim());
    x.device().count(x.len() * n);
    let (sum, started) = gradients.parameter_sum(weight);
    let sum = sum.slice_mut::<f32>();
    dispatch_format!(x.dtype(), F => {
        let (d_out, inputs) = ((d_out.slice(), n), (x.slice(), k));
        add_transposed_product::<F>(x.device(), sum, d_out, inputs, started);
    });
}

fn add_bias<T: Element>(out: &mut Tensor, bias: &Parameter) {
    let bias = bias.value().slice::<f32>();
    for row in out.slice_mut::<T>().chunks_exact_mut(bias.len()) {
        for (y, b) in row.iter_mut().zip(bias) {
            *y = T::from_f32(y.to_f32() + b);
        }
    }
}

struct Linear {
    x: Tensor,
    weight: Parameter,
    bias: Option<Parameter>,
}

impl Backward for Linear {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        if gradients.wants(self.x.var()) {
            d_out.device().count(d_out.len() * self.x.last_dim());
            let k = self.x.last_dim();
            let d_x =
                dispatch_format!(d_out.dtype(), F => times::<F>(&d_out, self.weight.rows(), k));
            gradients.add(self.x.var(), d_x);
        }
        add_weight_gradient(gradients, &self.weight, &d_out, &self.x);
        if let Some(bias) = &self.bias {
            let (sum, started) = gradients.parameter_sum(bias);
            let sum = sum.slice_mut::<f32>();
            if !started {
                sum.fill(0.0);
            }
            for row in d_out.to_f32_vec().chunks_exact(sum.len()) {
                sum.iter_mut().zip(row).for_each(|(s, d)| *s += d);
            }
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
