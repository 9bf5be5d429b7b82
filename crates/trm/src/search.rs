//! Search at test time: several chains of thought per puzzle, and a referee who knows the rules.
//!
//! The first chain is the model's own; the others differ by noise, by their start, by looking at an image
//! of the puzzle or by what they suppose. Nothing here knows an answer: a referee says whether a draft satisfies the
//! rules, and where it cannot say, the model's belief and the votes of the chains decide. What a question says for
//! certain is put back into every draft before it is judged.

use crate::error::Error;
use crate::model::Question;
use crate::queue::Limits;
use crate::solver::{Draft, Solver};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

mod chains;
mod suppose;

use chains::{Chain, Puzzles};
use suppose::suppose;

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Supervision steps of a chain at most; 0 counts as 1.
    pub steps: usize,
    /// Chains of a puzzle at most, the first without any change; 0 counts as 1.
    pub rollouts: usize,
    /// Chains at a time, of all puzzles; 0 counts as 1.
    pub batch: usize,
    /// Standard deviation of the noise added to y before every step, in all chains but the first.
    pub noise: f32,
    /// Standard deviation of the noise added to the initial y and z, in all chains but the first.
    pub restart: f32,
    /// Whether all chains but the first look at a random image of the puzzle.
    pub symmetries: bool,
    /// Steps after which a chain, unless it is the first, supposes that a cell it is unsure of holds one
    /// of the tokens it believes in, and thinks on as if that were given; again after as many. 0 for
    /// never. Only for puzzles whose questions can hold parts of an answer ([`Referee::is_open`]).
    pub patience: usize,
    /// Halting probability above which a chain ends where the rules cannot judge its draft.
    pub halt: f32,
    /// Seed of noise, images and suppositions; those of a chain depend on nothing else but its puzzle's place and its
    /// own number.
    pub seed: u64,
}

/// Chosen on puzzles that were neither trained nor tested on (docs/LOG.md).
impl Default for Search {
    fn default() -> Search {
        Search {
            steps: 32,
            rollouts: 64,
            batch: 32,
            noise: 0.1,
            restart: 1.0,
            symmetries: true,
            patience: 8,
            halt: Limits::CAREFUL_HALT,
            seed: 1,
        }
    }
}

/// What the rules say of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is an answer, whatever the model thinks.
    Right,
    /// It is none.
    Wrong,
    /// They do not decide.
    Unknown,
}

/// Turns an answer to the image of a puzzle into one to the puzzle.
pub type Undo = Box<dyn Fn(&mut [u8])>;

/// The rules of the puzzles that are searched.
pub trait Referee {
    /// Judges a draft by the rules alone.
    fn judge(&self, question: &[u8], draft: &[u8]) -> Judgement;

    /// Whether [`judge`](Referee::judge) can approve a draft. Without that there is nothing to search for but votes.
    fn can_approve(&self) -> bool {
        true
    }

    /// Puts back into a draft what the question says for certain: the givens of a Sudoku.
    fn restore_givens(&self, question: &[u8], draft: &mut [u8]) {
        let _ = (question, draft);
    }

    /// Replaces a question by a random image of the same difficulty; `None` leaves it as it is.
    fn disguise(&self, question: &mut [u8], rng: &mut dyn Rng) -> Option<Undo>;

    /// Whether a question with this token in a cell could as well have a token of the answer there: a
    /// blank of Sudoku. Without such tokens chains suppose nothing.
    fn is_open(&self, token: u8) -> bool {
        let _ = token;
        false
    }
}

/// The outcome of a puzzle's search.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Which puzzle: its place in the question.
    pub puzzle: usize,
    /// `[S]`: the answer.
    pub answer: Vec<u8>,
    /// Whether it satisfies the rules. If not, it has most votes, weighted by the model's belief.
    pub verified: bool,
    /// Supervision steps computed for this puzzle, in all its chains.
    pub steps: usize,
    /// Chains that were begun.
    pub rollouts: usize,
    /// The chain that found the answer, from 1.
    pub chain: usize,
    /// Steps of that chain.
    pub chain_steps: usize,
    /// The model's halting logit for the answer.
    pub halt_logit: f32,
}

/// What a search tells while it goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A draft of a puzzle's first chain, which is the model's own thinking.
    Draft {
        /// Which puzzle: its place in the question.
        puzzle: usize,
        /// Supervision steps of the chain, from 1.
        step: usize,
        /// `[S]`: the draft, with its givens restored.
        answer: Vec<u8>,
        /// Above 0 the model holds the draft rather to be right than wrong.
        halt_logit: f32,
    },
    /// A puzzle's outcome.
    Found(Found),
}

