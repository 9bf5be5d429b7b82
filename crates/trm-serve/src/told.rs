//! What is told of puzzles, and as JSON.

use crate::asked::Drafts;
use serde_json::{Value, json};
use trm::{ChainEnd, Found, Judgement};
use trm_puzzles::{Domain, Verdict};
use trm_study::{Chosen, TrailStep};

/// What is heard of a puzzle.
pub(crate) enum Heard {
    /// A draft: of a recursive model's own chain, or as far as an autoregressive model has written.
    Draft(Draft),
    /// A chain of a search has ended.
    Chain(ChainEnd),
    /// The last of all.
    End(Ending),
}

/// A draft.
pub(crate) struct Draft {
    /// The chain of thought, or which of several written answers, from 1.
    pub chain: usize,
    /// Supervision steps of that chain, or cells written, from 1.
    pub step: usize,
    /// `[S]` tokens.
    pub answer: Vec<u8>,
    /// How sure the model is of every cell; empty where that is not known.
    pub sureness: Vec<f32>,
    /// Cells that differ from the draft before.
    pub changed: Vec<usize>,
    /// A recursive model's belief that the draft is right.
    pub halt_probability: Option<f64>,
    /// What the rules say; `None` of an answer that is not yet written to its end.
    pub verdict: Option<Verdict>,
}

impl From<TrailStep> for Draft {
    fn from(step: TrailStep) -> Draft {
        let TrailStep { chain, step, answer, halt_probability, sureness, changed, verdict } = step;
        let (halt_probability, verdict) = (Some(halt_probability), Some(verdict));
        Draft { chain, step, answer, sureness, changed, halt_probability, verdict }
    }
}

impl Draft {
    fn decision(&self) -> Option<bool> {
        self.verdict.as_ref().and_then(Verdict::decision)
    }

    pub(crate) fn json(&self, domain: &Domain) -> Value {
        json!({
            "chain": self.chain,
            "step": self.step,
            "answer": domain.format_line(&self.answer),
            "rows": rows(domain, &self.answer),
            "sureness": self.sureness,
            "halt_probability": self.halt_probability,
            "changed": self.changed,
            "solved": self.decision(),
        })
    }
}

/// How the work on a puzzle ended.
pub(crate) enum Ending {
    /// The model alone has thought.
    Alone,
    /// A search.
    Searched(Found),
    /// The answer was written.
    Written(Chosen),
}

/// How a chain of a search ended.
pub(crate) fn chain(domain: &Domain, end: &ChainEnd) -> Value {
    let supposed = |(cell, token): &(usize, u8)| json!({"cell": cell, "symbol": domain.symbol(*token).to_string()});
    json!({
        "chain": end.chain,
        "steps": end.steps,
        "supposed": end.supposed.iter().map(supposed).collect::<Vec<_>>(),
        "answer": domain.format_line(&end.answer),
        "rows": rows(domain, &end.answer),
        "halt_probability": trm_study::probability(end.halt_logit),
        "solved": match end.judgement {
            Judgement::Right { .. } => Some(true),
            Judgement::Wrong => Some(false),
            Judgement::Unknown => None,
        },
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
    pub drafts: Vec<Draft>,
}

impl Trail<'_> {
    /// What the rules say of the answer.
    fn verdict<'b>(&'b self, ending: &'b Ending) -> Option<&'b Verdict> {
        match ending {
            Ending::Written(chosen) => chosen.verdict.as_ref(),
            Ending::Alone | Ending::Searched(_) => self.drafts.last()?.verdict.as_ref(),
        }
    }

    /// Whether the answer is right; `None` if nothing decides that.
    pub(crate) fn decision(&self, ending: &Ending) -> Option<bool> {
        match self.drafts.is_empty() {
            true => Some(false),
            false => self.verdict(ending).and_then(Verdict::decision),
        }
    }

    /// The answer, and the drafts if they are wanted.
    pub(crate) fn end(&self, ending: &Ending, drafts: Drafts) -> Value {
        let last = self.drafts.last();
        let line = |tokens: &[u8]| self.domain.format_line(tokens);
        let mut json = json!({
            "question": line(self.question),
            "answer": last.map(|last| line(&last.answer)),
            "solved": self.decision(ending),
            "verdict": match self.verdict(ending) {
                Some(verdict) => verdict.to_string(),
                None => "no draft: the time was up".into(),
            },
            "halt_probability": last.and_then(|last| last.halt_probability),
            "steps": self.drafts.len(),
        });
        match ending {
            Ending::Alone => {}
            Ending::Searched(found) => {
                json["steps"] = found.steps.into();
                json["verified"] = found.verified.into();
                json["chains"] = found.rollouts.into();
            }
            Ending::Written(chosen) => {
                json["probability"] = json!(chosen.written.log_probability.exp());
                json["sample"] = chosen.sample.into();
            }
        }
        if drafts == Drafts::All {
            json["drafts"] = self.drafts.iter().map(|draft| draft.json(self.domain)).collect();
        }
        json
    }
}
