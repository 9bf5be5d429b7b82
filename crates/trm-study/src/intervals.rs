//! How sure a share is.

/// The 95 % Wilson score interval of a share.
pub fn wilson(count: usize, total: usize) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    if total == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (total as f64, count as f64 / total as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_intervals_are_the_textbook_ones() {
        let (low, high) = wilson(8, 10);
        assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4, "{low} {high}");
        assert_eq!(wilson(0, 50).0, 0.0);
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }
}
