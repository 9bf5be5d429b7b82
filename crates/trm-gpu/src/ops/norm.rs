//! Norms, and sums of rows.

use crate::gpu::Gpu;
use crate::job::{each, whole, window};
use crate::programs::{Program, source};
use std::ops::Range;
use trm_ops::{Axis, DType, NORM_EPS, Tensor};

/// Parts that a sum over rows has, at most, and bytes of all of them.
const PARTS: usize = 16;
const BYTES: usize = 64 << 20;

impl Gpu {
    /// What norms and their inverses are computed from: of [h, r] forwards, of [y, dy] and the inverses backwards.
    pub(crate) fn norm(
        &self,
        [x, y]: [&Tensor; 2],
        axis: Axis,
        inverses: Option<&Tensor>,
    ) -> (Tensor, Option<Tensor>) {
        let [batch, len, d] = *x.shape() else { panic!("[B, L, D]") };
        let out = self.like(x);
        let (rows, lines, entries) = match axis {
            Axis::Features => (batch * len, batch * len, ["features", "features_backward"]),
            Axis::Tokens => (batch, batch * d, ["tokens", "tokens_backward"]),
        };
        let new = inverses.is_none().then(|| self.beside(x, &[lines], DType::F32));
        let fourth = match (&new, inverses) {
            (Some(new), _) => each(new, rows).out(),
            (None, known) => each(known.expect("inverses"), rows),
        };
        let operands = [each(x, rows), each(y, rows), each(&out, rows).out(), fourth];
        let numbers = [len as u32, d as u32, NORM_EPS.to_bits()];
        let entry = entries[usize::from(inverses.is_some())];
        let program = Program::new(source::norm, entry, x.dtype());
        match axis {
            Axis::Features => {
                let program = program.with("GROUP", self.sizes.reduce);
                self.run(&program, rows, &operands, &numbers, |rows| rows);
            }
            Axis::Tokens => self.run_each(program, rows, d, &operands, &numbers),
        }
        (out, new)
    }

    /// Parts of a sum over so many rows with `len` results, and rows of a part: by shape alone, so that a sum has one
    /// order.
    pub(super) fn parts_of(&self, rows: usize, len: usize) -> (usize, usize) {
        let most = (BYTES.min(self.limits.binding as usize) / (4 * len).max(1)).clamp(1, PARTS);
        let chunk = rows.div_ceil(most).max(1);
        (rows.div_ceil(chunk), chunk)
    }

    pub(super) fn partial(&self, sum: &Tensor, parts: usize, len: usize) -> Tensor {
        self.beside(sum, &[parts, len], DType::F32)
    }

    /// Runs `add` for every window; the second and later ones add to what is there.
    pub(super) fn add_parts(
        &self,
        sum: &Tensor,
        started: bool,
        windows: Vec<Range<usize>>,
        add: impl Fn(&Range<usize>, bool, &Tensor),
    ) {
        if windows.is_empty() && !started {
            let nothing = self.zeroed(sum.device(), sum.shape(), sum.dtype());
            self.copy(&nothing, 0, sum, 0, sum.len());
        }
        for (i, range) in windows.iter().enumerate() {
            add(range, started || i > 0, sum);
        }
    }

    /// `sum (+)= Σ_z partial[z]`
    pub(super) fn join(&self, partial: &Tensor, parts: usize, sum: &Tensor, started: bool) {
        let len = sum.len();
        let program = Program::new(source::reduce, "join", DType::F32);
        let numbers = [len as u32, 0, parts as u32, u32::from(started)];
        self.run_each(program, len, 1, &[whole(partial), whole(sum).out()], &numbers);
    }

    /// Adds the sum of all rows, or begins with it.
    pub(crate) fn add_columns(&self, sum: &mut Tensor, started: bool, x: &Tensor) {
        let n = sum.len();
        let rows = x.len() / n;
        self.own(sum);
        self.add_parts(sum, started, self.windows(rows, &[x]), |range, started, sum| {
            let chunk = range.len().div_ceil(64).max(1);
            let parts = range.len().div_ceil(chunk);
            let partial = self.partial(sum, parts, n);
            // all rows of the window in one launch, whose threads are the results
            let numbers = [n as u32, chunk as u32, parts as u32, 0];
            let program =
                Program::new(source::reduce, "columns", x.dtype()).with("GROUP", self.sizes.group);
            let operands = [window(x, rows, range), whole(&partial).out()];
            let groups = (parts * n).div_ceil(self.sizes.group);
            self.run(&program, range.len(), &operands, &numbers, |_| groups);
            self.join(&partial, parts, sum, started);
        });
    }
}
