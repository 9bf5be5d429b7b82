//! A chart as an SVG file of its own, for documents.

use super::chart::{Axes, HEIGHT, LEFT, LOOKS, WIDTH, colour_class, drawing, label, traces};
use super::html::escape;
use super::{Chart, Series};

const TITLE: f64 = 24.0;
const LEGEND_ROW: f64 = 18.0;

/// Draws one chart as a self-contained SVG file: title, legend, drawing. Captions and bucket notes
/// belong to the page ([`super::render`]) and are left out.
pub fn render_chart(chart: &Chart) -> String {
    let traces = traces(chart);
    let axes = Axes::new(chart, &traces);
    let top = TITLE + LEGEND_ROW * chart.series.len() as f64 + 8.0;
    let legend: String = chart.series.iter().enumerate().map(legend_row).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">\n\
         <style>\n{LOOKS}</style>\n<rect class=\"card\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"{TITLE}\">{title}</text>\n{legend}\
         <g transform=\"translate(0 {top})\">\n{drawing}</g>\n</svg>\n",
        height = top + HEIGHT,
        label = label(chart),
        title = escape(&chart.title),
        drawing = drawing(chart, &traces, &axes),
    )
}

fn legend_row((i, series): (usize, &Series)) -> String {
    let y = TITLE + LEGEND_ROW * (i + 1) as f64;
    format!(
        "<g class=\"{class}\"><path class=\"line\" d=\"M{LEFT} {line}h24\"/></g>\
         <text x=\"{x}\" y=\"{y}\">{name}</text>\n",
        class = colour_class(i),
        line = y - 4.0,
        x = LEFT + 32.0,
        name = escape(&series.name),
    )
}
