//! Grids drawn for a terminal.

use super::grid::{Grid, symbol};
use super::shape::Shape;
use crate::Paint;

/// Draws a grid with lines between its boxes and `.` for blanks.
///
/// ```
/// use trm_puzzles::sudoku::{Grid, render};
///
/// let grid: Grid = "1.....3..4.....2".parse()?;
/// assert_eq!(
///     render(&grid),
///     "\
/// ┌─────┬─────┐
/// │ 1 . │ . . │
/// │ . . │ 3 . │
/// ├─────┼─────┤
/// │ . 4 │ . . │
/// │ . . │ . 2 │
/// └─────┴─────┘
/// "
/// );
/// # Ok::<(), trm_puzzles::sudoku::ParseError>(())
/// ```
pub fn render(grid: &Grid) -> String {
    render_with(grid, &|_, symbol| symbol.to_string())
}

/// Draws a grid, each cell passed through `paint`.
pub fn render_with(grid: &Grid, paint: Paint<'_>) -> String {
    let symbols: Vec<_> = grid.cells().iter().map(|&digit| symbol(digit)).collect();
    draw(grid.shape(), &symbols, paint)
}

/// Draws predicted tokens, each cell passed through `paint`. Padding and tokens outside the
/// vocabulary are drawn as `?`.
///
/// # Panics
/// If there are not as many tokens as cells.
pub fn render_tokens(shape: Shape, tokens: &[u8], paint: Paint<'_>) -> String {
    assert_eq!(tokens.len(), shape.cells(), "tokens of a {shape} grid");
    let symbols: Vec<&str> = tokens.iter().map(|token| token_symbol(shape, *token)).collect();
    draw(shape, &symbols, paint)
}

/// The symbol of a predicted token, `?` where it is neither a blank nor a digit.
pub(crate) fn token_symbol(shape: Shape, token: u8) -> &'static str {
    match (1..shape.vocab_size()).contains(&token.into()) {
        true => symbol(token - 1),
        false => "?",
    }
}

fn draw(shape: Shape, symbols: &[&str], paint: Paint<'_>) -> String {
    let size = shape.size();
    let mut picture = rule(shape, ['┌', '┬', '┐']);
    for (row, line) in symbols.chunks(size).enumerate() {
        if row > 0 && row % shape.box_rows() == 0 {
            picture += &rule(shape, ['├', '┼', '┤']);
        }
        for (column, &symbol) in line.iter().enumerate() {
            if column % shape.box_cols() == 0 {
                picture += "│ ";
            }
            picture += &paint(row * size + column, symbol);
            picture.push(' ');
        }
        picture += "│\n";
    }
    picture + &rule(shape, ['└', '┴', '┘'])
}

fn rule(shape: Shape, [left, middle, right]: [char; 3]) -> String {
    let dash = "─".repeat(2 * shape.box_cols() + 1);
    let dashes = vec![dash; shape.size() / shape.box_cols()];
    format!("{left}{}{right}\n", dashes.join(&middle.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paint_sees_every_cell_once_in_order() {
        let mut grid = Grid::empty(Shape::Six);
        grid.set(7, 5);
        let seen = std::cell::RefCell::new(Vec::new());
        let picture = render_with(&grid, &|cell, symbol| {
            seen.borrow_mut().push(cell);
            if cell == 7 { format!("<{symbol}>") } else { symbol.to_string() }
        });
        assert_eq!(seen.into_inner(), (0..36).collect::<Vec<_>>());
        assert_eq!(picture.lines().nth(2), Some("│ . <5> . │ . . . │"));
        assert_eq!(picture.lines().count(), 6 + 4);
    }

    #[test]
    fn tokens_outside_the_vocabulary_are_question_marks() {
        let tokens: Vec<u8> = (0..16).collect();
        let symbols: String =
            tokens.iter().map(|token| token_symbol(Shape::Four, *token)).collect();
        assert_eq!(symbols, "?.1234??????????");
    }
}
