//! What people see: errors, puzzles in colour, progress bars, durations.

use crate::search::{is_solved, origin};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;
use trm::Found;
use trm_puzzles::Domain;
use trm_train::Trail;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const CHANGED: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

pub(crate) fn error(error: &anyhow::Error) {
    anstream::eprintln!("{BAD}error:{BAD:#} {error}");
}

pub(crate) fn heading(text: &str) {
    anstream::eprintln!("{BOLD}{text}{BOLD:#}");
}

/// A bar on standard error, or nothing where that is not a terminal.
pub(crate) fn progress_bar(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("templates are constants");
    let bar = ProgressBar::new(length).with_style(style.progress_chars("━╸─"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// "8 s", "3 min 20 s", "5 h 12 min".
pub(crate) fn duration(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0 if seconds > 0.0 => format!("{:.0} ms", seconds * 1e3),
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// MiB, or GiB from 10 000 MiB on.
pub(crate) fn bytes(count: u64) -> String {
    let mebibytes = count as f64 / f64::from(1 << 20);
    if mebibytes < 10_000.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{:.1} GiB", mebibytes / 1024.0)
    }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Prints the question and every draft; cells that changed since the draft before are marked.
pub(crate) fn print_trail(domain: Domain, trail: &Trail) {
    anstream::println!("{BOLD}question{BOLD:#}");
    let question = |_, character: char| character.to_string();
    anstream::println!("{}", domain.render(&trail.question, &question));
    let colour = std::io::stdout().is_terminal();
    for (i, step) in trail.steps.iter().enumerate() {
        let changes = match step.changed.len() {
            _ if i == 0 => "first draft".to_owned(),
            0 => "no cell changed".to_owned(),
            1 => "1 cell changed".to_owned(),
            n => format!("{n} cells changed"),
        };
        let belief = percent(step.halt_probability);
        anstream::println!("{BOLD}step {}{BOLD:#}   {changes}, sure to {belief}", i + 1);
        let blank = domain.blank();
        let paint = |cell: usize, character: char| {
            if trail.question[cell] != blank {
                format!("{DIM}{character}{DIM:#}")
            } else if !step.changed.contains(&cell) {
                character.to_string()
            } else if colour {
                format!("{CHANGED}{character}{CHANGED:#}")
            } else {
                format!("{character}\u{332}") // underlined: marks need no room
            }
        };
        anstream::println!("{}", domain.render(&step.answer, &paint));
    }
    let style = if trail.last().verdict.is_solved() { GOOD } else { BAD };
    anstream::println!("{style}{}{style:#}", trail.last().verdict);
}

/// Prints the question, the answer that a search found, and how.
pub(crate) fn print_found(domain: Domain, question: &[u8], found: &Found) {
    let plain = |_, character: char| character.to_string();
    anstream::println!("{BOLD}question{BOLD:#}\n{}", domain.render(question, &plain));
    if !found.answer.is_empty() {
        let blank = domain.blank();
        let paint = |cell: usize, character: char| match question[cell] != blank {
            true => format!("{DIM}{character}{DIM:#}"),
            false => character.to_string(),
        };
        anstream::println!("{BOLD}answer{BOLD:#}\n{}", domain.render(&found.answer, &paint));
    }
    let solved = is_solved(domain, question, found);
    let style = if solved { GOOD } else { BAD };
    anstream::println!("{style}{}{style:#}", origin(found));
    if !found.verified && !found.answer.is_empty() {
        anstream::println!("{style}{}{style:#}", domain.verify(question, &found.answer));
    }
}
