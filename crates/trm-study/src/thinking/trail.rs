use super::in_order::InOrder;
use super::search::{DomainReferee, SearchOptions};
use crate::Error;
use trm::{Found, Limits, News, Question, Search, Solver, Thought, sureness};
use trm_puzzles::{Domain, RefereeError, Verdict};

/// How a model thought its way through one puzzle.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    /// `[S]` tokens of the question.
    pub question: Vec<u8>,
    /// The drafts, one per supervision step; at least one. The last one is the answer.
    pub steps: Vec<TrailStep>,
}

/// One draft.
#[derive(Clone, Debug, PartialEq)]
pub struct TrailStep {
    /// The chain of thought, from 1, which is the model's own; others are a search's.
    pub chain: usize,
    /// Supervision steps of that chain, from 1.
    pub step: usize,
    /// `[S]` tokens.
    pub answer: Vec<u8>,
    /// The model's belief that the draft is right.
    pub halt_probability: f64,
    /// How sure the model is of every cell; empty where that is not known, as of answers that a search found.
    pub sureness: Vec<f32>,
    /// Cells that differ from the draft before; of the first draft, none.
    pub changed: Vec<usize>,
    /// What the rules say of this draft.
    pub verdict: Verdict,
}

/// Where a draft comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The chain of thought, from 1.
    pub chain: usize,
    /// Supervision steps of that chain, from 1.
    pub step: usize,
    /// The model's halting logit.
    pub halt_logit: f32,
    /// How sure the model is of every cell ([`trm::sureness`]); empty if that is not known.
    pub sureness: Vec<f32>,
}

impl TrailStep {
    /// What there is to say of a draft, given the one before.
    ///
    /// # Errors
    /// If a referee of the domain's gives no ruling.
    pub fn new(
        domain: &Domain,
        question: &[u8],
        before: Option<&[u8]>,
        mut answer: Vec<u8>,
        origin: Origin,
    ) -> Result<TrailStep, RefereeError> {
        domain.clip(&mut answer);
        let changed = before.map_or(Vec::new(), |before| changed(domain, before, &answer));
        let verdict = domain.verify(question, &answer)?;
        let Origin { chain, step, halt_logit, sureness } = origin;
        let halt_probability = probability(halt_logit);
        Ok(TrailStep { chain, step, answer, halt_probability, sureness, changed, verdict })
    }
}

/// How to think about puzzles.
#[derive(Clone, Copy, Debug)]
pub enum Effort {
    /// The model alone, as the paper has it: drafts are what it says, and it stops by its own belief.
    OnePass(Limits),
    /// Drafts keep what the question says for certain. The first that the rules approve is the answer, and none that
    /// they refute ends the thinking: it goes on as a search, within these options. Where there are no rules the
    /// model's belief ends a chain; where the search goes without them, it ends the search.
    Judged(SearchOptions),
}

/// What is told of a puzzle that is thought about.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A draft of the model's own chain, or the answer where a search found another.
    Step(TrailStep),
    /// The last step has been told; the outcome of the search if there was one.
    End(Option<Found>),
}

/// Lets a model think about many puzzles and tells what it does: of one puzzle after the other in the order of the
/// question, of the first that has not ended step by step.
///
/// # Errors
/// If the model does not read questions of this domain, a threshold is no probability above 0, or the domain's judge
/// gives no ruling.
pub fn think(
    solver: &Solver,
    domain: &Domain,
    question: Question<'_>,
    effort: Effort,
    tell: &mut dyn FnMut(usize, Told),
) -> Result<(), Error> {
    let drafts = vec![None; question.puzzles.len()];
    let mut teller = Teller { domain, question, drafts, order: InOrder::new(), tell };
    match effort {
        Effort::OnePass(limits) => {
            let mut session = solver.session();
            session.push(question, limits)?;
            for thought in session.thoughts() {
                let thought = thought?;
                let Thought { puzzle, step, last, answer, halt_logit, logits } = thought;
                let sureness = sureness(&logits, answer.len());
                teller.step(puzzle, answer, Origin { chain: 1, step, halt_logit, sureness })?;
                if last {
                    teller.end(puzzle, None);
                }
            }
        }
        Effort::Judged(options) => {
            let mut hear = |news| match news {
                News::Draft { puzzle, step, answer, halt_logit, logits } => {
                    let sureness = sureness(&logits, answer.len());
                    teller.step(puzzle, answer, Origin { chain: 1, step, halt_logit, sureness })
                }
                News::Chain(_) => Ok(()),
                News::Found(found) => teller.found(found),
            };
            let session = solver.search(Box::new(DomainReferee(Some(domain.clone()))));
            options.run(session, question, &mut hear)?;
        }
    }
    Ok(())
}

