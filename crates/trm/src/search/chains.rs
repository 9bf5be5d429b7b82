//! What is known of the puzzles of a search.

use super::{Found, Judgement, News, Search, Undo};
use crate::model::Question;
use rand_chacha::ChaCha8Rng;

/// One chain of thought.
pub(super) struct Chain {
    pub(super) puzzle: usize,
    /// Number among the puzzle's chains, from 0.
    pub(super) rollout: usize,
    /// Supervision steps so far.
    pub(super) steps: usize,
    pub(super) rng: ChaCha8Rng,
    pub(super) undo: Option<Undo>,
    /// Last draft and halting logit.
    pub(super) last: (Vec<u8>, f32),
    pub(super) over: bool,
}

impl Chain {
    /// Whether it is time to suppose something.
    pub(super) fn is_impatient(&self, patience: usize) -> bool {
        let waited = patience > 0 && self.steps.is_multiple_of(patience);
        waited && self.rollout > 0 && !self.over
    }

    /// Its last draft.
    pub(super) fn news(&self) -> News {
        let (answer, halt_logit) = self.last.clone();
        News::Draft { puzzle: self.puzzle, step: self.steps, answer, halt_logit }
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

#[derive(Default)]
struct Progress {
    steps: usize,
    begun: usize,
    ended: usize,
    votes: Vec<Vote>,
    found: Option<Found>,
    done: bool,
}

/// All puzzles of a search.
pub(super) struct Puzzles {
    rollouts: usize,
    progress: Vec<Progress>,
    /// Puzzles whose outcome has just become known.
    news: Vec<usize>,
}

impl Puzzles {
    pub(super) fn new(question: Question<'_>, search: &Search) -> Puzzles {
        let progress = question.puzzles.iter().map(|_| Progress::default()).collect();
        Puzzles { rollouts: search.rollouts.max(1), progress, news: Vec::new() }
    }

    pub(super) fn is_done(&self, puzzle: usize) -> bool {
        self.progress[puzzle].done
    }

    /// The next chain to begin: puzzle and rollout. It is of the puzzle with fewest, and a second one only
    /// when the first, which solves most puzzles, has ended.
    pub(super) fn next_chain(&mut self) -> Option<(usize, usize)> {
        let ready = |progress: &Progress| {
            let again = progress.ended > 0 && progress.begun < self.rollouts;
            !progress.done && (progress.begun == 0 || again)
        };
        let puzzles = self.progress.iter().enumerate().filter(|(_, progress)| ready(progress));
        let (puzzle, progress) = puzzles.min_by_key(|(_, progress)| progress.begun)?;
        let rollout = progress.begun;
        self.progress[puzzle].begun += 1;
        Some((puzzle, rollout))
    }

    /// A chain has taken a step.
    pub(super) fn hear(&mut self, chain: &Chain, judgement: Judgement) {
        let progress = &mut self.progress[chain.puzzle];
        progress.steps += 1;
        if progress.done {
            return; // another chain of the batch was faster
        }
        if judgement == Judgement::Right {
            let answer = chain.last.0.clone();
            self.finish(chain.puzzle, (answer, true), Origin::of(chain));
        } else if chain.over {
            progress.ended += 1;
            progress.vote(chain);
            if progress.ended == self.rollouts {
                self.conclude(chain.puzzle);
            }
        }
    }

    /// Ends all searches; chains that are under way vote with their last draft.
    pub(super) fn give_up(&mut self, chains: &[Chain]) {
        for chain in chains.iter().filter(|chain| !chain.over) {
            self.progress[chain.puzzle].vote(chain);
        }
        for puzzle in 0..self.progress.len() {
            if !self.is_done(puzzle) {
                self.conclude(puzzle);
            }
        }
    }

    /// Tells the outcomes that have become known.
    pub(super) fn report(&mut self, hear: &mut dyn FnMut(News)) {
        for puzzle in std::mem::take(&mut self.news) {
            let Progress { steps, begun, found: outcome, .. } = &mut self.progress[puzzle];
            let outcome = outcome.take().expect("an outcome that is news");
            hear(News::Found(Found { steps: *steps, rollouts: *begun, ..outcome }));
        }
    }

    /// No chain is left: the answer with most votes, the earliest of equals.
    fn conclude(&mut self, puzzle: usize) {
        let votes = std::mem::take(&mut self.progress[puzzle].votes).into_iter();
        let best = votes.reduce(|best, vote| if vote.weight > best.weight { vote } else { best });
        let (answer, origin) =
            best.map_or_else(Default::default, |vote| (vote.answer, vote.origin));
        self.finish(puzzle, (answer, false), origin);
    }

    fn finish(
        &mut self,
        puzzle: usize,
        (answer, verified): (Vec<u8>, bool),
        Origin { chain, steps: chain_steps, halt_logit }: Origin,
    ) {
        let progress = &mut self.progress[puzzle];
        progress.done = true;
        let (steps, rollouts) = (0, 0); // known when it is reported
        progress.found = Some(Found {
            puzzle,
            answer,
            verified,
            steps,
            rollouts,
            chain,
            chain_steps,
            halt_logit,
        });
        self.news.push(puzzle);
    }
}

impl Progress {
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
}
