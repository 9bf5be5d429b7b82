//! The cost model of docs/CLUSTER.md: how much faster several processes train, drawn up to 1024 of them.
//!
//! ```text
//! cargo run --release -p trm-study --example cluster-cost > docs/cluster-cost.svg
//! ```
//!
//! The numbers go to standard error.
//!
//! A step of P processes takes the time of the largest share of portions, that of the update, which each repeats, and that of
//! messages: a sum of G gradients sends `8 G (P − 1) / P` bytes in `2 log₂ P` messages, and what all know of the B rows, 24 bytes each,
//! takes two gatherings of `log₂ P` messages.

use trm_study::report::{Chart, Scale, Series, render_chart};

/// What is trained.
struct Work {
    rows: usize,
    /// Rows that are computed at a time.
    portion: usize,
    /// Seconds that a row takes a process.
    row: f64,
    /// Seconds of the update.
    update: f64,
    /// Parameters.
    gradients: f64,
}

/// How messages travel.
struct Network {
    /// Seconds of a message.
    latency: f64,
    /// Bytes a second.
    bandwidth: f64,
}

/// Seconds of a step.
fn step(work: &Work, network: &Network, processes: usize) -> f64 {
    let parts = work.rows.div_ceil(work.portion).div_ceil(processes);
    let rows = (parts * work.portion).min(work.rows) as f64;
    let rounds = (processes as f64).log2();
    let sent = 8.0 * work.gradients * (1.0 - 1.0 / processes as f64);
    let known = if processes > 1 { 24.0 * work.rows as f64 } else { 0.0 };
    let messages = 4.0 * rounds * network.latency + (sent + known) / network.bandwidth;
    rows * work.row + work.update + messages
}

fn main() {
    // rows and the slow network as measured in docs/CLUSTER.md, bf16, one thread a process; the fast network is assumed
    let preset = |rows| Work { rows, portion: 2, row: 0.61, update: 0.37, gradients: 5.03e6 };
    let small = |rows| Work { rows, portion: 7, row: 6.4e-3, update: 2e-3, gradients: 2.93e5 };
    let ethernet = Network { latency: 1.2e-3, bandwidth: 1.08e8 };
    let fast = Network { latency: 2e-6, bandwidth: 1e10 };
    let lines = [
        ("public preset, batch 8192, 100 Gbit/s", preset(8192), &fast),
        ("public preset, batch 768, 100 Gbit/s", preset(768), &fast),
        ("public preset, batch 768, 1 Gbit/s, 1 ms", preset(768), &ethernet),
        ("sudoku6, batch 128, 1 Gbit/s, 1 ms", small(128), &ethernet),
    ];
    let series = lines.iter().map(|(name, work, network)| {
        let alone = step(work, network, 1);
        let most = work.rows.div_ceil(work.portion);
        let numbers = (0..=10).map(|power| 1usize << power).filter(|processes| *processes <= most);
        let points: Vec<(f64, f64)> =
            numbers.map(|p| (p as f64, alone / step(work, network, p))).collect();
        let said: Vec<String> =
            points.iter().map(|(p, speed)| format!("{p}: {speed:.1}")).collect();
        eprintln!("{name}: {}", said.join(", "));
        Series { name: (*name).into(), points, ..Series::default() }
    });
    let chart = Chart {
        title: "Several processes beside one".into(),
        x_label: "processes".into(),
        y_label: "times as fast".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        series: series.collect(),
        ..Chart::default()
    };
    print!("{}", render_chart(&chart));
}
