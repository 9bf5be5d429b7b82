use crate::tape::{Backward, Gradients, Var};
use crate::{Tape, Tensor};

/// Added to the mean square before its root is taken.
pub const NORM_EPS: f32 = 1e-5;

/// Which axis of `[B, L, D]` a norm is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Over the D features of each token.
    Features,
    /// Over the L tokens of each feature: the mixer's norm, in its transposed layout.
    Tokens,
}

impl Tape {
    /// `rms_norm(h + r)`, with `rms_norm(s) = s / sqrt(mean(s²) + ε)` along `axis`, in f32, without
    /// a weight.
    ///
    /// # Shapes
    /// h, r, output: `[B, L, D]`.
    pub fn residual_norm(&self, h: &Tensor, r: &Tensor, axis: Axis) -> Tensor {
        assert_eq!((h.shape(), h.dtype()), (r.shape(), r.dtype()), "a sum and its residual");
        assert_eq!(h.shape().len(), 3, "{:?} is not [B, L, D]", h.shape());
        let (out, inverse) = self.kernels().residual_norm(h, r, axis);
        let normed = out.clone();
        self.record(out, || ResidualNorm { h: h.var(), r: r.var(), normed, inverse, axis })
    }
}

struct ResidualNorm {
    h: Option<Var>,
    r: Option<Var>,
    normed: Tensor,
    inverse: Tensor,
    axis: Axis,
}

/// With y = s · i: `ds = i · (dy − y · mean(y · dy))`.
impl Backward for ResidualNorm {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let forward = [&self.normed, &self.inverse];
        let d_sum = d_out.device().kernels().residual_norm_backward(forward, &d_out, self.axis);
        gradients.add(self.h, d_sum.clone());
        gradients.add(self.r, d_sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients, close, random_tensor};

    #[test]
    fn gradients_equal_finite_differences() {
        for axis in [Axis::Features, Axis::Tokens] {
            let case = Case::new().input(&[2, 3, 19]).input(&[2, 3, 19]);
            check_gradients(&case, |tape, x, _| tape.residual_norm(&x[0], &x[1], axis));
        }
    }

    #[test]
    fn the_mean_square_becomes_one() {
        let device = Device::cpu(1);
        let (h, r) =
            (random_tensor(&device, &[2, 4, 37], 1), random_tensor(&device, &[2, 4, 37], 2));
        let tape = Tape::off(&device);
        for row in tape.residual_norm(&h, &r, Axis::Features).to_f32_vec().unwrap().chunks(37) {
            close(&[row.iter().map(|x| x * x).sum::<f32>() / 37.0], &[1.0], 1e-3);
        }
        for puzzle in tape.residual_norm(&h, &r, Axis::Tokens).to_f32_vec().unwrap().chunks(4 * 37)
        {
            for j in 0..37 {
                let squares = (0..4).map(|i| puzzle[i * 37 + j].powi(2)).sum::<f32>();
                close(&[squares / 4.0], &[1.0], 1e-2);
            }
        }
    }
}
