//! Reading a request: bounded in size and time.

use crate::refusal::Refusal;
use crate::settings::Settings;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

/// All bytes of a request. One that is too large is read to its end and forgotten, as long as it may take to arrive:
/// clients that send all before they listen hear why it is refused.
///
/// # Errors
/// 413 if they are too many, 408 if they take too long, 400 if the client leaves.
pub(crate) async fn bytes(mut body: Body, settings: &Settings) -> Result<Bytes, Refusal> {
    let most = settings.body_bytes;
    let (mut kept, mut arrived) = (Vec::new(), 0);
    let read = async {
        while let Some(frame) = body.frame().await {
            let data = frame?.into_data().unwrap_or_default();
            arrived += data.len();
            match arrived <= most {
                true => kept.extend_from_slice(&data),
                false => kept = Vec::new(),
            }
        }
        Ok::<(), axum::Error>(())
    };
    let ended = tokio::time::timeout(settings.body_time, read).await;
    match ended {
        _ if arrived > most => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request has more than {most} bytes: ask for fewer puzzles at a time"),
        )),
        Ok(Ok(())) => Ok(kept.into()),
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
