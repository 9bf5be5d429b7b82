//! The transformations that turn puzzles into puzzles.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::grid::Grid;
use super::shape::{MAX_CELLS, MAX_SIZE, Shape};

/// A relabelling of the digits together with a rearrangement of the cells that keeps rows,
/// columns and boxes: rows permuted within bands and bands permuted, the same for columns, and
/// the transpose where boxes are square.
///
/// ```
/// use rand::SeedableRng;
/// use trm_puzzles::sudoku::{Shape, Symmetry, random_solution};
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
/// let grid = random_solution(Shape::Nine, &mut rng);
/// let symmetry = Symmetry::random(Shape::Nine, &mut rng);
/// let image = symmetry.apply(&grid);
/// assert_ne!(image, grid);
/// assert_eq!(symmetry.inverse().apply(&image), grid);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symmetry {
    shape: Shape,
    /// What each digit becomes; blank stays blank.
    digits: [u8; MAX_SIZE + 1],
    /// For each cell of the image, the cell it comes from.
    source: [u8; MAX_CELLS],
}

impl Symmetry {
    /// The symmetry that changes nothing.
    pub fn identity(shape: Shape) -> Symmetry {
        let digits = std::array::from_fn(|digit| digit as u8);
        let source = std::array::from_fn(|cell| cell as u8);
        Symmetry { shape, digits, source }
    }

    /// A symmetry drawn evenly from all of them.
    pub fn random<R: Rng + ?Sized>(shape: Shape, rng: &mut R) -> Symmetry {
        let size = shape.size();
        let mut symmetry = Symmetry::identity(shape);
        symmetry.digits[1..=size].shuffle(rng);
        let rows = random_lines(size, shape.box_rows(), rng);
        let columns = random_lines(size, shape.box_cols(), rng);
        let square = shape.box_rows() == shape.box_cols();
        let (row_step, column_step) =
            if square && rng.random_bool(0.5) { (1, size) } else { (size, 1) };
        let mut sources = symmetry.source.iter_mut();
        for row in &rows[..size] {
            for (column, source) in columns[..size].iter().zip(&mut sources) {
                *source = (row * row_step + column * column_step) as u8;
            }
        }
        symmetry
    }

    /// The image of a grid.
    ///
    /// # Panics
    /// If the grid has another shape.
    pub fn apply(&self, grid: &Grid) -> Grid {
        assert_eq!(grid.shape(), self.shape, "shapes of grid and symmetry");
        let mut image = Grid::empty(self.shape);
        for (cell, &source) in self.source[..self.shape.cells()].iter().enumerate() {
            image.set(cell, self.digits[usize::from(grid.get(source.into()))]);
        }
        image
    }

    /// Replaces tokens by their image. Padding and blanks stay what they are, as does anything
    /// outside the vocabulary, but they move with their cells.
    ///
    /// # Panics
    /// If there are not as many tokens as cells.
    pub fn apply_tokens(&self, tokens: &mut [u8]) {
        let cells = self.shape.cells();
        assert_eq!(tokens.len(), cells, "tokens of a {} grid", self.shape);
        let mut before = [0; MAX_CELLS];
        before[..cells].copy_from_slice(tokens);
        for (token, &source) in tokens.iter_mut().zip(&self.source) {
            let old = before[usize::from(source)];
            // Token d + 1 is digit d; padding wraps around and is left alone like any stranger.
            let digit = self.digits.get(usize::from(old.wrapping_sub(1)));
            *token = digit.map_or(old, |digit| digit + 1);
        }
    }

    /// The symmetry that undoes this one.
    pub fn inverse(&self) -> Symmetry {
        let mut inverse = *self;
        for (digit, &image) in self.digits.iter().enumerate() {
            inverse.digits[usize::from(image)] = digit as u8;
        }
        for (cell, &source) in self.source.iter().enumerate() {
            inverse.source[usize::from(source)] = cell as u8;
        }
        inverse
    }

    /// This symmetry followed by another.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn then(&self, next: &Symmetry) -> Symmetry {
        assert_eq!(self.shape, next.shape, "shapes of two symmetries");
        Symmetry {
            shape: self.shape,
            digits: self.digits.map(|digit| next.digits[usize::from(digit)]),
            source: next.source.map(|cell| self.source[usize::from(cell)]),
        }
    }
}

/// A random order of rows, or columns, that keeps those of a band together.
fn random_lines<R: Rng + ?Sized>(size: usize, band: usize, rng: &mut R) -> [usize; MAX_SIZE] {
    let mut bands: [usize; MAX_SIZE] = std::array::from_fn(|band| band);
    bands[..size / band].shuffle(rng);
    let mut lines = [0; MAX_SIZE];
    for (chunk, index) in lines[..size].chunks_mut(band).zip(bands) {
        for (offset, line) in chunk.iter_mut().enumerate() {
            *line = index * band + offset;
        }
        chunk.shuffle(rng);
    }
    lines
}
