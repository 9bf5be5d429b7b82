//! Why a request gets no answer: a status and one line.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A request that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The status of the response.
    pub status: StatusCode,
    /// What is wrong, and what to do, in one line.
    pub message: String,
}

/// Characters of a message, at most.
const LONGEST: usize = 499;

impl Refusal {
    /// A refusal with this status. What the message quotes of a request stays one line that can be read and printed.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        let message = message.into();
        let printed = |c: char| match c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            true => ' ',
            false => c,
        };
        let mut line: String = message.chars().take(LONGEST).map(printed).collect();
        if message.chars().nth(LONGEST).is_some() {
            line.push('…');
        }
        Refusal { status, message: line }
    }

    /// 422: the request is read, and asks for what cannot be done.
    pub fn content(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 422: more puzzles in one request than are ever taken.
    pub(crate) fn too_many(puzzles: usize, most: usize) -> Refusal {
        Refusal::content(format!("{puzzles} puzzles: at most {most} in one request"))
    }

    /// 404.
    pub fn unknown(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, message)
    }

    /// 429, to be tried again.
    pub fn full(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, message)
    }

    /// 500: the engine cannot go on.
    pub fn failed(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The body of the response, in the form of OpenAI's.
    pub fn json(&self) -> Value {
        let kind = match self.status.is_server_error() {
            true => "server_error",
            false => "invalid_request_error",
        };
        json!({"error": {"message": self.message, "type": kind, "code": self.status.as_u16()}})
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.json())).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}
