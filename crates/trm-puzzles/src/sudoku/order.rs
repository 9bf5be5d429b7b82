//! The order in which a person would fill a puzzle in.

use super::grid::Grid;
use super::shape::{MAX_CELLS, MAX_SIZE};

/// The open cells of a puzzle in the order in which a logical solver fills them, given its solution: always
/// a cell with one candidate left, else one that is the only place for its digit in a unit, else, where
/// logic of this kind gives out, the cell with fewest candidates. Of several, the first.
///
/// # Panics
/// If the grids are not of one shape.
pub fn solver_order(question: &Grid, solution: &Grid) -> Vec<usize> {
    let shape = question.shape();
    assert_eq!(shape, solution.shape(), "a puzzle and its solution");
    let mut candidates = Candidates::of(question);
    let mut order = Vec::new();
    while let Some(cell) = candidates.next() {
        candidates.fill(cell, solution.get(cell));
        order.push(cell);
    }
    order
}

/// Digits that no peer of an open cell has yet, as bits; 0 for filled cells.
struct Candidates {
    units: Vec<Vec<usize>>,
    bits: [u16; MAX_CELLS],
    cells: usize,
}

impl Candidates {
    fn of(grid: &Grid) -> Candidates {
        let shape = grid.shape();
        let units = shape.units().map(|unit| unit.cells(shape).collect()).collect();
        let mut bits = [0; MAX_CELLS];
        bits[..shape.cells()].fill((1 << shape.size()) - 1);
        let mut candidates = Candidates { units, bits, cells: shape.cells() };
        for cell in (0..shape.cells()).filter(|cell| grid.get(*cell) != 0) {
            candidates.fill(cell, grid.get(cell));
        }
        candidates
    }

    fn fill(&mut self, cell: usize, digit: u8) {
        self.bits[cell] = 0;
        for unit in self.units.iter().filter(|unit| unit.contains(&cell)) {
            unit.iter().for_each(|peer| self.bits[*peer] &= !(1 << (digit - 1)));
        }
    }

    fn next(&self) -> Option<usize> {
        let open = || (0..self.cells).filter(|cell| self.bits[*cell] != 0);
        let naked = open().find(|cell| self.bits[*cell].count_ones() == 1);
        let fewest = || open().min_by_key(|cell| self.bits[*cell].count_ones());
        naked.or_else(|| self.hidden()).or_else(fewest)
    }

    /// The first cell that is the only place for a digit in a unit.
    fn hidden(&self) -> Option<usize> {
        let only = |unit: &Vec<usize>| {
            let mut places = [0; MAX_SIZE];
            for cell in unit {
                (0..MAX_SIZE).for_each(|d| places[d] += usize::from(self.bits[*cell] >> d & 1));
            }
            let single = |cell: &usize| {
                (0..MAX_SIZE).any(|d| places[d] == 1 && self.bits[*cell] >> d & 1 == 1)
            };
            unit.iter().copied().find(single)
        };
        self.units.iter().filter_map(only).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sudoku::{Shape, solve};

    #[test]
    fn an_easy_puzzle_is_filled_by_what_is_certain() {
        // 1 2 3 4 / 3 4 1 2 / 2 1 4 3 / 4 3 2 1
        let tokens = |text: &str| {
            text.bytes().map(|b| if b == b'.' { 1 } else { b - b'0' + 1 }).collect::<Vec<u8>>()
        };
        let grid = |text: &str| Grid::from_tokens(Shape::Four, &tokens(text)).unwrap();
        let question = grid("123.34..2...4...");
        let solution = solve(&question).unwrap();
        let order = solver_order(&question, &solution);
        assert_eq!(order.len(), 10);
        assert_eq!(order[0], 3, "its row has one digit left");
        // every cell is certain when it is filled: no other digit goes there without a contradiction
        let mut filled = question;
        for cell in order {
            let others = (1..=4).filter(|digit| *digit != solution.get(cell));
            for digit in others {
                let mut other = filled;
                other.set(cell, digit);
                assert!(solve(&other).is_none());
            }
            filled.set(cell, solution.get(cell));
        }
        assert_eq!(filled, solution);
    }
}
