//! What is known of the puzzles of a search.

use super::{ChainEnd, Found, Judgement, News, Referee, Search, Undo};
use crate::model::Question;
use crate::solve::batch::Draft;
use crate::solve::session::is_sure;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;
use std::ops::Range;

/// One chain of thought.
pub(super) struct Chain {
    pub(super) puzzle: usize,
    /// Number among the puzzle's chains, from 0.
    pub(super) rollout: usize,
    pub(super) search: Search,
    /// Supervision steps so far.
    steps: usize,
    pub(super) rng: ChaCha8Rng,
    undo: Option<Undo>,
    /// Last draft and halting logit.
    last: (Vec<u8>, f32),
    /// `[S · V]` of the last draft, of a chain whose drafts are told.
    logits: Vec<f32>,
    pub(super) over: bool,
}

impl Chain {
    /// Whether it is time to suppose something.
    pub(super) fn is_impatient(&self) -> bool {
        let patience = self.search.patience;
        let waited = patience > 0 && self.steps.is_multiple_of(patience);
        waited && self.rollout > 0 && !self.over
    }

    /// Takes a draft of the model: turned back into one to the question, with its givens restored.
    pub(super) fn draft(&mut self, draft: &Draft<'_>, question: &[u8], referee: &dyn Referee) {
        self.steps += 1;
        let mut answer = draft.answer.to_vec();
        if let Some(undo) = &self.undo {
            undo(&mut answer);
        }
        referee.restore_givens(question, &mut answer);
        self.last = (answer, draft.halt_logit);
        if self.rollout == 0 {
            self.logits = draft.logits.to_vec();
        }
    }

    /// Its last draft.
    pub(super) fn last_draft(&self) -> &[u8] {
        &self.last.0
    }

    /// Tells its last draft.
    pub(super) fn news(&self) -> News {
        let (answer, halt_logit) = self.last.clone();
        let logits = self.logits.clone();
        News::Draft { puzzle: self.puzzle, step: self.steps, answer, halt_logit, logits }
    }

    /// Tells its end: `question` is what was asked, `looked_at` what it looks at by now.
    pub(super) fn end(&self, question: &[u8], looked_at: &[u8], judgement: Judgement) -> News {
        let mut looked_at = looked_at.to_vec();
        if let Some(undo) = &self.undo {
            undo(&mut looked_at);
        }
        let cells = question.iter().zip(&looked_at).enumerate();
        let supposed = cells.filter(|(_, (asked, looked_at))| asked != looked_at);
        let (answer, halt_logit) = self.last.clone();
        News::Chain(ChainEnd {
            puzzle: self.puzzle,
            chain: self.rollout + 1,
            steps: self.steps,
            supposed: supposed.map(|(cell, (_, token))| (cell, *token)).collect(),
            answer,
            halt_logit,
            judgement,
        })
    }
}

/// An answer that chains have ended with.
struct Vote {
    answer: Vec<u8>,
    /// Sum of the model's belief in it.
    weight: f64,
    origin: Origin,
}

/// The draft of a chain that became an answer.
#[derive(Clone, Copy, Default)]
struct Origin {
    /// From 1.
    chain: usize,
    steps: usize,
    halt_logit: f32,
}

impl Origin {
    fn of(chain: &Chain) -> Origin {
        Origin { chain: chain.rollout + 1, steps: chain.steps, halt_logit: chain.last.1 }
    }
}

/// A puzzle whose search has not ended.
pub(super) struct Puzzle {
    question: Vec<u8>, // [S]
    pub(super) identifier: u32,
    /// Place in the question that was pushed: with the seed, what chance depends on.
    place: usize,
    search: Search,
    steps: usize,
    begun: usize,
    ended: usize,
    votes: Vec<Vote>,
    /// The first of the cheapest right answers that have a cost.
    cheapest: Option<(Vec<u8>, f64, Origin)>,
    /// The answer, as soon as it is known.
    answer: Option<Answer>,
}

/// What a search ends with.
struct Answer {
    tokens: Vec<u8>,
    verified: bool,
    cost: Option<f64>,
    origin: Origin,
}

impl Puzzle {
    fn new(question: Question<'_>, place: usize, search: Search) -> Puzzle {
        let one = question.rows(place..place + 1);
        let search = Search { rollouts: search.rollouts.max(1), ..search };
        let (question, identifier) = (one.tokens.to_vec(), one.puzzles[0]);
        Puzzle {
            question,
            identifier,
            place,
            search,
            steps: 0,
            begun: 0,
            ended: 0,
            votes: Vec::new(),
            cheapest: None,
            answer: None,
        }
    }

    /// Its next chain, and what that looks at.
    pub(super) fn begin(&mut self, puzzle: usize, referee: &mut dyn Referee) -> (Chain, Vec<u8>) {
        let (search, rollout) = (self.search, self.begun);
        self.begun += 1;
        let mut rng = ChaCha8Rng::seed_from_u64(search.seed);
        rng.set_stream(((self.place as u64) << 32) + rollout as u64);
        let mut tokens = self.question.clone();
        let undo = match rollout > 0 && search.symmetries {
            true => referee.augment_question(&mut tokens, &mut rng),
            false => None,
        };
        let last = (Vec::new(), f32::NEG_INFINITY);
        (
            Chain {
                puzzle,
                rollout,
                search,
                steps: 0,
                rng,
                undo,
                last,
                logits: Vec::new(),
                over: false,
            },
            tokens,
        )
    }

