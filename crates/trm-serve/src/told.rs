//! What is told of puzzles, as JSON.

use crate::asked::Drafts;
use serde_json::{Value, json};
use trm::Found;
use trm_puzzles::Domain;
use trm_study::TrailStep;

/// A draft.
pub(crate) fn draft(domain: &Domain, step: &TrailStep) -> Value {
    json!({
        "chain": step.chain,
        "step": step.step,
        "answer": domain.format_line(&step.answer),
        "rows": rows(domain, &step.answer),
        "sureness": step.sureness,
        "halt_probability": step.halt_probability,
        "changed": step.changed,
        "solved": step.verdict.decision(),
    })
}

/// The symbols of all cells, row by row.
fn rows(domain: &Domain, tokens: &[u8]) -> Vec<Vec<String>> {
    let row = |row: &[u8]| row.iter().map(|token| domain.symbol(*token).to_string()).collect();
    tokens.chunks(domain.layout().columns).map(row).collect()
}

/// What has become of a puzzle.
pub(crate) struct Trail<'a> {
    pub domain: &'a Domain,
    pub question: &'a [u8],
    pub steps: Vec<TrailStep>,
}

impl Trail<'_> {
    /// The answer, and the drafts if they are wanted.
    pub(crate) fn end(&self, found: Option<&Found>, drafts: Drafts) -> Value {
        let last = self.steps.last();
        let line = |tokens: &[u8]| self.domain.format_line(tokens);
        let mut json = json!({
            "question": line(self.question),
            "answer": last.map(|last| line(&last.answer)),
            "solved": last.map_or(Some(false), |last| last.verdict.decision()),
            "verdict": match last {
                Some(last) => last.verdict.to_string(),
                None => "no draft: the time was up".into(),
            },
            "halt_probability": last.map(|last| last.halt_probability),
            "steps": found.map_or(self.steps.len(), |found| found.steps),
        });
        if let Some(found) = found {
            json["verified"] = found.verified.into();
            json["chains"] = found.rollouts.into();
        }
        if drafts == Drafts::All {
            let all = self.steps.iter().map(|step| draft(self.domain, step));
            json["drafts"] = all.collect();
        }
        json
    }
}
