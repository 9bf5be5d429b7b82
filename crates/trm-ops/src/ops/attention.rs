use crate::kernels::Keys;
use crate::tape::{Backward, Gradients};
use crate::{DType, Device, Tape, Tensor};

pub use super::rope::Rope;

/// Extents of one call: L tokens, H heads of width E.
#[derive(Clone, Copy)]
pub struct Extent {
    /// L.
    pub len: usize,
    /// H.
    pub heads: usize,
    /// E: features of a head.
    pub width: usize,
    /// Whether a token sees itself and those before it only.
    pub causal: bool,
}

impl Extent {
    /// How many keys, from the first, a query sees.
    #[inline(always)]
    pub fn visible(self, query: usize) -> usize {
        if self.causal { query + 1 } else { self.len }
    }

    fn of(qkv: &Tensor, heads: usize, causal: bool) -> Extent {
        let [_, len, width] = *qkv.shape() else { panic!("{:?}: not [B, L, 3D]", qkv.shape()) };
        assert_eq!(width % (3 * heads), 0, "{width} features for {heads} heads");
        Extent { len, heads, width: width / 3 / heads, causal }
    }

    /// What scores are multiplied with.
    pub fn scale(self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// Multiplications for the queries from place `first` on, of all heads: scores and what they weigh.
    fn multiplications(self, first: usize) -> usize {
        let pairs: usize = (first..self.len).map(|query| self.visible(query)).sum();
        2 * pairs * self.features()
    }

    /// D: features of all heads.
    pub fn features(self) -> usize {
        self.heads * self.width
    }

    /// First column of a head's query (part 0), key (1) or value (2) in `[L, 3D]`.
    pub fn column(self, part: usize, head: usize) -> usize {
        (part * self.heads + head) * self.width
    }
}

impl Tape {
    /// Multi-head attention of all tokens to all: for each head `softmax(q · kᵀ / sqrt(E)) · v`, with
    /// rotary positions on q and k if given. Scores are held for a few query rows at a time.
    ///
    /// # Shapes
    /// qkv `[B, L, 3D]`: all query heads, then all key heads, then all value heads; D = heads · E;
    /// output `[B, L, D]`.
    pub fn attention(&self, qkv: &Tensor, heads: usize, rope: Option<&Rope>) -> Tensor {
        self.attend(qkv, Extent::of(qkv, heads, false), rope)
    }

    /// [`Tape::attention`] of every token to itself and those before it only.
    pub fn causal_attention(&self, qkv: &Tensor, heads: usize, rope: Option<&Rope>) -> Tensor {
        self.attend(qkv, Extent::of(qkv, heads, true), rope)
    }

    fn attend(&self, qkv: &Tensor, extent: Extent, rope: Option<&Rope>) -> Tensor {
        self.device().count(qkv.shape()[0] * extent.multiplications(0));
        let out = self.kernels().attention(qkv, extent, rope);
        self.record(out, || Attention { qkv: qkv.clone(), extent, rope: rope.cloned() })
    }

    /// [`Tape::causal_attention`] for the next tokens of sequences whose earlier tokens are in `cache`;
    /// adds them to it. The same numbers as without a cache, bit for bit. Nothing is recorded.
    ///
    /// # Shapes
    /// qkv `[B, N, 3D]` of N new tokens, f32; output `[B, N, D]`.
    pub fn attention_of_next(
        &self,
        qkv: &Tensor,
        cache: &mut KvCache,
        rope: Option<&Rope>,
    ) -> Tensor {
        let [heads, width] = cache.heads;
        let new = Extent::of(qkv, heads, true);
        let (first, total) = (cache.len, cache.len + new.len);
        assert_eq!((qkv.dtype(), qkv.shape()[0]), (DType::F32, cache.batch), "a cache for others");
        assert_eq!(new.width, width, "a cache for others");
        assert!(total <= cache.capacity, "{total} tokens in a cache for {}", cache.capacity);
        let seen = Extent { len: total, ..new };
        self.device().count(cache.batch * seen.multiplications(first));
        cache.len = total;
        self.kernels().attention_of_next(qkv, &mut cache.keys, (new, first), rope)
    }
}

/// The keys, rotated, and values of the tokens that one layer has seen, for a batch of sequences, as the device
/// wants them.
pub struct KvCache {
    keys: Keys,
    batch: usize,
    heads: [usize; 2],
    capacity: usize,
    len: usize,
}

impl KvCache {
    /// An empty cache for `batch` sequences of at most `capacity` tokens, with `[heads, width]`.
    pub fn new(device: &Device, batch: usize, capacity: usize, heads: [usize; 2]) -> KvCache {
        let keys = device.kernels().keys(device, batch, capacity, heads);
        KvCache { keys, batch, heads, capacity, len: 0 }
    }

