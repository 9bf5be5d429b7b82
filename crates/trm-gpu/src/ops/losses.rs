//! Losses, and whether a draft is right.

use crate::gpu::Gpu;
use crate::job::{each, list};
use crate::programs::{Program, source};
use trm_ops::{DType, Likelihood, Targets, Tensor};

impl Gpu {
    pub(crate) fn entropy(&self, logits: &Tensor, targets: &Targets) -> Tensor {
        let [batch, cells, vocab] = *logits.shape() else { panic!("[B, S, V]") };
        let labels = self.upload(&targets.labels);
        let of_cells = self.beside(logits, &[batch, cells], DType::F32);
        let numbers = numbers([cells, vocab], targets.ignore, targets.smoothing);
        let operands = [each(logits, batch), list(&labels), each(&of_cells, batch).out()];
        self.run_each(program("cells", targets.likelihood), batch, cells, &operands, &numbers);
        let out = self.beside(logits, &[batch], DType::F32);
        let operands = [each(&of_cells, batch), list(&labels), each(&out, batch).out()];
        self.run_each(program("puzzles", targets.likelihood), batch, 1, &operands, &numbers);
        out
    }

    pub(crate) fn entropy_backward(
        &self,
        logits: &Tensor,
        targets: &Targets,
        d_out: &Tensor,
    ) -> Tensor {
        let [batch, cells, vocab] = *logits.shape() else { panic!("[B, S, V]") };
        let (labels, out) = (self.upload(&targets.labels), self.like(logits));
        let operands =
            [each(logits, batch), list(&labels), each(d_out, batch), each(&out, batch).out()];
        let numbers = numbers([cells, vocab], targets.ignore, targets.smoothing);
        self.run_each(program("backward", targets.likelihood), batch, cells, &operands, &numbers);
        out
    }

    pub(crate) fn exact(&self, logits: &Tensor, labels: &[u8], ignore: u8) -> Tensor {
        let [batch, cells, vocab] = *logits.shape() else { panic!("[B, S, V]") };
        let (labels, out) = (self.upload(labels), self.beside(logits, &[batch], DType::F32));
        let operands = [each(logits, batch), list(&labels), each(&out, batch).out()];
        let numbers = numbers([cells, vocab], ignore, 0.0);
        self.run_each(program("exact", Likelihood::Softmax), batch, 1, &operands, &numbers);
        out
    }

    pub(crate) fn halting(&self, q: &Tensor, correct: &Tensor) -> Tensor {
        let (rows, out) = (correct.len(), self.like(correct));
        let operands = [each(q, rows), each(correct, rows), each(&out, rows).out()];
        self.run_each(
            program("halt", Likelihood::Softmax),
            rows,
            1,
            &operands,
            &numbers([1, 2], 0, 0.0),
        );
        out
    }

    pub(crate) fn halting_backward(&self, q: &Tensor, correct: &Tensor, d_out: &Tensor) -> Tensor {
        let (rows, out) = (correct.len(), self.like(q));
        let operands =
            [each(q, rows), each(correct, rows), each(d_out, rows), each(&out, rows).out()];
        self.run_each(
            program("halt_backward", Likelihood::Softmax),
            rows,
            1,
            &operands,
            &numbers([1, 2], 0, 0.0),
        );
        out
    }
}

fn program(entry: &'static str, likelihood: Likelihood) -> Program {
    let softmax = usize::from(likelihood == Likelihood::Softmax);
    Program::new(source::losses, entry, DType::F32).with("SOFTMAX", softmax)
}

fn numbers([cells, vocab]: [usize; 2], ignored: u8, smoothing: f64) -> [u32; 4] {
    [cells as u32, vocab as u32, u32::from(ignored), (smoothing as f32).to_bits()]
}
