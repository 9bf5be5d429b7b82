use crate::dtype::Element;
use crate::tape::{Backward, Gradients};
use crate::tasks::Tasks;
use crate::tensor::dispatch;
use crate::{DType, Parameter, Tape, Tensor};
use rayon::prelude::*;
use std::f32::consts::FRAC_1_SQRT_2;

impl Tape {
    /// The embedded question: `x = sqrt(D) · concat(prefix, table[tokens])`, with learned positions
    /// `x = sqrt(D) · (concat(prefix, table[tokens]) + positions) / sqrt(2)`.
    ///
    /// `prefix` holds one vector per puzzle, padded with zeros to `prefix_len` tokens. Of a table of positions
    /// the rows from a first one on are taken.
    ///
    /// # Shapes
    /// tokens `[B · S]`, prefix `[B, E]` with E <= P·D, table `[V, D]`, positions `[first + P + S or more, D]`,
    /// output `[B, P + S, D]`.
    pub fn embed(
        &self,
        tokens: &[u8],
        prefix: (usize, Option<&Tensor>),
        table: &Parameter,
        positions: Option<(&Parameter, usize)>,
        (batch, dtype): (usize, DType),
    ) -> Tensor {
        let (prefix_len, prefix) = prefix;
        let [vocab, d] = *table.value().shape() else { panic!("{} is not a matrix", table.name()) };
        assert_eq!(tokens.len() % batch.max(1), 0, "{} tokens, {batch} puzzles", tokens.len());
        assert!(tokens.iter().all(|t| (*t as usize) < vocab), "a token beyond the vocabulary");
        let len = prefix_len + tokens.len() / batch.max(1);
        if let Some(prefix) = prefix {
            assert!(prefix.shape()[0] == batch && prefix.last_dim() <= prefix_len * d, "a prefix");
        }
        if let Some((positions, first)) = positions {
            let [places, width] = *positions.value().shape() else {
                panic!("a table of positions")
            };
            assert!(first + len <= places && width == d, "{}", positions.name());
        }
        let mut out = Tensor::uninit(self.device(), &[batch, len, d], dtype);
        let saved = Embed {
            tokens: tokens.into(),
            prefix_len,
            prefix: prefix.cloned(),
            table: table.clone(),
            positions: positions.map(|(table, first)| (table.clone(), first)),
        };
        self.device().install(|| dispatch!(dtype, T => saved.forward::<T>(&mut out)));
        self.record(out, || saved)
    }
}

struct Embed {
    tokens: Box<[u8]>,
    prefix_len: usize,
    prefix: Option<Tensor>,
    table: Parameter,
    positions: Option<(Parameter, usize)>,
}

impl Embed {
    fn scale(&self) -> f32 {
        let scale = (self.table.value().last_dim() as f32).sqrt();
        if self.positions.is_some() { scale * FRAC_1_SQRT_2 } else { scale }
    }

    fn forward<T: Element>(&self, out: &mut Tensor) {
        let [_, len, d] = *out.shape() else { panic!("made so") };
        let prefix = self.prefix.as_ref().map(Tensor::to_f32_vec).unwrap_or_default();
        let prefix_width = self.prefix.as_ref().map_or(1, Tensor::last_dim);
        let (table, scale) = (self.table.value().slice::<f32>(), self.scale());
        let positions = self.positions.as_ref();
        let positions = positions.map(|(p, first)| &p.value().slice::<f32>()[first * d..]);
        out.slice_mut::<T>().par_chunks_mut(len * d).enumerate().tasks().for_each(|(b, out)| {
            let prefix = prefix.chunks_exact(prefix_width).nth(b).unwrap_or_default();
            let tokens = &self.tokens[b * (len - self.prefix_len)..];
            for (i, out) in out.chunks_exact_mut(d).enumerate() {
                for (j, out) in out.iter_mut().enumerate() {
                    let value = match i.checked_sub(self.prefix_len) {
                        Some(cell) => table[tokens[cell] as usize * d + j],
                        None => prefix.get(i * d + j).copied().unwrap_or(0.0),
                    };
                    let position = positions.map_or(0.0, |p| p[i * d + j]);
                    *out = T::from_f32(scale * (value + position));
                }
            }
        });
    }
}

impl Backward for Embed {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let [batch, len, d] = *d_out.shape() else { panic!("made so") };
        let cells = len - self.prefix_len;
        let scale = self.scale();
        let d_out = d_out.to_dtype(DType::F32);
        let rows = d_out.slice::<f32>();

        let sum = start_sum(gradients, &self.table);
        for (row, token) in self.tokens.iter().enumerate() {
            let row = row / cells * len + self.prefix_len + row % cells;
            add_scaled(&mut sum[*token as usize * d..][..d], &rows[row * d..], scale);
        }
        if let Some((positions, first)) = &self.positions {
            let sum = &mut start_sum(gradients, positions)[first * d..][..len * d];
            rows.chunks_exact(len * d).for_each(|puzzle| add_scaled(sum, puzzle, scale));
        }
        if let Some(prefix) = self.prefix.as_ref().filter(|p| gradients.wants(p.var())) {
            let width = prefix.last_dim();
            let values: Vec<f32> =
                rows.chunks_exact(len * d).flat_map(|p| &p[..width]).map(|g| scale * g).collect();
            let d_prefix = Tensor::from_f32(d_out.device(), &[batch, width], &values);
            gradients.add(prefix.var(), d_prefix);
        }
    }
}

fn start_sum<'a>(gradients: &'a mut Gradients, parameter: &Parameter) -> &'a mut [f32] {
    let (sum, started) = gradients.parameter_sum(parameter);
    let sum = sum.slice_mut::<f32>();
    if !started {
        sum.fill(0.0);
    }
    sum
}

fn add_scaled(sum: &mut [f32], terms: &[f32], scale: f32) {
    sum.iter_mut().zip(terms).for_each(|(s, t)| *s += scale * t);
}

#[cfg(test)]
mod tests {
    use crate::DType;
    use crate::testing::{Case, check_gradients};

    const TOKENS: [u8; 6] = [0, 2, 1, 1, 3, 0];

    #[test]
    fn gradients_equal_finite_differences() {
        // a prefix of 2 tokens from 5 of 6 values, and none at all
        let case = Case::new().input(&[2, 5]).parameter(&[4, 3]).parameter(&[5, 3]);
        check_gradients(&case, |tape, x, w| {
            let prefix = (2, Some(&x[0]));
            tape.embed(&TOKENS, prefix, &w[0], Some((&w[1], 0)), (2, x[0].dtype()))
        });
        let case = Case::new().parameter(&[4, 3]).parameter(&[6, 3]);
        check_gradients(&case, |tape, _, w| {
            tape.embed(&TOKENS, (0, None), &w[0], Some((&w[1], 2)), (2, DType::F32))
        });
        let case = Case::new().parameter(&[4, 3]);
        check_gradients(&case, |tape, _, w| {
            tape.embed(&TOKENS, (0, None), &w[0], None, (2, DType::F32))
        });
    }
}