    /// Tokens seen.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been seen.
    pub fn is_empty(&self) -> bool {
        self.len == 0
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
        qkv.device().count(2 * qkv.shape()[0] * extent.multiplications(0));
        let kernels = qkv.device().kernels();
        gradients.add(qkv.var(), kernels.attention_backward(&qkv, extent, rope.as_ref(), &d_out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Case, check_gradients, close, random_tensor};
    use crate::{DType, Device};

    #[test]
    fn gradients_equal_finite_differences() {
        for rope in [None, Some(Rope::new(5, 4, 10_000.0))] {
            let case = Case::new().input(&[2, 5, 3 * 8]);
            check_gradients(&case, |tape, x, _| tape.attention(&x[0], 2, rope.as_ref()));
            check_gradients(&case, |tape, x, _| tape.causal_attention(&x[0], 2, rope.as_ref()));
        }
    }

    #[test]
    fn equals_the_plain_formula_beyond_one_block_of_queries() {
        let device = Device::cpu(2);
        let (len, heads, width) = (70, 2, 4);
        let qkv = random_tensor(&device, &[1, len, 3 * heads * width], 1);
        let tape = Tape::off(&device);
        equals_the_plain_formula(&qkv, &tape.attention(&qkv, heads, None), heads, |_| len);
        equals_the_plain_formula(&qkv, &tape.causal_attention(&qkv, heads, None), heads, |i| i + 1);
    }

    fn equals_the_plain_formula(
        qkv: &Tensor,
        got: &Tensor,
        heads: usize,
        visible: impl Fn(usize) -> usize,
    ) {
        let (x, got) = (qkv.to_f32_vec().unwrap(), got.to_f32_vec().unwrap());
        let (len, width) = (qkv.shape()[1], qkv.last_dim() / 3 / heads);
        let scale = (width as f64).sqrt();
        let at = |i: usize, part: usize, h: usize, e: usize| {
            x[i * 3 * heads * width + (part * heads + h) * width + e] as f64
        };
        for h in 0..heads {
            for i in 0..len {
                let score = |j| (0..width).map(|e| at(i, 0, h, e) * at(j, 1, h, e)).sum::<f64>();
                let weights: Vec<f64> = (0..visible(i)).map(|j| (score(j) / scale).exp()).collect();
                let sum: f64 = weights.iter().sum();
                let attended = |e: usize| {
                    let terms = weights.iter().enumerate().map(|(j, w)| w * at(j, 2, h, e));
                    (terms.sum::<f64>() / sum) as f32
                };
                let want: Vec<f32> = (0..width).map(attended).collect();
                close(&got[(i * heads + h) * width..][..width], &want, 1e-5);
            }
        }
    }

    #[test]
    fn bf16_follows_f32_on_odd_sizes_beyond_one_block() {
        let sizes = [(97, 2, 64), (61, 3, 5), (33, 1, 34), (64, 1, 8), (2, 2, 2usize)];
        for ((len, heads, width), causal) in sizes
            .into_iter()
            .zip([false, true].into_iter().cycle())
            .chain(sizes.into_iter().zip([true, false].into_iter().cycle()))
        {
            let device = Device::cpu(3);
            let rope = width.is_multiple_of(2).then(|| Rope::new(len, width, 10_000.0));
            let shape = [2, len, 3 * heads * width];
            let qkv = random_tensor(&device, &shape, 1).to_dtype(DType::Bf16);
            let seed = random_tensor(&device, &[2, len, heads * width], 2).to_dtype(DType::Bf16);
            let run = |dtype: DType| {
                let tape = Tape::recording(&device);
                let x = tape.watch(&qkv.to_dtype(dtype));
                let y = tape.attend(&x, Extent::of(&x, heads, causal), rope.as_ref());
                let gradients = tape.backward(&[(&y, &seed.to_dtype(dtype))]);
                (y.to_f32_vec().unwrap(), gradients.of(&x).unwrap().to_f32_vec().unwrap())
            };
            let ((y, d), (y_exact, d_exact)) = (run(DType::Bf16), run(DType::F32));
            close(&y, &y_exact, 0.01);
            close(&d, &d_exact, 0.02);
        }
    }

    /// `[B, range, W]` of `[B, L, W]`.
    fn part(x: &Tensor, range: std::ops::Range<usize>) -> Tensor {
        Tape::off(x.device()).tokens(x, range)
    }

    #[test]
    fn with_a_cache_every_token_gets_the_same_bits() {
        let device = Device::cpu(2);
        for (len, heads, width) in
            [(37, 2, 16), (200, 1, 32), (161, 4, 32), (12, 3, 6usize), (300, 1, 40)]
        {
            let rope = Rope::new(len, width, 10_000.0);
            let qkv = random_tensor(&device, &[2, len, 3 * heads * width], 1);
            let tape = Tape::off(&device);
            let whole = tape.causal_attention(&qkv, heads, Some(&rope));
            for prompt in [1, len / 2, len] {
                let mut cache = KvCache::new(&device, 2, len, [heads, width]);
                let steps = std::iter::once(0..prompt).chain((prompt..len).map(|i| i..i + 1));
                for step in steps {
                    let next =
                        tape.attention_of_next(&part(&qkv, step.clone()), &mut cache, Some(&rope));
                    let want = part(&whole, step.clone());
                    assert_eq!(
                        next.to_f32_vec().unwrap(),
                        want.to_f32_vec().unwrap(),
                        "tokens {step:?} of {len}"
                    );
                }
            }
        }
    }
}
