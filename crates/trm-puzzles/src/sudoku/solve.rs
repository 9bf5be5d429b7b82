//! The exact solver.

use std::ops::ControlFlow;

use super::board::Board;
use super::grid::Grid;
use super::shape::Shape;

/// The first solution of a grid, if it has any. Of several, the one found first by the search
/// described at [`rate`].
///
/// ```
/// use trm_puzzles::sudoku::{Grid, solve};
///
/// let question: Grid = "1.....3..4.....2".parse()?;
/// assert_eq!(solve(&question).unwrap().to_string(), "1324423124133142");
/// let contradictory: Grid = "1.....3..4....12".parse()?;
/// assert_eq!(solve(&contradictory), None);
/// # Ok::<(), trm_puzzles::sudoku::ParseError>(())
/// ```
pub fn solve(grid: &Grid) -> Option<Grid> {
    search(grid, 1).first
}

/// Counts solutions, stopping at `limit`.
///
/// ```
/// use trm_puzzles::sudoku::{Grid, Shape, count_solutions};
///
/// assert_eq!(count_solutions(&Grid::empty(Shape::Nine), 2), 2);
/// assert_eq!(count_solutions(&Grid::empty(Shape::Four), usize::MAX), 288);
/// ```
pub fn count_solutions(grid: &Grid, limit: usize) -> usize {
    if limit == 0 { 0 } else { search(grid, limit).solutions }
}

/// How hard a puzzle is: the guesses made until its solution is found.
///
/// The search fills in naked singles (a cell with one candidate) and hidden singles (a digit
/// with one place in a row, column or box) until there are none. It then takes the cell with
/// the fewest candidates, the first along the rows of several, and tries its digits in
/// ascending order. Every digit tried is one guess: the wrong ones, the right one, and the last
/// of a cell even though no other is left. A puzzle that singles solve has rating 0.
///
/// The rating depends on how the puzzle is turned and labelled, because these decide which of
/// several cells and digits come first. A grid without a solution is rated by the guesses it
/// takes to see that.
pub fn rate(grid: &Grid) -> u32 {
    search(grid, 1).guesses
}

/// [`rate`], or `most` if that is less: without the search beyond.
pub(crate) fn rate_up_to(grid: &Grid, most: u32) -> u32 {
    explore(grid, None, Limits { solutions: 1, guesses: most }, |_| {}).guesses
}

/// Whether a grid has one solution, several or none.
pub(crate) enum Solutions {
    None,
    /// The solution, and what [`rate`] says.
    One(Grid, u32),
    /// Two of them.
    Several(Grid, Grid),
}

/// Looks for two solutions.
pub(crate) fn solutions(grid: &Grid) -> Solutions {
    let Found { solutions, first, last, rating, .. } = search(grid, 2);
    match (solutions, first, last) {
        (1, Some(only), _) => Solutions::One(only, rating),
        (2, Some(first), Some(last)) => Solutions::Several(first, last),
        _ => Solutions::None,
    }
}

/// A solution of the empty grid, with the digits of every branch tried in the order that
/// `arrange` puts them in.
pub(crate) fn fill(shape: Shape, arrange: impl FnMut(&mut [usize])) -> Option<Grid> {
    explore(&Grid::empty(shape), None, Limits::solutions(1), arrange).first
}

/// Whether a grid has a solution with another digit than `digit` in the blank `cell`.
pub(crate) fn has_other_solution(grid: &Grid, cell: usize, digit: u8) -> bool {
    explore(grid, Some((cell, digit)), Limits::solutions(1), |_| {}).solutions > 0
}

fn search(grid: &Grid, solutions: usize) -> Found {
    explore(grid, None, Limits::solutions(solutions), |_| {})
}

/// When a search breaks off.
#[derive(Clone, Copy)]
struct Limits {
    solutions: usize,
    guesses: u32,
}

impl Limits {
    fn solutions(solutions: usize) -> Limits {
        Limits { solutions, guesses: u32::MAX }
    }
}

/// Visits solutions that do not have the digit `other_than` in its cell.
fn explore(
    grid: &Grid,
    other_than: Option<(usize, u8)>,
    limits: Limits,
    arrange: impl FnMut(&mut [usize]),
) -> Found {
    let search = Search { limits, arrange, found: Found::default() };
    match grid.shape() {
        Shape::Four => search.run::<4>(grid, other_than),
        Shape::Six => search.run::<6>(grid, other_than),
        Shape::Nine => search.run::<9>(grid, other_than),
    }
}

