//! A chat endpoint of the kind that OpenAI introduced: one request, tried again where that may help.

use crate::Failed;
use crate::data::hex;
use anyhow::{Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::{Duration, Instant};
use trm_train::files::{read, write_atomic};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

/// The longest time to wait before another attempt.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Where a language model is to be found, and what it may cost.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Such as `http://127.0.0.1:8080/v1`; if not here, in the variable `TRM_CHAT_URL`.
    pub(crate) base_url: Option<String>,
    /// Its name at the endpoint; if not here, in the variable `TRM_CHAT_MODEL`.
    pub(crate) model: Option<String>,
    /// The environment variable that holds the key, where one is needed.
    pub(crate) key_variable: String,
    /// Puzzles to ask at most.
    pub(crate) puzzles: usize,
    /// Puzzles asked at the same time.
    pub(crate) concurrency: usize,
    /// Requests for one answer at most.
    pub(crate) attempts: u32,
    /// Seconds to wait for an answer.
    pub(crate) timeout: u64,
    /// Tokens of an answer at most.
    pub(crate) max_tokens: u64,
    /// Price of a million tokens of the prompt.
    pub(crate) prompt_price: f64,
    /// Price of a million tokens of the answer.
    pub(crate) answer_price: f64,
    /// What all answers may cost together; not with prices of 0.
    pub(crate) cost_cap: Option<f64>,
    /// More keys of the request.
    pub(crate) request: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            base_url: None,
            model: None,
            key_variable: "TRM_CHAT_KEY".into(),
            puzzles: 50,
            concurrency: 4,
            attempts: 6,
            timeout: 600,
            max_tokens: 16_384,
            prompt_price: 0.0,
            answer_price: 0.0,
            cost_cap: None,
            request: Map::new(),
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<()> {
        let counts = [self.puzzles, self.concurrency, self.attempts as usize];
        if counts.contains(&0) || self.timeout == 0 || self.max_tokens == 0 {
            bail!("puzzles, concurrency, attempts, timeout and max_tokens must be at least 1");
        }
        let prices = [self.prompt_price, self.answer_price, self.cost_cap.unwrap_or(0.0)];
        if prices.iter().any(|price| !(price.is_finite() && *price >= 0.0)) {
            bail!("prompt_price, answer_price and cost_cap must be 0 or positive numbers");
        }
        if self.cost_cap.is_some() && self.prompt_price + self.answer_price == 0.0 {
            bail!("cost_cap needs prompt_price and answer_price, per million tokens");
        }
        Ok(())
    }
}

/// A language model that can be asked.
pub(crate) struct Endpoint {
    settings: Settings,
    address: String,
    pub(crate) model: String,
    key: Option<String>,
    agent: Agent,
}

/// What was answered to a prompt, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) prompt_tokens: u64,
    pub(crate) answer_tokens: u64,
    pub(crate) milliseconds: f64,
}

/// Why there was no reply, and whether to try again, after how long.
enum Failure {
    Passing(String, Option<Duration>),
    Lasting(String),
}

