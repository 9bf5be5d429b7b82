//! Rows, the parts along the first dimension.

use crate::gpu::Gpu;
use crate::job::{each, from, list, whole, window};
use crate::programs::{Program, source};
use trm_ops::{DType, Tensor};

fn row_len(x: &Tensor) -> usize {
    x.shape()[1..].iter().product()
}

impl Gpu {
    pub(crate) fn gathered(&self, x: &Tensor, rows: &[usize]) -> Tensor {
        let (len, table) = (row_len(x), x.shape()[0]);
        let out = self.beside(x, &[&[rows.len()], &x.shape()[1..]].concat(), x.dtype());
        if rows.is_empty() {
            return out;
        }
        let ids: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let ids = self.upload(bytemuck::cast_slice(&ids));
        for range in self.windows(table, &[x]) {
            let program = Program::new(source::rows, "gather", x.dtype());
            let operands = [window(x, table, &range), list(&ids), each(&out, rows.len()).out()];
            let numbers = [len as u32, range.start as u32, range.len() as u32, 0];
            self.run_each(program, rows.len(), len, &operands, &numbers);
        }
        out
    }

    pub(crate) fn appended(&self, x: &Tensor, other: &Tensor) -> Tensor {
        let rows = x.shape()[0] + other.shape()[0];
        let out = self.beside(x, &[&[rows], &x.shape()[1..]].concat(), x.dtype());
        self.copy(x, 0, &out, 0, x.len());
        self.copy(other, 0, &out, x.len(), other.len());
        out
    }

    pub(crate) fn row_filled(&self, x: &mut Tensor, row: usize, values: &Tensor) {
        self.own(x);
        let len = row_len(x);
        let (target, ahead) = from(self, x, row * len, len);
        let numbers = [values.len() as u32, ahead as u32, 0, 0];
        let program = Program::new(source::rows, "fill_row", x.dtype());
        self.run_each(program, len, 1, &[whole(values), target.out()], &numbers);
    }

    pub(crate) fn row_changed(&self, x: &mut Tensor, row: usize, terms: &[f32]) {
        self.own(x);
        let terms = self.uploaded(x.device(), &[terms.len()], DType::F32, terms);
        let (target, ahead) = from(self, x, row * terms.len(), terms.len());
        let numbers = [0, ahead as u32, 0, 0];
        let program = Program::new(source::rows, "add_to_row", x.dtype());
        self.run_each(program, terms.len(), 1, &[whole(&terms), target.out()], &numbers);
    }
}
