//! `POST /v1/solve`.

use crate::asked::{Asked, Drafts, SolveRequest, Way};
use crate::body;
use crate::engine::Ask;
use crate::models::Served;
use crate::refusal::Refusal;
use crate::server::Server;
use crate::told::{Heard, Trail, chain};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use trm_puzzles::Domain;

pub(super) async fn solve(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let streams = accepts_events(&request);
    let bytes = body::bytes(request.into_body(), &server.settings).await?;
    let (model, asked) = read(&server, &bytes)?;
    let told = ask(&server, asked, bytes.len())?;
    match streams {
        true => Ok(events(server.clone(), told)),
        false => answers(&server, &model.name, told).await,
    }
}

/// Which model a body asks, and what.
pub(super) fn read<'a>(
    server: &'a Server,
    bytes: &[u8],
) -> Result<(&'a Served, Asked<'a>), Refusal> {
    let wanted: SolveRequest = body::json(bytes)?;
    let model = server.models.get(wanted.model.as_deref(), wanted.puzzles())?;
    let asked = wanted.check(model, &server.settings)?;
    Ok((model, asked))
}

fn accepts_events(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// What an engine tells of a request.
pub(super) struct Telling {
    pub domain: Domain,
    tokens: Vec<u8>,
    drafts: Drafts,
    started: Instant,
    told: UnboundedReceiver<(usize, Result<Heard, Refusal>)>,
}

impl Telling {
    fn trails(&self) -> Vec<Trail<'_>> {
        let questions = self.tokens.chunks_exact(self.domain.seq_len());
        let trail = |question| Trail { domain: &self.domain, question, drafts: Vec::new() };
        questions.map(trail).collect()
    }
}

/// Brings a request to its engine, if there is room.
pub(super) fn ask(server: &Server, asked: Asked<'_>, bytes: usize) -> Result<Telling, Refusal> {
    let place = server.admission.enter(asked.puzzles.len(), bytes)?;
    let (tell, told) = unbounded_channel();
    let started = Instant::now();
    let Asked { domain, tokens, puzzles, way, time, drafts } = asked;
    let until = started + time;
    let (own_domain, own_tokens) = (domain.clone(), tokens.clone());
    let ask = Ask { domain, tokens, puzzles, effort: (), until, tell, place };
    match way {
        Way::Think(engine, effort) => engine.ask(ask.with(effort))?,
        Way::Write(engine, options) => engine.ask(ask.with(options))?,
    }
    Ok(Telling { domain: own_domain, tokens: own_tokens, drafts, started, told })
}

/// Waits for all answers.
pub(super) async fn wait(server: &Server, telling: &mut Telling) -> Result<Vec<Value>, Refusal> {
    let mut told = std::mem::replace(&mut telling.told, unbounded_channel().1);
    let mut trails = telling.trails();
    let mut answers = vec![Value::Null; trails.len()];
    let mut open = answers.len();
    while open > 0 {
        let ended = || Refusal::failed("the engine has ended: see the server's log");
        let (puzzle, told) = told.recv().await.ok_or_else(ended)?;
        match told? {
            Heard::Draft(draft) => trails[puzzle].drafts.push(draft),
            Heard::Chain(_) => {}
            Heard::End(ending) => {
                let trail = &mut trails[puzzle];
                server.metrics.verdict(trail.decision(&ending));
                answers[puzzle] = trail.end(&ending, telling.drafts);
                trail.drafts = Vec::new();
                open -= 1;
            }
        }
    }
    Ok(answers)
}

async fn answers(server: &Server, model: &str, mut telling: Telling) -> Result<Response, Refusal> {
    let answers = wait(server, &mut telling).await?;
    let seconds = telling.started.elapsed().as_secs_f64();
    let body = json!({
        "model": model,
        "domain": telling.domain.name(),
        "answers": answers,
        "seconds": seconds,
    });
    Ok(Json(body).into_response())
}

/// An event for every draft, one for every answer, and one at the end.
fn events(server: Arc<Server>, telling: Telling) -> Response {
    let (send, events) = unbounded_channel::<Result<Event, Infallible>>();
    tokio::spawn(async move {
        let event = |name: &str, puzzle: usize, mut data: Value| {
            data["puzzle"] = puzzle.into();
            Ok(Event::default().event(name).data(data.to_string()))
        };
        let Telling { domain, tokens, drafts, started, mut told } = telling;
        let questions: Vec<&[u8]> = tokens.chunks_exact(domain.seq_len()).collect();
        let trail = |question| Trail { domain: &domain, question, drafts: Vec::new() };
        let mut trails: Vec<Trail<'_>> = questions.into_iter().map(trail).collect();
        let mut open = trails.len();
        while open > 0 {
            let next = tokio::select! {
                next = told.recv() => next,
                () = send.closed() => return, // the client has left: dropping `told` tells the engine
            };
            let Some((puzzle, told)) = next else { return };
            let sent = match told {
                Err(refusal) => {
                    let _ = send.send(event("error", puzzle, refusal.json()));
                    return;
                }
                Ok(Heard::Draft(draft)) => {
                    let data = draft.json(&domain);
                    trails[puzzle].drafts.push(draft);
                    event("draft", puzzle, data)
                }
                Ok(Heard::Chain(end)) => event("chain", puzzle, chain(&domain, &end)),
                Ok(Heard::End(ending)) => {
                    server.metrics.verdict(trails[puzzle].decision(&ending));
                    open -= 1;
                    event("answer", puzzle, trails[puzzle].end(&ending, drafts))
                }
            };
            if send.send(sent).is_err() {
                return;
            }
        }
        let seconds = json!({"seconds": started.elapsed().as_secs_f64()});
        let _ = send.send(Ok(Event::default().event("end").data(seconds.to_string())));
    });
    Sse::new(UnboundedReceiverStream::new(events)).keep_alive(KeepAlive::default()).into_response()
}
