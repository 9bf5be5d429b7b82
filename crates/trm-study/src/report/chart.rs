//! Line charts as inline SVG.

use super::axis::{Axis, number};
use super::html::{coordinate, element, escape};
use super::trace::{Sample, Trace};
use super::{Chart, Scale, Series};

/// Colours and lines of charts, on the page and alone.
pub(super) const LOOKS: &str = include_str!("chart.css");

pub(super) const WIDTH: f64 = 520.0;
pub(super) const HEIGHT: f64 = 310.0;
pub(super) const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;
const PLOT_WIDTH: f64 = WIDTH - LEFT - RIGHT;
const PLOT_HEIGHT: f64 = HEIGHT - TOP - BOTTOM;
/// Lines may leave the plot by this much, so that one along its edge keeps its full width.
const BLEED: f64 = 4.0;
/// A series with at most this many points shows each of them.
const MAX_MARKERS: usize = 40;
/// A chart of more series is as wide as the page, with its legend beside the drawing.
const FEW: usize = 4;
/// Colours of the palette in `style.css`; further series repeat them with a broken line.
const COLOURS: usize = 6;

/// The figure of one chart: title, legend, drawing, caption.
pub(super) fn render(chart: &Chart) -> String {
    let traces = traces(chart);
    let axes = Axes::new(chart, &traces);
    format!(
        "<figure class=\"{class}\">\n{title}{legend}\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">\n\
         {drawing}</svg>\n{caption}</figure>\n",
        class = if chart.series.len() > FEW { "chart wide" } else { "chart" },
        title = element("h3", "", &chart.title),
        legend = legend(chart, &traces),
        label = label(chart),
        drawing = drawing(chart, &traces, &axes),
        caption = caption(chart, &traces, &axes),
    )
}

pub(super) fn traces(chart: &Chart) -> Vec<Trace> {
    chart.series.iter().map(|series| Trace::new(series, chart.y_scale)).collect()
}

/// What those read who do not see the drawing.
pub(super) fn label(chart: &Chart) -> String {
    escape(&format!("{}: {} over {}", chart.title, chart.y_label, chart.x_label))
}

/// Axes and lines, [`WIDTH`] by [`HEIGHT`].
pub(super) fn drawing(chart: &Chart, traces: &[Trace], axes: &Axes) -> String {
    let empty = traces.iter().all(|trace| trace.lines.is_empty());
    let body: String =
        traces.iter().enumerate().map(|(i, trace)| drawn_series(i, trace, axes)).collect();
    let message = if empty {
        let (x, y) = (LEFT + PLOT_WIDTH / 2.0, TOP + PLOT_HEIGHT / 2.0);
        format!("<text class=\"empty\" x=\"{x}\" y=\"{y}\">nothing to draw yet</text>")
    } else {
        String::new()
    };
    format!(
        "{grid}<svg x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" \
         viewBox=\"{x} {y} {w} {h}\">\n{body}</svg>\n{message}",
        grid = if empty { frame() } else { axes.drawn(&chart.x_label, &chart.y_label) },
        x = LEFT - BLEED,
        y = TOP - BLEED,
        w = PLOT_WIDTH + 2.0 * BLEED,
        h = PLOT_HEIGHT + 2.0 * BLEED,
    )
}

pub(super) struct Axes {
    x: Axis,
    y: Axis,
}

impl Axes {
    pub(super) fn new(chart: &Chart, traces: &[Trace]) -> Self {
        let samples = || traces.iter().flat_map(Trace::samples);
        let ends = traces.iter().filter_map(|t| t.extent).flat_map(|(a, b)| [a, b]);
        let places = samples().map(|s| s.x).chain(ends);
        let x = match chart.x_scale {
            Scale::Linear => Axis::snapped(range(places)),
            Scale::Log => Axis::rounded(Scale::Log, range(places.filter(|x| *x > 0.0))),
        };
        let usable = |v: &f64| Axis::can_show(chart.y_scale, *v);
        let y = match chart.y_range.filter(|(low, high)| usable(low) && usable(high)) {
            Some(fixed) => Axis::exact(chart.y_scale, fixed),
            None => {
                let values = samples().flat_map(|s| [s.low, s.y, s.high]).filter(usable);
                Axis::rounded(chart.y_scale, range(values))
            }
        };
        Self { x, y }
    }

    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        // Far outside is as good as just outside, and keeps the numbers short.
        let height = self.y.position(y).clamp(-1.0, 2.0);
        (LEFT + PLOT_WIDTH * self.x.position(x), TOP + PLOT_HEIGHT * (1.0 - height))
    }

    fn drawn(&self, x_label: &str, y_label: &str) -> String {
        let (right, bottom) = (LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT);
        let (mut lines, mut labels) = (String::new(), String::new());
        for (value, text) in &self.y.ticks {
            let y = coordinate(bottom - PLOT_HEIGHT * self.y.position(*value));
            lines += &format!("M{LEFT} {y}H{right}");
            labels += &format!("<text class=\"y\" x=\"{}\" y=\"{y}\">{text}</text>", LEFT - 8.0);
        }
        let mut marks = format!("M{LEFT} {bottom}H{right}");
        for (value, text) in &self.x.ticks {
            let x = coordinate(LEFT + PLOT_WIDTH * self.x.position(*value));
            marks += &format!("M{x} {bottom}v4");
            labels += &format!("<text class=\"x\" x=\"{x}\" y=\"{}\">{text}</text>", bottom + 18.0);
        }
        format!(
            "<path class=\"grid\" d=\"{lines}\"/><path class=\"axis\" d=\"{marks}\"/>\n{labels}\n\
             <text class=\"label\" x=\"{LEFT}\" y=\"14\">{}</text>\
             <text class=\"label end\" x=\"{right}\" y=\"{}\">{}</text>\n",
            escape(y_label),
            bottom + 38.0,
            escape(x_label)
        )
    }
}

