use crate::dtype::Element;
use crate::storage::with_scratch;
use crate::tape::{Backward, Gradients};
use crate::tasks::Tasks;
use crate::tensor::dispatch;
use crate::{Tape, Tensor};
use rayon::prelude::*;

/// From a cell to the cells that it hears, in rows and columns: itself, above, below, left, right.
const CELLS: [(isize, isize); 5] = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)];

impl Tape {
    /// What every token can hear: its own features; those of the cells above, below, left and right of a cell
    /// (zeros beyond the border, and for the prefix); the mean of all cells; that of the prefix, if there is one.
    ///
    /// # Shapes
    /// h `[B, P + S, D]` with the S cells in rows of `columns`, output `[B, P + S, 6D]`, or 7D with a prefix.
    pub fn neighbours(&self, h: &Tensor, prefix: usize, columns: usize) -> Tensor {
        let [batch, len, d] = *h.shape() else { panic!("{:?} is not [B, L, D]", h.shape()) };
        let grid = Grid { prefix, cells: len - prefix, columns };
        assert!(grid.cells.is_multiple_of(columns), "{} cells in rows of {columns}", grid.cells);
        let mut out = Tensor::uninit(self.device(), &[batch, len, grid.parts() * d], h.dtype());
        self.device().install(|| dispatch!(h.dtype(), T => gather::<T>(h, grid, &mut out)));
        self.record(out, || Neighbours { h: h.clone(), grid })
    }
}

/// How the tokens of a puzzle lie: the prefix, then cells in rows.
#[derive(Clone, Copy)]
struct Grid {
    prefix: usize,
    cells: usize,
    columns: usize,
}

impl Grid {
    fn len(self) -> usize {
        self.prefix + self.cells
    }

    /// How many tokens and means a token hears.
    fn parts(self) -> usize {
        CELLS.len() + self.kinds()
    }

    /// Kinds of tokens, cells and the prefix, which have a mean each.
    fn kinds(self) -> usize {
        1 + usize::from(self.prefix > 0)
    }

    /// The token in a direction from a token, if both are on the grid.
    fn beside(self, token: usize, to: (isize, isize)) -> Option<usize> {
        if to == (0, 0) {
            return Some(token);
        }
        let (rows, columns) = (self.cells / self.columns, self.columns);
        let cell = token.checked_sub(self.prefix)?;
        let row = (cell / columns).checked_add_signed(to.0).filter(|row| *row < rows)?;
        let column =
            (cell % columns).checked_add_signed(to.1).filter(|column| *column < columns)?;
        Some(self.prefix + row * columns + column)
    }

    /// Whether a token is of the prefix, and how many of its kind there are.
    fn kind(self, token: usize) -> (usize, f32) {
        match token < self.prefix {
            true => (1, self.prefix as f32),
            false => (0, self.cells as f32),
        }
    }
}

fn gather<T: Element>(h: &Tensor, grid: Grid, out: &mut Tensor) {
    let (len, d, all) = (grid.len(), h.last_dim(), grid.parts() * h.last_dim());
    let puzzles = h.slice::<T>().par_chunks_exact(len * d);
    out.slice_mut::<T>().par_chunks_exact_mut(len * all).zip(puzzles).tasks().for_each(
        |(out, h)| {
            with_scratch(grid.kinds() * d, |means| {
                means.fill(0.0);
                for (token, h) in h.chunks_exact(d).enumerate() {
                    let (kind, count) = grid.kind(token);
                    let mean = &mut means[kind * d..][..d];
                    mean.iter_mut().zip(h).for_each(|(sum, x)| *sum += x.to_f32() / count);
                }
                for (token, heard) in out.chunks_exact_mut(all).enumerate() {
                    let (beside_it, of_all) = heard.split_at_mut(CELLS.len() * d);
                    for (to, part) in CELLS.into_iter().zip(beside_it.chunks_exact_mut(d)) {
                        match grid.beside(token, to) {
                            Some(other) => part.copy_from_slice(&h[other * d..][..d]),
                            None => part.fill(T::from_f32(0.0)),
                        }
                    }
                    of_all
                        .iter_mut()
                        .zip(&*means)
                        .for_each(|(part, mean)| *part = T::from_f32(*mean));
                }
            });
        },
    );
}

