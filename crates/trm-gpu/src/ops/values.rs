//! Values: there and back, and number by number.

use crate::gpu::Gpu;
use crate::job::{buffer, each, from, window};
use crate::programs::{Program, source};
use half::f16;
use std::sync::Arc;
use trm_ops::{DType, Device, DeviceError, Tensor};

/// Sums that a long one is made of.
pub(super) const PARTS: usize = 1024;

impl Gpu {
    pub(crate) fn uploaded(
        &self,
        device: &Device,
        shape: &[usize],
        dtype: DType,
        values: &[f32],
    ) -> Tensor {
        let stored = match dtype {
            DType::F32 => self.upload(bytemuck::cast_slice(values)),
            DType::F16 => {
                let values: Vec<f16> = values.iter().map(|x| f16::from_f32(*x)).collect();
                self.upload(bytemuck::cast_slice(&values))
            }
            DType::Bf16 => panic!("{self:?} stores no bf16"),
        };
        Tensor::new(device, shape, dtype, Arc::new(stored))
    }

    pub(crate) fn zeroed(&self, device: &Device, shape: &[usize], dtype: DType) -> Tensor {
        let zeros = self.uninit(device, shape, dtype);
        let program = Program::new(source::elementwise, "fill", dtype);
        self.run_each(
            program,
            zeros.len(),
            1,
            &[each(&zeros, zeros.len()).out()],
            &scalars(0.0, 0.0),
        );
        zeros
    }

    /// A tensor of arbitrary contents beside another one.
    pub(crate) fn beside(&self, x: &Tensor, shape: &[usize], dtype: DType) -> Tensor {
        self.uninit(x.device(), shape, dtype)
    }

    /// A tensor of arbitrary contents of the same form.
    pub(crate) fn like(&self, x: &Tensor) -> Tensor {
        self.beside(x, x.shape(), x.dtype())
    }

    pub(crate) fn values(&self, x: &Tensor) -> Result<Vec<f32>, DeviceError> {
        let bytes = self.read(buffer(x), x.len() * x.dtype().size())?;
        Ok(match x.dtype() {
            DType::F32 => bytemuck::pod_collect_to_vec(&bytes),
            DType::F16 => {
                bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
            }
            DType::Bf16 => panic!("{self:?} stores no bf16"),
        })
    }

    /// Makes sure that nobody else has the storage of a tensor that is about to change.
    pub(crate) fn own(&self, x: &mut Tensor) {
        if x.storage_mut().is_some() {
            return;
        }
        let mine = self.like(x);
        self.copy(x, 0, &mine, 0, x.len());
        x.take_storage(mine);
    }

    /// Copies elements between tensors of one format.
    pub(crate) fn copy(&self, x: &Tensor, first: usize, to: &Tensor, at: usize, count: usize) {
        let piece = (self.limits.binding as usize / x.dtype().size())
            .saturating_sub(self.alignment as usize)
            .max(1);
        for done in (0..count).step_by(piece) {
            let count = piece.min(count - done);
            let (source, skip) = from(self, x, first + done, count);
            let (target, ahead) = from(self, to, at + done, count);
            let program = Program::new(source::rows, "copy", x.dtype());
            let numbers = [0, ahead as u32, skip as u32, 0];
            self.run_each(program, count, 1, &[source, target.out()], &numbers);
        }
    }

    pub(crate) fn finite(&self, x: &Tensor) -> Result<bool, DeviceError> {
        let found = self.parts(&[x], "not_finite")?;
        Ok(found[0].iter().all(|part| part.to_bits() == 0))
    }

    pub(crate) fn squares(&self, xs: &[&Tensor]) -> Result<Vec<f64>, DeviceError> {
        let sums = self.parts(xs, "squares")?;
        Ok(sums.iter().map(|parts| parts.iter().map(|part| f64::from(*part)).sum()).collect())
    }

