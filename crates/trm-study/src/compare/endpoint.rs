//! A chat endpoint of the kind that OpenAI introduced: one request, tried again where that may help.

use super::refused;
use super::settings::Settings;
use crate::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::{Duration, Instant};
use trm_data::files::{read, write_atomic};
use trm_data::text::{counted, duration, foreign, hex};
use trm_data::web::{Secrets, below, shown};
use ureq::http::{HeaderValue, Response, StatusCode, Uri};
use ureq::{Agent, Body};

/// How long to wait before the second attempt; twice as long before every other.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest time to wait, whatever a server says.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A language model that can be asked.
pub(super) struct Endpoint {
    settings: Settings,
    address: Uri,
    /// The address without what is secret in it.
    pub(super) place: String,
    secrets: Secrets,
    pub(super) model: String,
    authorization: Option<HeaderValue>,
    agent: Agent,
}

/// What was answered to a prompt, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) text: String,
    /// Whether the model had used up its tokens.
    pub(super) cut_off: bool,
    /// Not every server counts tokens.
    pub(super) prompt_tokens: Option<u64>,
    pub(super) answer_tokens: Option<u64>,
    pub(super) milliseconds: f64,
}

/// Why there was no reply, and whether to try again, after how long at least.
enum Failure {
    Passing(String, Duration),
    Lasting(String),
}

