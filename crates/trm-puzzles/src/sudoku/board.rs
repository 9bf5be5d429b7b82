//! The solver's board: which digits may still stand where, as bit masks.
//!
//! For every digit the cells that may hold it are bits, one word per band of boxes. Adding up
//! the words of all digits counts the candidates of all cells of a band at once, and masking
//! one word with a row or box finds the places left for a digit.

use super::grid::Grid;
use super::shape::{MAX_CELLS, Shape};

const MAX_BANDS: usize = 3;
const MAX_BAND_UNITS: usize = 6;

/// One bit per cell of the grid, one word per band.
type Cells = [u32; MAX_BANDS];

/// The masks of a shape.
struct Layout {
    shape: Shape,
    bands: usize,
    band_rows: usize,
    /// All cells of a band.
    band: u32,
    /// The rows, then the boxes of a band; the same for every band.
    band_units: [u32; MAX_BAND_UNITS],
    band_unit_count: usize,
    /// The first row of a band.
    row: u32,
    /// The first column of a band.
    column: u32,
    /// The cells sharing a unit with a cell, without that cell.
    peers: [Cells; MAX_CELLS],
}

impl Layout {
    const fn of_size(size: usize) -> Layout {
        match size {
            4 => Layout::new(Shape::Four),
            6 => Layout::new(Shape::Six),
            9 => Layout::new(Shape::Nine),
            _ => panic!("no shape of this size"),
        }
    }

    const fn new(shape: Shape) -> Layout {
        let (size, band_rows, box_cols) = (shape.size(), shape.box_rows(), shape.box_cols());
        let row = (1 << size) - 1;
        let mut column = 0;
        let mut corner_box = 0;
        let mut band_units = [0; MAX_BAND_UNITS];
        let mut i = 0;
        while i < band_rows {
            band_units[i] = row << (i * size);
            column |= 1 << (i * size);
            corner_box |= ((1 << box_cols) - 1) << (i * size);
            i += 1;
        }
        let boxes = size / box_cols;
        i = 0;
        while i < boxes {
            band_units[band_rows + i] = corner_box << (i * box_cols);
            i += 1;
        }
        Layout {
            shape,
            bands: size / band_rows,
            band_rows,
            band: (1 << (band_rows * size)) - 1,
            band_units,
            band_unit_count: band_rows + boxes,
            row,
            column,
            peers: peers(shape),
        }
    }
}

const fn peers(shape: Shape) -> [Cells; MAX_CELLS] {
    let (size, box_rows, box_cols) = (shape.size(), shape.box_rows(), shape.box_cols());
    let band_cells = size * box_rows;
    let mut peers = [[0; MAX_BANDS]; MAX_CELLS];
    let mut a = 0;
    while a < shape.cells() {
        let mut b = 0;
        while b < shape.cells() {
            let (row_a, row_b, col_a, col_b) = (a / size, b / size, a % size, b % size);
            let same_box =
                row_a / box_rows == row_b / box_rows && col_a / box_cols == col_b / box_cols;
            if a != b && (row_a == row_b || col_a == col_b || same_box) {
                peers[a][b / band_cells] |= 1 << (b % band_cells);
            }
            b += 1;
        }
        a += 1;
    }
    peers
}

/// A partly solved grid with the candidates of its open cells. The size is a constant so that
/// the compiler unrolls the loops over digits, bands and units.
#[derive(Clone, Copy)]
pub(crate) struct Board<const SIZE: usize> {
    /// For every digit less one, the cells that may hold it.
    places: [Cells; SIZE],
    /// `places` as they were when hidden singles were last looked for.
    searched: [Cells; SIZE],
    /// The cells without a digit.
    open: Cells,
}

/// A board on which some cell or some digit of a unit has no possibility left.
pub(crate) struct Contradiction;

impl<const SIZE: usize> Board<SIZE> {
    const LAYOUT: &'static Layout = &Layout::of_size(SIZE);
    const BANDS: usize = Self::LAYOUT.bands;
    const BAND_CELLS: usize = Self::LAYOUT.band_rows * SIZE;

    /// The candidates left by the digits of a grid, nothing deduced yet.
    pub(crate) fn new(grid: &Grid) -> Result<Self, Contradiction> {
        let mut everywhere = [0; MAX_BANDS];
        everywhere[..Self::BANDS].fill(Self::LAYOUT.band);
        let (places, searched) = ([everywhere; SIZE], [[0; MAX_BANDS]; SIZE]);
        let mut board = Board { places, searched, open: everywhere };
        for (cell, &digit) in grid.cells().iter().enumerate() {
            if digit != 0 {
                board.assign(cell, usize::from(digit) - 1)?;
            }
        }
        Ok(board)
    }

    /// The band of a cell and its bit there.
    fn place(cell: usize) -> (usize, u32) {
        (cell / Self::BAND_CELLS, 1 << (cell % Self::BAND_CELLS))
    }

    /// The first of some cells of a band.
    fn cell(band: usize, bits: u32) -> usize {
        band * Self::BAND_CELLS + bits.trailing_zeros() as usize
    }

