//! What a server allows.

use std::time::Duration;

/// Limits of a server, and who may ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Puzzles (or chains of a search) of a model that are thought about at a time.
    pub batch: usize,
    /// Puzzles that wait or are thought about, at most; more are refused with 429.
    pub queue: usize,
    /// Bytes of the requests of these puzzles, at most.
    pub queue_bytes: usize,
    /// Bytes of a request, at most; larger ones are refused with 413.
    pub body_bytes: usize,
    /// How long a request may take to arrive; slower ones are refused with 408.
    pub body_time: Duration,
    /// Cells of a puzzle, at most, unless it has the model's own size.
    pub cells: usize,
    /// Supervision steps of a chain, at most.
    pub steps: usize,
    /// Chains of a search, at most.
    pub rollouts: usize,
    /// How long a request is searched for, at most and where it does not say.
    pub time: Duration,
    /// What requests must bring as `Authorization: Bearer KEY`.
    pub api_key: Option<String>,
    /// The origin of pages that may ask from browsers, or `*` for all; none may if not set.
    pub cors: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            batch: 64,
            queue: 1024,
            queue_bytes: 64 << 20,
            body_bytes: 1 << 20,
            body_time: Duration::from_secs(10),
            cells: 2500,
            steps: 512,
            rollouts: 1024,
            time: Duration::from_secs(30),
            api_key: None,
            cors: None,
        }
    }
}
