//! The thinking as an SVG file of its own, for documents and notebooks.

use super::chart::LOOKS;
use super::grid::{Grid, MARGIN, SIDE};
use super::html::escape;
use super::{Cell, Thinking};

/// Grids beside each other, at most.
const ABREAST: usize = 4;
/// Least width of a grid with the words below it, and what is between two of them.
const TILE: usize = 250;
const GAP: usize = 22;
/// Height of a line of words.
const LINE: usize = 16;

/// Draws the question and every step as a self-contained SVG file, as the page has them ([`super::render`]), without
/// a legend. The question has no words.
pub fn render_thinking(thinking: &Thinking) -> String {
    let grid = Grid::new(thinking);
    let tiles = tiles(thinking);
    let rows = thinking.question.len().div_ceil(grid.columns).max(1);
    let drawn = (grid.pixel_width(), grid.pixel_width() * rows / grid.columns);
    let lines = tiles.iter().map(|tile| tile.words.len()).max().unwrap_or(0);
    let (width, height) = (tile_width(drawn.0, lines), drawn.1 + LINE * lines);
    let abreast = tiles.len().min(ABREAST);
    let (across, down) = (abreast, tiles.len().div_ceil(abreast));
    let body: String = tiles
        .iter()
        .enumerate()
        .map(|(i, tile)| {
            let (x, y) = (i % abreast * (width + GAP), i / abreast * (height + GAP));
            tile.drawn(&grid, (x + GAP / 2, y + GAP / 2), (rows, drawn))
        })
        .collect();
    let (width, height) = (across * (width + GAP), down * (height + GAP));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">\n\
         <style>\n{LOOKS}{looks}</style>\n<rect class=\"card\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n",
        label = escape(&thinking.title),
        looks = include_str!("grid.css"),
    )
}

/// Words need room that a small grid does not have.
fn tile_width(drawn: usize, lines: usize) -> usize {
    if lines == 0 { drawn } else { drawn.max(TILE) }
}

/// Characters in a line of words that fit below a grid.
const LETTERS: usize = 38;

/// A grid, and the lines below it.
struct Tile<'a> {
    cells: &'a [Cell],
    words: Vec<String>,
}

/// Lines that are short enough, broken between words.
fn wrapped(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        let last = lines.last_mut().expect("there is a line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= LETTERS {
            *last += " ";
            *last += word;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn tiles(thinking: &Thinking) -> Vec<Tile<'_>> {
    let steps = thinking.steps.iter().map(|step| {
        let words = std::iter::once(&step.label[..]).chain(step.note.split(" · "));
        Tile { cells: &step.cells, words: words.flat_map(wrapped).collect() }
    });
    let question = Tile { cells: &thinking.question, words: Vec::new() };
    std::iter::once(question).chain(steps).filter(|tile| !tile.cells.is_empty()).collect()
}

impl Tile<'_> {
    fn drawn(
        &self,
        grid: &Grid,
        (x, y): (usize, usize),
        (rows, (width, height)): (usize, (usize, usize)),
    ) -> String {
        let words: String = self
            .words
            .iter()
            .enumerate()
            .map(|(i, line)| {
                let y = y + height + LINE * (i + 1);
                format!("<text x=\"{x}\" y=\"{y}\">{}</text>\n", escape(line))
            })
            .collect();
        format!(
            "<svg x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"-{MARGIN} -{MARGIN} {} {}\">\n{}</svg>\n{words}",
            grid.columns * SIDE + 2 * MARGIN,
            rows * SIDE + 2 * MARGIN,
            grid.drawing(rows, self.cells),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ThinkingStep;

    #[test]
    fn every_grid_is_drawn_once_with_its_words() {
        let cells = vec![Cell::given("1"), Cell::answer("<"), Cell::default(), Cell::answer("2")];
        let step = |label: &str| ThinkingStep {
            label: label.into(),
            note: "sure to 3 % · not solved: 3 of 27 rows, columns and boxes wrong".into(),
            cells: cells.clone(),
        };
        let steps = (1..=5).map(|i| step(&format!("step {i}"))).collect();
        let question = cells.clone();
        let svg = render_thinking(&Thinking { columns: 2, question, steps, ..Thinking::default() });
        assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"), "{svg}");
        assert_eq!((svg.matches("<svg").count(), svg.matches("</svg>").count()), (7, 7));
        assert_eq!(svg.matches(">sure to 3 %</text>").count(), 5);
        assert_eq!(svg.matches(">not solved: 3 of 27 rows, columns and</text>").count(), 5);
        assert_eq!(svg.matches(">boxes wrong</text>").count(), 5);
        assert!(svg.contains("&lt;") && !svg.contains("><<"), "{svg}");
    }
}
