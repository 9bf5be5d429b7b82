//! Search at test time: several chains of thought per puzzle, and a referee who knows the rules.
//!
//! The first chain is the model's own; the others differ by noise, by their start, by looking at an augmentation
//! of the puzzle or by what they suppose. Nothing here knows an answer: a referee says whether a draft satisfies the
//! rules, and where it cannot say, the model's belief and the votes of the chains decide. What a question says for
//! certain is put back into every draft before it is judged.

use super::batch::{Batch, Drafts};
use super::session::Limits;
use crate::error::Error;
use crate::model::Question;
use std::collections::VecDeque;
use std::ops::Range;

mod chains;
mod news;
mod referee;
mod suppose;

pub use news::{ChainEnd, Found, News};
pub use referee::{Judgement, Referee, Undo};

use chains::{Chain, Puzzles, normal};
use suppose::suppose;

/// How to search for the answer to a puzzle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Supervision steps of a chain at most; 0 counts as 1.
    pub steps: usize,
    /// Chains of a puzzle at most, the first without any change; 0 counts as 1.
    pub rollouts: usize,
    /// Standard deviation of the noise added to y before every step, in all chains but the first.
    pub noise: f32,
    /// Standard deviation of the noise added to the initial y and z, in all chains but the first.
    pub restart: f32,
    /// Whether all chains but the first look at a random augmentation of the puzzle.
    pub symmetries: bool,
    /// Steps after which a chain, unless it is the first, supposes that a cell it is unsure of holds one
    /// of the tokens it believes in, and thinks on as if that were given; again after as many. 0 for
    /// never. Only for puzzles whose questions can hold parts of an answer ([`Referee::is_open`]).
    pub patience: usize,
    /// Whether the referee judges drafts. If not, the model alone decides: the first draft that it is sure of is the answer.
    pub judged: bool,
    /// Halting probability above which the model is sure. Where the rules cannot judge a draft, its chain ends then.
    pub halt: f32,
    /// Seed of noise, augmentations and suppositions; those of a chain depend on nothing else but its puzzle's place in the
    /// question that was pushed and its own number.
    pub seed: u64,
}

/// Chosen on puzzles that were neither trained nor tested on (docs/LOG.md).
impl Default for Search {
    fn default() -> Search {
        Search {
            steps: 16,
            rollouts: 64,
            noise: 0.1,
            restart: 1.0,
            symmetries: true,
            patience: 4,
            judged: true,
            halt: Limits::CAREFUL_HALT,
            seed: 1,
        }
    }
}

/// Searches for the answers to puzzles, a batch of chains at a time.
///
/// Push puzzles whenever there are any, step, take what is told of them. Every puzzle gets its first chain before any
/// gets a second, and a second one only when its first has ended; a puzzle whose answer is verified frees the rows of
/// all its chains at once. What a chain drafts does not depend on other chains, bit for bit. Which of a puzzle's later
/// chains is the first to find an answer does: they begin when there are free rows.
///
/// ```
/// use rand::Rng;
/// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// # use trm_ops::{DType, Device};
/// use trm::{Config, Judgement, Model, News, Question, Referee, Search, Solver, Undo};
/// # let config = Config { vocab_size: 6, seq_len: 16, hidden: 32, heads: 2, ..Config::default() };
/// # let model = Model::new(&config, &Device::cpu(1), &mut ChaCha8Rng::seed_from_u64(1))?;
///
/// struct FirstCell; // of the answer: any token but 0
///
/// impl Referee for FirstCell {
///     fn judge(&mut self, _: &[u8], draft: &[u8]) -> Result<Judgement, trm::Error> {
///         Ok(if draft[0] == 0 { Judgement::Wrong } else { Judgement::Right { cost: None } })
///     }
///     fn augment_question(&mut self, _: &mut [u8], _: &mut dyn Rng) -> Option<Undo> {
///         None // no symmetries are known
///     }
/// }
///
/// let mut search = Solver::new(model, DType::F32).search(Box::new(FirstCell));
/// let three = Question { tokens: &[1; 3 * 16], puzzles: &[0; 3] };
/// assert_eq!(search.push(three, Search { rollouts: 2, steps: 4, ..Search::default() })?, 0..3);
/// let mut found = Vec::new();
/// while !search.is_empty() {
///     search.step()?;
///     while let Some(news) = search.take() {
///         if let News::Found(outcome) = news {
///             found.push(outcome);
///         }
///     }
/// }
/// assert!(found.iter().all(|outcome| outcome.verified == (outcome.answer[0] != 0)));
/// # Ok::<(), trm::Error>(())
/// ```
pub struct SearchSession {
    batch: Batch,
    referee: Box<dyn Referee>,
    /// Of the rows of the batch.
    chains: Vec<Chain>,
    puzzles: Puzzles,
    /// What has not been taken.
    news: VecDeque<News>,
}

impl SearchSession {
    pub(super) fn new(batch: Batch, referee: Box<dyn Referee>) -> SearchSession {
        let (puzzles, news) = (Puzzles::default(), VecDeque::new());
        SearchSession { batch, referee, chains: Vec::new(), puzzles, news }
    }

    /// Adds puzzles to be searched. Gives their numbers, by which news name them; a session counts its puzzles from 0.
    ///
    /// # Errors
    /// If tokens or identifiers do not fit the model, or `search.halt` is no probability above 0; none of the
    /// puzzles is in the session then.
    pub fn push(&mut self, question: Question<'_>, search: Search) -> Result<Range<usize>, Error> {
        Limits { steps: search.steps, halt: Some(search.halt) }.check()?;
        self.batch.model().check(question)?;
        Ok(self.puzzles.push(question, search))
    }

