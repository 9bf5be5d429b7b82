use crate::bfloat16;
use crate::dtype::Element;
use crate::matmul::{Mat, MatMut, parallel_matmul};
use crate::ops::residual_norm::norm_rows;
use crate::tape::{Backward, Gradients};
use crate::tensor::dispatch;
use crate::{Axis, DType, Parameter, Tape, Tensor};
use half::bf16;
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
            let mut out = match x.dtype() {
                DType::F32 => times(x, weight.transposed()),
                DType::Bf16 => bfloat16::times(x, &weight.columns(1)[0], n),
            };
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
        if !self.fuses() || x.dtype() == DType::F32 {
            return self.residual_norm(h, &self.linear(x, weight, None), Axis::Features);
        }
        let (n, k) = (h.last_dim(), x.last_dim());
        assert_eq!(weight.value().shape(), [n, k], "{}", weight.name());
        self.device().count(x.len() * n);
        let mut out = Tensor::uninit(self.device(), h.shape(), h.dtype());
        self.device().install(|| {
            let (matrix, block) = (&weight.columns(1)[0], bfloat16::row_block(h.len() / n));
            let (hs, xs) = (h.slice().par_chunks(block * n), x.slice().par_chunks(block * k));
            out.slice_mut().par_chunks_mut(block * n).zip(hs.zip(xs)).for_each(|(out, (h, x))| {
                bfloat16::scratch(h.len(), 0, |product, _| {
                    bfloat16::times_block(x, k, matrix, product, n);
                    norm_rows::<bf16>(h, product, out, n);
                });
            });
        });
        out
    }
}

/// `x · M` for f32 x `[.., K]` and M `[K, N]`.
pub(super) fn times(x: &Tensor, matrix: &Tensor) -> Tensor {
    let [k, n] = *matrix.shape() else { panic!("a matrix") };
    let mut shape = x.shape().to_vec();
    *shape.last_mut().expect("a dimension") = n;
    let mut out = Tensor::uninit(x.device(), &shape, DType::F32);
    let (rows, matrix) = (x.len() / k, Mat::new(matrix.slice(), k, n));
    let x = Mat::new(x.slice(), rows, k);
    parallel_matmul(MatMut::new(out.slice_mut(), rows, n), x, matrix, false);
    out
}

/// Adds `d_outᵀ · x`, summed over all rows, to the gradient of `weight`; both of one dtype.
pub(crate) fn add_weight_gradient(
    gradients: &mut Gradients,
    weight: &Parameter,
    d_out: &Tensor,
    x: &Tensor,
) {
    let (n, k) = (d_out.last_dim(), x.last_dim());
    let rows = x.len() / k;
    x.device().count(x.len() * n);
    let (sum, started) = gradients.parameter_sum(weight);
    let sum = sum.slice_mut::<f32>();
    match x.dtype() {
        DType::F32 => {
            let (d_out, x) = (Mat::new(d_out.slice(), rows, n), Mat::new(x.slice(), rows, k));
            parallel_matmul(MatMut::new(sum, n, k), d_out.t(), x, started);
        }
        DType::Bf16 => {
            let (d_out, inputs) = ((d_out.slice(), n), (x.slice(), k));
            bfloat16::add_transposed_product(x.device(), sum, d_out, inputs, started);
        }
    }
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
            let d_x = match d_out.dtype() {
                DType::F32 => times(&d_out, self.weight.value()),
                DType::Bf16 => bfloat16::times(&d_out, self.weight.rows(), self.x.last_dim()),
            };
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