struct Neighbours {
    h: Tensor,
    grid: Grid,
}

impl Backward for Neighbours {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let mut d_h = Tensor::uninit(d_out.device(), self.h.shape(), d_out.dtype());
        dispatch!(d_out.dtype(), T => scatter::<T>(&d_out, self.grid, &mut d_h));
        gradients.add(self.h.var(), d_h);
    }
}

/// Every token gets what those that heard it owe it.
fn scatter<T: Element>(d_out: &Tensor, grid: Grid, d_h: &mut Tensor) {
    let (len, d, all) = (grid.len(), d_h.last_dim(), grid.parts() * d_h.last_dim());
    let puzzles = d_out.slice::<T>().par_chunks_exact(len * all);
    d_h.slice_mut::<T>().par_chunks_exact_mut(len * d).zip(puzzles).tasks().for_each(
        |(d_h, d_out)| {
            with_scratch((1 + grid.kinds()) * d, |scratch| {
                let (sum, means) = scratch.split_at_mut(d);
                means.fill(0.0);
                for heard in d_out.chunks_exact(all) {
                    let of_all = &heard[CELLS.len() * d..];
                    means.iter_mut().zip(of_all).for_each(|(m, x)| *m += x.to_f32());
                }
                for (token, d_h) in d_h.chunks_exact_mut(d).enumerate() {
                    let (kind, count) = grid.kind(token);
                    sum.iter_mut().zip(&means[kind * d..]).for_each(|(s, m)| *s = m / count);
                    for (part, (row, column)) in CELLS.into_iter().enumerate() {
                        let Some(hearer) = grid.beside(token, (-row, -column)) else { continue };
                        let owed = &d_out[hearer * all + part * d..][..d];
                        sum.iter_mut().zip(owed).for_each(|(s, x)| *s += x.to_f32());
                    }
                    d_h.iter_mut().zip(&*sum).for_each(|(to, s)| *to = T::from_f32(*s));
                }
            });
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients};

    #[test]
    fn gradients_equal_finite_differences() {
        let case = Case::new().input(&[2, 6, 3]);
        check_gradients(&case, |tape, x, _| tape.neighbours(&x[0], 0, 3));
        let case = Case::new().input(&[2, 8, 3]);
        check_gradients(&case, |tape, x, _| tape.neighbours(&x[0], 2, 3));
    }

    #[test]
    fn a_cell_hears_the_four_beside_it_and_the_means() {
        let device = Device::cpu(1);
        let heard = |values: &[f32], prefix: usize, columns: usize| {
            let h = Tensor::from_f32(&device, &[1, values.len(), 1], values);
            let heard = Tape::off(&device).neighbours(&h, prefix, columns);
            let parts = heard.last_dim();
            heard.to_f32_vec().chunks(parts).map(<[f32]>::to_vec).collect::<Vec<_>>()
        };
        let wide = heard(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0, 3);
        assert_eq!(wide[0], [1.0, 0.0, 4.0, 0.0, 2.0, 3.5]); // the corner
        assert_eq!(wide[4], [5.0, 2.0, 0.0, 4.0, 6.0, 3.5]); // the middle of the last row
        let tall = heard(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0, 1);
        assert_eq!(tall[2], [3.0, 2.0, 4.0, 0.0, 0.0, 3.5]);
        let told = heard(&[8.0, 4.0, 1.0, 2.0, 3.0, 4.0], 2, 2);
        assert_eq!(told[0], [8.0, 0.0, 0.0, 0.0, 0.0, 2.5, 6.0]); // the prefix lies beside nothing
        assert_eq!(told[2], [1.0, 0.0, 3.0, 0.0, 2.0, 2.5, 6.0]);
    }
}
