//! Reading a request: bounded in size and time.

use crate::refusal::Refusal;
use crate::settings::Settings;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

/// All bytes of a request.
///
/// # Errors
/// 413 if they are too many, 408 if they take too long, 400 if the client leaves.
pub(crate) async fn bytes(body: Body, settings: &Settings) -> Result<Bytes, Refusal> {
    let most = settings.body_bytes;
    let read = axum::body::to_bytes(body, most);
    match tokio::time::timeout(settings.body_time, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_long(&error) => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request has more than {most} bytes: ask for fewer puzzles at a time"),
        )),
        Ok(Err(error)) => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, format!("the request broke off: {error}")))
        }
        Err(_) => {
            let seconds = settings.body_time.as_secs();
            let message = format!("the request did not arrive within {seconds} s");
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// A request in JSON.
///
/// # Errors
/// 422, with the place of what is wrong.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        Refusal::content(match path.as_str() {
            "." | "?" => format!("not the JSON of a request: {error}"),
            path => format!("`{path}`: {error}"),
        })
    })?;
    let end = reader.end();
    end.map_err(|error| Refusal::content(format!("not the JSON of a request: {error}")))?;
    Ok(value)
}
