//! Embedded questions.

use crate::gpu::Gpu;
use crate::job::{Operand, each, list, whole, window};
use crate::programs::{Program, source};
use trm_ops::{DType, Device, Embedding, Sum, Tensor};

impl Gpu {
    pub(crate) fn embedded(
        &self,
        device: &Device,
        embedding: &Embedding,
        (batch, dtype): (usize, DType),
    ) -> Tensor {
        let sizes = Sizes::of(embedding, batch);
        let out = self.uninit(device, &[batch, sizes.len(), sizes.d], dtype);
        let prefix = embedding.prefix.as_ref().map(|prefix| prefix.to_dtype(DType::F32));
        let tokens = self.upload(&embedding.tokens);
        let table = embedding.table.value();
        let positions = embedding.positions.as_ref().map(|(positions, _)| whole(positions.value()));
        let program = Program::new(source::embed, "forward", dtype)
            .with("PREFIX", usize::from(prefix.is_some()))
            .with("POSITIONS", usize::from(positions.is_some()));
        let operands = [
            list(&tokens),
            whole(table),
            prefix.as_ref().map_or(whole(table), |prefix| each(prefix, batch)),
            positions.unwrap_or(whole(table)),
            each(&out, batch).out(),
        ];
        let width = prefix.as_ref().map_or(0, |prefix| prefix.len() / batch.max(1));
        self.run_each(
            program,
            batch,
            sizes.len() * sizes.d,
            &operands,
            &sizes.numbers(width, [0, 0, 0], false),
        );
        out
    }

    pub(crate) fn embedded_tokens_backward(
        &self,
        sum: Sum<'_>,
        embedding: &Embedding,
        d_out: &Tensor,
    ) {
        let batch = d_out.shape()[0];
        let (sizes, vocab) = (Sizes::of(embedding, batch), sum.tensor.shape()[0]);
        let tokens = self.upload(&embedding.tokens);
        self.own(sum.tensor);
        self.add_parts(
            sum.tensor,
            sum.started,
            self.windows(batch, &[d_out]),
            |range, started, sum| {
                let (parts, chunk) = self.parts_of(range.len(), sum.len());
                let partial = self.partial(sum, parts, sum.len());
                let operands = [list(&tokens), window(d_out, batch, range), whole(&partial).out()];
                let numbers = sizes.numbers(0, [vocab, chunk, parts], false);
                self.embed_sums(
                    "tokens_backward",
                    d_out,
                    (range.start, range.len()),
                    (parts * sum.len(), &operands, &numbers),
                );
                self.join(&partial, parts, sum, started);
            },
        );
    }

    pub(crate) fn embedded_positions_backward(
        &self,
        sum: Sum<'_>,
        embedding: &Embedding,
        d_out: &Tensor,
    ) {
        let batch = d_out.shape()[0];
        let (sizes, places) = (Sizes::of(embedding, batch), sum.tensor.shape()[0]);
        let tokens = self.buffer(4); // bound and not looked at
        self.own(sum.tensor);
        self.add_parts(
            sum.tensor,
            sum.started,
            self.windows(batch, &[d_out]),
            |range, started, sum| {
                let operands = [list(&tokens), window(d_out, batch, range), whole(sum).out()];
                let numbers = sizes.numbers(0, [places, 0, 0], started);
                self.embed_sums(
                    "positions_backward",
                    d_out,
                    (range.start, range.len()),
                    (sum.len(), &operands, &numbers),
                );
            },
        );
    }

    /// One launch over all rows of a window, whose threads are the results.
    fn embed_sums(
        &self,
        entry: &'static str,
        d_out: &Tensor,
        (first, rows): (usize, usize),
        (results, operands, numbers): (usize, &[Operand<'_>], &[u32]),
    ) {
        let group = self.sizes.group;
        let program = Program::new(source::embed, entry, d_out.dtype())
            .with("GROUP", group)
            .with("PREFIX", 0);
        self.run_window(
            &program.with("POSITIONS", 0),
            (first, rows),
            operands,
            numbers,
            results.div_ceil(group),
        );
    }

    pub(crate) fn embedded_prefix_backward(
        &self,
        embedding: &Embedding,
        d_out: &Tensor,
        width: usize,
    ) -> Tensor {
        let batch = d_out.shape()[0];
        let sizes = Sizes::of(embedding, batch);
        let out = self.beside(d_out, &[batch, width], DType::F32);
        let tokens = self.buffer(4); // bound and not looked at
        let program = Program::new(source::embed, "prefix_backward", d_out.dtype());
        let operands = [list(&tokens), each(d_out, batch), each(&out, batch).out()];
        let program = program.with("PREFIX", 0).with("POSITIONS", 0);
        self.run_each(program, batch, width, &operands, &sizes.numbers(width, [0, 0, 0], false));
        out
    }
}

struct Sizes {
    cells: usize,
    prefix_len: usize,
    d: usize,
    from: usize,
    scale: f32,
}

impl Sizes {
    fn of(embedding: &Embedding, batch: usize) -> Sizes {
        Sizes {
            cells: embedding.tokens.len() / batch.max(1),
            prefix_len: embedding.prefix_len,
            d: embedding.table.value().shape()[1],
            from: embedding.positions.as_ref().map_or(0, |(_, first)| *first),
            scale: embedding.scale(),
        }
    }

    fn len(&self) -> usize {
        self.prefix_len + self.cells
    }

    fn numbers(&self, width: usize, [vocab, chunk, parts]: [usize; 3], started: bool) -> [u32; 10] {
        let sizes = [self.cells, self.prefix_len, self.d, width, self.from].map(|x| x as u32);
        let [cells, prefix_len, d, width, from] = sizes;
        let [vocab, chunk, parts] = [vocab, chunk, parts].map(|x| x as u32);
        [
            cells,
            prefix_len,
            d,
            width,
            from,
            self.scale.to_bits(),
            vocab,
            chunk,
            parts,
            u32::from(started),
        ]
    }
}
