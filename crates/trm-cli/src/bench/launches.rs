//! What one run sends to a GPU, by program.

use super::measure::Measurement;
use crate::output::out;
use clap::ValueEnum;
use std::collections::BTreeMap;
use trm_ops::{Device, Launches};

/// How launches are listed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum How {
    /// Each is waited for.
    Time,
    /// Nothing runs.
    Count,
}

/// What was launched since `before`, for each of so many runs.
pub(super) fn since(
    before: &[(String, Launches)],
    device: &Device,
    runs: usize,
) -> BTreeMap<String, PerRun> {
    let before: BTreeMap<_, _> = before.iter().cloned().collect();
    let of_run = |(name, all): (String, Launches)| {
        let earlier = before.get(&name).copied().unwrap_or_default();
        let share = |x: u64, y: u64| (x - y) as f64 / runs as f64;
        let launches = PerRun {
            count: share(all.count, earlier.count),
            bytes: share(all.bytes, earlier.bytes),
            flops: share(all.flops, earlier.flops),
            seconds: (all.seconds - earlier.seconds) / runs as f64,
        };
        (name, launches)
    };
    device.kernels().launches().into_iter().map(of_run).filter(|(_, l)| l.count > 0.0).collect()
}

/// Work of one kind in one run.
#[derive(Clone, Copy, Default, serde::Serialize)]
pub(super) struct PerRun {
    pub(super) count: f64,
    pub(super) bytes: f64,
    pub(super) flops: f64,
    pub(super) seconds: f64,
}

/// A table of one case, the longest or largest first.
pub(super) fn table(m: &Measurement, how: How) {
    let mut rows: Vec<_> = m.launches.iter().collect();
    rows.sort_by(|(_, a), (_, b)| {
        (b.seconds, b.bytes).partial_cmp(&(a.seconds, a.bytes)).expect("numbers")
    });
    let all = m.launches.values().fold(PerRun::default(), |sum, l| PerRun {
        count: sum.count + l.count,
        bytes: sum.bytes + l.bytes,
        flops: sum.flops + l.flops,
        seconds: sum.seconds + l.seconds,
    });
    let all_name = "all".to_owned();
    out!("  {:<36} {:>9} {:>11} {:>11} {:>10}", "program", "launches", "MiB", "GFLOP", "ms");
    for (name, l) in rows.into_iter().chain([(&all_name, &all)]) {
        let ms = match how {
            How::Time => format!("{:.2}", 1e3 * l.seconds),
            How::Count => "-".into(),
        };
        let (mebibytes, gflop) = (l.bytes / f64::from(1 << 20), l.flops / 1e9);
        out!("  {name:<36} {:>9.1} {mebibytes:>11.2} {gflop:>11.3} {ms:>10}", l.count);
    }
}