impl Endpoint {
    /// `None` if the environment names neither an endpoint nor a model.
    pub(super) fn new(settings: &Settings) -> Result<Option<Endpoint>, Error> {
        let name = |part: &str| format!("{}_{part}", settings.variables);
        let variable =
            |part: &str| std::env::var(name(part)).ok().filter(|value| !value.is_empty());
        let (base, model) = match (variable("URL"), variable("MODEL")) {
            (Some(base), Some(model)) => (base, model),
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return Err(refused(format!(
                    "{} is set, but not {}: set both",
                    name("URL"),
                    name("MODEL")
                )));
            }
            (None, Some(_)) => {
                return Err(refused(format!(
                    "{} is set, but not {}: set both",
                    name("MODEL"),
                    name("URL")
                )));
            }
        };
        let address: Option<Uri> = below(&base, "chat/completions").parse().ok();
        let is_web = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
        let Some(address) = address.filter(is_web) else {
            return Err(refused(format!(
                "{} must be an address such as https://host/v1",
                name("URL")
            )));
        };
        let key = variable("KEY");
        let mut secrets = Secrets::of(&base);
        key.iter().for_each(|key| secrets.add(key));
        let bearer = |key: String| HeaderValue::from_str(&format!("Bearer {key}"));
        let authorization = key.map(bearer).transpose();
        let authorization = authorization
            .map_err(|_| refused(format!("{}: not a key: not one line", name("KEY"))))?;
        let config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(settings.timeout)))
            .max_redirects(0) // they would turn the question into a request for a page
            .http_status_as_error(false);
        let agent = config.build().into();
        let (settings, place) = (settings.clone(), secrets.hide(&shown(&address.to_string())));
        Ok(Some(Endpoint { settings, address, place, secrets, model, authorization, agent }))
    }

    /// The request for an answer to a prompt.
    pub(super) fn request(&self, prompt: &str) -> Value {
        let limit =
            if self.settings.completion_tokens { "max_completion_tokens" } else { "max_tokens" };
        let mut body = json!({
            "model": self.model,
            "messages": [{ "role": "user", "content": prompt }],
            limit: self.settings.max_tokens,
        });
        for (key, value) in &self.settings.request {
            body[key] = value.clone();
        }
        body
    }

    /// A name for all answers of this endpoint to a request.
    pub(super) fn digest(&self, request: &Value) -> String {
        hex(Sha256::new_with_prefix(format!("{}\n{request}", self.place)))
    }

    /// The most that an answer to a request can cost: a token has at least one byte.
    pub(super) fn dearest(&self, request: &Value) -> f64 {
        self.price(request.to_string().len() as u64, self.settings.max_tokens)
    }

    /// What an answer cost, at most where tokens were not counted.
    pub(super) fn cost(&self, request: &Value, reply: &Reply) -> f64 {
        match (reply.prompt_tokens, reply.answer_tokens) {
            (Some(prompt), Some(answer)) => self.price(prompt, answer),
            _ => self.dearest(request),
        }
    }

    fn price(&self, prompt: u64, answer: u64) -> f64 {
        let Settings { prompt_price, answer_price, .. } = self.settings;
        (prompt as f64 * prompt_price + answer as f64 * answer_price) / 1e6
    }

    /// Asks until there is an answer, as often as allowed; `hear` is told why another attempt is needed.
    ///
    /// Nothing that a server says leaves this function with a secret in it.
    pub(super) fn ask(&self, request: &Value, hear: &dyn Fn(String)) -> Result<Reply, Error> {
        let (mut wait, mut attempt) = (FIRST_WAIT, 1);
        loop {
            let started = Instant::now();
            match self.attempt(request) {
                Ok(reply) => {
                    let milliseconds = started.elapsed().as_secs_f64() * 1e3;
                    let text = self.secrets.hide(&reply.text);
                    return Ok(Reply { text, milliseconds, ..reply });
                }
                Err(Failure::Passing(reason, wanted)) if attempt < self.settings.attempts => {
                    let wait = wait.max(wanted).min(LONGEST_WAIT);
                    let wait_text = duration(wait.as_secs_f64());
                    hear(format!("{}: again in {wait_text}", self.printable(&reason)));
                    std::thread::sleep(wait);
                }
                Err(Failure::Lasting(reason) | Failure::Passing(reason, _)) => {
                    let attempts = counted(attempt as usize, "attempt");
                    let (place, reason) = (&self.place, self.printable(&reason));
                    let text = format!("{place}: {reason} ({attempts})");
                    return Err(Error::Failed(text));
                }
            }
            wait = (2 * wait).min(LONGEST_WAIT);
            attempt += 1;
        }
    }

    /// One short line of what a server said, without secrets.
    fn printable(&self, said: &str) -> String {
        let words: Vec<String> =
            self.secrets.hide(said).split_whitespace().map(String::from).collect();
        foreign(&words.join(" "))
    }

    fn attempt(&self, request: &Value) -> Result<Reply, Failure> {
        let mut post = self.agent.post(&self.address).header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            post = post.header("Authorization", authorization);
        }
        let sent = post.send(request.to_string());
        let mut response = sent.map_err(|error| self.failure(error))?;
        let (status, wanted) = (response.status(), retry_after(&response));
        let text = response.body_mut().read_to_string().map_err(|error| self.failure(error))?;
        if status.is_success() {
            return parse(&text).ok_or_else(|| Failure::Lasting(said("no answer", &text)));
        }
        let reason = said(&format!("status {}", status.as_u16()), &text);
        let (timeout, busy) = (StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS);
        match status.is_server_error() || status == timeout || status == busy {
            true => Err(Failure::Passing(reason, wanted)),
            false => Err(Failure::Lasting(reason)),
        }
    }

    fn failure(&self, error: ureq::Error) -> Failure {
        use ureq::Error::{ConnectionFailed, HostNotFound, Io, Timeout};
        let reason = match &error {
            Io(error) => format!("no connection ({error})"),
            Timeout(_) => format!("no answer within {} s", self.settings.timeout),
            error => error.to_string(),
        };
        match error {
            Io(_) | Timeout(_) | HostNotFound | ConnectionFailed => {
                Failure::Passing(reason, Duration::ZERO)
            }
            _ => Failure::Lasting(reason),
        }
    }
}

