//! The page as a whole.

use super::html::{coordinate, escape};
use super::trace::{MAX_POINTS, Trace};
use super::*;

const NASTY: &str = "<b>&\"quoted\" 'it' </script>\u{0}";

fn series(name: &str, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.to_owned(), points, ..Series::default() }
}

fn line(points: Vec<(f64, f64)>) -> Trace {
    Trace::new(&series("", points), Scale::Linear)
}

fn chart(series: Vec<Series>) -> Chart {
    Chart { title: "loss".to_owned(), series, ..Chart::default() }
}

fn page_of(chart: Chart) -> String {
    let page = render(&Report { charts: vec![chart], ..Report::default() });
    assert_well_formed(&page);
    assert!(!page.contains("NaN") && !page.contains("inf "), "{page}");
    page
}

fn nasty() -> String {
    NASTY.to_owned()
}

/// Cells with every paint and every combination of marks.
fn nasty_cells() -> Vec<Cell> {
    let fills = |i| [Fill::Plain, Fill::Ink, Fill::Accent, Fill::Colour(i)];
    let cell = |i: u8| Cell {
        text: nasty(),
        fill: fills(i)[usize::from(i / 8 % 4)],
        given: i & 1 != 0,
        changed: i & 2 != 0,
        wrong: i & 4 != 0,
        broken: i & 32 != 0,
    };
    (0..64).map(cell).collect()
}

fn nasty_chart() -> Chart {
    let wave = |k: u32| (0..2000).map(move |i| (f64::from(i), f64::from(i * k % 17)));
    Chart {
        title: nasty(),
        caption: nasty(),
        x_label: nasty(),
        y_label: nasty(),
        x_scale: Scale::Linear,
        y_scale: Scale::Log,
        y_range: None,
        series: (1..9).map(|k| series(NASTY, wave(k).collect())).collect(),
    }
}

/// A page that uses every part, with unfriendly text everywhere.
fn full() -> Report {
    let step = ThinkingStep { label: nasty(), note: nasty(), cells: nasty_cells() };
    Report {
        title: nasty(),
        subtitle: nasty(),
        headline: vec![Headline { label: nasty(), value: nasty(), note: nasty() }],
        charts: vec![nasty_chart()],
        thinking: vec![Thinking {
            title: nasty(),
            caption: nasty(),
            columns: 8,
            box_rows: 2,
            box_cols: 2,
            question: nasty_cells(),
            steps: vec![step],
        }],
        tables: vec![Table {
            title: nasty(),
            caption: nasty(),
            header: vec![nasty()],
            rows: vec![vec![nasty(), nasty()], vec![]],
        }],
        facts: vec![(nasty(), nasty())],
        command: nasty(),
    }
}

