//! The eight ways to turn and mirror a rectangle.

/// A rotation or reflection, numbered as in the public code.
///
/// ```
/// use trm_puzzles::Dihedral;
///
/// let [_, quarter, ..] = Dihedral::ALL;
/// let (turned, width) = quarter.apply(&[1, 2, 3, 4, 5, 6], 3); // two rows of three
/// assert_eq!((turned, width), (vec![3, 6, 2, 5, 1, 4], 2)); // counter-clockwise
/// assert_eq!(quarter.inverse().apply(&[3, 6, 2, 5, 1, 4], 2), (vec![1, 2, 3, 4, 5, 6], 3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dihedral(u8);

impl Dihedral {
    /// Nothing; a quarter, a half and three quarters of a turn counter-clockwise; left and right
    /// exchanged; top and bottom exchanged; rows and columns exchanged; the same along the other diagonal.
    pub const ALL: [Dihedral; 8] = [
        Dihedral(0),
        Dihedral(1),
        Dihedral(2),
        Dihedral(3),
        Dihedral(4),
        Dihedral(5),
        Dihedral(6),
        Dihedral(7),
    ];

    /// The one with a number below 8.
    pub fn from_number(number: usize) -> Option<Dihedral> {
        Dihedral::ALL.get(number).copied()
    }

    /// Its number.
    pub fn number(self) -> usize {
        self.0.into()
    }

    /// Whether rows become columns.
    pub fn transposes(self) -> bool {
        matches!(self.0, 1 | 3 | 6 | 7)
    }

    /// The one that undoes it.
    pub fn inverse(self) -> Dihedral {
        Dihedral([0, 3, 2, 1, 4, 5, 6, 7][self.number()])
    }

    /// The image of cells, row by row, in rows of `width`, and the width of its rows.
    ///
    /// # Panics
    /// If the cells are no whole number of rows.
    pub fn apply<T: Copy>(self, cells: &[T], width: usize) -> (Vec<T>, usize) {
        assert!(width > 0 && cells.len().is_multiple_of(width), "whole rows");
        let height = cells.len() / width;
        let (rows, columns) = if self.transposes() { (width, height) } else { (height, width) };
        let source = |row: usize, column: usize| match self.0 {
            0 => (row, column),
            1 => (column, width - 1 - row),
            2 => (height - 1 - row, width - 1 - column),
            3 => (height - 1 - column, row),
            4 => (row, width - 1 - column),
            5 => (height - 1 - row, column),
            6 => (column, row),
            _ => (height - 1 - column, width - 1 - row),
        };
        let places = (0..rows * columns).map(|i| source(i / columns, i % columns));
        (places.map(|(row, column)| cells[row * width + column]).collect(), columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_eight_differ_and_are_undone() {
        let cells: Vec<u8> = (0..12).collect();
        let mut images = HashSet::new();
        for dihedral in Dihedral::ALL {
            let (image, width) = dihedral.apply(&cells, 4);
            assert_eq!(width, if dihedral.transposes() { 3 } else { 4 });
            assert_eq!(dihedral.inverse().apply(&image, width), (cells.clone(), 4));
            images.insert((image, width));
        }
        assert_eq!(images.len(), 8);
    }

    #[test]
    fn two_after_each_other_are_one_of_the_eight() {
        let cells: Vec<u8> = (0..9).collect();
        for first in Dihedral::ALL {
            for second in Dihedral::ALL {
                let image = second.apply(&first.apply(&cells, 3).0, 3);
                assert!(Dihedral::ALL.iter().any(|one| one.apply(&cells, 3) == image));
            }
        }
    }
}