fn frame() -> String {
    format!("<path class=\"grid\" d=\"M{LEFT} {TOP}h{PLOT_WIDTH}v{PLOT_HEIGHT}H{LEFT}z\"/>\n")
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.map(|v| (v, v)).reduce(|(a, b), (c, d)| (a.min(c), b.max(d))).unwrap_or((1.0, 2.0))
}

pub(super) fn colour_class(index: usize) -> String {
    format!("c{} d{}", index % COLOURS, index / COLOURS % 3)
}

fn drawn_series(index: usize, trace: &Trace, axes: &Axes) -> String {
    let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        points.fold(String::new(), |mut d, (x, y)| {
            let (x, y) = axes.place(x, y);
            let lead = if d.is_empty() { "M" } else { " " };
            d += &format!("{lead}{} {}", coordinate(x), coordinate(y));
            d
        })
    };
    let mut out = format!("<g class=\"{}\">", colour_class(index));
    for band in &trace.bands {
        let upper = band.iter().map(|s| (s.x, s.high));
        let lower = band.iter().rev().map(|s| (s.x, s.low));
        out += &format!("<path class=\"band\" d=\"{}z\"/>", path(&mut upper.chain(lower)));
    }
    for line in &trace.lines {
        let d = path(&mut line.iter().map(|s| (s.x, s.y)));
        out += &format!("<path class=\"line\" d=\"{d}\"/>");
    }
    out + &markers(trace, axes) + "</g>\n"
}

/// Circles where there are few points, and wherever a point without neighbours would be invisible.
fn markers(trace: &Trace, axes: &Axes) -> String {
    let count: usize = trace.lines.iter().map(Vec::len).sum();
    let marked = |line: &&Vec<Sample>| count <= MAX_MARKERS || line.len() == 1;
    let radius = if count <= MAX_MARKERS && count > 1 { 3 } else { 4 };
    let circle = |s: &Sample| {
        let (x, y) = axes.place(s.x, s.y);
        format!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{radius}\"><title>{}: {}</title></circle>",
            coordinate(x),
            coordinate(y),
            number(s.x),
            number(s.y)
        )
    };
    trace.lines.iter().filter(marked).flatten().map(circle).collect()
}

fn legend(chart: &Chart, traces: &[Trace]) -> String {
    let entry = |(i, (series, trace)): (usize, (&Series, &Trace))| {
        let last = match trace.last {
            Some(value) => format!("last <b>{}</b>", number(value)),
            None => "no points".to_owned(),
        };
        format!(
            "<li><svg class=\"key {}\" viewBox=\"0 0 24 10\" aria-hidden=\"true\">\
             <path class=\"line\" d=\"M1 5H23\"/></svg><span>{} · {last}</span></li>\n",
            colour_class(i),
            escape(&series.name)
        )
    };
    let entries: String = chart.series.iter().zip(traces).enumerate().map(entry).collect();
    if entries.is_empty() { entries } else { format!("<ul class=\"legend\">\n{entries}</ul>\n") }
}

/// The caption, and below it whatever the drawing does not show faithfully.
fn caption(chart: &Chart, traces: &[Trace], axes: &Axes) -> String {
    let mut notes = Vec::new();
    let bucket = traces.iter().map(|trace| trace.bucket).max().unwrap_or(1);
    if bucket > 1 {
        notes.push(format!("Each line point is the mean of up to {bucket} values."));
    }
    if traces.iter().zip(&chart.series).any(|(t, s)| t.bucket > 1 && s.band.is_empty()) {
        notes.push("The shade spans their smallest and largest.".to_owned());
    }
    let undrawn: usize = traces.iter().map(|trace| trace.undrawn).sum();
    if undrawn > 0 {
        let reason = if chart.y_scale == Scale::Log { " or not above zero" } else { "" };
        notes.push(format!("Left out because not finite{reason}: {undrawn}."));
    }
    let drawn = traces.iter().flat_map(|trace| trace.lines.iter().flatten());
    let outside = drawn.filter(|s| !axes.y.contains(s.y)).count();
    if outside > 0 {
        notes.push(format!("Outside the shown range: {outside}."));
    }
    let text = element("p", "", &chart.caption) + &element("p", "note", &notes.join(" "));
    if text.is_empty() { text } else { format!("<figcaption>{text}</figcaption>\n") }
}
