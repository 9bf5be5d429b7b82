//! Layers that several networks share.

use crate::graph::{Builder, Value};
use crate::weights::Tensors;
use trm_ops::NORM_EPS;

/// A graph and the weights that it reads.
pub(crate) struct Net<'a> {
    pub(crate) graph: Builder,
    pub(crate) tensors: &'a Tensors,
}

impl Net<'_> {
    /// `x · Wᵀ`.
    pub(crate) fn linear(&mut self, x: &Value, weight: &str) -> Value {
        let weight = self.tensors.linear(&mut self.graph, weight);
        self.graph.op("MatMul", &[x, &weight], &[])
    }

    /// Some outputs of a layer.
    pub(crate) fn outputs(&mut self, x: &Value, weight: &str, part: [usize; 2]) -> Value {
        let [_, k] = *self.tensors.get(weight).0 else { panic!("{weight} is a matrix") };
        let rows = part[0]..part[1];
        let weight = self.tensors.matrix(&mut self.graph, weight, (rows, 0..k));
        self.graph.op("MatMul", &[x, &weight], &[])
    }

    /// A layer that sees some of its inputs.
    pub(crate) fn inputs(&mut self, x: &Value, weight: &str, part: [usize; 2]) -> Value {
        let [n, _] = *self.tensors.get(weight).0 else { panic!("{weight} is a matrix") };
        let columns = part[0]..part[1];
        let weight = self.tensors.matrix(&mut self.graph, weight, (0..n, columns));
        self.graph.op("MatMul", &[x, &weight], &[])
    }

    /// `rms_norm(h + r)` along an axis.
    pub(crate) fn residual_norm(&mut self, h: &Value, r: &Value, axis: i64) -> Value {
        let graph = &mut self.graph;
        let sum = graph.add(h, r);
        let square = graph.multiply(&sum, &sum);
        let mean = graph.reduce("ReduceMean", &square, axis);
        let eps = graph.scalar(NORM_EPS);
        let mean = graph.add(&mean, &eps);
        let root = graph.op("Sqrt", &[&mean], &[]);
        graph.op("Div", &[&sum, &root], &[])
    }

    /// `(silu(g) ∘ u) · W_downᵀ` with `[g | u] = x · W_gate_upᵀ`.
    pub(crate) fn swiglu(&mut self, x: &Value, gate_up: &str, down: &str) -> Value {
        let inner = self.tensors.get(gate_up).0[0] / 2;
        let gate = self.outputs(x, gate_up, [0, inner]);
        let up = self.outputs(x, gate_up, [inner, 2 * inner]);
        let sigmoid = self.graph.op("Sigmoid", &[&gate], &[]);
        let silu = self.graph.multiply(&gate, &sigmoid);
        let act = self.graph.multiply(&silu, &up);
        self.linear(&act, down)
    }

    /// `rms_norm(h + swiglu(h))` over features: the second half of every block.
    pub(crate) fn transform(&mut self, h: &Value, block: usize) -> Value {
        let [gate_up, down] = ["gate_up", "down"].map(|name| format!("net.{block}.{name}"));
        let out = self.swiglu(h, &gate_up, &down);
        self.residual_norm(h, &out, -1)
    }

    /// Queries, keys or values, `[B, H, L, E]`.
    pub(crate) fn heads(
        &mut self,
        h: &Value,
        qkv: &str,
        part: usize,
        [len, heads]: [usize; 2],
    ) -> Value {
        let d = self.tensors.get(qkv).0[1];
        let x = self.outputs(h, qkv, [part * d, (part + 1) * d]);
        let shape = [-1, len as i64, heads as i64, (d / heads) as i64];
        let x = self.graph.reshape(&x, &shape);
        self.graph.transpose(&x, &[0, 2, 1, 3])
    }

    /// Rotates pairs of features: the first half of a head with the second.
    pub(crate) fn rotate(&mut self, x: &Value, [cos, sin]: [&Value; 2]) -> Value {
        let graph = &mut self.graph;
        let [left, right] = graph.halves(x);
        let (a, b) = (graph.multiply(&left, cos), graph.multiply(&right, sin));
        let new_left = graph.op("Sub", &[&a, &b], &[]);
        let (a, b) = (graph.multiply(&right, cos), graph.multiply(&left, sin));
        let new_right = graph.add(&a, &b);
        graph.concat(&[&new_left, &new_right], -1)
    }

    /// `softmax(q · kᵀ / sqrt(E)) · v` of all heads, side by side: `[B, L, D]`.
    pub(crate) fn attend(
        &mut self,
        [q, k, v]: [&Value; 3],
        [len, heads, width]: [usize; 3],
    ) -> Value {
        let graph = &mut self.graph;
        let keys = graph.transpose(k, &[0, 1, 3, 2]);
        let scores = graph.op("MatMul", &[q, &keys], &[]);
        let scale = graph.scalar(1.0 / (width as f32).sqrt());
        let scores = graph.multiply(&scores, &scale);
        let weights = graph.op("Softmax", &[&scores], &[crate::graph::Of::One("axis", -1)]);
        let attended = graph.op("MatMul", &[&weights, v], &[]);
        let attended = graph.transpose(&attended, &[0, 2, 1, 3]);
        graph.reshape(&attended, &[-1, len as i64, (heads * width) as i64])
    }
}
