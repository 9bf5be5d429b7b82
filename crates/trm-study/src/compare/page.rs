//! What was found, as one page.

mod growth;

use super::language::Language;
use super::measure::{Curve, Outcome, Point};
use super::{Finding, Findings};
use crate::report::{Band, Chart, Headline, Report, Scale, Series, Table, Thinking};
use crate::{FirstErrors, wilson};
use trm_data::text::{counted, duration, percent};

/// The page of a study.
pub(super) fn page(findings: &Findings, thinking: Vec<Thinking>) -> Report {
    let mut charts = vec![compute_chart(findings)];
    charts.extend(error_chart(findings));
    charts.extend([growth::chart(findings, true), growth::chart(findings, false)]);
    let mut tables = vec![contenders(findings), test_time(findings)];
    tables.extend(first_errors(findings));
    tables.extend(language_models(findings));
    tables.push(growth::table(findings));
    Report {
        title: findings.title.clone(),
        subtitle: format!(
            "{} All were trained with {} of compute on the same puzzles, and measured on {}.",
            conclusion(findings),
            operations(findings.training_flops),
            counted(findings.puzzles, "other")
        ),
        headline: findings.contenders.iter().map(|c| headline(findings, c)).collect(),
        charts,
        thinking,
        tables,
        facts: facts(findings),
        command: findings.command.clone(),
    }
}

/// Who is right most often, in a sentence.
fn conclusion(findings: &Findings) -> String {
    let result = |contender| (contender, exact(findings, contender));
    let mut results: Vec<_> = findings.contenders.iter().map(result).collect();
    results.sort_by(|(_, (a, _)), (_, (b, _))| b.total_cmp(a));
    let says = |place: usize| {
        let (contender, (share, interval)): &(&Finding, (f64, (f64, f64))) = &results[place];
        format!("{} ({}, 95 % interval {})", contender.name, percent(*share), range(*interval))
    };
    match &results[..] {
        [] => String::new(),
        [_] => format!("Exactly right: {}.", says(0)),
        [(_, (_, (low, _))), (_, (_, (_, high))), ..] if low > high => {
            format!("{} is exactly right most often; next is {}.", says(0), says(1))
        }
        _ => format!("No one is clearly ahead: {} and {} overlap.", says(0), says(1)),
    }
}

/// The table of contenders as lines of text.
pub fn lines(findings: &Findings) -> Vec<String> {
    let mut lines = Vec::new();
    let names = findings.contenders.iter().map(|c| &c.name);
    let names = names.chain(findings.language_models.iter().map(|m| &m.name));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    for contender in &findings.contenders {
        let (exact, (low, high)) = exact(findings, contender);
        lines.push(format!(
            "{:width$}  {:>7} exact ({:.1}–{:.1} %)  {:>8} parameters  {:>9} an answer",
            contender.name,
            percent(exact),
            100.0 * low,
            100.0 * high,
            contender.parameters,
            operations(mean(contender, |o| o.cost.flops)),
        ));
        let most = with_most_compute(findings, contender);
        lines.push(format!("{:width$}  with most compute: {most}", ""));
    }
    for model in findings.language_models.iter().filter(|model| model.asked > 0) {
        let Language { name, asked, exact, .. } = model;
        let (low, high) = wilson(*exact, *asked);
        lines.push(format!(
            "{name:width$}  {:>7} exact ({:.1}–{:.1} %)  of {asked} asked",
            percent(*exact as f64 / *asked as f64),
            100.0 * low,
            100.0 * high,
        ));
    }
    lines
}

fn mean(contender: &Finding, of: impl Fn(&Outcome) -> f64) -> f64 {
    contender.outcomes.iter().map(of).sum::<f64>() / contender.outcomes.len().max(1) as f64
}

/// Share of right answers over all seeds, and its 95 % interval.
fn exact(findings: &Findings, contender: &Finding) -> (f64, (f64, f64)) {
    let right = contender.outcomes.iter().map(|o| o.exact).sum();
    let total = findings.puzzles * contender.outcomes.len();
    (right as f64 / total.max(1) as f64, wilson(right, total))
}

fn headline(findings: &Findings, contender: &Finding) -> Headline {
    let (exact, interval) = exact(findings, contender);
    let note = format!("exactly right; 95 % interval {}", range(interval));
    Headline { label: contender.name.clone(), value: percent(exact), note }
}

fn range((low, high): (f64, f64)) -> String {
    format!("{:.1}–{:.1} %", 100.0 * low, 100.0 * high)
}