/// After how many seconds, whole or not, a server wants to be asked again.
fn retry_after(response: &Response<Body>) -> Duration {
    let seconds = response.headers().get("retry-after").and_then(|header| header.to_str().ok());
    let seconds = seconds.and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn said(what: &str, text: &str) -> String {
    if text.trim().is_empty() { what.to_owned() } else { format!("{what}: {text}") }
}

/// The first choice of a completion. Its content may be missing, where thinking used up all tokens, or come in
/// parts.
fn parse(text: &str) -> Option<Reply> {
    let completion: Value = serde_json::from_str(text).ok()?;
    let choice = completion["choices"].get(0)?;
    let content = &choice["message"].as_object()?.get("content");
    let text = match content {
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect()
        }
        content => content.and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    Some(Reply {
        text,
        cut_off: choice["finish_reason"] == "length",
        prompt_tokens: completion["usage"]["prompt_tokens"].as_u64(),
        answer_tokens: completion["usage"]["completion_tokens"].as_u64(),
        milliseconds: 0.0,
    })
}

/// The reply in a file, if there is one.
pub(super) fn kept(path: &Path) -> Result<Option<Reply>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let reply = serde_json::from_slice(&read(path)?);
    reply.map(Some).map_err(|_| Error::file(path, "not an answer kept: remove it"))
}

/// Writes a reply to a file.
pub(super) fn keep(path: &Path, reply: &Reply) -> Result<(), Error> {
    write_atomic(path, &serde_json::to_vec_pretty(reply).expect("a reply is JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_whole_cut_off_in_parts_and_without_content() {
        let reply = |choice: &str, usage: &str| {
            parse(&format!("{{\"choices\": [{choice}], \"usage\": {usage}}}"))
        };
        let usage = "{\"prompt_tokens\": 7, \"completion_tokens\": 9}";
        let whole = reply("{\"message\": {\"content\": \"yes\"}}", usage).unwrap();
        assert_eq!((&whole.text[..], whole.cut_off), ("yes", false));
        assert_eq!((whole.prompt_tokens, whole.answer_tokens), (Some(7), Some(9)));
        let parts =
            "{\"message\": {\"content\": [{\"text\": \"a\"}, {\"image\": 1}, {\"text\": \"b\"}]}}";
        let parts = reply(parts, "null").unwrap();
        assert_eq!((&parts.text[..], parts.answer_tokens), ("ab", None));
        for message in ["{}", "{\"content\": null}"] {
            let choice = format!("{{\"finish_reason\": \"length\", \"message\": {message}}}");
            let cut_off = reply(&choice, usage).unwrap();
            assert_eq!((&cut_off.text[..], cut_off.cut_off), ("", true));
        }
        assert_eq!(reply("", usage), None);
        assert_eq!(reply("{\"message\": \"yes\"}", usage), None);
        assert_eq!(parse("<html>"), None);
    }

    #[test]
    fn requests_and_their_prices_follow_the_settings() {
        let mut settings = Settings { max_tokens: 300, answer_price: 2e6, ..Settings::default() };
        settings.request.insert("temperature".into(), 0.into());
        let endpoint = |settings: Settings| Endpoint {
            settings,
            address: "http://127.0.0.1/v1".parse().unwrap(),
            place: "http://127.0.0.1/v1".into(),
            secrets: Secrets::of(""),
            model: "m".into(),
            authorization: None,
            agent: Agent::new_with_defaults(),
        };
        let plain = endpoint(settings.clone());
        let request = plain.request("why?");
        assert_eq!(
            request,
            json!({"model": "m", "messages": [{"role": "user", "content": "why?"}],
                   "max_tokens": 300, "temperature": 0})
        );
        let mut reply = parse("{\"choices\": [{\"message\": {}}]}").unwrap();
        assert_eq!((plain.dearest(&request), plain.cost(&request, &reply)), (600.0, 600.0));
        (reply.prompt_tokens, reply.answer_tokens) = (Some(1000), Some(5));
        assert_eq!(plain.cost(&request, &reply), 10.0);
        let other = endpoint(Settings { completion_tokens: true, ..settings });
        assert_eq!(other.request("why?")["max_completion_tokens"], 300);
        assert_ne!(plain.digest(&request), plain.digest(&other.request("why?")));
    }
}
