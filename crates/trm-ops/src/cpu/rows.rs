//! The rows of a tensor, its parts along the first dimension.

use crate::Tensor;
use crate::cpu::element::Element;
use crate::cpu::memory::uninit;

pub(super) fn select<T: Element>(x: &Tensor, rows: &[usize]) -> Tensor {
    let (mut out, len) = (of_rows(x, rows.len()), x.row_len());
    for (out, row) in out.slice_mut::<T>().chunks_exact_mut(len).zip(rows) {
        out.copy_from_slice(&x.slice::<T>()[row * len..][..len]);
    }
    out
}

pub(super) fn append<T: Element>(x: &Tensor, other: &Tensor) -> Tensor {
    let mut out = of_rows(x, x.shape()[0] + other.shape()[0]);
    let (start, end) = out.slice_mut::<T>().split_at_mut(x.len());
    start.copy_from_slice(x.slice::<T>());
    end.copy_from_slice(other.slice::<T>());
    out
}

pub(super) fn fill<T: Element>(x: &mut Tensor, row: usize, values: &Tensor) {
    let (len, values) = (x.row_len(), values.slice::<f32>());
    for part in x.slice_mut::<T>()[row * len..][..len].chunks_exact_mut(values.len()) {
        part.iter_mut().zip(values).for_each(|(t, v)| *t = T::from_f32(*v));
    }
}

pub(super) fn add<T: Element>(x: &mut Tensor, row: usize, terms: &[f32]) {
    let len = x.row_len();
    let row = &mut x.slice_mut::<T>()[row * len..][..len];
    row.iter_mut().zip(terms).for_each(|(x, term)| *x = T::from_f32(x.to_f32() + term));
}

/// Arbitrary contents in the shape of a tensor but for the number of rows.
fn of_rows(x: &Tensor, rows: usize) -> Tensor {
    let mut shape = x.shape().to_vec();
    shape[0] = rows;
    uninit(x.device(), &shape, x.dtype())
}
