//! The solver's board: which digits may still stand where, as bit masks.
//!
//! For every digit the cells that may hold it are bits, one word per band of boxes. Adding up
//! the words of all digits counts the candidates of all cells of a band at once, and masking
//! one word with a row or box finds the places left for a digit.

use super::grid::Grid;
use super::shape::{MAX_CELLS, MAX_SIZE, Shape};

const MAX_BANDS: usize = 3;
const MAX_BAND_UNITS: usize = 6;

/// One bit per cell of the grid, one word per band.
type Cells = [u32; MAX_BANDS];

/// The masks of a shape.
pub(crate) struct Layout {
    shape: Shape,
    size: usize,
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
    pub(crate) fn of(shape: Shape) -> &'static Layout {
        static FOUR: Layout = Layout::new(Shape::Four);
        static SIX: Layout = Layout::new(Shape::Six);
        static NINE: Layout = Layout::new(Shape::Nine);
        match shape {
            Shape::Four => &FOUR,
            Shape::Six => &SIX,
            Shape::Nine => &NINE,
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
            size,
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

    /// The word and the bit of a cell.
    fn place(&self, cell: usize) -> (usize, u32) {
        let band_cells = self.band_rows * self.size;
        (cell / band_cells, 1 << (cell % band_cells))
    }

    fn cell(&self, band: usize, bit: u32) -> usize {
        band * self.band_rows * self.size + bit.trailing_zeros() as usize
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
            let same_box = row_a / box_rows == row_b / box_rows && col_a / box_cols == col_b / box_cols;
            if a != b && (row_a == row_b || col_a == col_b || same_box) {
                peers[a][b / band_cells] |= 1 << (b % band_cells);
            }
            b += 1;
        }
        a += 1;
    }
    peers
}

/// A partly solved grid with the candidates of its open cells.
#[derive(Clone, Copy)]
pub(crate) struct Board {
    /// For every digit less one, the cells that may hold it.
    places: [Cells; MAX_SIZE],
    /// The cells without a digit.
    open: Cells,
}

/// A board on which some cell or some digit of a unit has no possibility left.
pub(crate) struct Contradiction;

impl Board {
    /// The candidates left by the digits of a grid, nothing deduced yet.
    pub(crate) fn new(grid: &Grid, layout: &Layout) -> Result<Board, Contradiction> {
        let mut everywhere = [0; MAX_BANDS];
        everywhere[..layout.bands].fill(layout.band);
        let mut places = [[0; MAX_BANDS]; MAX_SIZE];
        places[..layout.size].fill(everywhere);
        let mut board = Board { places, open: everywhere };
        for (cell, &digit) in grid.cells().iter().enumerate() {
            if digit != 0 {
                board.assign(cell, usize::from(digit) - 1, layout)?;
            }
        }
        Ok(board)
    }

    /// Puts digit `digit + 1` into an open cell.
    pub(crate) fn assign(
        &mut self,
        cell: usize,
        digit: usize,
        layout: &Layout,
    ) -> Result<(), Contradiction> {
        let (band, bit) = layout.place(cell);
        if self.places[digit][band] & bit == 0 {
            return Err(Contradiction);
        }
        self.open[band] &= !bit;
        for other in &mut self.places[..layout.size] {
            other[band] &= !bit;
        }
        let places = &mut self.places[digit];
        for (place, peers) in places.iter_mut().zip(&layout.peers[cell]) {
            *place &= !peers;
        }
        places[band] |= bit;
        Ok(())
    }

    /// Rules digit `digit + 1` out of a cell.
    pub(crate) fn exclude(&mut self, cell: usize, digit: usize, layout: &Layout) {
        let (band, bit) = layout.place(cell);
        self.places[digit][band] &= !bit;
    }

    /// Fills in naked and hidden singles until there are none left.
    pub(crate) fn propagate(&mut self, layout: &Layout) -> Result<(), Contradiction> {
        loop {
            while self.naked_singles(layout)? {}
            if !self.hidden_singles(layout)? {
                return Ok(());
            }
        }
    }

