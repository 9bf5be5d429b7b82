//! A run as one page: a self-contained HTML file that can be mailed, archived and printed.
//!
//! [`render`] turns plain data into the page. It knows nothing about puzzles or models, reads no
//! clock and no files, and the same data gives the same bytes. The page needs no network and no
//! scripts, follows the reader's light or dark preference, and says what its charts leave out.
//!
//! ```text
//! mod.rs    the data and the page        axis.rs   ticks, labels, positions
//! chart.rs  line charts                  trace.rs  averaging, gaps, bands
//! grid.rs   the thinking, step by step   figure.rs a chart as a file of its own
//! html.rs   escaping                     style.css, chart.css, grid.css the looks
//! markdown.rs the same as text           thoughts.rs the thinking as a file of its own
//! ```

mod axis;
mod chart;
mod figure;
mod grid;
mod html;
mod markdown;
#[cfg(test)]
mod tests;
mod thoughts;
mod trace;

pub use figure::render_chart;
use html::{element, escape};
pub use markdown::render_markdown;
pub use thoughts::render_thinking;

/// Everything a page shows. Empty parts are left out of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Name of the page.
    pub title: String,
    /// One sentence below the title; may be empty.
    pub subtitle: String,
    /// The few numbers a reader should take home.
    pub headline: Vec<Headline>,
    /// Curves over the run.
    pub charts: Vec<Chart>,
    /// Examples, from the question to the answer.
    pub thinking: Vec<Thinking>,
    /// Further numbers.
    pub tables: Vec<Table>,
    /// Name and value of whatever is needed to trust or repeat the run: data, seed, parameters, …
    pub facts: Vec<(String, String)>,
    /// The command line that repeats the run; may be empty.
    pub command: String,
}

/// A number set large.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Headline {
    /// What was measured, "exact accuracy".
    pub label: String,
    /// The number with its unit, "99.6 %".
    pub value: String,
    /// What it must not be read without: "95 % interval 98.8–99.9, 1000 puzzles, 16 steps".
    pub note: String,
}

/// A line chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    /// Name of the chart.
    pub title: String,
    /// What to see in it; may be empty.
    pub caption: String,
    /// What the horizontal axis counts.
    pub x_label: String,
    /// What the vertical axis measures, with its unit.
    pub y_label: String,
    /// The horizontal axis: linear, or powers of ten.
    pub x_scale: Scale,
    /// The vertical axis: linear, or powers of ten.
    pub y_scale: Scale,
    /// The vertical range; taken from the data if `None`.
    pub y_range: Option<(f64, f64)>,
    /// The lines, the most important first.
    pub series: Vec<Series>,
}

/// How an axis divides its range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal distances for equal differences.
    #[default]
    Linear,
    /// Equal distances for equal ratios; only values above zero can be shown.
    Log,
}

/// One line of a [`Chart`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Points `(x, y)`. One that is not finite leaves a gap; very many are averaged in buckets.
    pub points: Vec<(f64, f64)>,
    /// A shaded range around the line, a confidence interval say; may be empty.
    pub band: Vec<Band>,
}

/// The extent of a shaded range at one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The place on the horizontal axis.
    pub x: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One example as the model saw it and answered it, step after step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thinking {
    /// Name of the section.
    pub title: String,
    /// What is being solved; may be empty.
    pub caption: String,
    /// Cells in a row of the grid.
    pub columns: usize,
    /// Rows between two heavier lines; 0 for none.
    pub box_rows: usize,
    /// Columns between two heavier lines; 0 for none.
    pub box_cols: usize,
    /// The question, row by row.
    pub question: Vec<Cell>,
    /// The answer after each supervision step.
    pub steps: Vec<ThinkingStep>,
}

/// The answer after one step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ThinkingStep {
    /// "step 3"
    pub label: String,
    /// "halt probability 0.97 · 4 cells wrong"
    pub note: String,
    /// The grid, row by row.
    pub cells: Vec<Cell>,
}

/// One cell of a grid. Marks combine: a cell can be changed and still wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    /// What is written in it; empty for nothing.
    pub text: String,
    /// How it is painted.
    pub fill: Fill,
    /// It belongs to the question.
    pub given: bool,
    /// It differs from the step before.
    pub changed: bool,
    /// It differs from the right answer.
    pub wrong: bool,
    /// The rules or the referee find fault with it.
    pub broken: bool,
}

