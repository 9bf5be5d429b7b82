//! Grids of ARC as a domain.

use super::canvas::{CELLS, SIDE, VOCABULARY, decode, encode};
use super::grid::{Grid, GridError};
use crate::hash::fnv;
use crate::{Error, Layout, Paint, Rules, Undo};
use rand::Rng;

/// The canvas that grids of ARC lie on. Its symmetries are those of whole tasks
/// ([`Augmentation`](super::Augmentation)), each with an identifier of its own, so that a single grid has none.
#[derive(Clone, Copy, Debug)]
pub struct Canvas;

impl Rules for Canvas {
    fn name(&self) -> String {
        "arc".into()
    }

    fn vocab_size(&self) -> usize {
        VOCABULARY
    }

    fn seq_len(&self) -> usize {
        CELLS
    }

    /// Rows of digits, one a line or separated by `/`.
    fn parse(&self, text: &str) -> Result<Vec<u8>, Error> {
        let colour = |symbol: char| match symbol.to_digit(10) {
            Some(digit) => i64::from(digit),
            None => -1,
        };
        let rows = text.trim().split(['\n', '/']).map(str::trim);
        let rows: Vec<Vec<i64>> = rows.map(|row| row.chars().map(colour).collect()).collect();
        let refuse = |error| match error {
            GridError::Colour { row, column, .. } => {
                let line = text.trim().split(['\n', '/']).nth(row - 1).unwrap_or_default();
                let found = line.trim().chars().nth(column - 1).unwrap_or('?');
                GridError::Symbol { found, row, column }
            }
            other => other,
        };
        Ok(encode(&Grid::from_rows(&rows).map_err(refuse)?, (0, 0)).to_vec())
    }

    fn check_question(&self, question: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match question.len() == CELLS && decode(question).is_some() {
            true => Ok(None),
            false => Err(GridError::Empty.into()),
        }
    }

    fn symbol(&self, token: u8) -> char {
        match token {
            0 | 1 => ' ',
            2..12 => char::from(b'0' + token - 2),
            _ => '?',
        }
    }

    fn format_line(&self, tokens: &[u8]) -> String {
        decode(tokens).map_or(String::new(), |grid| grid.to_string().replace('\n', "/"))
    }

    fn render(&self, tokens: &[u8], paint: Paint<'_>) -> String {
        let (width, height) = self.extent(tokens);
        let row = |y: usize| -> String {
            let cells = y * SIDE..y * SIDE + width;
            cells.map(|i| paint(i, self.symbol(tokens[i]))).collect()
        };
        (0..height).map(row).collect::<Vec<_>>().join("\n")
    }

    fn layout(&self) -> Layout {
        Layout { columns: SIDE, boxes: (0, 0) }
    }

    /// Those of the grid at the corner of a canvas, or of all that is drawn where there is none.
    fn extent(&self, tokens: &[u8]) -> (usize, usize) {
        if let Some(grid) = decode(tokens) {
            return (grid.width(), grid.height());
        }
        let drawn = tokens.iter().enumerate().filter(|(_, token)| **token > 1);
        drawn.fold((1, 1), |(width, height), (i, _)| {
            (width.max(i % SIDE + 1), height.max(i / SIDE + 1))
        })
    }

    fn augment(&self, _: &mut [u8], _: &mut [u8], _: &mut dyn Rng) {}

    fn disguise(&self, _: &mut [u8], _: &mut dyn Rng) -> Undo {
        Box::new(|_| ())
    }

    fn class_hash(&self, question: &[u8]) -> Result<u128, Error> {
        self.check_question(question)?;
        Ok(fnv(question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Domain, Verdict};

    #[test]
    fn grids_are_read_drawn_and_left_as_they_are() {
        let tokens = Domain::Arc.parse("012\n340\n").unwrap();
        assert_eq!(Domain::Arc.parse("012/340"), Ok(tokens.clone()));
        assert_eq!(Domain::Arc.format_line(&tokens), "012/340");
        let plain = |_: usize, symbol: char| symbol.to_string();
        assert_eq!(Domain::Arc.render(&tokens, &plain), "012\n340");
        assert_eq!(Domain::Arc.check_question(&tokens), Ok(None));
        let message = |text: &str| Domain::Arc.parse(text).unwrap_err().to_string();
        assert_eq!(message("01\n2"), "row 2 has 1 cells where the first has 2");
        assert_eq!(message("01\n2x"), "'x' at row 2 column 2: colours are 0 to 9");
        assert_eq!(message(""), "an empty grid");
        for token in 0..=u8::MAX {
            let draft = [token; CELLS];
            Domain::Arc.format_line(&draft);
            Domain::Arc.render(&draft, &plain);
            assert_eq!(Domain::Arc.verify(&tokens, &draft), Verdict::Unchecked);
        }
    }
}
