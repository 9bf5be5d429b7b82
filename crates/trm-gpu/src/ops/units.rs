//! Mixing along the units of a Sudoku.

use crate::gpu::Gpu;
use crate::job::each;
use crate::programs::{Program, source};
use trm_ops::{KINDS, Parameter, Tensor, Units};

impl Gpu {
    pub(crate) fn units_mixed(
        &self,
        h: &Tensor,
        [own, of_units @ ..]: &[Parameter; 5],
        units: Units,
    ) -> (Tensor, [Tensor; KINDS]) {
        let means = self.unit_sums(h, units, 1.0 / units.size() as f32);
        let said: Vec<Tensor> = means
            .iter()
            .zip(of_units)
            .map(|(mean, weight)| self.linear_of(mean, weight, None))
            .collect();
        let out = self.linear_of(h, own, None);
        self.spread(&out, &said, units, 1.0);
        (out, means)
    }

    pub(crate) fn units_mixed_backward(
        &self,
        [own, of_units @ ..]: &[Parameter; 5],
        units: Units,
        d_out: &Tensor,
    ) -> (Tensor, [Tensor; KINDS]) {
        let d_said = self.unit_sums(d_out, units, 1.0);
        let d_means: Vec<Tensor> =
            d_said.iter().zip(of_units).map(|(d, weight)| self.linear_turned(d, weight)).collect();
        let d_h = self.linear_turned(d_out, own);
        self.spread(&d_h, &d_means, units, 1.0 / units.size() as f32);
        (d_h, d_said)
    }

    /// Sums over the candidates of every unit, times `factor`: `[B, n², D]` for every kind.
    fn unit_sums(&self, x: &Tensor, units: Units, factor: f32) -> [Tensor; KINDS] {
        let [batch, _, d] = *x.shape() else { panic!("[B, n³, D]") };
        let count = units.size().pow(2);
        let sums = std::array::from_fn(|_| self.beside(x, &[batch, count, d], x.dtype()));
        let outs = sums.iter().map(|sum| each(sum, batch).out());
        let operands: Vec<_> = [each(x, batch)].into_iter().chain(outs).collect();
        let program = Program::new(source::units, "sums", x.dtype());
        self.run_each(program, batch, count * d, &operands, &numbers(units, d, factor));
        sums
    }

    /// Adds to every candidate what its units say, times `factor`.
    fn spread(&self, out: &Tensor, said: &[Tensor], units: Units, factor: f32) {
        let [batch, candidates, d] = *out.shape() else { panic!("[B, n³, D]") };
        let operands: Vec<_> = [each(out, batch).out()]
            .into_iter()
            .chain(said.iter().map(|said| each(said, batch)))
            .collect();
        let program = Program::new(source::units, "spread", out.dtype());
        self.run_each(program, batch, candidates * d, &operands, &numbers(units, d, factor));
    }
}

fn numbers(units: Units, d: usize, factor: f32) -> [u32; 4] {
    [units.height as u32, units.width as u32, d as u32, factor.to_bits()]
}