impl Cell {
    /// A cell of the question.
    pub fn given(text: impl Into<String>) -> Self {
        Self { text: text.into(), given: true, ..Self::default() }
    }

    /// A cell of the answer.
    pub fn answer(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// The paint of a [`Cell`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fill {
    /// The paper.
    #[default]
    Plain,
    /// The colour of the ink: the walls of a maze.
    Ink,
    /// A colour that stands out: the path through a maze.
    Accent,
    /// One of the ten colours in which ARC grids are commonly shown, taken modulo ten.
    Colour(u8),
}

/// A table. Columns of numbers are aligned at the right.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Name of the table.
    pub title: String,
    /// What its numbers must not be read without; may be empty.
    pub caption: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Rows; a short one is filled up with empty cells.
    pub rows: Vec<Vec<String>>,
}

/// Writes the page.
pub fn render(report: &Report) -> String {
    let charts: String = report.charts.iter().map(chart::render).collect();
    let thinking: String = report.thinking.iter().map(grid::render).collect();
    let tables: String = report.tables.iter().map(table).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{looks}{grids}{style}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>{title}</h1>\n{subtitle}</header>\n{headline}{charts}{thinking}{tables}{facts}\
         </main>\n</body>\n</html>\n",
        title = escape(&report.title),
        looks = chart::LOOKS,
        grids = include_str!("grid.css"),
        style = include_str!("style.css"),
        subtitle = element("p", "lead", &report.subtitle),
        headline = headline(&report.headline),
        charts = wrapped("<section class=\"charts\">", &charts, "</section>"),
        thinking = thinking,
        facts = facts(&report.facts, &report.command),
    )
}

fn wrapped(open: &str, content: &str, close: &str) -> String {
    if content.is_empty() { String::new() } else { format!("{open}\n{content}{close}\n") }
}

fn headline(numbers: &[Headline]) -> String {
    let cards: String = numbers
        .iter()
        .map(|number| {
            format!(
                "<div>{}{}{}</div>\n",
                element("span", "what", &number.label),
                element("b", "", &number.value),
                element("span", "note", &number.note)
            )
        })
        .collect();
    wrapped("<section class=\"headline\">", &cards, "</section>")
}

fn table(table: &Table) -> String {
    let columns = table.rows.iter().map(Vec::len).chain([table.header.len()]).max().unwrap_or(0);
    let text =
        |row: &[String], column: usize| row.get(column).map_or("", String::as_str).to_owned();
    let numeric = |column: &usize| {
        let mut cells = table.rows.iter().map(|row| text(row, *column)).filter(|t| !t.is_empty());
        cells.clone().next().is_some() && cells.all(|t| looks_numeric(&t))
    };
    let numbers: Vec<bool> = (0..columns).map(|column| numeric(&column)).collect();
    let row = |cell: &str, row: &[String]| {
        let cells: String = (0..columns)
            .map(|i| {
                let class = if numbers[i] { " class=\"number\"" } else { "" };
                format!("<{cell}{class}>{}</{cell}>", escape(&text(row, i)))
            })
            .collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head = if table.header.is_empty() { String::new() } else { row("th", &table.header) };
    let body: String = table.rows.iter().map(|cells| row("td", cells)).collect();
    format!(
        "<section>\n{}{}<div class=\"scroll\"><table>\n{}{}</table></div>\n</section>\n",
        element("h2", "", &table.title),
        element("p", "lead", &table.caption),
        wrapped("<thead>", &head, "</thead>"),
        wrapped("<tbody>", &body, "</tbody>"),
    )
}

fn looks_numeric(text: &str) -> bool {
    let start = text.trim_start_matches(['-', '+', '−', '±', '<', '>', '≈', ' ']);
    start.starts_with(|c: char| c.is_ascii_digit()) || matches!(text, "–" | "-" | "NaN")
}

fn facts(facts: &[(String, String)], command: &str) -> String {
    let entries: String = facts
        .iter()
        .map(|(name, value)| {
            format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value))
        })
        .collect();
    let list = wrapped("<dl>", &entries, "</dl>");
    let repeat = if command.is_empty() {
        String::new()
    } else {
        format!("<h3>Repeat it</h3>\n<pre><code>{}</code></pre>\n", escape(command))
    };
    wrapped("<section class=\"facts\">\n<h2>The run</h2>", &(list + &repeat), "</section>")
}
