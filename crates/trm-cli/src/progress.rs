//! How far long work has come.

use crate::display::progress_bar;
use crate::output::note;
use indicatif::ProgressBar;
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use trm_data::text::duration;

const PAUSE: Duration = Duration::from_secs(10);

/// A bar on a terminal, elsewhere a line on standard error, every ten seconds at most.
pub(crate) struct Progress {
    what: &'static str,
    length: u64,
    bar: ProgressBar,
    begun: Instant,
    /// When the last line was printed; none where the bar is seen.
    told: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(what: &'static str, length: u64) -> Progress {
        let bar =
            progress_bar(length, &format!("{what} {{wide_bar}} {{pos}}/{{len}}  {{eta}} left"));
        let begun = Instant::now();
        let told = (!std::io::stderr().is_terminal()).then_some(begun);
        Progress { what, length, bar, begun, told }
    }

    pub(crate) fn set_length(&mut self, length: u64) {
        self.length = length;
        self.bar.set_length(length);
    }

    pub(crate) fn set_position(&mut self, done: u64) {
        self.bar.set_position(done);
        if self.told.is_some_and(|told| told.elapsed() >= PAUSE) {
            note!("{}", line(self.what, done, self.length, self.begun.elapsed()));
            self.told = Some(Instant::now());
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn line(what: &str, done: u64, length: u64, elapsed: Duration) -> String {
    let mut line = format!("{what} {done}/{length}");
    if done > 0 {
        let left = elapsed.as_secs_f64() / done as f64 * length.saturating_sub(done) as f64;
        line += &format!(", about {} left", duration(left));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_left() {
        let line = |done| line("searching", done, 600, Duration::from_secs(20));
        assert_eq!(line(0), "searching 0/600");
        assert_eq!(line(200), "searching 200/600, about 40 s left");
        assert_eq!(line(600), "searching 600/600, about 0 s left");
    }
}
