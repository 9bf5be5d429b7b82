//! The question and every step of the thinking, as grids of cells.

use super::html::{coordinate, element, escape};
use super::{Cell, Fill, Thinking};

/// Side of a cell in the units of the drawing.
pub(super) const SIDE: usize = 20;
/// Room for the outer lines.
pub(super) const MARGIN: usize = 1;

/// The section that shows how the model arrived at its answer.
pub(super) fn render(thinking: &Thinking) -> String {
    let grid = Grid::new(thinking);
    let mut figures = grid.figure("question", "", &thinking.question);
    for step in &thinking.steps {
        figures += &grid.figure(&step.label, &step.note, &step.cells);
    }
    format!(
        "<section class=\"thinking\">\n{}{}{}\
         <div class=\"grids\">\n{figures}</div>\n</section>\n",
        element("h2", "", &thinking.title),
        element("p", "lead", &thinking.caption),
        legend(thinking, grid.painted),
    )
}

fn all_cells(thinking: &Thinking) -> impl Iterator<Item = &Cell> {
    let answered = thinking.steps.iter().flat_map(|step| &step.cells);
    thinking.question.iter().chain(answered)
}

/// What all grids of a section have in common.
pub(super) struct Grid {
    pub(super) columns: usize,
    box_rows: usize,
    box_cols: usize,
    /// Some cell has a paint of its own; marks are then drawn to stand out on any paint.
    painted: bool,
}

impl Grid {
    pub(super) fn new(thinking: &Thinking) -> Self {
        Self {
            columns: thinking.columns.max(1),
            box_rows: thinking.box_rows,
            box_cols: thinking.box_cols,
            painted: all_cells(thinking).any(|cell| cell.fill != Fill::Plain),
        }
    }

    fn figure(&self, label: &str, note: &str, cells: &[Cell]) -> String {
        let rows = cells.len().div_ceil(self.columns).max(1);
        let spoken = [label, note].join(": ");
        format!(
            "<figure style=\"width:{}px\">\n\
             <svg viewBox=\"-{MARGIN} -{MARGIN} {} {}\" role=\"img\" aria-label=\"{}\">\n\
             {}</svg>\n<figcaption>{}{}</figcaption></figure>\n",
            self.pixel_width(),
            self.columns * SIDE + 2 * MARGIN,
            rows * SIDE + 2 * MARGIN,
            escape(spoken.trim_end_matches(": ")),
            self.drawing(rows, cells),
            element("b", "", label),
            note_html(note),
        )
    }

    /// Small grids get large cells; a large grid stays within a phone.
    pub(super) fn pixel_width(&self) -> usize {
        self.columns * (250 / self.columns).clamp(8, 40)
    }

    pub(super) fn drawing(&self, rows: usize, cells: &[Cell]) -> String {
        self.fills(cells) + &self.marks(cells) + &self.lines(rows) + &self.texts(cells)
    }

    fn corner(&self, index: usize) -> (usize, usize) {
        (index % self.columns * SIDE, index / self.columns * SIDE)
    }

    /// One path for all cells of a kind keeps a page of large grids small.
    fn path(
        &self,
        class: &str,
        shape: &str,
        cells: &[Cell],
        kind: impl Fn(&Cell) -> bool,
    ) -> String {
        let chosen = cells.iter().enumerate().filter(|(_, cell)| kind(cell));
        let shapes: String = chosen
            .map(|(i, _)| {
                let (x, y) = self.corner(i);
                format!("M{x} {y}{shape}")
            })
            .collect();
        if shapes.is_empty() {
            return shapes;
        }
        format!("<path class=\"{class}\" d=\"{shapes}\"/>\n")
    }

    fn fills(&self, cells: &[Cell]) -> String {
        let square = "h20v20h-20z";
        let fill = |class: &str, fill: Fill| self.path(class, square, cells, |c| c.fill == fill);
        let mut out = fill("ink", Fill::Ink) + &fill("accent", Fill::Accent);
        for colour in 0..10 {
            let is_colour = |c: &Cell| matches!(c.fill, Fill::Colour(k) if k % 10 == colour);
            out += &self.path(&format!("k{colour}"), square, cells, is_colour);
        }
        if !self.painted {
            out += &self.path("changed", square, cells, |c| c.changed);
        }
        out
    }

