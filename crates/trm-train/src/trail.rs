use crate::Error;
use trm::{Model, Solver};
use trm_ops::DType;
use trm_puzzles::{Domain, Verdict};

/// How a model thought its way through one puzzle.
#[derive(Clone, Debug)]
pub struct Trail {
    /// `[S]` tokens of the question.
    pub question: Vec<u8>,
    /// The drafts, one per supervision step; at least one.
    pub steps: Vec<TrailStep>,
}

/// One draft.
#[derive(Clone, Debug)]
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
    /// Lets a model think about a question until it holds its answer to be right, at most
    /// `max_steps` supervision steps.
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
        let mut session = Solver::new(model, dtype).start(question, &[0])?;
        let mut steps: Vec<TrailStep> = Vec::new();
        for _ in 0..max_steps.max(1) {
            let draft = session.step();
            let before = steps.last().map_or(&draft.answers, |s| &s.answer);
            let changed = (0..question.len()).filter(|i| before[*i] != draft.answers[*i]).collect();
            let verdict = domain.verify(question, &draft.answers);
            let logit = f64::from(draft.halt_logits[0]);
            let halt_probability = 1.0 / (1.0 + (-logit).exp());
            steps.push(TrailStep { answer: draft.answers, halt_probability, changed, verdict });
            if logit > 0.0 {
                break;
            }
        }
        Ok(Trail { question: question.to_vec(), steps })
    }

    /// The last draft.
    pub fn last(&self) -> &TrailStep {
        &self.steps[self.steps.len() - 1]
    }
}
