//! Listening, and ending in order.

use crate::admission::Admission;
use crate::metrics::Metrics;
use crate::models::{Models, Named};
use crate::refusal::Refusal;
use crate::routes;
use crate::settings::Settings;
use axum::Router;
use axum::http::HeaderValue;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use trm_puzzles::Domain;

/// Models that are served, and how.
#[derive(Debug)]
pub struct Server {
    pub(crate) models: Models,
    pub(crate) settings: Settings,
    pub(crate) admission: Admission,
    pub(crate) metrics: Metrics,
}

impl Server {
    /// Starts the engines of models; where a request names none, the first for puzzles of its form is asked.
    ///
    /// # Errors
    /// If there is no model, two have the same name, the domain of one is not known, or the origin of other pages is
    /// none.
    pub fn new(models: Vec<Named>, settings: Settings) -> Result<Server, String> {
        if let Some(origin) = settings.cors.as_ref().filter(|o| HeaderValue::from_str(o).is_err()) {
            return Err(format!("`{origin}` is no origin such as `https://example.org`, or `*`"));
        }
        let metrics = Metrics::new();
        let models = Models::start(models, settings.batch, &metrics)?;
        let admission = Admission::new(settings.queue, settings.queue_bytes);
        Ok(Server { models, settings, admission, metrics })
    }

    /// Reads the body of a request to a path as its handler does, up to where an engine would be asked: the domain, in
    /// the size of the puzzles, and their tokens. For fuzz targets; no API.
    ///
    /// # Errors
    /// What the handler refuses with.
    #[doc(hidden)]
    pub fn read(&self, path: &str, body: &[u8]) -> Result<(Domain, Vec<u8>), Refusal> {
        routes::read(self, path, body).map(|asked| (asked.domain, asked.tokens))
    }

    /// All routes.
    pub fn router(self: Arc<Server>) -> Router {
        routes::router(self)
    }
}

/// How long a client may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// Serves until `end`, then answers what has been asked and returns; whoever takes longer than `patience` is cut
/// off.
///
/// # Errors
/// If connections cannot be accepted.
pub async fn serve(
    listener: TcpListener,
    server: Arc<Server>,
    end: impl Future<Output = ()>,
    patience: Duration,
) -> std::io::Result<()> {
    let router = server.router();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let open = GracefulShutdown::new();
    let mut end = std::pin::pin!(end);
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // out of file descriptors: wait until clients have left
                Err(error) => {
                    tracing::warn!("no connection accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut end => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = open.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection: {error}");
            }
        });
    }
    drop(listener);
    tracing::info!("ending: answering what has been asked");
    if tokio::time::timeout(patience, open.shutdown()).await.is_err() {
        tracing::warn!("cut off after {} s", patience.as_secs());
    }
    Ok(())
}
