//! A server as clients see it.

mod answers;
mod documents;
mod ends;
mod refusals;
mod written;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use trm::{Autoregressive, AutoregressiveConfig, Config, Mix, Model, Order};
use trm_data::AnyModel;
use trm_ops::{DType, Device};
use trm_serve::{Named, Server, Settings, serve};

/// Puzzles of 4×4 with one solution each.
const PUZZLES: [&str; 4] =
    ["1.....3..4.....2", ".1..3....34.4...", ".42........13...", "......23....42.."];

/// A small model of a domain with random weights.
fn model(domain: &str, sizes: Config) -> Arc<Model> {
    let config = Config {
        domain: domain.into(),
        hidden: 16,
        inner_multiple: 8,
        heads: 1,
        cycles: 1,
        recursions: 1,
        supervision_steps: 4,
        prefix_len: 0,
        puzzle_embedding: 0,
        ..sizes
    };
    Model::new(&config, &Device::cpu(1), &mut ChaCha8Rng::seed_from_u64(1)).unwrap().into()
}

fn sudoku() -> Arc<Model> {
    model("sudoku4", Config { seq_len: 16, vocab_size: 6, ..Config::default() })
}

fn maze() -> Arc<Model> {
    let grid = Config { mix: Mix::Neighbours, columns: 5, ..Config::default() };
    model("maze5x5", Config { seq_len: 25, vocab_size: 6, ..grid })
}

fn arc() -> Arc<Model> {
    let grid = Config { mix: Mix::Neighbours, columns: 30, ..Config::default() };
    model("arc", Config { seq_len: 900, vocab_size: 12, ..grid })
}

/// A small autoregressive model of 4×4 Sudoku with random weights.
fn writer(order: Order) -> Box<Autoregressive> {
    let config = AutoregressiveConfig {
        domain: "sudoku4".into(),
        vocab_size: 6,
        seq_len: 16,
        order,
        hidden: 32,
        heads: 2,
        blocks: 1,
        ..AutoregressiveConfig::default()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    Box::new(Autoregressive::new(&config, &Device::cpu(1), &mut rng).unwrap())
}

/// A server that runs as long as this lives.
struct Running {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn new(settings: Settings) -> Running {
        let named =
            |name: &str, model| Named { name: name.into(), model, judged: None, dtype: DType::F32 };
        let written = |order| AnyModel::Autoregressive(writer(order));
        let models = vec![
            named("four", AnyModel::Recursive(sudoku())),
            named("maze", AnyModel::Recursive(maze())),
            named("arc", AnyModel::Recursive(arc())),
            named("raster", written(Order::Raster)),
            named("solver", written(Order::Solver)),
        ];
        let server = Arc::new(Server::new(models, settings).unwrap());
        let (end, ended) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(2).enable_all().build().unwrap().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let end = async {
                    let _ = ended.await;
                };
                serve(listener, server, end, Duration::from_secs(20)).await.unwrap();
            });
        });
        Running { address: told.recv().unwrap(), end: Some(end), thread: Some(thread) }
    }

    /// The status and body of a response, and its headers as text.
    fn send(&self, request: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        response(stream)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let (status, body, _) =
            self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
        (status, body)
    }

    fn post(&self, path: &str, body: &str) -> (u16, String) {
        let (status, body, _) = self.send(&post(path, body, ""));
        (status, body)
    }

    /// The JSON that a request brings.
    fn json(&self, path: &str, body: &str) -> Value {
        let (status, body) = self.post(path, body);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// A number of `/metrics`.
    fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Waits until so many puzzles have been admitted and not been answered.
    fn await_queue(&self, is_wanted: impl Fn(f64) -> bool) {
        let begun = Instant::now();
        while !is_wanted(self.metric("trm_queue_puzzles")) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{}", self.get("/metrics").1);
            std::thread::yield_now();
        }
    }

    fn stop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn post(path: &str, body: &str, headers: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

fn response(mut stream: TcpStream) -> (u16, String, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) =
        text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunked(body) } else { body.to_owned() };
    (status, body, head.to_owned())
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole += &rest[..length];
        body = &rest[(length + 2).min(rest.len())..];
    }
    whole
}
