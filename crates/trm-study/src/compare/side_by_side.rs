//! One puzzle, two ways: the draft being revised, and the sequence being written.

use super::study::{Entry, Sizes};
use crate::pages::{Watched, grids as draw, worth_watching};
use crate::report::Thinking;
use crate::{Error, Trail, TrailStep};
use std::path::Path;
use trm::{Autoregressive, Network, Sampling, Solver};
use trm_data::{Dataset, load_autoregressive, load_model};
use trm_ops::{DType, Device};
use trm_puzzles::Domain;
use trm_train::write_answers;

/// Puzzles looked at for one worth showing.
const LOOKED_AT: usize = 64;
/// Stages shown of a written answer, at most.
const STAGES: usize = 12;

/// The puzzle that the first recursive model revises most, as that model and every autoregressive one answer
/// it. Nothing where there is no such pair or the puzzles have no known rules.
pub(super) fn grids(
    entries: &[Entry],
    seed: u64,
    out: &Path,
    test: &Dataset,
    device: &Device,
) -> Result<Vec<Thinking>, Error> {
    let folder = |entry: &Entry| out.join(entry.slug()).join(format!("seed-{seed}"));
    let revises = |e: &&Entry| matches!(&e.network, Sizes::Recursive(c) if c.supervision_steps > 1);
    let (Ok(domain), Some(first)) =
        (test.metadata.domain.parse::<Domain>(), entries.iter().find(revises))
    else {
        return Ok(Vec::new());
    };
    let model = load_model(&folder(first), device)?;
    let steps = model.config().supervision_steps;
    let solver = Solver::new(model, DType::F32).batch(LOOKED_AT);
    let Watched { puzzle, trail, right } = worth_watching(&solver, test, LOOKED_AT, steps)?;
    let one = test.select_groups(&[puzzle]);
    let note = |(i, step): (usize, &TrailStep)| {
        let sure = format!("sure to {:.1} %", 100.0 * step.halt_probability);
        (format!("step {}", i + 1), format!("{sure} · {}", step.verdict))
    };
    let notes: Vec<_> = trail.steps.iter().enumerate().map(note).collect();
    let mut all = vec![Thinking {
        title: format!("A draft being revised: {}", first.name),
        caption: "The same unseen puzzle below. Every step revises all cells at once; a cell that changed \
                  since the step before is marked, so is a wrong one."
            .into(),
        ..draw(&domain, &trail, &notes, &right)
    }];
    for entry in entries.iter().filter(|e| matches!(e.network, Sizes::Autoregressive(_))) {
        let model = load_autoregressive(&folder(entry), device)?;
        all.push(written(entry, &model, (&domain, &right), &one)?);
    }
    Ok(all)
}

fn written(
    entry: &Entry,
    model: &Autoregressive,
    (domain, right): (&Domain, &[u8]),
    one: &Dataset,
) -> Result<Thinking, Error> {
    let (config, question) = (model.config(), one.input(0));
    let mut tokens = Vec::new();
    write_answers(model, one, Sampling::Greedy, 1, &mut |_, _, written| {
        tokens.clone_from(&written.tokens);
    })?;
    let per_cell = config.per_cell();
    let cells = tokens.len() / per_cell;
    let stages = cells.clamp(1, STAGES);
    let mut trail = Trail { question: question.to_vec(), steps: Vec::new() };
    let mut notes = Vec::new();
    for stage in 1..=stages {
        let count = stage * cells / stages;
        let answer = config.read(question, &tokens[..count * per_cell]);
        let before = trail.steps.last().map_or(question, |step| &step.answer[..]);
        let changed = (0..answer.len()).filter(|i| answer[*i] != before[*i]).collect();
        let verdict = domain.verify(question, &answer)?;
        notes.push((format!("{count} of {cells} cells"), verdict.to_string()));
        trail.steps.push(TrailStep {
            chain: 1,
            step: stage,
            answer,
            halt_probability: 0.0,
            sureness: Vec::new(),
            changed,
            verdict,
        });
    }
    Ok(Thinking {
        title: format!("A sequence being written: {}", entry.name),
        caption: "What is written stays: cells written since the stage before are marked, so are wrong ones."
            .into(),
        ..draw(domain, &trail, &notes, right)
    })
}
