//! The part of a study's page about puzzles of growing size.

use super::super::growth::Growth;
use super::super::{Finding, Findings};
use super::{operations, texts};
use crate::report::{Chart, Scale, Series, Table};

/// Operations or time by size of the puzzle.
pub(super) fn chart(findings: &Findings, by_operations: bool) -> Chart {
    let series = |contender: &Finding| Series {
        name: contender.name.clone(),
        points: findings
            .growth
            .iter()
            .filter(|g| g.contender == contender.name)
            .map(|g| (g.cells as f64, if by_operations { g.flops / 1e6 } else { g.milliseconds }))
            .collect(),
        band: Vec::new(),
    };
    let (title, y_label) = match by_operations {
        true => ("Operations by size of the puzzle", "MFLOP per answer"),
        false => ("Time by size of the puzzle", "ms per answer, one at a time"),
    };
    Chart {
        title: title.into(),
        caption: caption(findings),
        x_label: "cells".into(),
        y_label: y_label.into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        series: findings.contenders.iter().map(series).collect(),
        ..Chart::default()
    }
}

/// What was measured, and what each contender cannot read.
fn caption(findings: &Findings) -> String {
    let mut domains: Vec<&str> = Vec::new();
    for growth in &findings.growth {
        if !domains.contains(&&growth.domain[..]) {
            domains.push(&growth.domain);
        }
    }
    let lacks = |contender: &Finding| {
        let is_measured = |domain: &str| {
            let mut all = findings.growth.iter();
            all.any(|g| g.contender == contender.name && g.domain == domain)
        };
        let absent: Vec<&str> = domains.iter().copied().filter(|d| !is_measured(d)).collect();
        let is_some = !absent.is_empty();
        is_some.then(|| format!(" Not measured: {} on {}.", contender.name, absent.join(", ")))
    };
    let absent: String = findings.contenders.iter().filter_map(lacks).collect();
    format!("The same networks, with random weights, on {}.{absent}", domains.join(", "))
}

/// All that was measured.
pub(super) fn table(findings: &Findings) -> Table {
    let row = |g: &Growth| {
        vec![
            g.contender.clone(),
            g.domain.clone(),
            g.cells.to_string(),
            g.parameters.to_string(),
            operations(g.flops),
            format!("{:.1}", g.milliseconds),
        ]
    };
    Table {
        title: "Growing puzzles".into(),
        caption: "An answer to one puzzle, with random weights.".into(),
        header: texts(["contender", "puzzle", "cells", "parameters", "operations", "ms"]),
        rows: findings.growth.iter().map(row).collect(),
    }
}