    /// Puts digit `digit + 1` into an open cell.
    pub(crate) fn assign(&mut self, cell: usize, digit: usize) -> Result<(), Contradiction> {
        let (band, bit) = Self::place(cell);
        if self.places[digit][band] & bit == 0 {
            return Err(Contradiction);
        }
        self.open[band] &= !bit;
        for places in &mut self.places {
            places[band] &= !bit;
        }
        let places = &mut self.places[digit];
        for (place, peers) in places.iter_mut().zip(&Self::LAYOUT.peers[cell]) {
            *place &= !peers;
        }
        places[band] |= bit;
        Ok(())
    }

    /// Rules digit `digit + 1` out of a cell.
    pub(crate) fn exclude(&mut self, cell: usize, digit: usize) {
        let (band, bit) = Self::place(cell);
        self.places[digit][band] &= !bit;
    }

    /// Fills in naked and hidden singles until there are none left.
    pub(crate) fn propagate(&mut self) -> Result<(), Contradiction> {
        loop {
            while self.naked_singles()? {}
            if !self.hidden_singles()? {
                return Ok(());
            }
        }
    }

    fn naked_singles(&mut self) -> Result<bool, Contradiction> {
        let mut progress = false;
        for band in 0..Self::BANDS {
            let (mut once, mut twice) = (0, 0);
            for places in &self.places {
                twice |= once & places[band];
                once |= places[band];
            }
            if once != Self::LAYOUT.band {
                return Err(Contradiction);
            }
            let mut singles = once & !twice & self.open[band];
            progress |= singles != 0;
            while singles != 0 {
                let bit = singles & singles.wrapping_neg();
                singles ^= bit;
                let digit = self.places.iter().position(|places| places[band] & bit != 0);
                self.assign(Self::cell(band, bit), digit.ok_or(Contradiction)?)?;
            }
        }
        Ok(progress)
    }

    fn hidden_singles(&mut self) -> Result<bool, Contradiction> {
        let mut progress = false;
        for digit in 0..SIZE {
            if self.searched[digit] == self.places[digit] {
                continue;
            }
            self.searched[digit] = self.places[digit];
            for band in 0..Self::BANDS {
                for unit in &Self::LAYOUT.band_units[..Self::LAYOUT.band_unit_count] {
                    let places = self.places[digit][band] & unit;
                    if places == 0 {
                        return Err(Contradiction);
                    }
                    if places & (places - 1) == 0 && places & self.open[band] != 0 {
                        self.assign(Self::cell(band, places), digit)?;
                        progress = true;
                    }
                }
            }
            progress |= self.hidden_in_columns(digit)?;
        }
        Ok(progress)
    }

    fn hidden_in_columns(&mut self, digit: usize) -> Result<bool, Contradiction> {
        let (mut once, mut twice) = (0, 0);
        for band in 0..Self::BANDS {
            for row in 0..Self::LAYOUT.band_rows {
                let places = self.places[digit][band] >> (row * SIZE) & Self::LAYOUT.row;
                twice |= once & places;
                once |= places;
            }
        }
        if once != Self::LAYOUT.row {
            return Err(Contradiction);
        }
        let mut singles = once & !twice;
        let mut progress = false;
        while singles != 0 {
            let column = Self::LAYOUT.column << singles.trailing_zeros();
            singles &= singles - 1;
            for band in 0..Self::BANDS {
                let places = self.places[digit][band] & self.open[band] & column;
                if places != 0 {
                    self.assign(Self::cell(band, places), digit)?;
                    progress = true;
                }
            }
        }
        Ok(progress)
    }

    /// The open cell with the fewest candidates, the first of several.
    pub(crate) fn tightest(&self) -> Option<usize> {
        // The number of candidates of each cell, as four binary digits, lowest first.
        let mut counts = [[0; MAX_BANDS]; 4];
        for places in &self.places {
            for band in 0..Self::BANDS {
                let mut carry = places[band];
                for bits in &mut counts {
                    (bits[band], carry) = (bits[band] ^ carry, bits[band] & carry);
                }
            }
        }
        let mut fewest = self.open;
        for bits in counts.iter().rev() {
            let fewer = std::array::from_fn(|band| fewest[band] & !bits[band]);
            if fewer != [0; MAX_BANDS] {
                fewest = fewer;
            }
        }
        let band = fewest.iter().position(|&cells| cells != 0)?;
        Some(Self::cell(band, fewest[band]))
    }

    /// The digits, less one, that a cell may hold, ascending.
    pub(crate) fn candidates(&self, cell: usize) -> impl Iterator<Item = usize> {
        let (band, bit) = Self::place(cell);
        let places = self.places;
        (0..SIZE).filter(move |&digit| places[digit][band] & bit != 0)
    }

    /// The digits of all cells that have one.
    pub(crate) fn grid(&self) -> Grid {
        let mut grid = Grid::empty(Self::LAYOUT.shape);
        for (digit, places) in (1..).zip(&self.places) {
            for band in 0..Self::BANDS {
                let mut settled = places[band] & !self.open[band];
                while settled != 0 {
                    grid.set(Self::cell(band, settled), digit);
                    settled &= settled - 1;
                }
            }
        }
        grid
    }
}