    /// What the parts of a sum over all elements give, of each tensor.
    fn parts(&self, xs: &[&Tensor], entry: &'static str) -> Result<Vec<Vec<f32>>, DeviceError> {
        let windows: Vec<_> = xs.iter().map(|x| self.windows(x.len(), &[x])).collect();
        let count: usize = windows.iter().map(Vec::len).sum();
        let parts = self.beside(xs[0], &[count.max(1), PARTS], DType::F32);
        let pieces =
            xs.iter().zip(&windows).flat_map(|(x, of_x)| of_x.iter().map(move |range| (*x, range)));
        for (i, (x, range)) in pieces.enumerate() {
            let numbers = [range.len() as u32, 0, PARTS as u32, 0];
            let operands = [window(x, x.len(), range), window(&parts, count, &(i..i + 1)).out()];
            self.run_each(
                Program::new(source::reduce, entry, x.dtype()),
                PARTS,
                1,
                &operands,
                &numbers,
            );
        }
        let all = self.values(&parts)?;
        let mut rows = all.chunks_exact(PARTS);
        Ok(windows
            .iter()
            .map(|of_x| rows.by_ref().take(of_x.len()).flatten().copied().collect())
            .collect())
    }

    pub(crate) fn largest(&self, x: &Tensor) -> Result<Vec<u8>, DeviceError> {
        let len = *x.shape().last().expect("a dimension");
        let rows = x.len() / len;
        let places = self.beside(x, &[rows], DType::F32);
        let program = Program::new(source::reduce, "argmax", x.dtype());
        self.run_each(
            program,
            rows,
            1,
            &[each(x, rows), each(&places, rows).out()],
            &[len as u32, 0, 0, 0],
        );
        let bytes = self.read(buffer(&places), 4 * rows)?;
        Ok(bytes.chunks_exact(4).map(|place| place[0]).collect())
    }

    pub(crate) fn converted(&self, x: &Tensor, dtype: DType) -> Tensor {
        let out = self.beside(x, x.shape(), dtype);
        let (entry, stored) = match dtype {
            DType::F32 => ("load", x.dtype()),
            other => ("store", other),
        };
        let operands = [each(x, x.len()), each(&out, x.len()).out()];
        self.run_each(
            Program::new(source::elementwise, entry, stored),
            x.len(),
            1,
            &operands,
            &scalars(0.0, 0.0),
        );
        out
    }

    /// `x ← factor · x`
    pub(crate) fn scaled(&self, x: &mut Tensor, factor: f32) {
        self.own(x);
        let program = Program::new(source::elementwise, "scale", x.dtype());
        self.run_each(program, x.len(), 1, &[each(x, x.len()).out()], &scalars(factor, 0.0));
    }

    /// `x ← a · x + b · term`
    pub(crate) fn blend(&self, x: &mut Tensor, term: &Tensor, [a, b]: [f32; 2]) {
        self.own(x);
        let program = Program::new(source::elementwise, "blend", x.dtype());
        let operands = [each(term, x.len()), each(x, x.len()).out()];
        self.run_each(program, x.len(), 1, &operands, &scalars(a, b));
    }

    /// `a · x + b · y`
    pub(crate) fn combined(&self, x: &Tensor, y: &Tensor, [a, b]: [f32; 2]) -> Tensor {
        self.two("combine", x, y, &scalars(a, b))
    }

    /// `x + y`
    pub(crate) fn sum(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.two("add", x, y, &scalars(0.0, 0.0))
    }

    fn two(&self, entry: &'static str, x: &Tensor, y: &Tensor, numbers: &[u32]) -> Tensor {
        let (out, len) = (self.like(x), x.len());
        let operands = [each(x, len), each(y, len), each(&out, len).out()];
        self.run_each(
            Program::new(source::elementwise, entry, x.dtype()),
            len,
            1,
            &operands,
            numbers,
        );
        out
    }
}

fn scalars(a: f32, b: f32) -> [u32; 2] {
    [a.to_bits(), b.to_bits()]
}
