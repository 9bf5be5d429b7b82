//! The canonical form: one grid to stand for all its symmetric images.
//!
//! The form is built row by row. A [`State`] is one way to begin the image: which rows were
//! taken, how the columns stand, how the digits are called. Each level keeps exactly the states
//! whose next row is smallest. Columns in which nothing but blanks has been seen cannot be told
//! apart yet, so their order is left open; in a puzzle with few givens this leaves a handful of
//! states where enumerating column orders would give thousands.

use super::grid::Grid;
use super::shape::{MAX_SIZE, Shape};
use crate::hash::fnv;

const MAX_STACKS: usize = 3;

/// The smallest image of a grid under all its symmetries, comparing cells along the rows, with
/// blanks below digits. Digits of the form are numbered in the order they appear.
///
/// Two grids have the same form exactly if some [`Symmetry`](super::Symmetry) turns one into the
/// other. This holds for questions, full grids and even grids that break the rules.
///
/// ```
/// use trm_puzzles::sudoku::{Grid, canonical};
///
/// let grid: Grid = "1.....3..4.....2".parse()?;
/// let relabelled_and_mirrored: Grid = "...4.2....3.1...".parse()?;
/// assert_eq!(canonical(&grid), canonical(&relabelled_and_mirrored));
/// # Ok::<(), trm_puzzles::sudoku::ParseError>(())
/// ```
pub fn canonical(grid: &Grid) -> Grid {
    let shape = grid.shape();
    let mut sources = vec![Source::new(shape, *grid)];
    if shape.box_rows() == shape.box_cols() {
        sources.push(Source::new(shape, transpose(grid)));
    }
    let mut states: Vec<_> =
        (0..sources.len()).map(|index| State::new(shape, index as u8)).collect();
    let mut form = Grid::empty(shape);
    for level in 0..shape.size() {
        let mut smallest = SmallestRow::new(shape);
        for state in &states {
            let source = &sources[usize::from(state.source)];
            for row in source.choices(state, level) {
                let mut next = *state;
                next.used_rows |= 1 << row;
                next.last_row = row as u8;
                smallest.arrange(next, source.row(row), 0);
            }
        }
        for (column, &value) in smallest.row[..shape.size()].iter().enumerate() {
            form.set(level * shape.size() + column, value);
        }
        states = smallest.states;
    }
    form
}

/// A hash of the canonical form: FNV-1a with 128 bits over the size and then the digits of the
/// form, one byte each. It will not change between versions or machines.
///
/// ```
/// use trm_puzzles::sudoku::{Grid, Shape, class_hash};
///
/// let hash = class_hash(&Grid::empty(Shape::Four));
/// assert_eq!(format!("{hash:032x}"), "0d198cad5f7c4617e086e4bc928faed3");
/// ```
pub fn class_hash(grid: &Grid) -> u128 {
    let size = grid.shape().size() as u8;
    let form = canonical(grid);
    fnv(std::iter::once(&size).chain(form.cells()))
}

fn transpose(grid: &Grid) -> Grid {
    let size = grid.shape().size();
    let mut turned = Grid::empty(grid.shape());
    for (cell, &digit) in grid.cells().iter().enumerate() {
        turned.set(cell % size * size + cell / size, digit);
    }
    turned
}

/// The grid or its transpose.
struct Source {
    grid: Grid,
    blank_rows: [bool; MAX_SIZE],
}

impl Source {
    fn new(shape: Shape, grid: Grid) -> Source {
        let mut blank_rows = [false; MAX_SIZE];
        for (blank, row) in blank_rows.iter_mut().zip(grid.cells().chunks(shape.size())) {
            *blank = row.iter().all(|&digit| digit == 0);
        }
        Source { grid, blank_rows }
    }

    fn row(&self, row: usize) -> &[u8] {
        let size = self.grid.shape().size();
        &self.grid.cells()[row * size..][..size]
    }

