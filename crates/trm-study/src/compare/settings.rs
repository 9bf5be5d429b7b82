//! What a study says of a language model.

use super::refused;
use crate::Error;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Keys of a request that have settings of their own, or none.
const RESERVED: [&str; 6] =
    ["model", "messages", "stream", "n", "max_tokens", "max_completion_tokens"];

/// How a language model is asked, and what it may cost. Who it is and where stands in the environment alone, so
/// that no study can send a key anywhere.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// What the names of three variables begin with: `…_URL` is the base address such as
    /// `http://127.0.0.1:8080/v1`, `…_MODEL` the model's name there, `…_KEY` the key, if one is needed.
    pub(super) variables: String,
    /// Puzzles to ask at most.
    pub(super) puzzles: usize,
    /// Puzzles asked at the same time.
    pub(super) concurrency: usize,
    /// Requests for one answer at most.
    pub(super) attempts: u32,
    /// Seconds to wait for an answer.
    pub(super) timeout: u64,
    /// Tokens of an answer at most.
    pub(super) max_tokens: u64,
    /// Whether the endpoint calls that number `max_completion_tokens`.
    pub(super) completion_tokens: bool,
    /// Price of a million tokens of the prompt.
    pub(super) prompt_price: f64,
    /// Price of a million tokens of the answer.
    pub(super) answer_price: f64,
    /// What all answers may cost together. Attempts that bring no answer are not counted.
    pub(super) cost_cap: Option<f64>,
    /// More keys of the request.
    pub(super) request: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            variables: "TRM_CHAT".into(),
            puzzles: 50,
            concurrency: 4,
            attempts: 8,
            timeout: 600,
            max_tokens: 16_384,
            completion_tokens: false,
            prompt_price: 0.0,
            answer_price: 0.0,
            cost_cap: None,
            request: Map::new(),
        }
    }
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), Error> {
        let counts = [self.puzzles, self.concurrency, self.attempts as usize];
        if counts.contains(&0) || self.max_tokens == 0 {
            return Err(refused(
                "puzzles, concurrency, attempts and max_tokens must be at least 1",
            ));
        }
        if !(1..=86_400).contains(&self.timeout) {
            return Err(refused(format!("timeout = {}: must be 1 to 86400 seconds", self.timeout)));
        }
        let prices = [self.prompt_price, self.answer_price, self.cost_cap.unwrap_or(0.0)];
        if prices.iter().any(|price| !(price.is_finite() && *price >= 0.0)) {
            return Err(refused(
                "prompt_price, answer_price and cost_cap must be 0 or positive numbers",
            ));
        }
        if self.cost_cap.is_some() && self.prompt_price + self.answer_price == 0.0 {
            return Err(refused(
                "cost_cap needs prompt_price and answer_price, per million tokens",
            ));
        }
        if let Some(key) = RESERVED.iter().find(|key| self.request.contains_key(**key)) {
            return Err(refused(format!("request.{key}: not to be chosen here")));
        }
        match self.request.iter().find(|(_, value)| has_null(value)) {
            Some((key, _)) => {
                Err(refused(format!("request.{key}: not a number, or an infinite one")))
            }
            None => Ok(()),
        }
    }
}

/// JSON has no other form for a number that is none, and TOML no null.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(entries) => entries.values().any(has_null),
        value => value.is_null(),
    }
}