    fn naked_singles(&mut self, layout: &Layout) -> Result<bool, Contradiction> {
        let mut progress = false;
        for band in 0..layout.bands {
            let (mut once, mut twice) = (0, 0);
            for places in &self.places {
                twice |= once & places[band];
                once |= places[band];
            }
            if once != layout.band {
                return Err(Contradiction);
            }
            let mut singles = once & !twice & self.open[band];
            progress |= singles != 0;
            while singles != 0 {
                let bit = singles & singles.wrapping_neg();
                singles ^= bit;
                let digit = self.places.iter().position(|places| places[band] & bit != 0);
                self.assign(layout.cell(band, bit), digit.ok_or(Contradiction)?, layout)?;
            }
        }
        Ok(progress)
    }

    fn hidden_singles(&mut self, layout: &Layout) -> Result<bool, Contradiction> {
        let mut progress = false;
        for digit in 0..layout.size {
            for band in 0..layout.bands {
                for unit in &layout.band_units[..layout.band_unit_count] {
                    let places = self.places[digit][band] & unit;
                    if places == 0 {
                        return Err(Contradiction);
                    }
                    if places.is_power_of_two() && places & self.open[band] != 0 {
                        self.assign(layout.cell(band, places), digit, layout)?;
                        progress = true;
                    }
                }
            }
            progress |= self.hidden_in_columns(digit, layout)?;
        }
        Ok(progress)
    }

    fn hidden_in_columns(&mut self, digit: usize, layout: &Layout) -> Result<bool, Contradiction> {
        let (mut once, mut twice) = (0, 0);
        for band in 0..layout.bands {
            for row in 0..layout.band_rows {
                let places = self.places[digit][band] >> (row * layout.size) & layout.row;
                twice |= once & places;
                once |= places;
            }
        }
        if once != layout.row {
            return Err(Contradiction);
        }
        let singles = once & !twice;
        let columns = (0..layout.size).filter(|column| singles >> column & 1 != 0);
        let mut progress = false;
        for column in columns {
            for band in 0..layout.bands {
                let places = self.places[digit][band] & self.open[band] & layout.column << column;
                if places != 0 {
                    self.assign(layout.cell(band, places), digit, layout)?;
                    progress = true;
                }
            }
        }
        Ok(progress)
    }

    /// The open cell with the fewest candidates, the first of several.
    pub(crate) fn tightest(&self, layout: &Layout) -> Option<usize> {
        // at_least[k]: the cells with k candidates or more.
        let mut at_least = [[0; MAX_BANDS]; MAX_SIZE + 2];
        at_least[0] = self.open;
        for places in &self.places {
            for count in (0..=layout.size).rev() {
                for band in 0..layout.bands {
                    at_least[count + 1][band] |= at_least[count][band] & places[band];
                }
            }
        }
        (0..=layout.size).find_map(|count| {
            (0..layout.bands).find_map(|band| {
                let exactly = at_least[count][band] & !at_least[count + 1][band];
                (exactly != 0).then(|| layout.cell(band, exactly))
            })
        })
    }

    /// The digits, less one, that a cell may hold, ascending.
    pub(crate) fn candidates(&self, cell: usize, layout: &Layout) -> impl Iterator<Item = usize> {
        let (band, bit) = layout.place(cell);
        let places = self.places;
        (0..layout.size).filter(move |&digit| places[digit][band] & bit != 0)
    }

    /// The digits of all cells that have one.
    pub(crate) fn grid(&self, layout: &Layout) -> Grid {
        let mut grid = Grid::empty(layout.shape);
        for (digit, places) in (1..).zip(&self.places) {
            for band in 0..layout.bands {
                let mut settled = places[band] & !self.open[band];
                while settled != 0 {
                    grid.set(layout.cell(band, settled), digit);
                    settled &= settled - 1;
                }
            }
        }
        grid
    }
}
