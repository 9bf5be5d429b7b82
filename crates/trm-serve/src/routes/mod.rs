//! What is served where.

mod chat;
mod openapi;
mod solve;

use crate::asked::Asked;
use crate::models::Served;
use crate::refusal::Refusal;
use crate::server::Server;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;
use tower_http::cors::{Any, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

/// A path, whether it asks for the key, and what it does.
struct Route {
    path: &'static str,
    guarded: bool,
    serve: MethodRouter<Arc<Server>>,
}

fn routes() -> Vec<Route> {
    let route = |path, guarded, serve| Route { path, guarded, serve };
    vec![
        route("/", false, get(|| async { Html(PAGE) })),
        route("/health", false, get(health)),
        route("/openapi.json", false, get(|| async { Json(openapi::document()) })),
        route("/metrics", true, get(metrics)),
        route("/v1/models", true, get(models)),
        route("/v1/solve", true, post(solve::solve)),
        route("/v1/chat/completions", true, post(chat::complete)),
    ]
}

pub(crate) const PAGE: &str = include_str!("../page.html");

pub(crate) fn router(server: Arc<Server>) -> Router {
    let mut router = Router::new();
    for Route { path, guarded, serve } in routes() {
        let serve = serve.fallback(move |method: Method| async move {
            let message = format!("{path} does not answer to {method}");
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message)
        });
        let watch = move |state, request, next| watch(state, (path, guarded), request, next);
        router = router.route(path, serve.layer(from_fn_with_state(server.clone(), watch)));
    }
    let unknown = |request: Request| async move {
        Refusal::unknown(format!(
            "nothing is served at {}: see /openapi.json",
            request.uri().path()
        ))
    };
    let id = HeaderName::from_static("x-request-id");
    let router = router
        .fallback(unknown)
        .layer(PropagateRequestIdLayer::new(id.clone()))
        .layer(SetRequestIdLayer::new(id, MakeRequestUuid));
    match server.settings.cors.clone() {
        None => router,
        Some(origin) => router.layer(cors(&origin)),
    }
    .with_state(server)
}

/// Reads a body as the path does; see [`Server::read`].
pub(crate) fn read<'a>(server: &'a Server, path: &str, body: &[u8]) -> Result<Asked<'a>, Refusal> {
    match path {
        "/v1/solve" => solve::read(server, body).map(|(_, asked)| asked),
        "/v1/chat/completions" => chat::read(server, body).map(|chat| chat.asked),
        _ => Err(Refusal::unknown(format!("nothing is asked at {path}"))),
    }
}

fn cors(origin: &str) -> CorsLayer {
    let allowed = CorsLayer::new().allow_methods([Method::GET, Method::POST]).allow_headers([
        header::CONTENT_TYPE,
        header::AUTHORIZATION,
        header::ACCEPT,
    ]);
    match origin {
        "*" => allowed.allow_origin(Any),
        one => allowed.allow_origin(HeaderValue::from_str(one).expect("checked by Server::new")),
    }
}

/// Asks for the key, counts, and logs a line for every request.
async fn watch(
    State(server): State<Arc<Server>>,
    (path, guarded): (&'static str, bool),
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok());
    let id = id.unwrap_or_default().to_owned();
    let response = match guarded && !has_key(&server, &request) {
        true => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "the key is missing or wrong: send `Authorization: Bearer KEY`",
        )
        .into_response(),
        false => next.run(request).await,
    };
    let (status, time) = (response.status().as_u16(), started.elapsed());
    server.metrics.request(path, status, time);
    tracing::info!(%id, %method, path, status, milliseconds = time.as_millis() as u64);
    response
}

/// Compares all bytes, so that the time does not tell how many are right.
fn has_key(server: &Server, request: &Request) -> bool {
    let Some(key) = &server.settings.api_key else { return true };
    let given = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let given = given.and_then(|given| given.strip_prefix(b"Bearer ")).unwrap_or_default();
    let differ = given.iter().zip(key.as_bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == key.len() && differ == 0
}

async fn health() -> impl IntoResponse {
    Json(json!({"status": "ok"}))
}

async fn metrics(State(server): State<Arc<Server>>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], server.metrics.text(server.admission.waiting()))
}

async fn models(State(server): State<Arc<Server>>) -> impl IntoResponse {
    let data: Vec<_> = server.models.iter().map(Served::json).collect();
    Json(json!({"object": "list", "data": data}))
}
