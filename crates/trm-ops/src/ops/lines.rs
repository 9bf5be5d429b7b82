use crate::tape::{Backward, Gradients, Var};
use crate::{Tape, Tensor};

/// The lines of a grid, row by row: all its rows, or all its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// Cells of a row.
    pub columns: usize,
    /// Which lines are meant.
    pub direction: Direction,
}

/// Where lines of a grid go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From left to right.
    Rows,
    /// Downwards.
    Columns,
}

impl Lines {
    /// The rows of a grid with so many columns.
    pub fn rows(columns: usize) -> Lines {
        Lines { columns, direction: Direction::Rows }
    }

    /// The columns of a grid with so many.
    pub fn columns(columns: usize) -> Lines {
        Lines { columns, direction: Direction::Columns }
    }

    /// How many lines so many cells have.
    pub fn count(self, cells: usize) -> usize {
        match self.direction {
            Direction::Rows => cells / self.columns,
            Direction::Columns => self.columns,
        }
    }

    /// The line of a cell.
    pub fn of(self, cell: usize) -> usize {
        match self.direction {
            Direction::Rows => cell / self.columns,
            Direction::Columns => cell % self.columns,
        }
    }
}

impl Tape {
    /// What every line of a grid says: the mean of its cells, then the largest value of each feature.
    ///
    /// # Shapes
    /// h `[B, S, D]` with the S cells row by row, output `[B, lines, 2D]`.
    pub fn lines(&self, h: &Tensor, lines: Lines) -> Tensor {
        let [_, cells, _] = *h.shape() else { panic!("{:?} is not [B, S, D]", h.shape()) };
        assert!(cells.is_multiple_of(lines.columns), "{cells} cells in rows of {}", lines.columns);
        let out = self.kernels().lines(h, lines);
        self.record(out, || OfLines { h: h.clone(), lines })
    }

    /// Adds to every cell what its row and its column have.
    ///
    /// # Shapes
    /// x, output `[B, S, D]`; rows `[B, S / C, D]`; columns `[B, C, D]`.
    pub fn add_lines(&self, x: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor {
        let ([_, s, d], [_, r, _], [_, c, _]) = (dims(x), dims(rows), dims(columns));
        assert_eq!((r * c, d, d), (s, rows.last_dim(), columns.last_dim()), "rows and columns");
        let out = self.kernels().add_lines(x, rows, columns);
        let vars = [x.var(), rows.var(), columns.var()];
        self.record(out, || AddLines { vars, columns: c })
    }
}

fn dims(x: &Tensor) -> [usize; 3] {
    x.shape().try_into().unwrap_or_else(|_| panic!("{:?} is not [B, L, D]", x.shape()))
}

struct OfLines {
    h: Tensor,
    lines: Lines,
}

impl Backward for OfLines {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let d_h = self.h.device().kernels().lines_backward(&self.h, &d_out, self.lines);
        gradients.add(self.h.var(), d_h);
    }
}

struct AddLines {
    vars: [Option<Var>; 3],
    columns: usize,
}

impl Backward for AddLines {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let [x, rows, columns] = self.vars;
        let kernels = d_out.device().kernels();
        gradients.add(rows, kernels.sum_lines(&d_out, Lines::rows(self.columns)));
        gradients.add(columns, kernels.sum_lines(&d_out, Lines::columns(self.columns)));
        gradients.add(x, d_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients};

    #[test]
    fn gradients_equal_finite_differences() {
        for lines in [Lines::rows(3), Lines::columns(3)] {
            let case = Case::new().input(&[2, 6, 3]);
            check_gradients(&case, |tape, x, _| tape.lines(&x[0], lines));
        }
        let case = Case::new().input(&[2, 6, 3]).input(&[2, 2, 3]).input(&[2, 3, 3]);
        check_gradients(&case, |tape, x, _| tape.add_lines(&x[0], &x[1], &x[2]));
    }

    #[test]
    fn a_line_says_its_mean_and_its_largest_and_cells_hear_their_lines() {
        let device = Device::cpu(1);
        let tensor = |len: usize, values: &[f32]| Tensor::from_f32(&device, &[1, len, 1], values);
        let values = |x: Tensor| x.to_f32_vec().unwrap();
        let tape = Tape::off(&device);
        let h = tensor(6, &[1.0, -2.0, 4.0, -3.0, -6.0, -3.0]);
        assert_eq!(values(tape.lines(&h, Lines::rows(3))), [1.0, 4.0, -4.0, -3.0]);
        assert_eq!(values(tape.lines(&h, Lines::columns(3))), [-1.0, 1.0, -4.0, -2.0, 0.5, 4.0]);
        let heard =
            tape.add_lines(&h, &tensor(2, &[10.0, 20.0]), &tensor(3, &[100.0, 200.0, 300.0]));
        assert_eq!(values(heard), [111.0, 208.0, 314.0, 117.0, 214.0, 317.0]);
    }

    #[test]
    fn the_first_of_equal_cells_gets_the_gradient_of_the_largest() {
        let device = Device::cpu(1);
        let h = Tensor::from_f32(&device, &[1, 3, 1], &[2.0, 5.0, 5.0]);
        let d_out = Tensor::from_f32(&device, &[1, 1, 2], &[0.0, 7.0]);
        let d_h = device.kernels().lines_backward(&h, &d_out, Lines::rows(3));
        assert_eq!(d_h.to_f32_vec().unwrap(), [0.0, 7.0, 0.0]);
    }
}
