//! From the points of a series to what can be drawn: finite, in order, and not too many.

use super::axis::Axis;
use super::{Band, Scale, Series};

/// A series with more points than this is drawn as the means of that many buckets at most.
pub(super) const MAX_POINTS: usize = 400;

/// One drawn point and the extent of what it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// A series ready to draw.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Trace {
    /// Unbroken stretches of the line; a value that cannot be drawn ends one.
    pub(super) lines: Vec<Vec<Sample>>,
    /// Unbroken stretches of the shaded band.
    pub(super) bands: Vec<Vec<Sample>>,
    /// How many points had no place on the axes.
    pub(super) undrawn: usize,
    /// How many points each drawn one stands for.
    pub(super) bucket: usize,
    /// First and last place on the horizontal axis, before any averaging.
    pub(super) extent: Option<(f64, f64)>,
    /// The last value that could be drawn.
    pub(super) last: Option<f64>,
}

impl Trace {
    /// Prepares a series for axes of these scales.
    ///
    /// Where points had to be averaged and the series brings no band of its own, the band shows the
    /// smallest and largest value of each bucket, so that averaging hides no spike.
    pub(super) fn new(series: &Series, y_scale: Scale) -> Self {
        let raw = in_order(series.points.iter().map(|&(x, y)| Sample { x, y, low: y, high: y }));
        let shown = |s: &Sample| Axis::can_show(Scale::Linear, s.x) && Axis::can_show(y_scale, s.y);
        let lines = stretches(&raw, shown);
        let bands = if series.band.is_empty() {
            if raw.len() > MAX_POINTS { lines.clone() } else { Vec::new() }
        } else {
            stretches(&in_order(series.band.iter().map(band_sample)), |s| {
                [s.x, s.low, s.high].iter().all(|&v| Axis::can_show(Scale::Linear, v))
            })
        };
        Self {
            lines,
            bands,
            undrawn: raw.iter().filter(|s| !shown(s)).count(),
            bucket: bucket_size(raw.len()),
            extent: raw.iter().filter(|s| shown(s)).map(|s| (s.x, s.x)).reduce(|a, b| (a.0, b.1)),
            last: raw.iter().rev().find(|s| shown(s)).map(|s| s.y),
        }
    }

    /// Everything that should be inside the chart.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.lines.iter().chain(&self.bands).flatten()
    }
}

fn band_sample(&Band { x, low, high }: &Band) -> Sample {
    Sample { x, y: (low + high) / 2.0, low: low.min(high), high: low.max(high) }
}

fn in_order(samples: impl Iterator<Item = Sample>) -> Vec<Sample> {
    let mut samples: Vec<Sample> = samples.collect();
    samples.sort_by(|a, b| a.x.total_cmp(&b.x));
    samples
}

fn bucket_size(points: usize) -> usize {
    points.div_ceil(MAX_POINTS).max(1)
}

/// Averages buckets, then breaks the series where a bucket holds nothing to show.
fn stretches(samples: &[Sample], shown: impl Fn(&Sample) -> bool) -> Vec<Vec<Sample>> {
    let mut found = vec![Vec::new()];
    for bucket in samples.chunks(bucket_size(samples.len())) {
        let kept: Vec<Sample> = bucket.iter().copied().filter(&shown).collect();
        match mean(&kept) {
            Some(sample) => found.last_mut().expect("never empty").push(sample),
            None => found.push(Vec::new()),
        }
    }
    found.retain(|stretch| !stretch.is_empty());
    found
}

fn mean(samples: &[Sample]) -> Option<Sample> {
    let average =
        |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / samples.len() as f64;
    Some(Sample {
        x: average(|s| s.x),
        y: average(|s| s.y),
        low: samples.iter().map(|s| s.low).reduce(f64::min)?,
        high: samples.iter().map(|s| s.high).reduce(f64::max)?,
    })
}
