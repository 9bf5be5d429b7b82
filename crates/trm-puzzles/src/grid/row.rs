//! Rows of cells as people write them.

use super::symbols::{OPEN_BOX, OUTSIDE};

/// What stands between cells of several characters in memory. Control characters are no symbols.
const BETWEEN: &str = "\u{1f}";

/// The symbols of a row: every character is one, or they have several characters and stand apart.
#[derive(Clone, Debug, Default)]
pub struct Row {
    text: String,
    apart: bool,
    /// Whether its symbols have been told one by one, so that no blank in it stands between them.
    told: bool,
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.cells().eq(other.cells())
    }
}

impl Eq for Row {}

impl Row {
    /// The row of these symbols; none is empty.
    pub fn of<'s>(cells: impl IntoIterator<Item = &'s str>) -> Row {
        let cells: Vec<&str> = cells.into_iter().collect();
        let apart = cells.iter().any(|cell| is_long(cell));
        Row { text: cells.join(if apart { BETWEEN } else { "" }), apart, told: true }
    }

    /// Its symbols.
    pub fn cells(&self) -> impl Iterator<Item = &str> + Clone {
        let cells = self.text.split(if self.apart { BETWEEN } else { "" });
        cells.filter(|cell| !cell.is_empty())
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.cells().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text, if nobody has told its symbols one by one.
    pub(super) fn text(&self) -> Option<&str> {
        (!self.told).then_some(&self.text)
    }
}

impl From<&str> for Row {
    /// Every character is a symbol.
    fn from(text: &str) -> Row {
        Row { text: text.to_owned(), apart: false, told: false }
    }
}

/// Whether a symbol has several characters.
pub(super) fn is_long(symbol: &str) -> bool {
    symbol.chars().nth(1).is_some()
}

/// The rows of a grid.
pub type Rows = Vec<Row>;

/// The rows of a text: lines, or separated by `/`. Every character is a symbol.
pub(super) fn rows_of(text: &str) -> Rows {
    lines_of(text).iter().map(|line| Row::from(&line[..])).collect()
}

/// The same with blanks between symbols, and `␣` for a place outside of the grid.
pub(super) fn rows_apart(text: &str) -> Rows {
    let cell = |text| if text == OPEN_BOX { OUTSIDE } else { text };
    lines_of(text).iter().map(|line| Row::of(line.split_whitespace().map(cell))).collect()
}

fn lines_of(text: &str) -> Vec<String> {
    let text = text.replace('\r', "");
    text.trim_matches('\n').split(['\n', '/']).map(str::to_owned).collect()
}
