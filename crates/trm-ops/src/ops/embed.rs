use crate::tape::{Backward, Gradients};
use crate::{DType, Parameter, Tape, Tensor};
use std::f32::consts::FRAC_1_SQRT_2;

/// What an embedded question is made of.
pub struct Embedding {
    /// `[B · S]`.
    pub tokens: Box<[u8]>,
    /// P: tokens before the cells.
    pub prefix_len: usize,
    /// `[B, E]`: what stands in them, padded with zeros.
    pub prefix: Option<Tensor>,
    /// `[V, D]`.
    pub table: Parameter,
    /// `[.., D]`, and the row of the first token.
    pub positions: Option<(Parameter, usize)>,
}

impl Embedding {
    /// What sums are multiplied with.
    pub fn scale(&self) -> f32 {
        let scale = (self.table.value().last_dim() as f32).sqrt();
        if self.positions.is_some() { scale * FRAC_1_SQRT_2 } else { scale }
    }
}

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
        let embedding = Embedding {
            tokens: tokens.into(),
            prefix_len,
            prefix: prefix.cloned(),
            table: table.clone(),
            positions: positions.map(|(table, first)| (table.clone(), first)),
        };
        let out = self.kernels().embed(self.device(), &embedding, (batch, dtype));
        self.record(out, || embedding)
    }
}

impl Backward for Embedding {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let kernels = d_out.device().kernels();
        kernels.embed_tokens_backward(gradients.sum_of(&self.table), &self, &d_out);
        if let Some((positions, _)) = &self.positions {
            kernels.embed_positions_backward(gradients.sum_of(positions), &self, &d_out);
        }
        if let Some(prefix) = self.prefix.as_ref().filter(|p| gradients.wants(p.var())) {
            let d_prefix = kernels.embed_prefix_backward(&self, &d_out, prefix.last_dim());
            gradients.add(prefix.var(), d_prefix);
        }
    }
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
