//! Grids of ARC as a domain.

use super::canvas::{CELLS, SIDE, VOCABULARY, decode, encode};
use super::grid::{Grid, GridError};
use crate::{Domain, Error, Family, Layout, Look, Rules};

/// The one domain of ARC.
pub const FAMILY: Family = Family {
    name: "arc",
    examples: "arc",
    find: |name| (name == Canvas.name()).then(|| Domain::new(Canvas)),
    public: Some("arc"),
};

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
        let grid = Grid::from_rows(&rows).map_err(|error| Error::new(refuse(error)))?;
        Ok(encode(&grid, (0, 0)).to_vec())
    }

    fn check_question(&self, question: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match question.len() == CELLS && decode(question).is_some() {
            true => Ok(None),
            false => Err(Error::new(GridError::Empty)),
        }
    }

    fn symbol(&self, token: u8) -> &str {
        const DIGITS: &str = "0123456789";
        match usize::from(token) {
            0 | 1 => " ",
            token @ 2..12 => &DIGITS[token - 2..token - 1],
            _ => "?",
        }
    }

    fn look(&self, token: u8) -> Look<'_> {
        match token {
            0 | 1 => Look::Empty,
            2..12 => Look::Colour(token - 2),
            _ => Look::Symbol("?"),
        }
    }

    fn format_line(&self, tokens: &[u8]) -> String {
        decode(tokens).map_or(String::new(), |grid| grid.to_string().replace('\n', "/"))
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

    fn has_tasks(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;

    #[test]
    fn grids_are_read_drawn_and_left_as_they_are() {
        let arc = Domain::new(Canvas);
        let tokens = arc.parse("012\n340\n").unwrap();
        assert_eq!(arc.parse("012/340"), Ok(tokens.clone()));
        assert_eq!(arc.format_line(&tokens), "012/340");
        let plain = |_: usize, symbol: &str| symbol.to_string();
        assert_eq!(arc.render(&tokens, &plain), "012\n340");
        assert_eq!(arc.check_question(&tokens), Ok(None));
        let message = |text: &str| arc.parse(text).unwrap_err().to_string();
        assert_eq!(message("01\n2"), "row 2 has 1 cells where the first has 2");
        assert_eq!(message("01\n2x"), "'x' at row 2 column 2: colours are 0 to 9");
        assert_eq!(message(""), "an empty grid");
        for token in 0..=u8::MAX {
            let draft = [token; CELLS];
            arc.format_line(&draft);
            arc.render(&draft, &plain);
            assert_eq!(arc.verify(&tokens, &draft), Ok(Verdict::Unchecked));
        }
    }
}
