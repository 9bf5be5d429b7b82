//! The order in which a person would fill a puzzle in.

use super::grid::Grid;
use super::shape::{MAX_CELLS, MAX_SIZE};

/// The open cells of a puzzle in the order in which a logical solver fills them, given its solution: always
/// a cell with one candidate left, else one that is the only place for its digit in a unit, else, where
/// logic of this kind gives out, the cell with fewest candidates. Of several, the first.
///
/// # Panics
/// If the grids are not of one shape, or the solution has blanks.
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
    use crate::sudoku::{Givens, Shape, generate, rate};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Whether rows, columns and boxes alone leave one digit for a cell, or one cell for its digit.
    fn is_single(grid: &Grid, cell: usize, digit: u8) -> bool {
        let shape = grid.shape();
        let units = || shape.units().map(|unit| unit.cells(shape).collect::<Vec<_>>());
        let fits = |cell: usize, digit: u8| {
            let sees = |unit: Vec<usize>| {
                unit.contains(&cell) && unit.iter().any(|peer| grid.get(*peer) == digit)
            };
            grid.get(cell) == 0 && !units().any(sees)
        };
        let naked = (1..=shape.size() as u8).filter(|digit| fits(cell, *digit)).count() == 1;
        let only = |unit: Vec<usize>| {
            unit.contains(&cell) && unit.iter().filter(|c| fits(**c, digit)).count() == 1
        };
        fits(cell, digit) && (naked || units().any(only))
    }

    #[test]
    fn easy_puzzles_are_filled_by_what_is_certain() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for shape in [Shape::Four, Shape::Six, Shape::Nine] {
            let puzzle = std::iter::repeat_with(|| generate(shape, &mut rng, &Givens::Minimal))
                .find(|puzzle| rate(&puzzle.question) == 0)
                .unwrap();
            let order = solver_order(&puzzle.question, &puzzle.answer);
            let mut filled = puzzle.question;
            for cell in order {
                let digit = puzzle.answer.get(cell);
                assert!(is_single(&filled, cell, digit), "cell {cell} of {filled:?}");
                filled.set(cell, digit);
            }
            assert_eq!(filled, puzzle.answer);
        }
    }

    #[test]
    fn a_cell_with_one_digit_left_comes_first_and_hard_puzzles_are_filled_too() {
        let token = |b: u8| if b == b'.' { 1 } else { b - b'0' + 1 };
        let grid = |text: &str| {
            let tokens: Vec<u8> = text.bytes().map(token).collect();
            Grid::from_tokens(Shape::Four, &tokens).unwrap()
        };
        let order = solver_order(&grid("12.434.2...3...."), &grid("1234341221434321"));
        assert_eq!((order.len(), order[0]), (9, 2));
        let nothing = Grid::empty(Shape::Four);
        assert_eq!(solver_order(&nothing, &grid("1234341221434321")).len(), 16);
    }
}
