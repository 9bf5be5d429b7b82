//! Attention, with and without a cache.

use crate::buffers::Buffer;
use crate::gpu::{Counting, Gpu};
use crate::job::{each, list};
use crate::programs::{Program, source};
use std::sync::Arc;
use trm_ops::{DType, Extent, Rope, Tensor};

/// What is kept of the tokens seen, `[B, capacity, 2D]`: keys as they came, then values.
pub(crate) struct Keys {
    seen: Tensor,
}

/// Where queries, keys and values are, and which.
struct Sides<'a> {
    queries: &'a Tensor,
    /// Of a puzzle, and the first one's place.
    count: [usize; 2],
    kv: &'a Tensor,
    /// Columns of keys and values, and tokens that there is room for.
    columns: [usize; 2],
    capacity: usize,
}

impl Gpu {
    pub(crate) fn attend(&self, qkv: &Tensor, extent: Extent, rope: Option<&Rope>) -> Tensor {
        self.attend_keeping(qkv, extent, rope, qkv.dtype()).0
    }

    fn attend_keeping(
        &self,
        qkv: &Tensor,
        extent: Extent,
        rope: Option<&Rope>,
        dtype: DType,
    ) -> (Tensor, Tensor) {
        let d = extent.features();
        let sides = Sides {
            queries: qkv,
            count: [extent.len, 0],
            kv: qkv,
            columns: [d, 2 * d],
            capacity: extent.len,
        };
        self.attention_forward(&sides, extent, rope, dtype)
    }

    /// Queries that a group has at a time, and threads for each.
    fn blocks(&self, extent: Extent, tensors: usize, scores: usize) -> [usize; 2] {
        let [tile, across] = self.sizes.attention;
        let bytes = |tile: usize| 4 * tile * (tensors * extent.width + scores * tile + 2);
        let fitting = std::iter::successors(Some(tile), |tile| Some(tile / 2));
        let tile = fitting
            .take_while(|tile| *tile > 1)
            .find(|tile| bytes(*tile) <= self.sizes.shared)
            .unwrap_or(1);
        [tile, across.min(tile)]
    }

    fn turns(&self, rope: Option<&Rope>) -> Arc<Buffer> {
        match (rope, self.limits.counting) {
            (Some(rope), Counting::Launches | Counting::Seconds) => self.opened().turns(rope),
            _ => Arc::new(self.buffer(4)), // bound and not looked at
        }
    }

    /// What queries hear, `[B, N, D]`, and `ln Σ e^score` of each, for the gradient.
    fn attention_forward(
        &self,
        sides: &Sides<'_>,
        extent: Extent,
        rope: Option<&Rope>,
        dtype: DType,
    ) -> (Tensor, Tensor) {
        let (batch, [count, from]) = (sides.queries.shape()[0], sides.count);
        let [tile, across] = self.blocks(extent, 3, 1);
        let last = |x: &Tensor| *x.shape().last().expect("a dimension");
        let out = self.beside(sides.queries, &[batch, count, extent.features()], dtype);
        let stats = self.beside(sides.queries, &[batch, extent.heads * count * 2], DType::F32);
        let program = self.attention_program(
            source::attention,
            "forward",
            (sides.queries, [tile, across]),
            extent,
            rope,
        );
        let program = program.storing(dtype);
        let turns = self.turns(rope);
        let operands = [
            each(sides.queries, batch),
            each(sides.kv, batch),
            list(&turns),
            each(&out, batch).out(),
            each(&stats, batch).out(),
        ];
        let [keys, values] = sides.columns;
        let sizes = [count, extent.len, from, extent.heads, last(sides.queries), last(sides.kv)];
        let places = [keys, values, sides.capacity];
        let numbers =
            sizes.iter().chain(&places).map(|x| *x as u32).chain([extent.scale().to_bits()]);
        self.count_flops(
            program.name(),
            batch * extent.heads * count * extent.len * 2 * extent.width,
        );
        let blocks = extent.heads * count.div_ceil(tile);
        self.run(&program, batch, &operands, &numbers.collect::<Vec<_>>(), |rows| rows * blocks);
        (out, stats)
    }

    fn attention_program(
        &self,
        source: crate::programs::Source,
        entry: &'static str,
        (x, [tile, across]): (&Tensor, [usize; 2]),
        extent: Extent,
        rope: Option<&Rope>,
    ) -> Program {
        Program::new(source, entry, x.dtype())
            .with("TILE", tile)
            .with("ACROSS", across)
            .with("WIDTH", extent.width)
            .with("CAUSAL", usize::from(extent.causal))
            .with("ROPE", usize::from(rope.is_some()))
    }

    pub(crate) fn attend_backward(
        &self,
        qkv: &Tensor,
        extent: Extent,
        rope: Option<&Rope>,
        d_out: &Tensor,
    ) -> Tensor {
        let (out, stats) = self.attend_keeping(qkv, extent, rope, DType::F32);
        let (d_qkv, turns, batch) = (self.like(qkv), self.turns(rope), qkv.shape()[0]);
        let [tile, across] = self.blocks(extent, 4, 2);
        let blocks = extent.heads * extent.len.div_ceil(tile);
        for entry in ["queries", "keys"] {
            let program = self.attention_program(
                source::attention_backward,
                entry,
                (qkv, [tile, across]),
                extent,
                rope,
            );
            let operands = [
                each(qkv, batch),
                list(&turns),
                each(d_out, batch),
                each(&out, batch),
                each(&stats, batch).out(),
                each(&d_qkv, batch).out(),
            ];
            let numbers = [extent.len as u32, extent.heads as u32, extent.scale().to_bits()];
            let products = if entry == "queries" { 3 } else { 4 };
            let pairs = batch * extent.heads * extent.len * extent.len;
            self.count_flops(program.name(), products * pairs * extent.width);
            self.run(&program, batch, &operands, &numbers, |rows| rows * blocks);
        }
        d_qkv
    }

    pub(crate) fn new_keys(&self, seen: Tensor) -> Keys {
        Keys { seen }
    }

    pub(crate) fn attend_next(
        &self,
        qkv: &Tensor,
        keys: &mut Keys,
        (new, first): (Extent, usize),
        rope: Option<&Rope>,
    ) -> Tensor {
        let (batch, d) = (qkv.shape()[0], new.features());
        let capacity = keys.seen.shape()[1];
        let numbers = [new.len, 3 * d, d, 2 * d, capacity, first].map(|x| x as u32);
        let program = Program::new(source::rows, "append", qkv.dtype());
        let operands = [each(qkv, batch), each(&keys.seen, batch).out()];
        self.run_each(program, batch, new.len * 2 * d, &operands, &numbers);
        let extent = Extent { len: first + new.len, ..new };
        let sides = Sides {
            queries: qkv,
            count: [new.len, first],
            kv: &keys.seen,
            columns: [0, d],
            capacity,
        };
        self.attention_forward(&sides, extent, rope, qkv.dtype()).0
    }
}
