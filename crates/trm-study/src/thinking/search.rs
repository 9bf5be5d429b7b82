//! Search over a data set: what test-time compute buys.

use crate::Error;
use rand::Rng;
use serde::Serialize;
use std::time::{Duration, Instant};
use trm::{Found, Judgement, News, Question, Referee, Search, SearchSession, Solver, Undo};
use trm_data::Dataset;
use trm_ops::Stop;
use trm_puzzles::{Domain, Verdict};
use trm_train::{Score, Validity, check_fit};

/// The rules of a domain, or its judge from outside, as the referee of a search. Without a domain nothing is decided by rules.
#[derive(Clone, Debug)]
pub struct DomainReferee(pub Option<Domain>);

impl Referee for DomainReferee {
    fn judge(&mut self, question: &[u8], draft: &[u8]) -> Result<Judgement, trm::Error> {
        self.judge_all(&[(question, draft)]).map(|one| one[0])
    }

    fn judge_all(&mut self, drafts: &[(&[u8], &[u8])]) -> Result<Vec<Judgement>, trm::Error> {
        let Some(domain) = &self.0 else { return Ok(vec![Judgement::Unknown; drafts.len()]) };
        let verdicts =
            domain.verify_all(drafts).map_err(|error| trm::Error::Referee(error.to_string()))?;
        let judgement = |verdict: &Verdict| match verdict.decision() {
            None => Judgement::Unknown,
            Some(true) => Judgement::Right { cost: verdict.ruling().and_then(|r| r.cost) },
            Some(false) => Judgement::Wrong,
        };
        Ok(verdicts.iter().map(judgement).collect())
    }

    fn restore_givens(&self, question: &[u8], draft: &mut [u8]) {
        if let Some(domain) = &self.0 {
            domain.restore_givens(question, draft);
        }
    }

    fn augment_question(&mut self, question: &mut [u8], rng: &mut dyn Rng) -> Option<Undo> {
        self.0.as_ref().map(|domain| domain.augment_question(question, rng))
    }

    fn is_open(&self, token: u8) -> bool {
        self.0.as_ref().is_some_and(|domain| domain.can_suppose(token))
    }
}

/// How to search, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct SearchOptions {
    /// Chains, noise, augmentations.
    pub search: Search,
    /// Time per puzzle: all searches end when it has passed once for every puzzle.
    pub time: Option<Duration>,
}

impl SearchOptions {
    /// Searches for the answers to a question until all searches have ended, or their time is up; `hear` gets the
    /// news as they come.
    pub(crate) fn run(
        &self,
        mut session: SearchSession,
        question: Question<'_>,
        hear: &mut dyn FnMut(News) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let puzzles = session.push(question, self.search)?;
        let started = Instant::now();
        let count = u32::try_from(puzzles.len()).unwrap_or(u32::MAX);
        let limit = self.time.map(|time| time.saturating_mul(count));
        while !session.is_empty() {
            session.step()?;
            if limit.is_some_and(|limit| started.elapsed() > limit) {
                puzzles.clone().for_each(|puzzle| session.give_up(puzzle));
            }
            while let Some(news) = session.take() {
                hear(news)?;
            }
        }
        Ok(())
    }
}

/// What a search found on a data set.
#[derive(Clone, Debug, Serialize)]
pub struct SearchReport {
    /// Puzzles searched.
    pub puzzles: usize,
    /// Answers that satisfy the rules.
    pub verified: usize,
    /// Verified answers that are not the known ones: must be 0 where puzzles have one solution.
    pub verified_wrong: usize,
    /// Answers equal to the known ones, verified or not.
    pub exact: usize,
    /// Puzzles whose first chain, which nothing disturbs, found a verified answer.
    pub first_chain: usize,
    /// Mean supervision steps of a puzzle, in all its chains.
    pub mean_steps: f64,
    /// Mean number of chains of a puzzle.
    pub mean_rollouts: f64,
    /// What the judge of the data set says of the answers, if it has one ([`Dataset::referee`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity: Option<Validity>,
    /// Wall time.
    pub seconds: f64,
    /// Verified answers by the steps spent on their puzzle: (at most so many steps, how many). Of a search that nobody
    /// judges, answers equal to the known ones.
    pub curve: Vec<(usize, usize)>,
}

/// Searches for the answers of a data set, and compares them with the known ones; when `stop` is requested, of the
/// puzzles that are done by then. `progress` hears how many are.
///
/// # Errors
/// If the data do not fit the model, or the options are out of range.
pub fn search(
    solver: &Solver,
    data: &Dataset,
    options: &SearchOptions,
    stop: &Stop,
    progress: &mut dyn FnMut(usize),
) -> Result<SearchReport, Error> {
    let model = solver.model();
    check_fit(model, data)?;
    let identifiers = data.example_identifiers();
    let question = Question { tokens: &data.inputs, puzzles: &identifiers };
    let referee = DomainReferee(data.judged_by_or(&model.config().domain).ok());
    let session = solver.clone().until(stop).search(Box::new(referee));
    let started = Instant::now();
    let mut found = Vec::new();
    let mut hear = |news| {
        if let News::Found(outcome) = news {
            found.push(outcome);
            progress(found.len());
        }
        Ok(())
    };
    match options.run(session, question, &mut hear) {
        Err(Error::Model(trm::Error::Stopped)) => {}
        searched => searched?,
    }
    let seconds = started.elapsed().as_secs_f64();
    let answers = found.iter().filter(|outcome| !outcome.answer.is_empty());
    let answers: Vec<_> = answers.map(|outcome| (outcome.puzzle, outcome.answer.clone())).collect();
    let validity = Validity::of(data, &answers)?;
    Ok(SearchReport { seconds, validity, ..report(&found, data, options.search.judged) })
}

fn report(found: &[Found], data: &Dataset, judged: bool) -> SearchReport {
    let is_exact = |outcome: &Found| {
        Score::new(&outcome.answer, data.label(outcome.puzzle), 1, data.ignore_label()).exact[0]
    };
    let counts = |f: &Found| if judged { f.verified } else { is_exact(f) };
    let count = |test: &dyn Fn(&Found) -> bool| found.iter().filter(|f| test(f)).count();
    let mean = |of: fn(&Found) -> usize| {
        found.iter().map(of).sum::<usize>() as f64 / found.len().max(1) as f64
    };
    let most = found.iter().map(|f| f.steps).max().unwrap_or(1);
    let budgets = (0..).map(|power| 1_usize << power).take_while(|budget| *budget < 2 * most);
    SearchReport {
        puzzles: found.len(),
        verified: count(&|f| f.verified),
        verified_wrong: count(&|f| f.verified && !is_exact(f)),
        exact: count(&is_exact),
        first_chain: count(&|f| f.verified && f.chain == 1),
        mean_steps: mean(|f| f.steps),
        mean_rollouts: mean(|f| f.rollouts),
        validity: None,
        seconds: 0.0,
        curve: budgets.map(|most| (most, count(&|f| counts(f) && f.steps <= most))).collect(),
    }
}
