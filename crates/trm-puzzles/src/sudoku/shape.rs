//! The sizes of Sudoku and their rows, columns and boxes.

use std::fmt;

/// The most digits, rows and columns of any shape.
pub(crate) const MAX_SIZE: usize = 9;
/// The most cells of any shape.
pub(crate) const MAX_CELLS: usize = MAX_SIZE * MAX_SIZE;

/// The size of a Sudoku and of its boxes.
///
/// ```
/// use trm_puzzles::sudoku::Shape;
///
/// let shape = Shape::from_size(6).unwrap();
/// assert_eq!((shape.box_rows(), shape.box_cols()), (2, 3));
/// assert_eq!(shape.to_string(), "6×6");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// 4×4 with boxes of 2 rows and 2 columns.
    Four,
    /// 6×6 with boxes of 2 rows and 3 columns.
    Six,
    /// 9×9 with boxes of 3 rows and 3 columns.
    Nine,
}

impl Shape {
    /// Every shape, smallest first.
    pub const ALL: [Shape; 3] = [Shape::Four, Shape::Six, Shape::Nine];

    /// The number of rows, of columns, of boxes and of digits.
    pub const fn size(self) -> usize {
        self.box_rows() * self.box_cols()
    }

    /// Rows of a box.
    pub const fn box_rows(self) -> usize {
        match self {
            Shape::Four | Shape::Six => 2,
            Shape::Nine => 3,
        }
    }

    /// Columns of a box.
    pub const fn box_cols(self) -> usize {
        match self {
            Shape::Four => 2,
            Shape::Six | Shape::Nine => 3,
        }
    }

    /// The number of cells.
    pub const fn cells(self) -> usize {
        self.size() * self.size()
    }

    /// The number of tokens: padding, blank and the digits.
    pub const fn vocab_size(self) -> usize {
        self.size() + 2
    }

    /// The shape with `size` rows, if there is one.
    pub fn from_size(size: usize) -> Option<Shape> {
        Shape::ALL.into_iter().find(|shape| shape.size() == size)
    }

    /// The shape with `cells` cells, if there is one.
    pub fn from_cells(cells: usize) -> Option<Shape> {
        Shape::ALL.into_iter().find(|shape| shape.cells() == cells)
    }

    /// Every row, then every column, then every box.
    pub fn units(self) -> impl Iterator<Item = Unit> {
        let lines = 0..self.size();
        let rows = lines.clone().map(Unit::Row);
        let columns = lines.clone().map(Unit::Column);
        rows.chain(columns).chain(lines.map(Unit::Box))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{0}×{0}", self.size())
    }
}

/// A set of cells that must hold every digit once. Counted from 0, printed from 1; boxes are
/// counted along the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A row.
    Row(usize),
    /// A column.
    Column(usize),
    /// A box.
    Box(usize),
}

impl Unit {
    /// The indices of the unit's cells, ascending.
    pub fn cells(self, shape: Shape) -> impl Iterator<Item = usize> {
        let (size, box_cols) = (shape.size(), shape.box_cols());
        let boxes_across = size / box_cols;
        (0..size).map(move |i| match self {
            Unit::Row(row) => row * size + i,
            Unit::Column(column) => i * size + column,
            Unit::Box(index) => {
                let row = index / boxes_across * shape.box_rows() + i / box_cols;
                row * size + index % boxes_across * box_cols + i % box_cols
            }
        })
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unit::Row(i) => write!(f, "row {}", i + 1),
            Unit::Column(i) => write!(f, "column {}", i + 1),
            Unit::Box(i) => write!(f, "box {}", i + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_lies_in_three_units() {
        for shape in Shape::ALL {
            let mut seen = vec![0; shape.cells()];
            assert_eq!(shape.units().count(), 3 * shape.size());
            for unit in shape.units() {
                let cells: Vec<_> = unit.cells(shape).collect();
                assert!(cells.is_sorted() && cells.len() == shape.size());
                cells.iter().for_each(|&cell| seen[cell] += 1);
            }
            assert!(seen.iter().all(|&count| count == 3), "{shape}: {seen:?}");
        }
        let cells: Vec<_> = Unit::Box(3).cells(Shape::Six).collect();
        assert_eq!(cells, [15, 16, 17, 21, 22, 23]);
    }

    #[test]
    fn shapes_are_found_by_size_and_by_cells() {
        assert_eq!(Shape::from_size(9), Some(Shape::Nine));
        assert_eq!(Shape::from_size(8), None);
        assert_eq!(Shape::from_cells(16), Some(Shape::Four));
        assert_eq!(Shape::from_cells(80), None);
    }
}