impl Endpoint {
    /// `None` if neither the study nor the environment names an endpoint and a model.
    pub(crate) fn new(settings: &Settings) -> Option<Endpoint> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let base = settings.base_url.clone().or_else(|| variable("TRM_CHAT_URL"))?;
        let model = settings.model.clone().or_else(|| variable("TRM_CHAT_MODEL"))?;
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(settings.timeout)))
            .http_status_as_error(false);
        Some(Endpoint {
            settings: settings.clone(),
            address: format!("{}/chat/completions", base.trim_end_matches('/')),
            model,
            key: variable(&settings.key_variable),
            agent: config.build().into(),
        })
    }

    /// The request for an answer to a prompt.
    pub(crate) fn request(&self, prompt: &str) -> Vec<u8> {
        let mut body = json!({
            "model": self.model,
            "messages": [{ "role": "user", "content": prompt }],
            "max_tokens": self.settings.max_tokens,
        });
        for (key, value) in &self.settings.request {
            body[key] = value.clone();
        }
        if self.settings.request.contains_key("max_completion_tokens") {
            body.as_object_mut().map(|keys| keys.remove("max_tokens"));
        }
        body.to_string().into_bytes()
    }

    /// A name for all answers of this endpoint to a request.
    pub(crate) fn digest(&self, request: &[u8]) -> String {
        let mut text = self.address.clone().into_bytes();
        text.push(0);
        text.extend(request);
        hex(Sha256::new_with_prefix(&text))
    }

    /// The most that an answer to a request can cost: a token has at least one byte.
    pub(crate) fn dearest(&self, request: &[u8]) -> f64 {
        self.price(request.len() as u64, self.settings.max_tokens)
    }

    /// What an answer cost.
    pub(crate) fn cost(&self, reply: &Reply) -> f64 {
        self.price(reply.prompt_tokens, reply.answer_tokens)
    }

    fn price(&self, prompt: u64, answer: u64) -> f64 {
        let Settings { prompt_price, answer_price, .. } = self.settings;
        (prompt as f64 * prompt_price + answer as f64 * answer_price) / 1e6
    }

    /// Asks until there is an answer, as often as allowed.
    pub(crate) fn ask(&self, request: &[u8]) -> Result<Reply> {
        let mut wait = Duration::from_secs(1);
        let mut attempt = 1;
        loop {
            let started = Instant::now();
            let (reason, wanted) = match self.attempt(request) {
                Ok(reply) => {
                    let milliseconds = started.elapsed().as_secs_f64() * 1e3;
                    return Ok(Reply { milliseconds, ..reply });
                }
                Err(Failure::Lasting(reason)) => return Err(self.failed(&reason)),
                Err(Failure::Passing(reason, wanted)) => (reason, wanted),
            };
            if attempt == self.settings.attempts {
                let again = "answers so far are kept: run the command again to go on";
                return Err(self.failed(&format!("{reason}, after {attempt} attempts; {again}")));
            }
            std::thread::sleep(wanted.unwrap_or(wait).min(LONGEST_WAIT));
            wait *= 2;
            attempt += 1;
        }
    }

    fn failed(&self, reason: &str) -> anyhow::Error {
        Failed(format!("{}: {reason}", self.address)).into()
    }

    fn attempt(&self, request: &[u8]) -> Result<Reply, Failure> {
        let mut post = self.agent.post(&self.address).header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            post = post.header("Authorization", format!("Bearer {key}"));
        }
        let mut response = post.send(request).map_err(|error| match error {
            error @ ureq::Error::BadUri(_) => Failure::Lasting(error.to_string()),
            error => Failure::Passing(error.to_string(), None),
        })?;
        let status = response.status();
        let wanted = retry_after(&response);
        let text = response.body_mut().read_to_string();
        let text = text.map_err(|error| Failure::Passing(error.to_string(), None))?;
        if status.is_success() {
            return parse(&text).ok_or_else(|| Failure::Lasting(shortened("no answer", &text)));
        }
        let reason = shortened(&format!("status {}", status.as_u16()), &text);
        let passing = status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS
            );
        Err(if passing { Failure::Passing(reason, wanted) } else { Failure::Lasting(reason) })
    }
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let header = response.headers().get("retry-after")?;
    header.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// One line of at most 200 characters of what a server said.
fn shortened(what: &str, said: &str) -> String {
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match said.chars().take(200).collect::<String>() {
        said if said.is_empty() => what.to_owned(),
        said => format!("{what}: {said}"),
    }
}

/// The first choice of a completion. A server that counts no tokens leaves them 0.
fn parse(text: &str) -> Option<Reply> {
    let completion: Value = serde_json::from_str(text).ok()?;
    let message = &completion["choices"].get(0)?["message"];
    let count = |key: &str| completion["usage"][key].as_u64().unwrap_or(0);
    Some(Reply {
        // a model that has thought until its tokens ran out has no content
        text: message.get("content")?.as_str().unwrap_or_default().to_owned(),
        prompt_tokens: count("prompt_tokens"),
        answer_tokens: count("completion_tokens"),
        milliseconds: 0.0,
    })
}

/// The reply in a file, if there is one.
pub(crate) fn kept(path: &Path) -> Result<Option<Reply>> {
    if !path.exists() {
        return Ok(None);
    }
    let reply = serde_json::from_slice(&read(path)?);
    reply.map(Some).map_err(|_| anyhow!("{}: not an answer kept: remove it", path.display()))
}

/// Writes a reply to a file.
pub(crate) fn keep(path: &Path, reply: &Reply) -> Result<()> {
    Ok(write_atomic(path, &serde_json::to_vec_pretty(reply)?)?)
}