/// "3.2 GFLOP"
fn operations(flops: f64) -> String {
    let units = [(1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP")];
    let (scale, unit) = units.into_iter().find(|(s, _)| flops >= *s).unwrap_or((1e6, "MFLOP"));
    format!("{:.3} {unit}", flops / scale)
}

fn texts<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(String::from).to_vec()
}

/// Curves of one name, their points summed over seeds: operations, right answers.
fn pooled(contender: &Finding) -> Vec<(String, Vec<Point>)> {
    let first: &[Curve] = contender.outcomes.first().map_or(&[], |o| &o.curves);
    let seeds = contender.outcomes.len() as f64;
    let sum = |(i, curve): (usize, &Curve)| {
        let at = |j: usize| {
            let points = contender.outcomes.iter().map(|o| o.curves[i].points[j]);
            points.fold(Point { flops: 0.0, exact: 0 }, |sum, p| Point {
                flops: sum.flops + p.flops / seeds,
                exact: sum.exact + p.exact,
            })
        };
        (curve.name.clone(), (0..curve.points.len()).map(at).collect())
    };
    first.iter().enumerate().map(sum).collect()
}

/// Where every curve ends.
fn with_most_compute(findings: &Findings, contender: &Finding) -> String {
    let total = (findings.puzzles * contender.outcomes.len()).max(1) as f64;
    let of = |(name, points): &(String, Vec<Point>)| {
        let point = points.last()?;
        let share = percent(point.exact as f64 / total);
        Some(format!("{name} {share} at {}", operations(point.flops)))
    };
    pooled(contender).iter().filter_map(of).collect::<Vec<_>>().join("; ")
}

fn compute_chart(findings: &Findings) -> Chart {
    let mut series = Vec::new();
    for contender in &findings.contenders {
        let total = findings.puzzles * contender.outcomes.len();
        for (name, points) in pooled(contender) {
            let share = |p: &Point| 100.0 * p.exact as f64 / total.max(1) as f64;
            let band = |p: &Point| {
                let (low, high) = wilson(p.exact, total);
                Band { x: p.flops / 1e6, low: 100.0 * low, high: 100.0 * high }
            };
            series.push(Series {
                name: format!("{}: {name}", contender.name),
                points: points.iter().map(|p| (p.flops / 1e6, share(p))).collect(),
                band: points.iter().map(band).collect(),
            });
        }
    }
    Chart {
        title: "Accuracy against test-time compute".into(),
        caption: "Recursive models buy accuracy with supervision steps, autoregressive ones with answers to \
                  choose from: by their own probability, or by the rules of the puzzle. Shaded: 95 % intervals."
            .into(),
        x_label: "MFLOP per puzzle".into(),
        y_label: "% of puzzles exactly right".into(),
        x_scale: Scale::Log,
        y_range: Some((0.0, 100.0)),
        series,
        ..Chart::default()
    }
}

fn pooled_errors(contender: &Finding) -> Option<FirstErrors> {
    let mut all = contender.outcomes.iter().filter_map(|o| o.first_errors.as_ref());
    let mut sum = all.next()?.clone();
    let mut count = 1.0;
    for errors in all {
        sum.answers += errors.answers;
        sum.wrong += errors.wrong;
        sum.repaired += errors.repaired;
        sum.tenths.iter_mut().zip(errors.tenths).for_each(|(a, b)| *a += b);
        sum.later_wrong += errors.later_wrong;
        sum.later_wrong_corrected += errors.later_wrong_corrected;
        count += 1.0;
    }
    sum.later_wrong /= count;
    sum.later_wrong_corrected /= count;
    Some(sum)
}

fn error_chart(findings: &Findings) -> Option<Chart> {
    let series = |contender: &Finding| {
        let errors = pooled_errors(contender)?;
        let share = |n: usize| 100.0 * n as f64 / errors.answers.max(1) as f64;
        let points = errors.tenths.iter().enumerate();
        let points = points.map(|(i, n)| (10.0 * i as f64 + 5.0, share(*n))).collect();
        Some(Series { name: contender.name.clone(), points, band: Vec::new() })
    };
    let series: Vec<Series> = findings.contenders.iter().filter_map(series).collect();
    (!series.is_empty()).then(|| Chart {
        title: "Where a written answer first goes wrong".into(),
        caption: "By how much of the answer had been written, in tenths.".into(),
        x_label: "% of the answer written".into(),
        y_label: "% of all answers".into(),
        series,
        ..Chart::default()
    })
}

fn contenders(findings: &Findings) -> Table {
    let row = |contender: &Finding| {
        let (share, interval) = exact(findings, contender);
        let by_seed = contender
            .outcomes
            .iter()
            .map(|o| format!("{:.1}", 100.0 * o.exact as f64 / findings.puzzles.max(1) as f64));
        vec![
            contender.name.clone(),
            percent(share),
            range(interval),
            by_seed.collect::<Vec<_>>().join(", "),
            percent(mean(contender, |o| o.cells)),
            contender.parameters.to_string(),
            format!("{:.0}", mean(contender, |o| o.training.steps as f64)),
            operations(mean(contender, |o| o.training.flops)),
            duration(mean(contender, |o| o.training.seconds)),
        ]
    };
    Table {
        title: "The contenders".into(),
        caption: "Each answers as it was trained to: a recursive model after as many supervision steps as in \
                  training, an autoregressive one greedily. Intervals are over the puzzles of all seeds."
            .into(),
        header: texts([
            "contender",
            "exact",
            "95 % interval",
            "by seed, %",
            "cells",
            "parameters",
            "steps",
            "training",
            "trained for",
        ]),
        rows: findings.contenders.iter().map(row).collect(),
    }
}

fn test_time(findings: &Findings) -> Table {
    let row = |contender: &Finding| {
        vec![
            contender.name.clone(),
            operations(mean(contender, |o| o.cost.flops)),
            format!("{:.4}", mean(contender, |o| o.cost.counted)),
            format!("{:.1}", mean(contender, |o| o.cost.milliseconds)),
            format!("{:.1}", mean(contender, |o| o.cost.bytes as f64) / f64::from(1 << 20)),
            with_most_compute(findings, contender),
        ]
    };
    Table {
        title: "One answer".into(),
        caption: "Operations by formula, and what the engine counted over that; median time of one puzzle at a \
                  time in f32; bytes of all tensors, weights included; what most compute buys."
            .into(),
        header: texts(["contender", "operations", "counted", "ms", "MiB", "with most compute"]),
        rows: findings.contenders.iter().map(row).collect(),
    }
}

fn first_errors(findings: &Findings) -> Option<Table> {
    let row = |contender: &Finding| {
        let errors = pooled_errors(contender)?;
        Some(vec![
            contender.name.clone(),
            percent(errors.wrong as f64 / errors.answers.max(1) as f64),
            percent(errors.later_wrong),
            percent(errors.later_wrong_corrected),
            percent(errors.repaired as f64 / errors.wrong.max(1) as f64),
        ])
    };
    let rows: Vec<Vec<String>> = findings.contenders.iter().filter_map(row).collect();
    (!rows.is_empty()).then(|| Table {
        title: "Do later mistakes follow from the first?".into(),
        caption: "Of the cells written after the first wrong one, how many are wrong too; and how many when \
                  the first is put right and the rest written anew."
            .into(),
        header: texts([
            "contender",
            "wrong answers",
            "later cells wrong",
            "with the first put right",
            "answers repaired by that",
        ]),
        rows,
    })
}

fn language_models(findings: &Findings) -> Option<Table> {
    let or_dash = |number: Option<f64>| number.map_or("–".into(), |n| format!("{n:.0}"));
    let row = |model: &Language| {
        let Language { asked, exact, unreadable, cut_off, cost, .. } = model;
        let some = *asked > 0;
        vec![
            model.name.clone(),
            model.model.clone(),
            format!("{asked} of {}", model.wanted),
            if some { percent(*exact as f64 / *asked as f64) } else { "–".into() },
            if some { range(wilson(*exact, *asked)) } else { "–".into() },
            format!("{unreadable} ({cut_off})"),
            format!("{} + {}", or_dash(model.prompt_tokens), or_dash(model.answer_tokens)),
            if *cost > 0.0 { format!("{cost:.4}") } else { "–".into() },
            duration(model.milliseconds / 1e3),
        ]
    };
    (!findings.language_models.is_empty()).then(|| Table {
        title: "Language models".into(),
        caption: "Asked about the first of the same puzzles in words, once each, and not trained on them. A reply \
                  without an answer in the form that was asked for is unreadable and counts as wrong (in brackets \
                  those that ended because the model had used up its tokens). Mean tokens of prompt and answer; \
                  cost of all answers by the prices of the study; median time of a reply."
            .into(),
        header: texts([
            "contender",
            "model",
            "asked",
            "exact",
            "95 % interval",
            "unreadable",
            "tokens",
            "cost",
            "time",
        ]),
        rows: findings.language_models.iter().map(row).collect(),
    })
}

fn facts(findings: &Findings) -> Vec<(String, String)> {
    let seeds = findings.contenders.first().map_or(0, |c| c.outcomes.len());
    let fact = |name: &str, value: String| (name.to_owned(), value);
    vec![
        fact("seeds", seeds.to_string()),
        fact("training data", findings.data_digest.clone()),
        fact("unseen puzzles", findings.test_digest.clone()),
        fact("the whole study took", duration(findings.seconds)),
        fact("program", findings.program.clone()),
        fact("machine", format!("{}, {}", findings.machine, counted(findings.threads, "thread"))),
        fact("device", findings.device.clone()),
    ]
}
