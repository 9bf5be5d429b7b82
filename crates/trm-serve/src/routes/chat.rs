//! `POST /v1/chat/completions`: the puzzle in the last message, the answer as text, as OpenAI's clients have it.

use super::solve::{Telling, ask, wait};
use crate::asked::{Asked, Puzzle, SolveRequest};
use crate::body;
use crate::models::Served;
use crate::refusal::Refusal;
use crate::server::Server;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use trm_puzzles::questions;

/// The part of a request that is read; what only language models know is ignored.
#[derive(Debug, Deserialize)]
struct ChatRequest {
    model: Option<String>,
    messages: Vec<Message>,
    #[serde(default)]
    stream: bool,
    /// What `POST /v1/solve` would be told besides the puzzle.
    #[serde(default)]
    trm: SolveRequest,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Content,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

impl Content {
    fn text(&self) -> String {
        match self {
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => parts.iter().map(|part| part.text.as_str()).collect(),
        }
    }
}

pub(super) async fn complete(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let bytes = body::bytes(request.into_body(), &server.settings).await?;
    let Chat { model, asked, stream } = read(&server, &bytes)?;
    let mut telling = ask(&server, asked, bytes.len())?;
    let answers = wait(&server, &mut telling).await?;
    let text = text(&telling, &answers[0]);
    Ok(match stream {
        true => streamed(&model.name, text),
        false => Json(whole(&model.name, text)).into_response(),
    })
}

/// What a body asks for.
pub(super) struct Chat<'a> {
    model: &'a Served,
    pub asked: Asked<'a>,
    stream: bool,
}

pub(super) fn read<'a>(server: &'a Server, bytes: &[u8]) -> Result<Chat<'a>, Refusal> {
    let chat: ChatRequest = body::json(bytes)?;
    let last = chat.messages.last().ok_or_else(|| Refusal::content("`messages`: there is none"))?;
    let message = last.content.text().replace('\r', "");
    let texts = blocks(&message).chain([&message[..]]).map(|text| Puzzle::Text(text.into()));
    let texts: Vec<Puzzle> = texts.collect();
    let model = server.models.get(chat.model.as_deref(), &texts)?;
    let puzzle = puzzle(model, &message).to_owned();
    let wanted = SolveRequest { puzzle: Some(Puzzle::Text(puzzle)), puzzles: None, ..chat.trm };
    let asked = wanted.check(model, &server.settings)?;
    Ok(Chat { model, asked, stream: chat.stream })
}

/// What stands between blank lines.
fn blocks(message: &str) -> impl Iterator<Item = &str> {
    message.split("\n\n")
}

/// The part of a message that is a puzzle: a block, or all.
fn puzzle<'a>(model: &Served, message: &'a str) -> &'a str {
    let is_puzzle = |block: &&str| {
        let own = questions(&model.domain, block).is_ok();
        own || model.domain.sized_for(block).is_some_and(|sized| questions(&sized, block).is_ok())
    };
    blocks(message).find(is_puzzle).unwrap_or(message)
}

/// The answer drawn, and once more on a line that programs find.
fn text(telling: &Telling, answer: &Value) -> String {
    let Some(line) = answer["answer"].as_str() else {
        return answer["verdict"].as_str().unwrap_or_default().to_owned();
    };
    let drawn = telling.domain.parse(line).map_or(String::new(), |tokens| {
        telling.domain.render(&tokens, &|_, symbol| symbol.to_string())
    });
    let verdict = answer["verdict"].as_str().unwrap_or_default();
    format!("{drawn}\n\n{verdict}\n\nANSWER: {line}\n")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn whole(model: &str, text: String) -> Value {
    json!({
        "id": "trm",
        "object": "chat.completion",
        "created": now(),
        "model": model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }],
    })
}

fn streamed(model: &str, text: String) -> Response {
    let created = now();
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({
            "id": "trm",
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
            "choices": [choice],
        });
        Ok::<_, Infallible>(Event::default().data(chunk.to_string()))
    };
    let events = [
        chunk(json!({"role": "assistant", "content": text}), Value::Null),
        chunk(json!({}), "stop".into()),
        Ok(Event::default().data("[DONE]")),
    ];
    Sse::new(tokio_stream::iter(events)).into_response()
}
