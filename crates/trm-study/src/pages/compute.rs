//! Accuracy against compute, beside what others have published.

use crate::report::{Chart, Scale, Series};
use crate::{Evaluation, SearchReport, StepScore};
use trm::Config;
use trm_puzzles::Domain;

/// One pass: every number of supervision steps.
pub fn of_evaluation(config: &Config, evaluation: &Evaluation) -> Chart {
    let exact = |(i, step): (usize, &StepScore)| (i + 1, evaluation.share(step.exact));
    let points = evaluation.steps.iter().enumerate().map(exact);
    chart(config, "this model, one pass: exact", points.collect())
}

/// A search: every budget of steps.
pub fn of_search(config: &Config, report: &SearchReport) -> Chart {
    let share = |(steps, verified): &(usize, usize)| {
        (*steps, *verified as f64 / report.puzzles.max(1) as f64)
    };
    chart(config, "this model, search", report.curve.iter().map(share).collect())
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
    let domain = config.domain.parse().ok();
    if let Some(published) = domain.and_then(|domain: Domain| domain.published()) {
        for (name, points) in published.results {
            let name = format!("{name} (published)");
            series.push(line(&name, published.flops, &mut points.iter().copied()));
        }
        caption = format!("{caption} {}", published.note);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_results_are_of_the_public_preset() {
        let config = Config { domain: "sudoku9".into(), ..Config::default() };
        let domain: Domain = config.domain.parse().unwrap();
        assert_eq!(domain.published().unwrap().flops, config.forward_flops());
        assert_eq!(chart(&config, "ours", Vec::new()).series.len(), 4);
        let other = Config { domain: "sudoku4".into(), ..config };
        assert_eq!(chart(&other, "ours", Vec::new()).series.len(), 1);
    }
}
