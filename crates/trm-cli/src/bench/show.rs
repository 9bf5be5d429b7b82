use super::measure::Measurement;
use crate::output::out;
use trm_data::Machine;
use trm_study::report::{Chart, Scale, Series};

pub(super) fn header() {
    out!(
        "preset      work     format  threads  tokens  batch |    median     least      most  \
         ms/puzzle  puzzles/s | GFLOP/s  ceiling  share |     MiB  memory"
    );
}

/// Times in milliseconds. The ceiling is the rate of multiply-adds in registers, measured just before.
pub(super) fn row(m: &Measurement) {
    out!(
        "{:<10}  {:<7}  {:<6}  {:>7}  {:>6}  {:>5} | {:>9} {:>9} {:>9}  {:>9}  {:>9} | {:>7} \
         {:>8} {:>6} | {:>7}  {:>6}",
        m.preset,
        m.work.name(),
        m.precision.to_string(),
        m.threads,
        m.tokens,
        m.batch,
        short(m.median_ms),
        short(m.least_ms),
        short(m.most_ms),
        short(m.ms_per_puzzle),
        short(m.puzzles_per_second),
        short(m.gflops),
        short(m.ceiling_gflops),
        format!("{:.0} %", 100.0 * m.share_of_ceiling),
        short(m.allocated_bytes as f64 / f64::from(1 << 20)),
        m.memory_share.map_or("-".into(), |share| format!("{:.0} %", 100.0 * share)),
    );
}

/// Three digits or the whole part.
fn short(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// Milliseconds per puzzle over the batch or over the tokens; a line for all that is equal in
/// everything else.
pub(super) fn chart(all: &[Measurement], over_tokens: bool, machine: &Machine) -> Chart {
    let mut series: Vec<Series> = Vec::new();
    for m in all {
        let x = if over_tokens { m.tokens } else { m.batch } as f64;
        let name = series_name(m, over_tokens);
        let place = series.iter().position(|s| s.name == name).unwrap_or_else(|| {
            series.push(Series { name, ..Series::default() });
            series.len() - 1
        });
        series[place].points.push((x, m.ms_per_puzzle));
    }
    let most = all.iter().map(|m| m.ms_per_puzzle).fold(0.0, f64::max);
    Chart {
        title: format!("Time per puzzle: {machine}"),
        caption: String::new(),
        x_label: if over_tokens { "tokens" } else { "batch" }.into(),
        y_label: "milliseconds per puzzle".into(),
        x_scale: Scale::Linear,
        y_scale: Scale::Linear,
        y_range: Some((0.0, 1.05 * most)),
        series,
    }
}

fn series_name(m: &Measurement, over_tokens: bool) -> String {
    let (precision, threads) = (m.precision, m.threads);
    let fixed =
        if over_tokens { format!("batch {}", m.batch) } else { format!("{} tokens", m.tokens) };
    let plural = if threads == 1 { "" } else { "s" };
    format!("{} {} {precision}, {fixed}, {threads} thread{plural}", m.preset, m.work.name())
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!([1234.5, 99.96, 12.34, 0.0712].map(short), ["1234", "100", "12.3", "0.07"]);
    }
}