    /// The rows that may come next: of the band begun, or at its end of any band not begun. Of
    /// several blank rows in a band, and of several blank bands, only the first is listed.
    fn choices(&self, state: &State, level: usize) -> impl Iterator<Item = usize> {
        let (size, height) = (self.grid.shape().size(), self.grid.shape().box_rows());
        let begun = (!level.is_multiple_of(height)).then_some(usize::from(state.last_row) / height);
        let is_free = |row: usize| state.used_rows >> row & 1 == 0;
        let mut blank_band_listed = false;
        let mut rows = [0; MAX_SIZE];
        let mut count = 0;
        for band in 0..size / height {
            let members = band * height..(band + 1) * height;
            let open = begun.map_or(is_free(members.start), |begun| begun == band);
            let blank = members.clone().all(|row| self.blank_rows[row]);
            if !open || blank && blank_band_listed {
                continue;
            }
            blank_band_listed |= blank;
            let mut blank_row_listed = false;
            for row in members.filter(|&row| is_free(row)) {
                if !(self.blank_rows[row] && blank_row_listed) {
                    rows[count] = row;
                    count += 1;
                }
                blank_row_listed |= self.blank_rows[row];
            }
        }
        rows.into_iter().take(count)
    }
}

/// One way to begin the canonical form.
#[derive(Clone, Copy)]
struct State {
    source: u8,
    last_row: u8,
    used_rows: u16,
    /// For each column of the form, the column of the source.
    columns: [u8; MAX_SIZE],
    /// How many stacks of boxes, at the left, have been blank so far.
    open_stacks: u8,
    /// For each stack, how many of its columns, at its left, have been blank so far.
    open_columns: [u8; MAX_STACKS],
    /// What each digit is called in the form; 0 while it has not appeared.
    labels: [u8; MAX_SIZE + 1],
    used_labels: u8,
}

impl State {
    fn new(shape: Shape, source: u8) -> State {
        State {
            source,
            used_rows: 0,
            last_row: 0,
            columns: std::array::from_fn(|column| column as u8),
            open_stacks: (shape.size() / shape.box_cols()) as u8,
            open_columns: [shape.box_cols() as u8; MAX_STACKS],
            labels: [0; MAX_SIZE + 1],
            used_labels: 0,
        }
    }

    /// The digit's name, given now if it has none.
    fn label(&mut self, digit: u8) -> u8 {
        let label = &mut self.labels[usize::from(digit)];
        if digit != 0 && *label == 0 {
            self.used_labels += 1;
            *label = self.used_labels;
        }
        *label
    }

    /// Closes the order of the columns in which the new row has a digit. Blanks are smallest and
    /// stand at the left of what was open, so what stays open is at the left again.
    fn close_columns(&mut self, row: &[u8; MAX_SIZE], width: usize) {
        let mut all_open = true;
        for (stack, open) in self.open_columns.iter_mut().enumerate() {
            let values = row.iter().skip(stack * width).take(usize::from(*open));
            *open = values.take_while(|&&value| value == 0).count() as u8;
            all_open &= usize::from(*open) == width;
            if !all_open {
                self.open_stacks = self.open_stacks.min(stack as u8);
            }
        }
    }
}

/// The smallest next row found so far, and all the ways to get it.
struct SmallestRow {
    size: usize,
    width: usize,
    row: [u8; MAX_SIZE],
    states: Vec<State>,
}

impl SmallestRow {
    fn new(shape: Shape) -> SmallestRow {
        let row = [u8::MAX; MAX_SIZE];
        SmallestRow { size: shape.size(), width: shape.box_cols(), row, states: Vec::new() }
    }

    /// Tries every order of the open stacks and columns from `position` on. The row placed left
    /// of `position` equals the smallest one there.
    fn arrange(&mut self, mut state: State, digits: &[u8], position: usize) {
        if position == self.size {
            state.close_columns(&self.row, self.width);
            self.states.push(state);
            return;
        }
        let (stack, offset) = (position / self.width, position % self.width);
        let open_stacks = usize::from(state.open_stacks);
        if offset > 0 || stack >= open_stacks {
            return self.arrange_column(state, digits, position);
        }
        let mut blank_tried = false;
        for chosen in stack..open_stacks {
            let mut next = state;
            for column in 0..self.width {
                next.columns.swap(position + column, chosen * self.width + column);
            }
            let columns = &next.columns[position..][..self.width];
            let blank = columns.iter().all(|&column| digits[usize::from(column)] == 0);
            if !(blank && blank_tried) {
                self.arrange_column(next, digits, position);
            }
            blank_tried |= blank;
        }
    }