    fn marks(&self, cells: &[Cell]) -> String {
        let bar = self.path("broken", "m1.5 16h17v2.5h-17z", cells, |c| c.broken);
        if !self.painted {
            return self.path("wrong", "m11.5 0h8.5v8.5z", cells, |c| c.wrong) + &bar;
        }
        let ring = "m4 4h12v12h-12z";
        self.path("halo", ring, cells, |c| c.changed)
            + &self.path("ring", ring, cells, |c| c.changed)
            + &self.path("wedge", "m8 1h11v11z", cells, |c| c.wrong)
            + &bar
    }

    fn lines(&self, rows: usize) -> String {
        let (width, height) = (self.columns * SIDE, rows * SIDE);
        let heavy = |at: usize, end: usize, box_size: usize| {
            at == 0 || at == end || (box_size > 0 && at.is_multiple_of(box_size))
        };
        let (mut thin, mut thick) = (String::new(), String::new());
        let mut add = |heavy: bool, line: String| {
            if heavy { &mut thick } else { &mut thin }.push_str(&line);
        };
        for column in 0..=self.columns {
            let line = format!("M{} 0v{height}", column * SIDE);
            add(heavy(column, self.columns, self.box_cols), line);
        }
        for row in 0..=rows {
            add(heavy(row, rows, self.box_rows), format!("M0 {}h{width}", row * SIDE));
        }
        format!("<path class=\"thin\" d=\"{thin}\"/><path class=\"thick\" d=\"{thick}\"/>\n")
    }

    fn texts(&self, cells: &[Cell]) -> String {
        let longest = cells.iter().map(|cell| cell.text.chars().count()).max().unwrap_or(0);
        let size = if longest <= 1 { 12.5 } else { (26.0 / longest as f64).min(10.5) };
        let middle = SIDE as f64 / 2.0;
        let text = |(i, cell): (usize, &Cell)| {
            let (x, y) = self.corner(i);
            let baseline = coordinate(y as f64 + middle + size * 0.36);
            format!("<text x=\"{}\" y=\"{baseline}\">{}</text>", x + SIDE / 2, escape(&cell.text))
        };
        let mut out = String::new();
        for class in ["given", "answer", "slip", "inverse"] {
            let written =
                |(_, cell): &(usize, &Cell)| !cell.text.is_empty() && text_class(cell) == class;
            let group: String = cells.iter().enumerate().filter(written).map(text).collect();
            if !group.is_empty() {
                let size = coordinate(size);
                out += &format!("<g class=\"{class}\" font-size=\"{size}\">{group}</g>\n");
            }
        }
        out
    }
}

fn text_class(cell: &Cell) -> &'static str {
    match cell.fill {
        Fill::Ink | Fill::Colour(_) => "inverse",
        _ if cell.wrong => "slip",
        _ if cell.given => "given",
        _ => "answer",
    }
}

/// A note breaks only between its parts, not within "4 cells wrong".
fn note_html(note: &str) -> String {
    let parts: Vec<String> = note.split(" · ").map(|part| element("span", "part", part)).collect();
    parts.join(" · ")
}

/// Explains the marks that occur, and only those.
fn legend(thinking: &Thinking, painted: bool) -> String {
    let swatch = Grid { columns: 1, box_rows: 0, box_cols: 0, painted };
    let mut entries = String::new();
    for (meaning, cell) in marks_of(thinking) {
        let text = if painted { cell.text } else { "5".to_owned() };
        let drawing = swatch.drawing(1, &[Cell { text, ..cell }]);
        entries += &format!(
            "<li><svg class=\"cell\" viewBox=\"-1 -1 22 22\" aria-hidden=\"true\">\n\
             {drawing}</svg>{meaning}</li>\n"
        );
    }
    if entries.is_empty() {
        return entries;
    }
    format!("<ul class=\"legend\">\n{entries}</ul>\n")
}

fn marks_of(thinking: &Thinking) -> Vec<(&'static str, Cell)> {
    let occurs = |mark: fn(&Cell) -> bool| all_cells(thinking).any(mark);
    let mut found = Vec::new();
    if occurs(|c| c.given && !c.text.is_empty()) {
        found.push(("given", Cell::given("5")));
    }
    if occurs(|c| !c.given && !c.text.is_empty()) {
        found.push(("the model’s answer", Cell::answer("5")));
    }
    let [mut changed, mut wrong, mut broken] = std::array::from_fn(|_| Cell::default());
    (changed.changed, wrong.wrong, broken.broken) = (true, true, true);
    if occurs(|c| c.changed) {
        found.push(("changed in this step", changed));
    }
    if occurs(|c| c.wrong) {
        found.push(("wrong", wrong));
    }
    if occurs(|c| c.broken) {
        found.push(("at fault, says the referee", broken));
    }
    found
}