    /// A chain has taken a step.
    fn hear(&mut self, chain: &Chain, judgement: Judgement, sure: bool) {
        self.steps += 1;
        if self.answer.is_some() {
            return; // another chain of the batch was faster
        }
        let verified = judgement == Judgement::Right { cost: None } && self.cheapest.is_none();
        if verified || sure && !self.search.judged {
            let (tokens, origin) = (chain.last.0.clone(), Origin::of(chain));
            self.answer = Some(Answer { tokens, verified, cost: None, origin });
            return;
        }
        if let Judgement::Right { cost: Some(cost) } = judgement
            && self.cheapest.as_ref().is_none_or(|(_, least, _)| cost < *least)
        {
            self.cheapest = Some((chain.last.0.clone(), cost, Origin::of(chain)));
        }
        if chain.over {
            self.ended += 1;
            self.vote(chain);
            if self.ended == self.search.rollouts {
                self.conclude();
            }
        }
    }

    fn vote(&mut self, chain: &Chain) {
        let (answer, halt_logit) = &chain.last;
        let weight = 1.0 / (1.0 + (-f64::from(*halt_logit)).exp());
        match self.votes.iter_mut().find(|vote| vote.answer == *answer) {
            Some(vote) => vote.weight += weight,
            None => {
                self.votes.push(Vote { answer: answer.clone(), weight, origin: Origin::of(chain) })
            }
        }
    }

    /// No chain is left: the cheapest right answer, or else that with most votes; the earliest of equals.
    fn conclude(&mut self) {
        if let Some((tokens, cost, origin)) = self.cheapest.take() {
            self.answer = Some(Answer { tokens, verified: true, cost: Some(cost), origin });
            return;
        }
        let votes = std::mem::take(&mut self.votes).into_iter();
        let best = votes.reduce(|best, vote| if vote.weight > best.weight { vote } else { best });
        let (tokens, origin) =
            best.map_or_else(Default::default, |vote| (vote.answer, vote.origin));
        self.answer = Some(Answer { tokens, verified: false, cost: None, origin });
    }
}

/// All puzzles of a search that have not ended, by their numbers.
#[derive(Default)]
pub(super) struct Puzzles {
    searched: BTreeMap<usize, Puzzle>,
    /// Puzzles so far.
    pushed: usize,
    /// Those whose outcome has just become known.
    known: Vec<usize>,
}

impl Puzzles {
    pub(super) fn push(&mut self, question: Question<'_>, search: Search) -> Range<usize> {
        let first = self.pushed;
        let places = 0..question.puzzles.len();
        self.pushed += places.len();
        let new = places.map(|place| (first + place, Puzzle::new(question, place, search)));
        self.searched.extend(new);
        first..self.pushed
    }

    pub(super) fn len(&self) -> usize {
        self.searched.len()
    }

    pub(super) fn contains(&self, puzzle: usize) -> bool {
        self.searched.contains_key(&puzzle)
    }

    pub(super) fn remove(&mut self, puzzle: usize) -> bool {
        self.searched.remove(&puzzle).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.searched.clear();
    }

    /// The puzzle whose chain is the next to begin: the one with fewest, and with a second one only
    /// when the first, which solves most puzzles, has ended.
    pub(super) fn next_to_begin(&mut self) -> Option<(usize, &mut Puzzle)> {
        let ready = |puzzle: &Puzzle| {
            puzzle.begun == 0 || puzzle.ended > 0 && puzzle.begun < puzzle.search.rollouts
        };
        let puzzles = self.searched.iter_mut().filter(|(_, puzzle)| ready(puzzle));
        puzzles.min_by_key(|(_, puzzle)| puzzle.begun).map(|(number, puzzle)| (*number, puzzle))
    }

    /// A puzzle as it was asked; `None` if it has left.
    pub(super) fn question(&self, puzzle: usize) -> Option<&[u8]> {
        self.searched.get(&puzzle).map(|puzzle| &puzzle.question[..])
    }

    /// Tells what the referee says of a chain's last draft to its puzzle.
    pub(super) fn hear(&mut self, chain: &mut Chain, judgement: Judgement) {
        let Some(puzzle) = self.searched.get_mut(&chain.puzzle) else { return };
        let sure = judgement == Judgement::Unknown && is_sure(chain.last.1, chain.search.halt);
        chain.over = sure || chain.steps >= chain.search.steps;
        let was_known = puzzle.answer.is_some();
        puzzle.hear(chain, judgement, sure);
        if !was_known && puzzle.answer.is_some() {
            self.known.push(chain.puzzle);
        }
    }

    /// Ends a search; its chains that are under way vote with their last draft.
    pub(super) fn give_up(&mut self, number: usize, chains: &[Chain]) {
        let Some(puzzle) = self.searched.get_mut(&number) else { return };
        chains.iter().filter(|chain| chain.puzzle == number).for_each(|chain| puzzle.vote(chain));
        puzzle.conclude();
        self.known.push(number);
    }

    /// The outcomes that have become known; their puzzles leave.
    pub(super) fn outcomes(&mut self) -> impl Iterator<Item = Found> {
        self.known.drain(..).filter_map(|puzzle| {
            let Puzzle { steps, begun: rollouts, answer, .. } = self.searched.remove(&puzzle)?;
            let Answer { tokens: answer, verified, cost, origin } = answer?;
            let Origin { chain, steps: chain_steps, halt_logit } = origin;
            Some(Found {
                puzzle,
                answer,
                verified,
                cost,
                steps,
                rollouts,
                chain,
                chain_steps,
                halt_logit,
            })
        })
    }
}

/// A sum of four uniform numbers with mean 0 and deviation 1: near enough to normal, and quick.
pub(super) fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let word: u64 = rng.random();
    let sum: u64 = (0..4).map(|i| word >> (16 * i) & 0xffff).sum();
    const MEAN: f32 = 2.0 * 65_535.0;
    const DEVIATION: f32 = 37_837.0; // of four times 0 to 65535
    (sum as f32 - MEAN) / DEVIATION
}