    /// Forgets a puzzle and what there is to tell of it; its rows are free for the next step. Says whether its search
    /// was still under way.
    pub fn withdraw(&mut self, puzzle: usize) -> bool {
        self.news.retain(|news| news.puzzle() != puzzle);
        let was_there = self.puzzles.remove(puzzle);
        self.leave();
        was_there
    }

    /// Ends the search of a puzzle with what it has: chains that are under way vote with their last draft. The answer
    /// is empty if none has begun.
    pub fn give_up(&mut self, puzzle: usize) {
        self.puzzles.give_up(puzzle, &self.chains);
        self.report();
    }

    /// Begins chains while there are free rows, and takes one supervision step of all, whose news can be taken then;
    /// nothing if there are no puzzles. Earlier drafts and ends of chains that nobody has taken are gone, outcomes are
    /// not.
    ///
    /// # Errors
    /// [`Error::NotFinite`] names puzzles for which the network computes a NaN or an infinity: they have left the
    /// session, the others have had their step. After [`Error::Stopped`], or if the device or the referee is lost, no
    /// puzzle is left.
    pub fn step(&mut self) -> Result<(), Error> {
        self.news.retain(|news| matches!(news, News::Found(_)));
        self.begin_chains();
        if self.chains.is_empty() {
            return Ok(());
        }
        for (row, chain) in self.chains.iter_mut().enumerate() {
            let noise = chain.search.noise;
            if chain.rollout > 0 && noise > 0.0 {
                self.batch.perturb(row, false, || noise * normal(&mut chain.rng));
            }
        }
        let drafts = self.batch.step().inspect_err(|_| {
            self.puzzles.clear();
            self.leave();
        })?;
        let mut broken: Vec<usize> = self
            .chains
            .iter()
            .zip(drafts.rows())
            .filter(|(_, draft)| !draft.is_finite)
            .map(|(chain, _)| chain.puzzle)
            .collect();
        broken.retain(|puzzle| self.puzzles.remove(*puzzle));
        self.judge(&drafts).inspect_err(|_| {
            self.puzzles.clear();
            self.leave();
        })?;
        self.report();
        if broken.is_empty() { Ok(()) } else { Err(Error::NotFinite { puzzles: broken }) }
    }

    /// The next news that have not been taken. Those of a step are drafts and ends of chains first, then outcomes.
    pub fn take(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Chains that are thought about.
    pub fn rows(&self) -> usize {
        self.chains.len()
    }

    /// Number of puzzles whose search is under way or has not begun.
    pub fn len(&self) -> usize {
        self.puzzles.len()
    }

    /// Whether all searches have ended. There may still be news to take.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn begin_chains(&mut self) {
        let SearchSession { batch, referee, chains, puzzles, .. } = self;
        while batch.free() > 0
            && let Some((puzzle, asked)) = puzzles.next_to_begin()
        {
            let (mut chain, tokens) = asked.begin(puzzle, &mut **referee);
            batch.join(Question { tokens: &tokens, puzzles: &[asked.identifier] });
            let restart = chain.search.restart;
            if chain.rollout > 0 && restart > 0.0 {
                batch.perturb(chains.len(), true, || restart * normal(&mut chain.rng));
            }
            chains.push(chain);
        }
    }

    /// Tells every chain's draft to its puzzle, unless that has left, judged by the question as it was asked.
    fn judge(&mut self, drafts: &Drafts) -> Result<(), Error> {
        let SearchSession { batch, referee, chains, puzzles, news } = self;
        let mut told = Vec::new();
        for (row, (chain, draft)) in chains.iter_mut().zip(drafts.rows()).enumerate() {
            if let Some(question) = puzzles.question(chain.puzzle) {
                chain.draft(&draft, question, &**referee);
                told.push((row, draft));
            }
        }
        let judged = told.iter().map(|(row, _)| &chains[*row]).filter(|c| c.search.judged);
        let asked = judged.map(|chain| {
            (puzzles.question(chain.puzzle).expect("it is there"), chain.last_draft())
        });
        let mut judgements = referee.judge_all(&asked.collect::<Vec<_>>())?.into_iter();
        let mut ends = Vec::new();
        for (row, draft) in told {
            let chain = &mut chains[row];
            let judgement = if chain.search.judged { judgements.next() } else { None };
            let judgement = judgement.unwrap_or(Judgement::Unknown);
            puzzles.hear(chain, judgement);
            if chain.rollout == 0 {
                news.push_back(chain.news());
            }
            if chain.over || judgement == (Judgement::Right { cost: None }) {
                let question = puzzles.question(chain.puzzle).expect("it is there");
                ends.push(chain.end(question, batch.question(row), judgement));
            }
            if chain.is_impatient() {
                suppose((batch, row), draft.logits, &**referee, &mut chain.rng);
            }
        }
        news.extend(ends);
        Ok(())
    }

    /// Tells the outcomes that have become known, and lets chains leave that have ended.
    fn report(&mut self) {
        self.news.extend(self.puzzles.outcomes().map(News::Found));
        self.leave();
    }

    /// Lets the chains leave that have ended, or whose puzzle has.
    fn leave(&mut self) {
        let stays = |chain: &Chain| !chain.over && self.puzzles.contains(chain.puzzle);
        let keep: Vec<bool> = self.chains.iter().map(stays).collect();
        self.batch.retain(&keep);
        let mut kept = keep.iter();
        self.chains.retain(|_| *kept.next().expect("one flag per chain"));
    }
}
