//! What a model does with puzzles, shown while it does it.

use super::{Asked, with_comparison};
use crate::Outcome;
use crate::display::{print_comparison, print_found, print_question, print_step, print_verdict};
use crate::output::out;
use crate::referee::with_ruling;
use serde_json::{Value, json};
use trm::Found;
use trm_puzzles::Domain;
use trm_study::{Effort, SearchOptions, Told, Trail, TrailStep};

/// Prints drafts as they come, or one JSON object for every puzzle that has ended.
pub(super) struct Show<'a> {
    domain: &'a Domain,
    asked: &'a Asked,
    effort: Effort,
    json: bool,
    /// The puzzle whose turn it is, and its trail so far.
    puzzle: usize,
    trail: Trail,
    all_right: bool,
}

impl<'a> Show<'a> {
    /// Shows the first question.
    pub(super) fn new(
        domain: &'a Domain,
        asked: &'a Asked,
        effort: Effort,
        json: bool,
    ) -> Show<'a> {
        let trail = Trail { question: Vec::new(), steps: Vec::new() };
        let mut show = Show { domain, asked, effort, json, puzzle: 0, trail, all_right: true };
        show.begin(0);
        show
    }

    pub(super) fn hear(&mut self, told: Told) {
        match told {
            Told::Step(step) => {
                if !self.json {
                    self.step(&step);
                }
                self.trail.steps.push(step);
            }
            Told::End(found) => {
                self.end(found.as_ref());
                self.begin(self.puzzle + 1);
            }
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        if self.all_right { Outcome::Done } else { Outcome::NotSolved }
    }

    fn begin(&mut self, puzzle: usize) {
        let Some(question) = self.asked.tokens.chunks_exact(self.domain.seq_len()).nth(puzzle)
        else {
            return;
        };
        self.puzzle = puzzle;
        self.trail = Trail { question: question.to_vec(), steps: Vec::new() };
        if !self.json {
            print_question(self.domain, question);
        }
    }

    /// Whether nothing is asked: the rules alone then say whether the grid is right.
    fn is_complete(&self) -> bool {
        let is_given = |token: &u8| self.domain.is_given(*token);
        matches!(self.effort, Effort::Judged(_)) && self.trail.question.iter().all(is_given)
    }

    fn step(&self, step: &TrailStep) {
        if self.is_complete() {
            return;
        }
        print_step(self.domain, &self.trail.question, step);
        let Effort::Judged(SearchOptions { search, .. }) = self.effort else { return };
        let goes_on = step.chain == 1 && step.step == search.steps && search.rollouts > 1;
        let has_cost = step.verdict.ruling().is_some_and(|ruling| ruling.cost.is_some());
        let sure = step.halt_probability > f64::from(search.halt);
        let why = match step.verdict.is_solved() {
            _ if !search.judged && sure => return,
            _ if !search.judged => "not sure yet: the search goes on",
            false => "not right yet: the search goes on",
            true if has_cost => "the search goes on for cheaper answers",
            true => return,
        };
        if goes_on {
            let (chains, steps) = (search.rollouts, search.steps);
            out!("{why}, at most {chains} chains of {steps} steps");
        }
    }

    fn end(&mut self, found: Option<&Found>) {
        let Some(last) = self.trail.steps.last() else {
            self.all_right = false; // a search without time for a single step
            if self.json {
                out!("{}", self.as_json(found, None));
            } else {
                out!("no draft: the time was up");
            }
            return;
        };
        let is_recorded = self.asked.is_recorded(self.domain, self.puzzle, &last.answer);
        let decision = last.verdict.decision();
        self.all_right &= match last.verdict.ruling() {
            Some(_) => decision.or(is_recorded), // others than the recorded answer may be right
            None => is_recorded.or(decision),
        } != Some(false);
        if self.json {
            out!("{}", self.as_json(found, is_recorded));
            return;
        }
        if self.is_complete() {
            out!("complete already, nothing to think about");
        }
        print_verdict(self.domain, &last.verdict);
        if let Some(found) = found.filter(|found| found.rollouts > 1 || !found.verified) {
            print_found(found, &last.verdict);
        }
        is_recorded.inspect(|is_recorded| print_comparison(*is_recorded));
    }

    fn as_json(&self, found: Option<&Found>, is_recorded: Option<bool>) -> Value {
        let line = |tokens: &[u8]| self.domain.format_line(tokens);
        let step = |step: &TrailStep| {
            json!({
                "chain": step.chain,
                "step": step.step,
                "answer": line(&step.answer),
                "halt_probability": step.halt_probability,
                "changed": step.changed,
                "solved": step.verdict.decision(),
            })
        };
        let last = self.trail.steps.last();
        let mut json = json!({
            "question": line(&self.trail.question),
            "answer": last.map_or(String::new(), |last| line(&last.answer)),
            "solved": last.map_or(Some(false), |last| last.verdict.decision()),
            "verdict": last.map(|last| last.verdict.to_string()),
            "steps": self.trail.steps.iter().map(step).collect::<Vec<_>>(),
        });
        if let Some(found) = found {
            json["verified"] = found.verified.into();
            json["steps_of_all_chains"] = found.steps.into();
            json["rollouts"] = found.rollouts.into();
        }
        let ruling = last.and_then(|last| last.verdict.ruling());
        with_comparison(with_ruling(json, self.domain, ruling), is_recorded)
    }
}
