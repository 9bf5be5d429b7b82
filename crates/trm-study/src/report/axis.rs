//! Axes: where the ticks go, what they say, and where a value falls.

use super::Scale;

/// Ticks an axis aims for; nice steps of 1, 2 or 5 give between three and eleven.
const WANTED_TICKS: f64 = 5.0;

/// A scaled range with its ticks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    scale: Scale,
    /// Value and label of each tick, ascending, all within the range.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis over exactly `low..=high`.
    pub(super) fn exact(scale: Scale, (low, high): (f64, f64)) -> Self {
        let (low, high) = widened(scale, low.min(high), low.max(high));
        let ticks = match scale {
            Scale::Linear => linear_ticks(low, high),
            Scale::Log => log_ticks(low, high),
        };
        Self { low, high, scale, ticks }
    }

    /// An axis over `low..=high`, stretched to a tick only where one is very near: 2,999 to 3,000.
    pub(super) fn snapped(range: (f64, f64)) -> Self {
        let near = 0.02;
        let Self { low, high, .. } = Self::exact(Scale::Linear, range);
        let step = nice_step(high - low);
        let snap = |end: f64| {
            let tick = (end / step).round() * step;
            if (tick - end).abs() < near * (high - low) { tick } else { end }
        };
        Self::exact(Scale::Linear, (low.min(snap(low)), high.max(snap(high))))
    }

    /// An axis over at least `low..=high` that ends on ticks.
    pub(super) fn rounded(scale: Scale, range: (f64, f64)) -> Self {
        let inner = Self::exact(scale, range);
        let ends = match scale {
            Scale::Linear => {
                let step = nice_step(inner.high - inner.low);
                (outward_down(inner.low / step) * step, outward_up(inner.high / step) * step)
            }
            Scale::Log => (one_two_five_below(inner.low), one_two_five_above(inner.high)),
        };
        Self::exact(scale, ends)
    }

    /// Whether a value has a place on this axis, in its range or not.
    pub(super) fn can_show(scale: Scale, value: f64) -> bool {
        // Beyond 1e100 the arithmetic of ranges could overflow, and no metric means anything there.
        value.is_finite() && value.abs() < 1e100 && (scale == Scale::Linear || value > 1e-100)
    }

    /// The position of a value: 0 at the low end, 1 at the high end.
    pub(super) fn position(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            // Only the low edge of a band can be zero or less here; it leaves through the bottom.
            Scale::Log if value <= 0.0 => -1.0,
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        }
    }

    pub(super) fn contains(&self, value: f64) -> bool {
        let slack = 1e-9;
        (-slack..=1.0 + slack).contains(&self.position(value))
    }
}

/// A range without extent is given one, so that a single value sits in the middle.
fn widened(scale: Scale, low: f64, high: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    match scale {
        Scale::Log if high / low < 1.0 + 1e-9 => (low / 2.0, high * 2.0),
        Scale::Linear if size < 1e-100 => (-1.0, 1.0),
        Scale::Linear if high - low < size * 1e-9 => (low - size * 0.1, high + size * 0.1),
        _ => (low, high),
    }
}

/// The largest of 1, 2, 5 × 10^k that still gives about [`WANTED_TICKS`] steps.
pub(super) fn nice_step(span: f64) -> f64 {
    let rough = span / WANTED_TICKS;
    let unit = power_of_ten(rough.log10().floor());
    let factor = match rough / unit {
        f if f < 1.5 => 1.0,
        f if f < 3.5 => 2.0,
        f if f < 7.5 => 5.0,
        _ => 10.0,
    };
    factor * unit
}

fn linear_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let step = nice_step(high - low);
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    let count = (last - first) as usize;
    (0..=count)
        .map(|i| (first + i as f64) * step)
        .map(|value| (value, tick_label(value, step, low.abs().max(high.abs()))))
        .collect()
}

fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let within = |v: &f64| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(v);
    let decades = (high / low).log10();
    // Within two decades also the 2 and the 5, so that there are ticks enough to read from.
    let factors: &[f64] = if decades < 2.1 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let stride = (decades / 8.0).ceil().max(1.0) as usize;
    let values: Vec<f64> = (first..=last)
        .step_by(stride)
        .flat_map(|k| factors.iter().map(move |f| f * power_of_ten(f64::from(k))))
        .filter(within)
        .collect();
    if values.len() < 2 {
        return linear_ticks(low, high);
    }
    values.into_iter().map(|v| (v, number(v))).collect()
}

fn one_two_five_below(value: f64) -> f64 {
    let unit = power_of_ten(value.log10().floor());
    let factor = [5.0, 2.0].into_iter().find(|f| f * unit <= value * (1.0 + 1e-9));
    factor.unwrap_or(1.0) * unit
}

fn one_two_five_above(value: f64) -> f64 {
    let unit = power_of_ten(value.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * unit >= value * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * unit
}

fn outward_down(steps: f64) -> f64 {
    (steps + 1e-6).floor()
}

fn outward_up(steps: f64) -> f64 {
    (steps - 1e-6).ceil()
}

/// Parsed rather than computed: `powi` of a negative exponent is off by a last digit.
fn power_of_ten(exponent: f64) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::MIN_POSITIVE)
}

