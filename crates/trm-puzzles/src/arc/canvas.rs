//! Grids on a canvas of tokens (docs/REFERENCE.md section 4).

use super::grid::Grid;

/// Rows and columns of the canvas.
pub const SIDE: usize = 30;
/// Cells of the canvas.
pub const CELLS: usize = SIDE * SIDE;
/// Tokens: padding, end, ten colours.
pub const VOCABULARY: usize = 12;

const PAD: u8 = 0;
const END: u8 = 1;
const BLACK: u8 = 2; // colour 0

/// The canvas of a grid whose first cell is at `(row, column)`; a line of ends lies below it and to its
/// right, as far as there is room.
///
/// ```
/// use trm_puzzles::arc::{Grid, decode, encode};
///
/// let grid = Grid::from_rows(&[vec![3, 1], vec![4, 1]])?;
/// let canvas = encode(&grid, (0, 0));
/// assert_eq!((&canvas[..4], &canvas[30..34], &canvas[60..64]), (
///     &[5, 3, 1, 0][..],
///     &[6, 3, 1, 0][..],
///     &[1, 1, 0, 0][..],
/// ));
/// assert_eq!(decode(&canvas), Some(grid));
/// # Ok::<(), trm_puzzles::arc::GridError>(())
/// ```
///
/// # Panics
/// If the grid reaches beyond the canvas; see [`room`].
pub fn encode(grid: &Grid, (top, left): (usize, usize)) -> [u8; CELLS] {
    let (bottom, right) = (top + grid.height(), left + grid.width());
    assert!(bottom <= SIDE && right <= SIDE, "within the canvas");
    let mut canvas = [PAD; CELLS];
    for (row, colours) in (top..).zip(grid.rows()) {
        let cells = canvas[row * SIDE + left..].iter_mut();
        cells.zip(colours).for_each(|(cell, colour)| *cell = BLACK + colour);
        if right < SIDE {
            canvas[row * SIDE + right] = END;
        }
    }
    if bottom < SIDE {
        canvas[bottom * SIDE + left..bottom * SIDE + right].fill(END);
    }
    canvas
}

/// How far grids can be moved down and to the right on the canvas, if all are moved alike.
pub fn room<'g>(grids: impl IntoIterator<Item = &'g Grid>) -> (usize, usize) {
    let room = |(rows, columns): (usize, usize), grid: &Grid| {
        (rows.min(SIDE - grid.height()), columns.min(SIDE - grid.width()))
    };
    grids.into_iter().fold((SIDE - 1, SIDE - 1), room)
}

/// The largest rectangle of colours at the top left of a canvas; of several as large, the one with fewest
/// rows. None if the first cell is no colour. Nothing is drawn at another place when predictions are made.
///
/// # Panics
/// If there are not as many tokens as cells.
pub fn decode(canvas: &[u8]) -> Option<Grid> {
    assert_eq!(canvas.len(), CELLS, "a token for every cell");
    let is_colour = |token: u8| (BLACK..BLACK + 10).contains(&token);
    let (mut width, mut best) = (SIDE, (0, 0));
    for (above, row) in canvas.chunks_exact(SIDE).enumerate() {
        width = row[..width].iter().position(|token| !is_colour(*token)).unwrap_or(width);
        if (above + 1) * width > best.0 * best.1 {
            best = (above + 1, width);
        }
    }
    let (height, width) = best;
    let rows = canvas.chunks_exact(SIDE).take(height);
    let cells: Vec<u8> = rows.flat_map(|row| &row[..width]).map(|token| token - BLACK).collect();
    (!cells.is_empty()).then(|| Grid::new(width, cells))
}

/// The grid of a canvas, wherever it was drawn.
///
/// # Panics
/// If there are not as many tokens as cells.
pub fn decode_anywhere(canvas: &[u8]) -> Option<Grid> {
    let drawn = || canvas.iter().enumerate().filter(|(_, token)| **token != PAD).map(|(i, _)| i);
    let (top, left) = (drawn().next()? / SIDE, drawn().map(|i| i % SIDE).min()?);
    let mut moved = canvas[top * SIDE + left..].to_vec();
    moved.resize(CELLS, PAD);
    for row in moved.chunks_exact_mut(SIDE) {
        row[SIDE - left..].fill(PAD); // what lay at the left of the next row
    }
    decode(&moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_that_fills_the_canvas_has_no_ends() {
        let grid = Grid::new(30, vec![9; 900]);
        assert_eq!(encode(&grid, (0, 0)), [11; 900]);
        assert_eq!(room([&grid]), (0, 0));
        assert_eq!(decode(&encode(&grid, (0, 0))), Some(grid));
        let tall = Grid::new(2, vec![0; 60]);
        let canvas = encode(&tall, (0, 28));
        assert!(canvas.chunks(30).all(|row| row[27..] == [0, 2, 2]));
    }

    #[test]
    fn moved_grids_keep_their_frame() {
        let grid = Grid::new(3, vec![1; 6]);
        let canvas = encode(&grid, (5, 7));
        assert_eq!(canvas[5 * 30 + 6..][..5], [0, 3, 3, 3, 1]);
        assert_eq!(canvas[7 * 30 + 6..][..5], [0, 1, 1, 1, 0]);
        assert_eq!(canvas.iter().filter(|token| **token != 0).count(), 6 + 5);
    }

    #[test]
    fn the_largest_rectangle_is_cut_out() {
        let mut canvas = [0; CELLS];
        for (row, len) in [5, 3, 3, 1].into_iter().enumerate() {
            canvas[row * 30..][..len].fill(4);
        }
        let grid = decode(&canvas).unwrap();
        assert_eq!((grid.height(), grid.width()), (3, 3)); // 9 cells against 5, 6 and 4
        canvas[0] = 1;
        assert_eq!(decode(&canvas), None);
        assert_eq!(decode(&[255; CELLS]), None);
    }
}
