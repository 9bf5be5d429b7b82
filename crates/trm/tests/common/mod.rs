//! What tests of several ways of mixing need.

use std::sync::Arc;
use trm::{Limits, Model, Question, Solver};
use trm_ops::DType;

/// The logits of the first drafts of puzzles.
pub fn first_logits(model: &Arc<Model>, dtype: DType, tokens: &[u8]) -> Vec<f32> {
    let puzzles = vec![0; tokens.len() / model.config().seq_len];
    let mut session = Solver::new(model.clone(), dtype).session();
    let first = Limits { steps: 1, halt: None };
    session.push(Question { tokens, puzzles: &puzzles }, first).unwrap();
    session.thoughts().flat_map(|thought| thought.unwrap().logits).collect()
}
