//! Accuracy against compute, beside what others have published.

use trm::Config;
use trm_puzzles::Domain;
use trm_puzzles::sudoku::Shape;
use trm_train::report::{Chart, Scale, Series};
use trm_train::{Evaluation, SearchReport};

/// Published accuracies of the 5 M mixer on Sudoku-Extreme, by supervision steps of one pass
/// (docs/REFERENCE.md, section 5).
const ONE_PASS: [(usize, f64); 3] = [(16, 79.3), (64, 83.5), (256, 86.3)];

/// Published accuracies with search: how, the steps of all rollouts, and what they reached.
const SEARCHES: [(&str, usize, f64); 2] = [
    ("100 × 64 steps, noise, chosen by halting head", 100 * 64, 98.8),
    ("128 × 64 steps, restarts, checked by rules", 128 * 64, 97.5),
];

/// One pass: every number of supervision steps.
pub(crate) fn of_evaluation(config: &Config, evaluation: &Evaluation) -> Chart {
    let exact = |(i, step): (usize, &trm_train::StepScore)| (i + 1, evaluation.share(step.exact));
    let points = evaluation.steps.iter().enumerate().map(exact);
    chart(config, "this model, one pass: exact", points.collect())
}

/// A search: every budget of steps.
pub(crate) fn of_search(config: &Config, report: &SearchReport) -> Chart {
    let share = |(steps, verified): &(usize, usize)| {
        (*steps, *verified as f64 / report.puzzles.max(1) as f64)
    };
    chart(config, "this model, search: verified", report.curve.iter().map(share).collect())
}

fn chart(config: &Config, name: &str, measured: Vec<(usize, f64)>) -> Chart {
    let line = |name: &str, flops: f64, points: &mut dyn Iterator<Item = (usize, f64)>| Series {
        name: name.into(),
        points: points.map(|(steps, percent)| (steps as f64 * flops / 1e9, percent)).collect(),
        band: Vec::new(),
    };
    let mut ours = measured.into_iter().map(|(steps, share)| (steps, 100.0 * share));
    let mut series = vec![line(name, config.forward_flops(), &mut ours)];
    let mut caption = "A puzzle's compute is that of all its supervision steps.".to_owned();
    if config.domain == Domain::Sudoku(Shape::Nine).name() {
        let published = Config::default().forward_flops(); // the public preset for Sudoku
        let one_pass = "TRM mixer, 5 M, one pass of 16, 64, 256 steps (published)";
        series.push(line(one_pass, published, &mut ONE_PASS.into_iter()));
        for (search, steps, percent) in SEARCHES {
            let name = format!("TRM mixer, {search} (published)");
            series.push(line(&name, published, &mut std::iter::once((steps, percent))));
        }
        caption += " Published points are of the whole test set of Sudoku-Extreme; how many steps a \
                    search spent before it stopped is not published, so that theirs are the most.";
    }
    Chart {
        title: "Accuracy against compute".into(),
        caption,
        x_label: "GFLOP per puzzle, at most".into(),
        y_label: "% of puzzles".into(),
        x_scale: Scale::Log,
        y_range: Some((0.0, 100.0)),
        series,
        ..Chart::default()
    }
}