    fn arrange_column(&mut self, state: State, digits: &[u8], position: usize) {
        let (stack, offset) = (position / self.width, position % self.width);
        let open = usize::from(state.open_columns[stack]);
        let end = if offset < open { stack * self.width + open } else { position + 1 };
        let mut blank_tried = false;
        for chosen in position..end {
            let digit = digits[usize::from(state.columns[chosen])];
            if digit == 0 && std::mem::replace(&mut blank_tried, true) {
                continue;
            }
            let mut next = state;
            next.columns.swap(position, chosen);
            let value = next.label(digit);
            if value > self.row[position] {
                continue;
            }
            if value < self.row[position] {
                self.row[position] = value;
                self.row[position + 1..].fill(u8::MAX);
                self.states.clear();
            }
            self.arrange(next, digits, position + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sudoku::{Givens, generate};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// All orders of rows (or columns) that keep those of a band together.
    fn line_orders(size: usize, band: usize) -> Vec<Vec<usize>> {
        let mut orders = vec![Vec::new()];
        for position in 0..size {
            let extend = |order: &Vec<usize>| {
                let fits = |&line: &usize| {
                    let begun = position % band != 0;
                    let same_band = begun && line / band == order[position - 1] / band;
                    let new_band = !begun && order.iter().all(|other| other / band != line / band);
                    !order.contains(&line) && (same_band || new_band)
                };
                let lines = (0..size).filter(fits);
                lines.map(|line| [&order[..], &[line]].concat()).collect::<Vec<_>>()
            };
            orders = orders.iter().flat_map(extend).collect();
        }
        orders
    }

    /// The smallest of all images, by trying them.
    fn brute_force(grid: &Grid) -> Grid {
        let shape = grid.shape();
        let size = shape.size();
        let square = shape.box_rows() == shape.box_cols();
        let mut smallest = None;
        for source in [Some(*grid), square.then(|| transpose(grid))].into_iter().flatten() {
            for rows in line_orders(size, shape.box_rows()) {
                for columns in line_orders(size, shape.box_cols()) {
                    let mut state = State::new(shape, 0);
                    let mut image = Grid::empty(shape);
                    for cell in 0..shape.cells() {
                        let from = rows[cell / size] * size + columns[cell % size];
                        image.set(cell, state.label(source.get(from)));
                    }
                    smallest = smallest.map_or(Some(image), |other| Some(image.min(other)));
                }
            }
        }
        smallest.unwrap()
    }

    #[test]
    fn the_form_is_the_smallest_of_all_images() {
        assert_eq!(line_orders(6, 2).len(), 48);
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for round in 0..40 {
            for shape in [Shape::Four, Shape::Six] {
                // Random digits break the rules, which the form must not mind.
                let mut scattered = Grid::empty(shape);
                for _ in 0..round % 20 {
                    let digit = rng.random_range(1..=shape.size() as u8);
                    scattered.set(rng.random_range(0..shape.cells()), digit);
                }
                let puzzle = generate(shape, &mut rng, &Givens::Minimal);
                for grid in [scattered, puzzle.question, puzzle.answer] {
                    assert_eq!(canonical(&grid), brute_force(&grid), "{grid}");
                }
            }
        }
    }

    #[test]
    fn blank_and_nearly_blank_grids_stay_cheap() {
        for shape in Shape::ALL {
            let empty = Grid::empty(shape);
            assert_eq!(canonical(&empty), empty);
            for cell in [0, 5, shape.cells() - 1] {
                let mut single = empty;
                single.set(cell, 3);
                let mut expected = empty;
                expected.set(shape.cells() - 1, 1);
                assert_eq!(canonical(&single), expected);
            }
        }
    }
}