impl Solver<'_> {
    /// Searches for answers to any number of puzzles. Every puzzle gets its first chain before any gets
    /// a second, and a second one only when its first has ended; a puzzle whose answer is verified frees
    /// the places of all its chains at once. When `stop` says so, after some step, all searches end with
    /// what they have.
    ///
    /// `hear` is told every draft of a first chain, and every outcome as soon as it is known.
    ///
    /// # Errors
    /// If tokens or identifiers do not fit the model, `search.halt` is no probability above 0, or the network
    /// computes a NaN or an infinity.
    pub fn search(
        self,
        question: Question<'_>,
        referee: &dyn Referee,
        search: &Search,
        stop: &mut dyn FnMut() -> bool,
        hear: &mut dyn FnMut(News),
    ) -> Result<(), Error> {
        Limits { steps: search.steps, batch: 1, halt: Some(search.halt) }.check()?;
        self.model().check(question)?;
        let mut session = self.empty();
        let mut chains: Vec<Chain> = Vec::new();
        let mut puzzles = Puzzles::new(question, search);
        loop {
            while chains.len() < search.batch.max(1) {
                let Some((puzzle, rollout)) = puzzles.next_chain() else { break };
                let (chain, tokens) = begin(search, question, referee, (puzzle, rollout));
                session.join(Question { tokens: &tokens, puzzles: &[question.puzzles[puzzle]] });
                chains.push(chain);
                if rollout > 0 && search.restart > 0.0 {
                    let rng = &mut chains.last_mut().expect("just pushed").rng;
                    session.perturb(session.len() - 1, true, || search.restart * normal(rng));
                }
            }
            if chains.is_empty() {
                return Ok(());
            }
            for (row, chain) in chains.iter_mut().enumerate() {
                if chain.rollout > 0 && search.noise > 0.0 {
                    session.perturb(row, false, || search.noise * normal(&mut chain.rng));
                }
            }
            let draft = session.step()?;
            judge(&mut puzzles, &mut chains, &draft, (question, referee, search));
            for chain in chains.iter().filter(|chain| chain.rollout == 0) {
                hear(chain.news());
            }
            for (row, chain) in chains.iter_mut().enumerate() {
                if chain.is_impatient(search.patience) {
                    suppose(&mut session, row, &draft, referee, &mut chain.rng)?;
                }
            }
            if stop() {
                puzzles.give_up(&chains);
            }
            puzzles.report(hear);
            let keep: Vec<bool> =
                chains.iter().map(|chain| !chain.over && !puzzles.is_done(chain.puzzle)).collect();
            session.retain(&keep);
            let mut kept = keep.iter();
            chains.retain(|_| *kept.next().expect("one flag per chain"));
        }
    }
}

/// The beginning of a chain, and what it looks at.
fn begin(
    search: &Search,
    question: Question<'_>,
    referee: &dyn Referee,
    (puzzle, rollout): (usize, usize),
) -> (Chain, Vec<u8>) {
    let mut rng = ChaCha8Rng::seed_from_u64(search.seed);
    rng.set_stream(((puzzle as u64) << 32) + rollout as u64);
    let mut tokens = question_of(question, puzzle).to_vec();
    let undo = match rollout > 0 && search.symmetries {
        true => referee.disguise(&mut tokens, &mut rng),
        false => None,
    };
    let last = (Vec::new(), f32::NEG_INFINITY);
    (Chain { puzzle, rollout, steps: 0, rng, undo, last, over: false }, tokens)
}

/// Tells every chain's draft to its puzzle.
fn judge(
    puzzles: &mut Puzzles,
    chains: &mut [Chain],
    draft: &Draft,
    (question, referee, search): (Question<'_>, &dyn Referee, &Search),
) {
    let cells = draft.answers.len() / chains.len();
    let drafts = draft.answers.chunks_exact(cells).zip(&draft.halt_logits);
    for (chain, (answer, &halt_logit)) in chains.iter_mut().zip(drafts) {
        chain.steps += 1;
        let mut answer = answer.to_vec();
        if let Some(undo) = &chain.undo {
            undo(&mut answer);
        }
        let asked = question_of(question, chain.puzzle);
        referee.restore_givens(asked, &mut answer);
        let judgement = referee.judge(asked, &answer);
        let sure =
            judgement == Judgement::Unknown && crate::queue::is_sure(halt_logit, search.halt);
        chain.over = sure || chain.steps >= search.steps;
        chain.last = (answer, halt_logit);
        puzzles.hear(chain, judgement);
    }
}

/// A sum of four uniform numbers with mean 0 and deviation 1: near enough to normal, and quick.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let word: u64 = rng.random();
    let sum: u64 = (0..4).map(|i| word >> (16 * i) & 0xffff).sum();
    const MEAN: f32 = 2.0 * 65_535.0;
    const DEVIATION: f32 = 37_837.0; // of four times 0 to 65535
    (sum as f32 - MEAN) / DEVIATION
}

fn question_of<'q>(question: Question<'q>, puzzle: usize) -> &'q [u8] {
    let cells = question.tokens.len() / question.puzzles.len();
    &question.tokens[puzzle * cells..][..cells]
}
