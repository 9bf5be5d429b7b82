//! What a search tells.

use super::Judgement;

/// The outcome of a puzzle's search.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Which puzzle: the number that [`SearchSession::push`](super::SearchSession::push) gave it.
    pub puzzle: usize,
    /// `[S]`: the answer.
    pub answer: Vec<u8>,
    /// Whether it satisfies the rules. If not, the model is sure of it and nobody was to judge, or it has most votes,
    /// weighted by the model's belief.
    pub verified: bool,
    /// What it costs, if it is verified and the referee says so: none that was found is cheaper.
    pub cost: Option<f64>,
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

/// A chain of a search that has ended with a draft of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainEnd {
    /// Which puzzle: the number that [`SearchSession::push`](super::SearchSession::push) gave it.
    pub puzzle: usize,
    /// Number among the puzzle's chains, from 1.
    pub chain: usize,
    /// Its supervision steps.
    pub steps: usize,
    /// What it supposed: cells of the question, and the tokens it thought on with.
    pub supposed: Vec<(usize, u8)>,
    /// `[S]`: its last draft, with its givens restored.
    pub answer: Vec<u8>,
    /// The model's halting logit for it.
    pub halt_logit: f32,
    /// What the rules say of it.
    pub judgement: Judgement,
}

/// What a search tells while it goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A draft of a puzzle's first chain, which is the model's own thinking.
    Draft {
        /// Which puzzle: the number that [`SearchSession::push`](super::SearchSession::push) gave it.
        puzzle: usize,
        /// Supervision steps of the chain, from 1.
        step: usize,
        /// `[S]`: the draft, with its givens restored.
        answer: Vec<u8>,
        /// Above 0 the model holds the draft rather to be right than wrong.
        halt_logit: f32,
        /// `[S · V]`: those of the network, before givens were restored.
        logits: Vec<f32>,
    },
    /// A chain has ended. Those that are under way when the answer is known are not told.
    Chain(ChainEnd),
    /// A puzzle's outcome.
    Found(Found),
}

impl News {
    /// Which puzzle they are of.
    pub fn puzzle(&self) -> usize {
        match self {
            News::Draft { puzzle, .. }
            | News::Chain(ChainEnd { puzzle, .. })
            | News::Found(Found { puzzle, .. }) => *puzzle,
        }
    }
}