#[derive(Default)]
struct Found {
    guesses: u32,
    /// Guesses until the first solution.
    rating: u32,
    solutions: usize,
    first: Option<Grid>,
    last: Option<Grid>,
}

struct Search<F> {
    limits: Limits,
    arrange: F,
    found: Found,
}

impl<F: FnMut(&mut [usize])> Search<F> {
    fn run<const SIZE: usize>(mut self, grid: &Grid, other_than: Option<(usize, u8)>) -> Found {
        if let Ok(mut board) = Board::<SIZE>::new(grid) {
            if let Some((cell, digit)) = other_than {
                board.exclude(cell, usize::from(digit) - 1);
            }
            let _stopped = self.branch(board);
        }
        self.found
    }

    /// Visits the solutions of a board; breaks off at the limits.
    fn branch<const SIZE: usize>(&mut self, mut board: Board<SIZE>) -> ControlFlow<()> {
        if board.propagate().is_err() {
            return ControlFlow::Continue(());
        }
        let Some(cell) = board.tightest() else {
            return self.record(board.grid());
        };
        let mut digits = [0; SIZE];
        let mut count = 0;
        for digit in board.candidates(cell) {
            digits[count] = digit;
            count += 1;
        }
        let digits = &mut digits[..count];
        (self.arrange)(digits);
        for &mut digit in digits {
            if self.found.guesses >= self.limits.guesses {
                return ControlFlow::Break(());
            }
            self.found.guesses += 1;
            let mut next = board;
            if next.assign(cell, digit).is_ok() {
                self.branch(next)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn record(&mut self, solution: Grid) -> ControlFlow<()> {
        let found = &mut self.found;
        found.solutions += 1;
        if found.first.is_none() {
            found.first = Some(solution);
            found.rating = found.guesses;
        }
        found.last = Some(solution);
        if found.solutions < self.limits.solutions {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Counts by trying every digit in every blank, in order.
    fn brute_force(grid: &Grid, cell: usize) -> usize {
        let shape = grid.shape();
        if cell == shape.cells() {
            return 1;
        }
        let clashes = |digit| {
            let mut units = shape.units().filter(|unit| unit.cells(shape).any(|c| c == cell));
            units.any(|unit| unit.cells(shape).any(|c| c != cell && grid.get(c) == digit))
        };
        let digits = match grid.get(cell) {
            0 => 1..=shape.size() as u8,
            given => given..=given,
        };
        let fitting = digits.filter(|&digit| !clashes(digit));
        let count_with = |digit| {
            let mut next = *grid;
            next.set(cell, digit);
            brute_force(&next, cell + 1)
        };
        fitting.map(count_with).sum()
    }

    fn random_clues(shape: Shape, count: usize, rng: &mut ChaCha8Rng) -> Grid {
        let mut grid = Grid::empty(shape);
        for _ in 0..count {
            let digit = rng.random_range(1..=shape.size() as u8);
            grid.set(rng.random_range(0..shape.cells()), digit);
        }
        grid
    }

    #[test]
    fn counts_agree_with_brute_force() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut solvable = 0;
        for round in 0..300 {
            for (shape, clues) in [(Shape::Four, round % 7), (Shape::Six, 8 + round % 5)] {
                let grid = random_clues(shape, clues, &mut rng);
                let expected = brute_force(&grid, 0);
                assert_eq!(count_solutions(&grid, usize::MAX), expected, "{grid}");
                assert_eq!(solve(&grid).is_some(), expected > 0, "{grid}");
                assert_eq!(count_solutions(&grid, 2), expected.min(2), "{grid}");
                solvable += usize::from(expected > 0);
            }
        }
        assert!((100..500).contains(&solvable), "{solvable} of 600 solvable: a poor test");
    }

    #[test]
    fn singles_alone_rate_zero_and_guesses_are_counted() {
        assert_eq!(rate(&"1.....3..4.....2".parse().unwrap()), 0);
        // Three guesses in row 1, two in row 2, two in row 3, none of them wrong.
        let empty = Grid::empty(Shape::Four);
        assert_eq!(rate(&empty), 7);
    }

    #[test]
    fn a_limit_of_nothing_finds_nothing() {
        assert_eq!(count_solutions(&Grid::empty(Shape::Four), 0), 0);
    }
}
