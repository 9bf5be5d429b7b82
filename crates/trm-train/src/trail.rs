use crate::Error;
use std::collections::BTreeMap;
use trm::{Limits, Model, Question, Solver, Thought, Thoughts};
use trm_ops::DType;
use trm_puzzles::{Domain, Verdict};

/// How a model thought its way through one puzzle.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    /// `[S]` tokens of the question.
    pub question: Vec<u8>,
    /// The drafts, one per supervision step; at least one.
    pub steps: Vec<TrailStep>,
}

/// One draft.
#[derive(Clone, Debug, PartialEq)]
pub struct TrailStep {
    /// `[S]` tokens.
    pub answer: Vec<u8>,
    /// The model's belief that the draft is right.
    pub halt_probability: f64,
    /// Cells that differ from the draft before; of the first draft, none.
    pub changed: Vec<usize>,
    /// What the rules say of this draft.
    pub verdict: Verdict,
}

impl Trail {
    /// Lets a model think about a question until it is sure of its answer
    /// ([`Limits::CAREFUL_HALT`]), at most `max_steps` supervision steps.
    ///
    /// # Errors
    /// If the model does not read questions of this domain.
    pub fn follow(
        model: &Model,
        dtype: DType,
        domain: Domain,
        question: &[u8],
        max_steps: usize,
    ) -> Result<Trail, Error> {
        let question = Question { tokens: question, puzzles: &[0] };
        let limits = Limits { steps: max_steps, batch: 1, halt: Some(Limits::CAREFUL_HALT) };
        let mut trails = Trail::follow_all(Solver::new(model, dtype), domain, question, limits)?;
        Ok(trails.next().expect("one trail per puzzle"))
    }

    /// Lets a model think about many puzzles, `limits.batch` at a time. The trails come in the
    /// order of the question, each as soon as it and those before it are complete.
    ///
    /// # Errors
    /// If the model does not read questions of this domain, or `limits.halt` is no probability
    /// above 0.
    pub fn follow_all<'m, 'q>(
        solver: Solver<'m>,
        domain: Domain,
        question: Question<'q>,
        limits: Limits,
    ) -> Result<Trails<'m, 'q>, Error> {
        let thoughts = solver.solve_all(question, limits)?;
        Ok(Trails { thoughts, domain, question, next: 0, begun: BTreeMap::new() })
    }

    /// The last draft.
    pub fn last(&self) -> &TrailStep {
        &self.steps[self.steps.len() - 1]
    }

    fn add(&mut self, domain: Domain, thought: Thought) {
        let halt_probability = thought.halt_probability();
        let answer = thought.answer;
        let before = self.steps.last().map_or(&answer, |step| &step.answer);
        let changed = changed(domain, before, &answer);
        let verdict = domain.verify(&self.question, &answer);
        self.steps.push(TrailStep { answer, halt_probability, changed, verdict });
    }
}

/// The cells in which two drafts differ; what lies outside the grids of both is no part of them.
fn changed(domain: Domain, before: &[u8], after: &[u8]) -> Vec<usize> {
    let columns = domain.layout().columns;
    let extents = [before, after].map(|tokens| domain.extent(tokens));
    let is_drawn = |i: usize| {
        extents.iter().any(|(width, height)| i % columns < *width && i / columns < *height)
    };
    (0..after.len()).filter(|i| before[*i] != after[*i] && is_drawn(*i)).collect()
}

/// Trails of many puzzles, from [`Trail::follow_all`].
pub struct Trails<'m, 'q> {
    thoughts: Thoughts<'m, 'q>,
    domain: Domain,
    question: Question<'q>,
    next: usize,
    /// By puzzle, trails that have not been given yet, and whether they are complete.
    begun: BTreeMap<usize, (Trail, bool)>,
}

impl Iterator for Trails<'_, '_> {
    type Item = Trail;

    fn next(&mut self) -> Option<Trail> {
        loop {
            if let Some((_, true)) = self.begun.get(&self.next) {
                let (trail, _) = self.begun.remove(&self.next)?;
                self.next += 1;
                return Some(trail);
            }
            let thought = self.thoughts.next()?;
            let cells = thought.answer.len();
            let question = &self.question.tokens[thought.puzzle * cells..][..cells];
            let new = || (Trail { question: question.to_vec(), steps: Vec::new() }, false);
            let (trail, complete) = self.begun.entry(thought.puzzle).or_insert_with(new);
            *complete = thought.last;
            trail.add(self.domain, thought);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_beside_a_grid_is_no_change() {
        let draft = |text: &str| Domain::Arc.parse(text).unwrap();
        let (before, mut after) = (draft("12/34"), draft("12/35"));
        assert_eq!(changed(Domain::Arc, &before, &after), [31]);
        after[500] = 7;
        assert_eq!(changed(Domain::Arc, &before, &after), [31]);
        let wider = draft("120/340");
        assert_eq!(changed(Domain::Arc, &before, &wider), [2, 32]);
        let sudoku: Domain = "sudoku4".parse().unwrap();
        assert_eq!(changed(sudoku, &[1; 16], &[2; 16]).len(), 16);
    }
}
