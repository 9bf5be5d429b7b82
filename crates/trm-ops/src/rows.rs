//! The rows of a tensor, its parts along the first dimension: how puzzles leave and join a batch.

use crate::Tensor;
use crate::dtype::Element;
use crate::tensor::dispatch;

impl Tensor {
    /// Some of the rows, in the order given; a row may be taken several times.
    ///
    /// # Shapes
    /// self `[R, ..]`, output `[rows.len(), ..]`.
    ///
    /// # Panics
    /// If a row does not exist, or if the tensor is tracked by a tape.
    pub fn select_rows(&self, rows: &[usize]) -> Tensor {
        fn copy<T: Element>(source: &Tensor, rows: &[usize], out: &mut Tensor) {
            let len = source.row_len();
            for (out, row) in out.slice_mut::<T>().chunks_exact_mut(len).zip(rows) {
                out.copy_from_slice(&source.slice::<T>()[row * len..][..len]);
            }
        }
        assert!(self.var().is_none(), "select_rows is not a recorded operation");
        let mut out = self.of_rows(rows.len());
        dispatch!(self.dtype(), T => copy::<T>(self, rows, &mut out));
        out
    }

    /// The rows of this tensor, then those of `other`.
    ///
    /// # Shapes
    /// self `[R, ..]`, other `[Q, ..]`, output `[R + Q, ..]`.
    ///
    /// # Panics
    /// If the rows differ in shape or dtype, or if either tensor is tracked by a tape.
    pub fn append_rows(&self, other: &Tensor) -> Tensor {
        fn copy<T: Element>(first: &Tensor, second: &Tensor, out: &mut Tensor) {
            let (start, end) = out.slice_mut::<T>().split_at_mut(first.len());
            start.copy_from_slice(first.slice::<T>());
            end.copy_from_slice(second.slice::<T>());
        }
        assert!(self.var().or(other.var()).is_none(), "append_rows is not a recorded operation");
        assert_eq!(
            (&self.shape()[1..], self.dtype()),
            (&other.shape()[1..], other.dtype()),
            "rows"
        );
        let mut out = self.of_rows(self.shape()[0] + other.shape()[0]);
        dispatch!(self.dtype(), T => copy::<T>(self, other, &mut out));
        out
    }

    /// Adds to one row, rounding each sum to the dtype.
    ///
    /// # Panics
    /// If the row does not exist or has another length.
    pub fn add_to_row(&mut self, row: usize, terms: &[f32]) {
        fn add<T: Element>(row: &mut [T], terms: &[f32]) {
            row.iter_mut().zip(terms).for_each(|(x, term)| *x = T::from_f32(x.to_f32() + term));
        }
        let len = self.row_len();
        assert_eq!(terms.len(), len, "a term for every element of a row");
        let range = row * len..(row + 1) * len;
        dispatch!(self.dtype(), T => add::<T>(&mut self.slice_mut::<T>()[range], terms));
    }

    fn row_len(&self) -> usize {
        self.shape()[1..].iter().product()
    }

    /// Arbitrary contents in the shape of this tensor but for the number of rows.
    fn of_rows(&self, rows: usize) -> Tensor {
        let mut shape = self.shape().to_vec();
        shape[0] = rows;
        Tensor::uninit(self.device(), &shape, self.dtype())
    }
}

#[cfg(test)]
mod tests {
    use crate::{DType, Device, Tensor};

    #[test]
    fn rows_are_taken_and_appended_bit_for_bit() {
        let device = Device::cpu(1);
        for dtype in [DType::F32, DType::Bf16] {
            let tensor = |rows: usize, values: &[f32]| {
                Tensor::from_f32(&device, &[rows, 1, 2], values).to_dtype(dtype)
            };
            let x = tensor(3, &[1.0, -2.0, 3.0, 0.5, -0.0, f32::INFINITY]);
            let some = x.select_rows(&[2, 0, 0]);
            assert_eq!((some.shape(), some.dtype()), (&[3, 1, 2][..], dtype));
            assert_eq!(some.to_f32_vec(), [-0.0, f32::INFINITY, 1.0, -2.0, 1.0, -2.0]);
            assert!(some.to_f32_vec()[0].is_sign_negative());

            let none = x.select_rows(&[]);
            assert_eq!((none.shape(), none.len()), (&[0, 1, 2][..], 0));
            let more = none.append_rows(&x).append_rows(&tensor(1, &[7.0, 8.0]));
            assert_eq!((more.shape(), more.dtype()), (&[4, 1, 2][..], dtype));
            assert_eq!(more.select_rows(&[0, 1, 2]).to_f32_vec(), x.to_f32_vec());
            assert_eq!(more.select_rows(&[3]).to_f32_vec(), [7.0, 8.0]);
        }
    }

    #[test]
    fn terms_are_added_to_one_row_alone() {
        let device = Device::cpu(1);
        for dtype in [DType::F32, DType::Bf16] {
            let mut x = Tensor::from_f32(&device, &[2, 2], &[1.0, 2.0, 3.0, 4.0]).to_dtype(dtype);
            x.add_to_row(1, &[0.5, -4.0]);
            assert_eq!(x.to_f32_vec(), [1.0, 2.0, 3.5, 0.0]);
        }
    }

    #[test]
    #[should_panic(expected = "rows")]
    fn rows_of_other_shapes_are_not_appended() {
        let device = Device::cpu(1);
        let zeros = |shape: &[usize]| Tensor::zeros(&device, shape, DType::F32);
        zeros(&[1, 2]).append_rows(&zeros(&[1, 3]));
    }
}
