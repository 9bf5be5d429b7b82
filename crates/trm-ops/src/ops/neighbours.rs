use crate::dtype::Element;
use crate::storage::with_scratch;
use crate::tape::{Backward, Gradients};
use crate::tensor::dispatch;
use crate::{Tape, Tensor};
use rayon::prelude::*;

/// What a cell hears: itself, the four cells beside it, the mean of all.
const HEARD: usize = 6;

/// From a cell to the cells that it hears, in rows and columns: itself, above, below, left, right.
const CELLS: [(isize, isize); HEARD - 1] = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)];

impl Tape {
    /// What every cell of a grid can hear: its own features, those of the cells above, below, left and right
    /// of it (zeros beyond the border), and the mean of all cells.
    ///
    /// # Shapes
    /// h `[B, L, D]` with cells in rows of `columns`, output `[B, L, 6D]`.
    pub fn neighbours(&self, h: &Tensor, columns: usize) -> Tensor {
        let [batch, len, d] = *h.shape() else { panic!("{:?} is not [B, L, D]", h.shape()) };
        assert!(len.is_multiple_of(columns), "{len} cells in rows of {columns}");
        let mut out = Tensor::uninit(self.device(), &[batch, len, HEARD * d], h.dtype());
        self.device().install(|| dispatch!(h.dtype(), T => gather::<T>(h, columns, &mut out)));
        self.record(out, || Neighbours { h: h.clone(), columns })
    }
}

/// The cell that `cell` hears in a direction, if it is on the grid.
fn beside(cell: usize, (rows, columns): (usize, usize), to: (isize, isize)) -> Option<usize> {
    let row = (cell / columns).checked_add_signed(to.0).filter(|row| *row < rows)?;
    let column = (cell % columns).checked_add_signed(to.1).filter(|column| *column < columns)?;
    Some(row * columns + column)
}

fn gather<T: Element>(h: &Tensor, columns: usize, out: &mut Tensor) {
    let (len, d) = (h.shape()[1], h.last_dim());
    let size = (len / columns, columns);
    let puzzles = h.slice::<T>().par_chunks_exact(len * d);
    out.slice_mut::<T>().par_chunks_exact_mut(len * HEARD * d).zip(puzzles).for_each(|(out, h)| {
        with_scratch(d, |mean| {
            mean.fill(0.0);
            for cell in h.chunks_exact(d) {
                mean.iter_mut().zip(cell).for_each(|(sum, x)| *sum += x.to_f32());
            }
            for (cell, heard) in out.chunks_exact_mut(HEARD * d).enumerate() {
                let (beside_it, of_all) = heard.split_at_mut((HEARD - 1) * d);
                for (to, part) in CELLS.into_iter().zip(beside_it.chunks_exact_mut(d)) {
                    match beside(cell, size, to) {
                        Some(other) => part.copy_from_slice(&h[other * d..][..d]),
                        None => part.fill(T::from_f32(0.0)),
                    }
                }
                for (part, sum) in of_all.iter_mut().zip(&*mean) {
                    *part = T::from_f32(sum / len as f32);
                }
            }
        });
    });
}

struct Neighbours {
    h: Tensor,
    columns: usize,
}

impl Backward for Neighbours {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let mut d_h = Tensor::uninit(d_out.device(), self.h.shape(), d_out.dtype());
        dispatch!(d_out.dtype(), T => scatter::<T>(&d_out, self.columns, &mut d_h));
        gradients.add(self.h.var(), d_h);
    }
}

/// Every cell gets what those that heard it owe it.
fn scatter<T: Element>(d_out: &Tensor, columns: usize, d_h: &mut Tensor) {
    let (len, d) = (d_h.shape()[1], d_h.last_dim());
    let size = (len / columns, columns);
    let puzzles = d_out.slice::<T>().par_chunks_exact(len * HEARD * d);
    d_h.slice_mut::<T>().par_chunks_exact_mut(len * d).zip(puzzles).for_each(|(d_h, d_out)| {
        with_scratch(2 * d, |scratch| {
            let (mean, sum) = scratch.split_at_mut(d);
            mean.fill(0.0);
            for heard in d_out.chunks_exact(HEARD * d) {
                let of_all = &heard[(HEARD - 1) * d..];
                mean.iter_mut().zip(of_all).for_each(|(m, x)| *m += x.to_f32() / len as f32);
            }
            for (cell, d_h) in d_h.chunks_exact_mut(d).enumerate() {
                sum.copy_from_slice(mean);
                for (part, (row, column)) in CELLS.into_iter().enumerate() {
                    let Some(hearer) = beside(cell, size, (-row, -column)) else { continue };
                    let owed = &d_out[(hearer * HEARD + part) * d..][..d];
                    sum.iter_mut().zip(owed).for_each(|(s, x)| *s += x.to_f32());
                }
                d_h.iter_mut().zip(&*sum).for_each(|(to, s)| *to = T::from_f32(*s));
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients};

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[2, 6, 3]);
        check_gradients(&case, |tape, x, _| tape.neighbours(&x[0], 3));
    }

    #[test]
    fn a_cell_hears_the_four_beside_it_and_the_mean() {
        let device = Device::cpu(1);
        let h = Tensor::from_f32(&device, &[1, 6, 1], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let heard = Tape::off(&device).neighbours(&h, 3).to_f32_vec();
        let row = |cell: usize| &heard[cell * HEARD..][..HEARD];
        assert_eq!(row(0), [1.0, 0.0, 4.0, 0.0, 2.0, 3.5]); // the corner
        assert_eq!(row(4), [5.0, 2.0, 0.0, 4.0, 6.0, 3.5]); // the middle of the last row
        let tall = Tape::off(&device).neighbours(&h, 1).to_f32_vec();
        assert_eq!(tall[2 * HEARD..][..HEARD], [3.0, 2.0, 4.0, 0.0, 0.0, 3.5]);
    }
}
