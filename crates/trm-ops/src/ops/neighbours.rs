use crate::tape::{Backward, Gradients, Var};
use crate::{Tape, Tensor};

/// From a cell to the cells that it hears, in rows and columns: itself, above, below, left, right.
pub const CELLS: [(isize, isize); 5] = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)];

impl Tape {
    /// What every token can hear: its own features; those of the cells above, below, left and right of a cell
    /// (zeros beyond the border, and for the prefix); the mean of all cells; that of the prefix, if there is one.
    ///
    /// # Shapes
    /// h `[B, P + S, D]` with the S cells in rows of `columns`, output `[B, P + S, 6D]`, or 7D with a prefix.
    pub fn neighbours(&self, h: &Tensor, prefix: usize, columns: usize) -> Tensor {
        let [_, len, _] = *h.shape() else { panic!("{:?} is not [B, L, D]", h.shape()) };
        let grid = Grid { prefix, cells: len - prefix, columns };
        assert!(grid.cells.is_multiple_of(columns), "{} cells in rows of {columns}", grid.cells);
        let out = self.kernels().neighbours(h, grid);
        self.record(out, || Neighbours { h: h.var(), grid })
    }
}

/// How the tokens of a puzzle lie: the prefix, then cells in rows.
#[derive(Clone, Copy)]
pub struct Grid {
    /// Tokens before the cells.
    pub prefix: usize,
    /// S.
    pub cells: usize,
    /// Cells of a row.
    pub columns: usize,
}

impl Grid {
    /// Tokens of a puzzle.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        self.prefix + self.cells
    }

    /// How many tokens and means a token hears.
    pub fn parts(self) -> usize {
        CELLS.len() + self.kinds()
    }

    /// Kinds of tokens, cells and the prefix, which have a mean each.
    pub fn kinds(self) -> usize {
        1 + usize::from(self.prefix > 0)
    }

    /// The token in a direction from a token, if both are on the grid.
    pub fn beside(self, token: usize, to: (isize, isize)) -> Option<usize> {
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
    pub fn kind(self, token: usize) -> (usize, f32) {
        match token < self.prefix {
            true => (1, self.prefix as f32),
            false => (0, self.cells as f32),
        }
    }
}

struct Neighbours {
    h: Option<Var>,
    grid: Grid,
}

impl Backward for Neighbours {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        gradients.add(self.h, d_out.device().kernels().neighbours_backward(&d_out, self.grid));
    }
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
            heard.to_f32_vec().unwrap().chunks(parts).map(<[f32]>::to_vec).collect::<Vec<_>>()
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
