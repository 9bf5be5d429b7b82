//! Puzzles, drafts and trails as drawings.

use trm_data::text::percent;
use trm_puzzles::Domain;
use trm_study::pages::grids;
use trm_study::report::{Thinking, render_thinking};
use trm_study::{Trail, TrailStep};

/// A question, and what a model thought about it.
pub(crate) fn trail(domain: &Domain, trail: &Trail) -> String {
    let note = |(i, step): (usize, &TrailStep)| {
        let label = match step.chain {
            1 => format!("step {}", i + 1),
            chain => format!("step {} of chain {chain}", step.step),
        };
        (label, format!("sure to {} · {}", percent(step.halt_probability), step.verdict))
    };
    let notes: Vec<_> = trail.steps.iter().enumerate().map(note).collect();
    let unknown = vec![0; trail.question.len()];
    let title = format!("a model thinking about {domain}");
    render_thinking(&Thinking { title, ..grids(domain, trail, &notes, &unknown) })
}

/// A question alone.
pub(crate) fn question(domain: &Domain, question: &[u8]) -> String {
    let alone = Trail { question: question.to_vec(), steps: Vec::new() };
    let title = format!("a puzzle of {domain}");
    render_thinking(&Thinking { title, ..grids(domain, &alone, &[], &[]) })
}

/// One draft, without the question.
pub(crate) fn draft(domain: &Domain, question: &[u8], step: &TrailStep) -> String {
    let alone = Trail { question: question.to_vec(), steps: vec![step.clone()] };
    let notes = [(String::new(), String::new())];
    let unknown = vec![0; question.len()];
    let title = format!("a draft of {domain}");
    let drawn = grids(domain, &alone, &notes, &unknown);
    render_thinking(&Thinking { title, question: Vec::new(), ..drawn })
}

/// Drawn with characters.
pub(crate) fn text(domain: &Domain, tokens: &[u8]) -> String {
    domain.render(tokens, &|_, symbol| symbol.to_owned()).trim_end_matches('\n').to_owned()
}
