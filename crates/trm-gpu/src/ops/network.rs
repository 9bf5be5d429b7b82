//! Linear and gated layers.

use super::dims;
use super::product::{Axis as Lines, Follow};
use crate::gpu::Gpu;
use crate::job::{each, whole};
use crate::programs::{Program, source};
use std::sync::OnceLock;
use trm_ops::{Axis, DType, Gated, Parameter, Tensor};

/// A parameter in the number format of activations, kept until its next update.
#[derive(Default)]
struct Form(OnceLock<Tensor>);

impl Gpu {
    /// The weights of a parameter as products in a format read them.
    fn weights<'p>(&self, parameter: &'p Parameter, dtype: DType) -> &'p Tensor {
        match dtype {
            DType::F32 => parameter.value(),
            other => parameter
                .derived::<Form>()
                .0
                .get_or_init(|| self.converted(parameter.value(), other)),
        }
    }

    /// A tensor in the leading shape of x.
    fn with_last(&self, x: &Tensor, n: usize) -> Tensor {
        let [leading @ .., _] = x.shape() else { panic!("a dimension") };
        self.beside(x, &[leading, &[n]].concat(), x.dtype())
    }

    pub(crate) fn linear_of(
        &self,
        x: &Tensor,
        weight: &Parameter,
        bias: Option<&Parameter>,
    ) -> Tensor {
        let [n, k] = matrix(weight);
        let out = self.with_last(x, n);
        let follow =
            bias.map_or(Follow::Store, |bias| Follow::Bias(whole(self.weights(bias, x.dtype()))));
        self.rows_times(x, self.weights(weight, x.dtype()), [n, k], &out, follow);
        out
    }

    pub(crate) fn linear_turned(&self, d_out: &Tensor, weight: &Parameter) -> Tensor {
        let [n, k] = matrix(weight);
        let out = self.with_last(d_out, k);
        self.rows_times_turned(d_out, self.weights(weight, d_out.dtype()), [n, k], &out);
        out
    }

    /// `rms_norm(h + x · Wᵀ)` over features, in one launch where a group has room for whole rows.
    pub(crate) fn linear_normed(&self, h: &Tensor, x: &Tensor, weight: &Parameter) -> Tensor {
        let [n, k] = matrix(weight);
        if !self.holds(n) {
            return self.norm([h, &self.linear_of(x, weight, None)], Axis::Features, None).0;
        }
        let out = self.like(h);
        let follow = Follow::Norm(Lines::Columns, each(h, h.len() / n));
        self.rows_times(x, self.weights(weight, x.dtype()), [n, k], &out, follow);
        out
    }

    /// The activations of a gated layer, and what they are made of.
    pub(crate) fn gates(
        &self,
        x: &Tensor,
        gate_up: &Parameter,
        keep: bool,
    ) -> (Tensor, Option<Tensor>) {
        let [inner_2, k] = matrix(gate_up);
        let (inner, rows) = (inner_2 / 2, x.len() / k);
        let act = self.with_last(x, inner);
        let pre = keep.then(|| self.with_last(x, inner_2));
        let follow = Follow::Gate(Lines::Columns, pre.as_ref().map(|pre| each(pre, rows).out()));
        self.rows_times(x, self.weights(gate_up, x.dtype()), [inner, k], &act, follow);
        (act, pre)
    }

    /// The same along tokens, `[B, I, D]` and `[B, 2I, D]`.
    pub(crate) fn token_gates(
        &self,
        h: &Tensor,
        gate_up: &Parameter,
        keep: bool,
    ) -> (Tensor, Option<Tensor>) {
        let ([inner_2, _], [batch, _, d]) = (matrix(gate_up), dims(h));
        let act = self.beside(h, &[batch, inner_2 / 2, d], h.dtype());
        let pre = keep.then(|| self.beside(h, &[batch, inner_2, d], h.dtype()));
        let follow = Follow::Gate(Lines::Rows, pre.as_ref().map(|pre| each(pre, batch).out()));
        self.times_tokens((self.weights(gate_up, h.dtype()), false), h, inner_2 / 2, &act, follow);
        (act, pre)
    }

    /// `W · act` for every puzzle.
    pub(crate) fn tokens_down(&self, act: &Tensor, down: &Parameter) -> Tensor {
        let ([l, _], [batch, _, d]) = (matrix(down), dims(act));
        let out = self.beside(act, &[batch, l, d], act.dtype());
        self.times_tokens((self.weights(down, act.dtype()), false), act, l, &out, Follow::Store);
        out
    }

    /// `rms_norm(h + W · act)` over tokens, in one launch where a group has room for all tokens.
    pub(crate) fn tokens_normed(&self, h: &Tensor, act: &Tensor, down: &Parameter) -> Tensor {
        let [l, _] = matrix(down);
        if !self.holds(l) {
            return self.norm([h, &self.tokens_down(act, down)], Axis::Tokens, None).0;
        }
        let out = self.like(h);
        let follow = Follow::Norm(Lines::Rows, each(h, h.shape()[0]));
        self.times_tokens((self.weights(down, act.dtype()), false), act, l, &out, follow);
        out
    }

    pub(crate) fn gated_backward(
        &self,
        x: &Tensor,
        [gate_up, down]: [&Parameter; 2],
        pre: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated {
        let pre = pre.unwrap_or_else(|| self.gates(x, gate_up, true).1.expect("kept"));
        let d_act = self.linear_turned(d_out, down);
        let rows = x.len() / x.shape().last().expect("a dimension");
        let (d_pre, act) = self.gates_backward(&pre, &d_act, rows);
        Gated { d_x: self.linear_turned(&d_pre, gate_up), d_pre, act }
    }

    pub(crate) fn token_gated_backward(
        &self,
        h: &Tensor,
        [gate_up, down]: [&Parameter; 2],
        pre: Option<Tensor>,
        d_out: &Tensor,
    ) -> Gated {
        let pre = pre.unwrap_or_else(|| self.token_gates(h, gate_up, true).1.expect("kept"));
        let turned = |d: &Tensor, weight: &Parameter| {
            let ([_, m], [batch, _, width]) = (matrix(weight), dims(d));
            let out = self.beside(d, &[batch, m, width], d.dtype());
            self.times_tokens((self.weights(weight, d.dtype()), true), d, m, &out, Follow::Store);
            out
        };
        let (d_pre, act) = self.gates_backward(&pre, &turned(d_out, down), h.shape()[0]);
        Gated { d_x: turned(&d_pre, gate_up), d_pre, act }
    }

    /// The gradient of what goes into gates, and what came out of them.
    fn gates_backward(&self, pre: &Tensor, d_act: &Tensor, rows: usize) -> (Tensor, Tensor) {
        let (d_pre, act) = (self.like(pre), self.like(d_act));
        let len = d_act.len() / rows.max(1);
        let operands =
            [each(pre, rows), each(&act, rows).out(), each(d_act, rows), each(&d_pre, rows).out()];
        self.run_each(
            Program::new(source::gates, "backward", pre.dtype()),
            rows,
            len,
            &operands,
            &[len as u32],
        );
        (d_pre, act)
    }
}

fn matrix(parameter: &Parameter) -> [usize; 2] {
    parameter
        .value()
        .shape()
        .try_into()
        .unwrap_or_else(|_| panic!("{} is not a matrix", parameter.name()))
}
