//! Cells that hear their neighbours, and lines of a grid.

use crate::gpu::Gpu;
use crate::job::each;
use crate::programs::{Program, source};
use trm_ops::{DType, Direction, Grid, Lines, Tensor};

impl Gpu {
    pub(crate) fn heard_beside(&self, h: &Tensor, grid: Grid) -> Tensor {
        let [batch, len, d] = *h.shape() else { panic!("[B, L, D]") };
        let means = self.of_kinds("mean", h, grid, d);
        let out = self.beside(h, &[batch, len, grid.parts() * d], h.dtype());
        let operands = [each(h, batch), each(&means, batch), each(&out, batch).out()];
        let program = Program::new(source::neighbours, "forward", h.dtype());
        self.run_each(program, batch, len * grid.parts() * d, &operands, &of_grid(grid, d));
        out
    }

    pub(crate) fn heard_beside_backward(&self, d_out: &Tensor, grid: Grid) -> Tensor {
        let [batch, len, width] = *d_out.shape() else { panic!("[B, L, D]") };
        let d = width / grid.parts();
        let owed = self.of_kinds("owed", d_out, grid, d);
        let out = self.beside(d_out, &[batch, len, d], d_out.dtype());
        let operands = [each(d_out, batch), each(&owed, batch), each(&out, batch).out()];
        let program = Program::new(source::neighbours, "backward", d_out.dtype());
        self.run_each(program, batch, len * d, &operands, &of_grid(grid, d));
        out
    }

    /// `[B, kinds, D]`, f32.
    fn of_kinds(&self, entry: &'static str, x: &Tensor, grid: Grid, d: usize) -> Tensor {
        let batch = x.shape()[0];
        let out = self.beside(x, &[batch, grid.kinds(), d], DType::F32);
        let operands = [each(x, batch), each(&out, batch).out()];
        let program = Program::new(source::neighbours, entry, x.dtype());
        self.run_each(program, batch, grid.kinds() * d, &operands, &of_grid(grid, d));
        out
    }

    pub(crate) fn of_lines(&self, h: &Tensor, lines: Lines) -> Tensor {
        self.lines_of("forward", h, lines, 2)
    }

    pub(crate) fn sums_of_lines(&self, x: &Tensor, lines: Lines) -> Tensor {
        self.lines_of("sum", x, lines, 1)
    }

    fn lines_of(&self, entry: &'static str, x: &Tensor, lines: Lines, widths: usize) -> Tensor {
        let [batch, cells, d] = *x.shape() else { panic!("[B, S, D]") };
        let out = self.beside(x, &[batch, lines.count(cells), widths * d], x.dtype());
        let operands = [each(x, batch), each(&out, batch).out()];
        self.run_each(
            program(entry, x, lines),
            batch,
            lines.count(cells) * d,
            &operands,
            &numbers(x, lines.columns),
        );
        out
    }

    pub(crate) fn of_lines_backward(&self, h: &Tensor, d_out: &Tensor, lines: Lines) -> Tensor {
        let (batch, out) = (h.shape()[0], self.like(h));
        let operands = [each(h, batch), each(d_out, batch), each(&out, batch).out()];
        let of_row = h.len() / batch.max(1);
        self.run_each(
            program("backward", h, lines),
            batch,
            of_row,
            &operands,
            &numbers(h, lines.columns),
        );
        out
    }

    pub(crate) fn lines_added(&self, x: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor {
        let (batch, out, count) = (x.shape()[0], self.like(x), columns.shape()[1]);
        let operands =
            [each(x, batch), each(rows, batch), each(columns, batch), each(&out, batch).out()];
        let program = program("add", x, Lines::rows(count));
        self.run_each(program, batch, x.len() / batch.max(1), &operands, &numbers(x, count));
        out
    }
}

fn of_grid(grid: Grid, d: usize) -> [u32; 4] {
    [grid.prefix, grid.cells, grid.columns, d].map(|x| x as u32)
}

fn program(entry: &'static str, x: &Tensor, lines: Lines) -> Program {
    let down = usize::from(lines.direction == Direction::Columns);
    Program::new(source::lines, entry, x.dtype()).with("DOWN", down)
}

fn numbers(x: &Tensor, columns: usize) -> [u32; 3] {
    let [_, cells, d] = *x.shape() else { panic!("[B, S, D]") };
    [cells, columns, d].map(|x| x as u32)
}
