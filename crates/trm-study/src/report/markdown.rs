//! A page as Markdown: its numbers, without its pictures.

use super::{Chart, Report, Table};
use std::fmt::Write;

/// Writes the page as Markdown. Charts become lists of their points; examples are left out.
pub fn render_markdown(report: &Report) -> String {
    let mut text = format!("# {}\n", report.title);
    let mut add = |part: String| {
        if !part.is_empty() {
            write!(text, "\n{part}\n").expect("text grows");
        }
    };
    add(report.subtitle.clone());
    let line = |h: &super::Headline| format!("- **{}** {}: {}", h.value, h.label, h.note);
    add(report.headline.iter().map(line).collect::<Vec<_>>().join("\n"));
    report.tables.iter().for_each(|t| add(table(t)));
    report.charts.iter().for_each(|c| add(chart(c)));
    let fact = |(name, value): &(String, String)| format!("- {name}: {value}");
    add(report.facts.iter().map(fact).collect::<Vec<_>>().join("\n"));
    if !report.command.is_empty() {
        add(format!("Repeat it: `{}`", report.command));
    }
    text
}

fn section(title: &str, caption: &str, body: &str) -> String {
    let caption = if caption.is_empty() { String::new() } else { format!("{caption}\n\n") };
    format!("## {title}\n\n{caption}{body}")
}

fn table(table: &Table) -> String {
    let columns = table.header.len();
    let row = |cells: &[String]| {
        let cell = |i| cells.get(i).map_or(String::new(), |c: &String| c.replace('|', "\\|"));
        format!("| {} |", (0..columns).map(cell).collect::<Vec<_>>().join(" | "))
    };
    let rule = format!("|{}", "---|".repeat(columns));
    let rows = table.rows.iter().map(|r| row(r));
    let lines: Vec<String> = [row(&table.header), rule].into_iter().chain(rows).collect();
    section(&table.title, &table.caption, &lines.join("\n"))
}

fn chart(chart: &Chart) -> String {
    let series = |s: &super::Series| {
        let points = s.points.iter().map(|(x, y)| format!("({}, {})", short(*x), short(*y)));
        format!("- {}: {}", s.name, points.collect::<Vec<_>>().join(", "))
    };
    let lines: Vec<String> = chart.series.iter().map(series).collect();
    let title = format!("{}: {} by {}", chart.title, chart.y_label, chart.x_label);
    section(&title, &chart.caption, &lines.join("\n"))
}

/// Four digits are enough for a list.
fn short(x: f64) -> String {
    let digits = 3 - x.abs().log10().floor().clamp(-12.0, 3.0) as i32;
    let text = format!("{x:.*}", digits.max(0) as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Series;

    #[test]
    fn tables_and_points_are_there() {
        let points = vec![(0.000_123_456, 50.0), (12_345.678, 99.96)];
        let page = Report {
            title: "A study".into(),
            charts: vec![Chart {
                title: "Accuracy".into(),
                x_label: "GFLOP".into(),
                y_label: "%".into(),
                series: vec![Series { name: "one".into(), points, band: Vec::new() }],
                ..Chart::default()
            }],
            tables: vec![Table {
                title: "Sizes".into(),
                header: vec!["name".into(), "n".into()],
                rows: vec![vec!["a|b".into()]],
                ..Table::default()
            }],
            ..Report::default()
        };
        let text = render_markdown(&page);
        assert!(
            text.starts_with("# A study\n\n## Sizes\n\n| name | n |\n|---|---|\n| a\\|b |  |\n")
        );
        assert!(
            text.ends_with("## Accuracy: % by GFLOP\n\n- one: (0.0001235, 50), (12346, 99.96)\n")
        );
    }
}
