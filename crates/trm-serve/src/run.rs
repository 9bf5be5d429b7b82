//! A server as a program: its runtime, its log and its end.

use crate::server::{Server, serve};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use trm_ops::Stop;

/// How lines of the log look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// For people.
    Text,
    /// An object of JSON each.
    Json,
}

/// Writes the log of this process to standard error; `RUST_LOG` chooses what is written.
pub fn log(form: Log) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match form {
        Log::Text => lines.with_target(false).compact().init(),
        Log::Json => lines.json().flatten_event(true).init(),
    }
}

/// How often it is looked whether to end.
const TICK: Duration = Duration::from_millis(50);

/// Serves at an address until `stop` is requested, then answers what has been asked; whoever takes longer than
/// `patience` is cut off. `ready` hears the address once clients can come; its port is free to choose if it was 0.
///
/// # Errors
/// If the address cannot be listened at.
pub fn run(
    server: Server,
    address: SocketAddr,
    patience: Duration,
    stop: &Stop,
    ready: impl FnOnce(SocketAddr),
) -> std::io::Result<()> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(address).await?;
        ready(listener.local_addr()?);
        let end = async {
            while !stop.is_requested() {
                tokio::time::sleep(TICK).await;
            }
        };
        serve(listener, Arc::new(server), end, patience).await
    })
}
