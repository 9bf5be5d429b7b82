mod bfloat16;
mod bfloat16_backward;
mod float32;
mod rope;

pub use rope::Rope;

use crate::tape::{Backward, Gradients};
use crate::{DType, Tape, Tensor};

/// Extents of one call: L tokens, H heads of width E.
#[derive(Clone, Copy)]
struct Extent {
    len: usize,
    heads: usize,
    width: usize,
}

impl Extent {
    fn scale(self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// D: features of all heads.
    fn features(self) -> usize {
        self.heads * self.width
    }

    /// First column of a head's query (part 0), key (1) or value (2) in `[L, 3D]`.
    fn column(self, part: usize, head: usize) -> usize {
        (part * self.heads + head) * self.width
    }
}

impl Tape {
    /// Non-causal multi-head attention: for each head `softmax(q · kᵀ / sqrt(E)) · v`, with rotary
    /// positions on q and k if given. Scores are held for a few query rows at a time.
    ///
    /// # Shapes
    /// qkv `[B, L, 3D]`: all query heads, then all key heads, then all value heads; D = heads · E;
    /// output `[B, L, D]`.
    pub fn attention(&self, qkv: &Tensor, heads: usize, rope: Option<&Rope>) -> Tensor {
        let [batch, len, width] = *qkv.shape() else { panic!("{:?}: not [B, L, 3D]", qkv.shape()) };
        assert_eq!(width % (3 * heads), 0, "{width} features for {heads} heads");
        let extent = Extent { len, heads, width: width / 3 / heads };
        let mut out = Tensor::uninit(self.device(), &[batch, len, width / 3], qkv.dtype());
        self.device().install(|| match qkv.dtype() {
            DType::F32 => float32::forward(qkv, extent, rope, &mut out),
            DType::Bf16 => bfloat16::forward(qkv, extent, rope, &mut out),
        });
        self.record(out, || Attention { qkv: qkv.clone(), extent, rope: rope.cloned() })
    }
}

struct Attention {
    qkv: Tensor,
    extent: Extent,
    rope: Option<Rope>,
}

/// With S = q kᵀ·scale and P = softmax(S): `dv = Pᵀ dO`, `dP = dO vᵀ`,
/// `dS = P ∘ (dP − Σ_j dP_j P_j)`, `dq = dS k·scale`, `dk = dSᵀ q·scale`.
impl Backward for Attention {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let Attention { qkv, extent, rope } = *self;
        let mut d_qkv = Tensor::uninit(qkv.device(), qkv.shape(), qkv.dtype());
        match qkv.dtype() {
            DType::F32 => float32::backward(&qkv, extent, rope.as_ref(), &d_out, &mut d_qkv),
            DType::Bf16 => {
                bfloat16_backward::backward(&qkv, extent, rope.as_ref(), &d_out, &mut d_qkv);
            }
        }
        gradients.add(qkv.var(), d_qkv);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients, close, random_tensor};

    #[test]
    fn gradients_equal_finite_differences() {
        for rope in [None, Some(Rope::new(5, 4, 10_000.0))] {
            let case = Case::new().input(&[2, 5, 3 * 8]);
            check_gradients(&case, |tape, x, _| tape.attention(&x[0], 2, rope.as_ref()));
        }
    }

    #[test]
    fn equals_the_plain_formula_beyond_one_block_of_queries() {
        let device = Device::cpu(2);
        let (len, heads, width) = (70, 2, 4);
        let qkv = random_tensor(&device, &[1, len, 3 * heads * width], 1);
        let got = Tape::off(&device).attention(&qkv, heads, None).to_f32_vec();
        let x = qkv.to_f32_vec();
        let at = |i: usize, part: usize, h: usize, e: usize| {
            x[i * 3 * heads * width + (part * heads + h) * width + e] as f64
        };
        for h in 0..heads {
            for i in 0..len {
                let score = |j| (0..width).map(|e| at(i, 0, h, e) * at(j, 1, h, e)).sum::<f64>();
                let weights: Vec<f64> = (0..len).map(|j| (score(j) / 2.0).exp()).collect();
                let sum: f64 = weights.iter().sum();
                let want: Vec<f32> = (0..width)
                    .map(|e| {
                        ((0..len).map(|j| weights[j] * at(j, 2, h, e)).sum::<f64>() / sum) as f32
                    })
                    .collect();
                close(&got[(i * heads + h) * width..][..width], &want, 1e-5);
            }
        }
    }

    #[test]
    fn bf16_follows_f32_on_odd_sizes_beyond_one_block() {
        for (len, heads, width) in [(97, 2, 64), (61, 3, 5), (33, 1, 34), (2, 2, 2usize)] {
            let device = Device::cpu(3);
            let rope = width.is_multiple_of(2).then(|| Rope::new(len, width, 10_000.0));
            let shape = [2, len, 3 * heads * width];
            let qkv = random_tensor(&device, &shape, 1).to_dtype(DType::Bf16);
            let seed = random_tensor(&device, &[2, len, heads * width], 2).to_dtype(DType::Bf16);
            let run = |dtype: DType| {
                let tape = Tape::recording(&device);
                let x = tape.watch(&qkv.to_dtype(dtype));
                let y = tape.attention(&x, heads, rope.as_ref());
                let gradients = tape.backward(&[(&y, &seed.to_dtype(dtype))]);
                (y.to_f32_vec(), gradients.of(&x).unwrap().to_f32_vec())
            };
            let ((y, d), (y_exact, d_exact)) = (run(DType::Bf16), run(DType::F32));
            close(&y, &y_exact, 0.01);
            close(&d, &d_exact, 0.02);
        }
    }
}
