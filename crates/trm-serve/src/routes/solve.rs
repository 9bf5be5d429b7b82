//! `POST /v1/solve`.

use crate::asked::{Asked, Drafts, SolveRequest};
use crate::body;
use crate::engine::Ask;
use crate::models::Served;
use crate::refusal::Refusal;
use crate::server::Server;
use crate::told::{Trail, draft};
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
use trm_study::Told;

pub(super) async fn solve(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let streams = accepts_events(&request);
    let bytes = body::bytes(request.into_body(), &server.settings).await?;
    let (model, asked) = read(&server, &bytes)?;
    let told = ask(&server, model, asked, bytes.len())?;
    match streams {
        true => Ok(events(server.clone(), told)),
        false => answers(&server, &model.name, told).await,
    }
}

/// Which model a body asks, and what.
pub(super) fn read<'a>(server: &'a Server, bytes: &[u8]) -> Result<(&'a Served, Asked), Refusal> {
    let wanted: SolveRequest = body::json(bytes)?;
    let model = server.models.get(wanted.model.as_deref())?;
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
    told: UnboundedReceiver<(usize, Result<Told, Refusal>)>,
}

impl Telling {
    fn trails(&self) -> Vec<Trail<'_>> {
        let questions = self.tokens.chunks_exact(self.domain.seq_len());
        let trail = |question| Trail { domain: &self.domain, question, steps: Vec::new() };
        questions.map(trail).collect()
    }
}

/// Brings a request to its engine, if there is room.
pub(super) fn ask(
    server: &Server,
    model: &Served,
    asked: Asked,
    bytes: usize,
) -> Result<Telling, Refusal> {
    let place = server.admission.enter(asked.puzzles.len(), bytes)?;
    let (tell, told) = unbounded_channel();
    let started = Instant::now();
    let Asked { domain, tokens, puzzles, effort, time, drafts } = asked;
    let until = started + time;
    let (own_domain, own_tokens) = (domain.clone(), tokens.clone());
    model.engine.ask(Ask { domain, tokens, puzzles, effort, until, tell, place })?;
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
            Told::Step(step) => trails[puzzle].steps.push(step),
            Told::End(found) => {
                let trail = &mut trails[puzzle];
                let last = trail.steps.last();
                server.metrics.verdict(last.and_then(|last| last.verdict.decision()));
                answers[puzzle] = trail.end(found.as_ref(), telling.drafts);
                trail.steps = Vec::new();
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
        let event =
            |name: &str, data: Value| Ok(Event::default().event(name).data(data.to_string()));
        let Telling { domain, tokens, drafts, started, mut told } = telling;
        let questions: Vec<&[u8]> = tokens.chunks_exact(domain.seq_len()).collect();
        let trail = |question| Trail { domain: &domain, question, steps: Vec::new() };
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
                    let _ = send.send(event("error", refusal.json()));
                    return;
                }
                Ok(Told::Step(step)) => {
                    let mut data = draft(&domain, &step);
                    data["puzzle"] = puzzle.into();
                    trails[puzzle].steps.push(step);
                    event("draft", data)
                }
                Ok(Told::End(found)) => {
                    let last = trails[puzzle].steps.last();
                    server.metrics.verdict(last.and_then(|last| last.verdict.decision()));
                    let mut data = trails[puzzle].end(found.as_ref(), drafts);
                    data["puzzle"] = puzzle.into();
                    open -= 1;
                    event("answer", data)
                }
            };
            if send.send(sent).is_err() {
                return;
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let _ = send.send(event("end", json!({"seconds": seconds})));
    });
    Sse::new(UnboundedReceiverStream::new(events)).keep_alive(KeepAlive::default()).into_response()
}