/// Makes steps of drafts and tells them in order.
struct Teller<'a> {
    domain: &'a Domain,
    question: Question<'a>,
    /// By puzzle, its last draft.
    drafts: Vec<Option<Vec<u8>>>,
    order: InOrder<Told>,
    tell: &'a mut dyn FnMut(usize, Told),
}

impl Teller<'_> {
    fn step(&mut self, puzzle: usize, answer: Vec<u8>, origin: Origin) -> Result<(), Error> {
        let question = &self.question.tokens[puzzle * answer.len()..][..answer.len()];
        let before = self.drafts[puzzle].as_deref();
        let step = TrailStep::new(self.domain, question, before, answer, origin)?;
        self.drafts[puzzle] = Some(step.answer.clone());
        self.order.tell(puzzle, Told::Step(step), false, self.tell);
        Ok(())
    }

    fn found(&mut self, mut found: Found) -> Result<(), Error> {
        self.domain.clip(&mut found.answer);
        let Found { puzzle, chain, chain_steps: step, halt_logit, .. } = found;
        // empty if the time was up before the first step
        if self.drafts[puzzle].as_deref().unwrap_or_default() != found.answer {
            let sureness = Vec::new();
            let origin = Origin { chain, step, halt_logit, sureness };
            self.step(puzzle, found.answer.clone(), origin)?;
        }
        self.end(puzzle, Some(found));
        Ok(())
    }

    fn end(&mut self, puzzle: usize, found: Option<Found>) {
        self.order.tell(puzzle, Told::End(found), true, self.tell);
    }
}

/// The probability that a logit stands for: the logistic function.
pub fn probability(halt_logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(halt_logit)).exp())
}

impl Trail {
    /// Lets a model think about a question, at most `max_steps` supervision steps: until the rules approve a draft,
    /// or, where there are none, until the model is sure ([`Limits::CAREFUL_HALT`]).
    ///
    /// # Errors
    /// If the model does not read questions of this domain.
    pub fn follow(
        solver: &Solver,
        domain: &Domain,
        question: &[u8],
        max_steps: usize,
    ) -> Result<Trail, Error> {
        let question = Question { tokens: question, puzzles: &[0] };
        let search = Search { steps: max_steps, rollouts: 1, ..Search::default() };
        let effort = Effort::Judged(SearchOptions { search, time: None });
        let trails = Trail::follow_all(solver, domain, question, effort)?;
        Ok(trails.into_iter().next().expect("one trail per puzzle"))
    }

    /// The trails of many puzzles, in the order of the question.
    ///
    /// # Errors
    /// Those of [`think`].
    pub fn follow_all(
        solver: &Solver,
        domain: &Domain,
        question: Question<'_>,
        effort: Effort,
    ) -> Result<Vec<Trail>, Error> {
        let cells = question.tokens.len() / question.puzzles.len().max(1);
        let questions = question.tokens.chunks_exact(cells.max(1));
        let mut trails: Vec<Trail> =
            questions.map(|q| Trail { question: q.to_vec(), steps: Vec::new() }).collect();
        think(solver, domain, question, effort, &mut |puzzle, told| {
            if let Told::Step(step) = told {
                trails[puzzle].steps.push(step);
            }
        })?;
        Ok(trails)
    }

    /// The last draft.
    pub fn last(&self) -> &TrailStep {
        &self.steps[self.steps.len() - 1]
    }
}

/// The cells in which two drafts differ; what lies outside the grids of both is no part of them.
fn changed(domain: &Domain, before: &[u8], after: &[u8]) -> Vec<usize> {
    let columns = domain.layout().columns;
    let extents = [before, after].map(|tokens| domain.extent(tokens));
    let is_drawn = |i: usize| {
        extents.iter().any(|(width, height)| i % columns < *width && i / columns < *height)
    };
    (0..after.len()).filter(|i| before[*i] != after[*i] && is_drawn(*i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trm_puzzles::arc::Canvas;

    #[test]
    fn what_is_drawn_beside_a_grid_is_no_change() {
        let arc = Domain::new(Canvas);
        let draft = |text: &str| arc.parse(text).unwrap();
        let (before, mut after) = (draft("12/34"), draft("12/35"));
        assert_eq!(changed(&arc, &before, &after), [31]);
        after[500] = 7;
        assert_eq!(changed(&arc, &before, &after), [31]);
        let wider = draft("120/340");
        assert_eq!(changed(&arc, &before, &wider), [2, 32]);
        let sudoku: Domain = "sudoku4".parse().unwrap();
        assert_eq!(changed(&sudoku, &[1; 16], &[2; 16]).len(), 16);
    }
}