/// The label of a tick, as precise as the distance to its neighbours asks.
fn tick_label(value: f64, step: f64, largest: f64) -> String {
    let (divisor, suffix) = match largest {
        l if !(1e-3..1e15).contains(&l) => return scientific(value, step),
        l if l >= 1e9 => (1e9, "G"),
        l if l >= 1e6 => (1e6, "M"),
        _ => (1.0, ""),
    };
    let decimals = decimals_of(step / divisor);
    let text = grouped(&format!("{:.decimals$}", value / divisor));
    if text == "0" { text } else { text + suffix }
}

fn scientific(value: f64, step: f64) -> String {
    if value.abs() < step * 1e-6 {
        return "0".to_owned();
    }
    let magnitude = power_of_ten(value.abs().log10().floor());
    let decimals = decimals_of(step / magnitude);
    trimmed_exponent(&format!("{value:.decimals$e}"))
}

fn decimals_of(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize
}

/// A number for reading: four significant digits, thousands grouped, powers of ten where needed.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = (value.abs().log10() + 1e-12).floor();
    if !(-4.0..7.0).contains(&exponent) {
        return trimmed_exponent(&format!("{value:.3e}"));
    }
    let decimals = (3.0 - exponent).max(0.0) as usize;
    grouped(trimmed(&format!("{value:.decimals$}")))
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn trimmed_exponent(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trimmed(mantissa)),
        None => text.to_owned(),
    }
}

/// Commas between thousands; a negative zero loses its sign.
fn grouped(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    let zero = digits.chars().all(|c| matches!(c, '0' | '.'));
    format!("{}{out}{fraction}", if zero { "" } else { sign })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tick_steps_are_one_two_or_five_times_a_power_of_ten() {
        for (span, step) in
            [(1.0, 0.2), (100.0, 20.0), (3.0, 0.5), (16.0, 2.0), (3e-4, 5e-5), (7e8, 1e8)]
        {
            assert_eq!(nice_step(span), step, "span {span}");
        }
    }

    #[test]
    fn ticks_are_few_inside_the_range_and_legible() {
        let labels = |low, high| -> Vec<String> {
            let axis = Axis::exact(Scale::Linear, (low, high));
            axis.ticks.into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(0.0, 3000.0)[5..], ["2,500", "3,000"]);
        assert_eq!(labels(0.0, 1e-4), ["0", "2e-5", "4e-5", "6e-5", "8e-5", "1e-4"]);
        assert_eq!(labels(0.0, 4e6), ["0", "1M", "2M", "3M", "4M"]);
        for (low, high) in
            [(-3.7, 11.2), (0.013, 0.014), (-1e99, 1e99), (99.2, 99.9), (1e-90, 2e-90)]
        {
            let axis = Axis::exact(Scale::Linear, (low, high));
            assert!((3..=11).contains(&axis.ticks.len()), "{axis:?}");
            assert!(axis.ticks.iter().all(|(value, _)| axis.contains(*value)), "{axis:?}");
            let mut texts: Vec<&String> = axis.ticks.iter().map(|(_, text)| text).collect();
            texts.dedup();
            assert_eq!(texts.len(), axis.ticks.len(), "{axis:?}");
        }
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten_or_finer() {
        let labels = |low, high| -> Vec<String> {
            let axis = Axis::rounded(Scale::Log, (low, high));
            axis.ticks.into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(0.03, 1.8), ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(labels(2e-5, 40.0), ["0.0001", "0.001", "0.01", "0.1", "1", "10"]);
        assert!(labels(1e-99, 1e99).len() <= 12);
    }

    #[test]
    fn a_rounded_axis_covers_its_data_and_a_single_value_sits_inside() {
        for scale in [Scale::Linear, Scale::Log] {
            let axis = Axis::rounded(scale, (0.013, 7.9));
            assert!(axis.contains(0.013) && axis.contains(7.9) && !axis.contains(100.0));
            let single = Axis::rounded(scale, (5.0, 5.0)).position(5.0);
            assert!((0.2..0.8).contains(&single), "{scale:?} {single}");
        }
        assert_eq!(Axis::rounded(Scale::Linear, (0.0, 0.0)).position(0.0), 0.5);
    }

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (-0.5, "-0.5"),
            (99.5999, "99.6"),
            (12345.0, "12,345"),
            (1e-5, "1e-5"),
            (0.031_194, "0.03119"),
            (1e9, "1e9"),
            (999_999.9, "1,000,000"),
            (-1234.4, "-1,234"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn an_axis_snaps_only_to_a_tick_that_is_near() {
        let last = |range| Axis::snapped(range).ticks.pop().map(|(_, label)| label);
        assert_eq!(last((0.0, 2999.0)).as_deref(), Some("3,000"));
        assert_eq!(last((0.0, 2900.0)).as_deref(), Some("2,500"));
        assert_eq!(Axis::snapped((1.0, 16.0)).position(1.0), 0.0);
    }
}