/// Every tag closes in order; attribute values are quoted and free of markup.
fn assert_well_formed(page: &str) {
    let (head, rest) = page.split_once("<style>").expect("style");
    let (_, body) = rest.split_once("</style>").expect("style ends");
    let mut open: Vec<&str> = Vec::new();
    let text = format!("{head}{body}");
    for piece in text.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').expect("a tag ends");
        assert!(!after.contains('>'), "stray > in {after:?}");
        assert!(tag.matches('"').count().is_multiple_of(2), "quotes in {tag:?}");
        let name = tag.split([' ', '/']).find(|s| !s.is_empty()).unwrap_or("");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closing {tag:?}");
        } else if !tag.ends_with('/') && !matches!(name, "meta" | "!DOCTYPE") {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn a_full_page_is_well_formed_and_an_empty_one_too() {
    assert_well_formed(&render(&full()));
    assert_well_formed(&render(&Report::default()));
}

#[test]
fn a_chart_alone_is_a_well_formed_file() {
    let file = render_chart(&nasty_chart());
    assert_well_formed(&file);
    assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    assert_eq!(file.matches(&format!(">{}</text>", escape(NASTY))).count(), 8 + 3); // title, axes
    assert_well_formed(&render_chart(&Chart::default()));
}

#[test]
fn text_never_becomes_markup() {
    let page = render(&full());
    assert!(!page.contains("<b>&\"") && !page.contains("</script>") && !page.contains('\0'));
    assert!(page.contains("&lt;b&gt;&amp;&quot;quoted&quot; &#39;it&#39;"));
    assert_eq!([coordinate(-0.01), coordinate(12.34)], ["0", "12.3"]);
    assert_eq!(escape("a<b & \"c\"\u{7}"), "a&lt;b &amp; &quot;c&quot;\u{fffd}");
}

#[test]
fn a_page_refers_to_nothing_outside_itself() {
    let page = render(&full());
    for reference in ["http://", "https://", "src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn the_same_report_gives_the_same_page() {
    assert_eq!(render(&full()), render(&full()));
}

#[test]
fn values_that_are_not_finite_leave_a_gap_and_are_counted() {
    let holes = [1.0, 2.0, f64::NAN, 4.0, f64::INFINITY, f64::NEG_INFINITY, 7.0, 8.0];
    let points: Vec<(f64, f64)> = (0..8).map(|i| (f64::from(i), holes[i as usize])).collect();
    let trace = line(points.clone());
    let lengths: Vec<usize> = trace.lines.iter().map(Vec::len).collect();
    assert_eq!((lengths, trace.undrawn, trace.last), (vec![2, 1, 2], 3, Some(8.0)));
    assert!(page_of(chart(vec![series("a", points)])).contains("Left out because not finite: 3."));
}

#[test]
fn empty_single_and_constant_series_can_be_drawn() {
    assert!(page_of(chart(vec![])).contains("nothing to draw yet"));
    let nothing = page_of(chart(vec![series("a", vec![(f64::NAN, 1.0), (1.0, f64::NAN)])]));
    assert!(nothing.contains("nothing to draw yet") && nothing.contains("no points"));
    assert_eq!(page_of(chart(vec![series("a", vec![(3.0, 0.25)])])).matches("<circle").count(), 1);
    let constant = (0..500).map(|i| (f64::from(i), 0.0)).collect();
    assert!(page_of(chart(vec![series("a", constant)])).contains("class=\"line\""));
    let twice = vec![(1.0, 1.0), (1.0, 2.0), (0.0, 3.0)];
    assert_eq!(line(twice).lines[0].iter().map(|s| s.y).collect::<Vec<_>>(), [3.0, 1.0, 2.0]);
}

#[test]
fn many_points_become_bucket_means_with_their_extent() {
    let count = 3 * MAX_POINTS as u32;
    let trace = line((0..count).map(|i| (f64::from(i), f64::from(i % 3))).collect());
    assert_eq!(
        (trace.bucket, trace.lines[0].len(), trace.bands[0].len()),
        (3, MAX_POINTS, MAX_POINTS)
    );
    assert!(trace.lines[0].iter().all(|s| (s.y, s.low, s.high) == (1.0, 0.0, 2.0)));
    assert_eq!(trace.lines[0][1].x, 4.0);
    assert_eq!(trace.extent, Some((0.0, f64::from(count - 1))));
    let short = line((0..MAX_POINTS).map(|i| (i as f64, 1.0)).collect());
    assert_eq!((short.bucket, short.lines[0].len(), short.bands.len()), (1, MAX_POINTS, 0));
}

#[test]
fn a_logarithmic_chart_leaves_out_what_is_not_above_zero() {
    let mut band = series("a", vec![(0.0, 1.0), (1.0, 0.0), (2.0, -1.0), (3.0, 0.01)]);
    band.band = (0..4).map(|i| Band { x: f64::from(i), low: 0.0, high: 2.0 }).collect();
    let page = page_of(Chart { y_scale: Scale::Log, ..chart(vec![band]) });
    assert!(page.contains("Left out because not finite or not above zero: 2."));
}

#[test]
fn points_outside_a_fixed_range_are_mentioned() {
    let data = vec![series("a", vec![(0.0, 50.0), (1.0, 120.0)])];
    let page = page_of(Chart { y_range: Some((0.0, 100.0)), ..chart(data.clone()) });
    assert!(page.contains("Outside the shown range: 1."));
    let unusable = Chart { y_range: Some((f64::NAN, 100.0)), ..chart(data) };
    assert!(!page_of(unusable).contains("Outside"));
}

#[test]
fn marks_of_a_cell_combine_and_only_those_that_occur_are_explained() {
    let thinking = |cell: Cell| Report {
        thinking: vec![Thinking {
            columns: 1,
            question: vec![Cell::given("5")],
            steps: vec![ThinkingStep { cells: vec![cell], ..ThinkingStep::default() }],
            ..Thinking::default()
        }],
        ..Report::default()
    };
    let broken = render(&thinking(Cell { broken: true, ..Cell::answer("7") }));
    assert!(broken.contains("says the referee") && broken.contains("<path class=\"broken\""));
    let both = render(&thinking(Cell { changed: true, wrong: true, ..Cell::answer("7") }));
    assert!(both.contains("changed in this step") && both.contains("<path class=\"wrong\""));
    let neither = render(&thinking(Cell::answer("7")));
    assert!(
        [
            "changed in this step",
            "<path class=\"wrong\"",
            "says the referee",
            "<path class=\"broken\""
        ]
        .iter()
        .all(|mark| !neither.contains(mark))
    );
}

#[test]
fn a_grid_without_columns_or_with_a_ragged_end_is_drawn() {
    for columns in [0, 3] {
        let page = render(&Report {
            thinking: vec![Thinking {
                columns,
                question: vec![Cell::given("5"); 4],
                ..Thinking::default()
            }],
            ..Report::default()
        });
        assert_well_formed(&page);
    }
}

#[test]
fn columns_of_numbers_are_aligned_at_the_right() {
    let rows = [["a", "99.6 %"], ["b", "–"]].map(|row| row.map(str::to_owned).to_vec());
    let table = Table {
        header: vec!["name".into(), "value".into()],
        rows: rows.to_vec(),
        ..Table::default()
    };
    let page = render(&Report { tables: vec![table], ..Report::default() });
    assert!(page.contains("<td>a</td><td class=\"number\">99.6 %</td>"));
}

#[test]
fn powers_of_ten_lie_evenly_on_a_horizontal_axis() {
    let points = vec![(1.0, 0.0), (10.0, 1.0), (100.0, 2.0)];
    let series = vec![Series { name: "a".into(), points, band: Vec::new() }];
    let page = render_chart(&Chart { x_scale: Scale::Log, series, ..Chart::default() });
    let centres: Vec<f64> = page
        .split("<circle cx=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect();
    let [a, b, c] = centres[..] else { panic!("three points: {centres:?}") };
    assert!(a < b && ((b - a) - (c - b)).abs() < 1.0, "{centres:?}");
}
