//! What is counted, in the text format of Prometheus.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;

/// Of a request: where it went and what it got.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Judged {
    verdict: &'static str,
}

/// Counters that all share.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    requests: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram>,
    verdicts: Family<Judged, Counter>,
    /// Puzzles that have been answered.
    pub answered: Counter,
    /// Puzzles whose clients left before.
    pub left: Counter,
    steps: Counter,
    rows: Histogram,
    waiting: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let metrics = Metrics {
            registry: Arc::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            verdicts: Family::default(),
            answered: Counter::default(),
            left: Counter::default(),
            steps: Counter::default(),
            rows: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            waiting: Gauge::default(),
        };
        let mut registry = Registry::with_prefix("trm");
        let m = &metrics;
        registry.register("requests", "requests by route and status", m.requests.clone());
        registry.register("request_seconds", "time until a response began", m.seconds.clone());
        registry.register("verdicts", "answers by what the rules say", m.verdicts.clone());
        registry.register("puzzles_answered", "puzzles answered", m.answered.clone());
        registry.register("puzzles_left", "puzzles whose clients left", m.left.clone());
        registry.register("steps", "supervision steps of batches", m.steps.clone());
        registry.register("batch_rows", "rows of a batch in use at a step", m.rows.clone());
        registry.register("queue_puzzles", "puzzles waiting or thought about", m.waiting.clone());
        Metrics { registry: Arc::new(registry), ..metrics }
    }

    /// A step of a batch after which so many rows are in use.
    pub(crate) fn step(&self, rows: usize) {
        if rows > 0 {
            self.steps.inc();
            self.rows.observe(rows as f64);
        }
    }

    pub(crate) fn verdict(&self, right: Option<bool>) {
        let verdict = match right {
            Some(true) => "right",
            Some(false) => "wrong",
            None => "unknown",
        };
        self.verdicts.get_or_create(&Judged { verdict }).inc();
    }

    pub(crate) fn request(&self, route: &'static str, status: u16, time: Duration) {
        self.requests.get_or_create(&Answered { route, status }).inc();
        self.seconds.get_or_create(&Asked { route }).observe(time.as_secs_f64());
    }

    /// All, as text.
    pub(crate) fn text(&self, waiting: usize) -> String {
        self.waiting.set(waiting as i64);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("text can be written to a string");
        text
    }
}
