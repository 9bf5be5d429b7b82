//! What people see: errors, puzzles in colour, progress bars, durations.

use crate::output::{note, out, print_always};
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, RgbColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use trm::Found;
use trm_data::text::{counted, one_line, percent};
use trm_puzzles::{Domain, Look, Verdict};
use trm_study::{Chosen, Trail, TrailStep};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const CHANGED: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints an error on one line, whatever files and servers put into it.
pub(crate) fn error(error: &anyhow::Error) {
    note!("{BAD}error:{BAD:#} {}", one_line(&error.to_string()));
}

/// Prints the error of this process alone among several, whatever its rank.
pub(crate) fn error_of_one(message: &str) {
    let team = crate::team::team();
    let who = match team.rank() {
        0 => String::new(),
        rank => format!("rank {rank} on {}: ", team.host()),
    };
    print_always(format_args!("{BAD}error:{BAD:#} {who}{}", one_line(message)));
}

pub(crate) fn heading(text: &str) {
    note!("{BOLD}{text}{BOLD:#}");
}

/// A bar on standard error, or nothing where that is not a terminal.
pub(crate) fn progress_bar(length: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("templates are constants");
    if !crate::team::leads() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length).with_style(style.progress_chars("━╸─"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
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

/// "143", "8.2", "0.21": two digits at least.
pub(crate) fn rate(per_second: f64) -> String {
    let decimals = match per_second {
        10.0.. => 0,
        1.0.. => 1,
        _ => 2,
    };
    format!("{per_second:.decimals$}")
}

/// Whether an answer is the one that a data set has.
pub(crate) fn print_comparison(is_recorded: bool) {
    let style = style_of(Some(is_recorded));
    let not = if is_recorded { "" } else { "not " };
    out!("{style}{not}the recorded answer{style:#}");
}

fn style_of(solved: Option<bool>) -> Style {
    match solved {
        Some(true) => GOOD,
        Some(false) => BAD,
        None => BOLD,
    }
}

fn print_plain(domain: &Domain, tokens: &[u8]) {
    out!("{}", domain.render(tokens, &|cell, symbol| plain(domain, tokens[cell], symbol)));
}

fn plain(domain: &Domain, token: u8, symbol: &str) -> String {
    match colour(domain, token) {
        Some(style) => format!("{style}{symbol} {style:#}"),
        None => symbol.to_owned(),
    }
}

/// How a cell is shown where cells have colours: two places of its colour (the report's), with its number.
fn colour(domain: &Domain, token: u8) -> Option<Style> {
    const COLOURS: [(u8, u8, u8); 10] = [
        (0x00, 0x00, 0x00),
        (0x00, 0x74, 0xd9),
        (0xff, 0x41, 0x36),
        (0x2e, 0xcc, 0x40),
        (0xff, 0xdc, 0x00),
        (0xaa, 0xaa, 0xaa),
        (0xf0, 0x12, 0xbe),
        (0xff, 0x85, 0x1b),
        (0x7f, 0xdb, 0xff),
        (0x87, 0x0c, 0x25),
    ];
    let mut tokens = (0..=u8::MAX).take(domain.vocab_size());
    if !tokens.any(|token| matches!(domain.look(token), Look::Colour(_))) {
        return None;
    }
    let Look::Colour(colour) = domain.look(token) else { return Some(Style::new()) };
    let colour = colour % 10;
    let (red, green, blue) = COLOURS[usize::from(colour)];
    let ink = if matches!(colour, 0 | 9) { AnsiColor::BrightBlack } else { AnsiColor::Black };
    Some(ink.on(RgbColor(red, green, blue)))
}

/// Prints the question and every draft.
pub(crate) fn print_trail(domain: &Domain, trail: &Trail) {
    print_question(domain, &trail.question);
    trail.steps.iter().for_each(|step| print_step(domain, &trail.question, step));
    print_verdict(domain, &trail.last().verdict);
}

pub(crate) fn print_question(domain: &Domain, question: &[u8]) {
    out!("{BOLD}question{BOLD:#}");
    print_plain(domain, question);
}

/// Prints a draft; cells that changed since the draft before are marked, and in colour those at fault.
pub(crate) fn print_step(domain: &Domain, question: &[u8], step: &TrailStep) {
    let coloured = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
    let of_chain = match step.chain {
        1 => String::new(),
        chain => format!(" of chain {chain}"),
    };
    let is_first = step.chain == 1 && step.step == 1;
    let changes = match step.changed.len() {
        _ if is_first => "first draft".to_owned(),
        0 => "no cell changed".to_owned(),
        1 => "1 cell changed".to_owned(),
        n => format!("{n} cells changed"),
    };
    let belief = percent(step.halt_probability);
    out!("{BOLD}step {}{of_chain}{BOLD:#}   {changes}, sure to {belief}", step.step);
    if step.changed.is_empty() && !is_first {
        return; // the same grid once more
    }
    let paint = |cell: usize, symbol: &str| {
        let changed = step.changed.contains(&cell);
        let broken = coloured && step.verdict.broken().contains(&cell);
        if let Some(background) = colour(domain, step.answer[cell]) {
            let style = if changed { background.bold().underline() } else { background };
            let style = if broken { style.strikethrough() } else { style };
            format!("{style}{symbol} {style:#}")
        } else if broken {
            format!("{BAD}{symbol}{BAD:#}")
        } else if domain.is_given(question[cell]) {
            format!("{DIM}{symbol}{DIM:#}")
        } else if !changed {
            symbol.to_owned()
        } else if coloured {
            format!("{CHANGED}{symbol}{CHANGED:#}")
        } else {
            symbol.chars().flat_map(|c| [c, '\u{332}']).collect() // underlined: marks need no room
        }
    };
    out!("{}", domain.render(&step.answer, &paint));
}

/// Row and column of a cell, from 0.
pub(crate) fn place(domain: &Domain, cell: usize) -> [usize; 2] {
    let columns = domain.layout().columns;
    [cell / columns, cell % columns]
}

/// Names of cells, `r1c1` for the first.
fn named(domain: &Domain, cells: &[usize]) -> String {
    let name = |cell: &usize| {
        let [row, column] = place(domain, *cell);
        format!("r{}c{}", row + 1, column + 1)
    };
    cells.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// Prints what the rules or the referee say, and which cells are at fault.
pub(crate) fn print_verdict(domain: &Domain, verdict: &Verdict) {
    let style = style_of(verdict.decision());
    out!("{style}{verdict}{style:#}");
    if !verdict.broken().is_empty() {
        out!("at fault: {}", named(domain, verdict.broken()));
    }
}

/// How an answer was found, in one line.
fn origin(found: &Found, by: &str) -> String {
    let Found { steps, rollouts, chain, chain_steps, .. } = found;
    let spent = format!("{} in {}", counted(*steps, "step"), counted(*rollouts, "chain"));
    match found.verified {
        true => format!("verified by the {by}: step {chain_steps} of chain {chain}, {spent}"),
        false => format!("not verified, what the model believes in most: {spent}"),
    }
}

/// Prints how a search has ended.
pub(crate) fn print_found(found: &Found, verdict: &Verdict) {
    let style = if found.verified { GOOD } else { BAD };
    let by = if verdict.ruling().is_some() { "referee" } else { "rules" };
    out!("{style}{}{style:#}", origin(found, by));
}

/// Prints the question, and the answer to it if there is one.
fn print_answer(domain: &Domain, question: &[u8], answer: &[u8]) {
    out!("{BOLD}question{BOLD:#}");
    print_plain(domain, question);
    if !answer.is_empty() {
        let paint = |cell: usize, symbol: &str| match domain.is_given(question[cell]) {
            true => format!("{DIM}{symbol}{DIM:#}"),
            false => plain(domain, answer[cell], symbol),
        };
        out!("{BOLD}answer{BOLD:#}\n{}", domain.render(answer, &paint));
    }
}

/// Prints the question, the answer that was chosen from those written, and the order of writing if it is not
/// row by row.
pub(crate) fn print_written(domain: &Domain, question: &[u8], chosen: &Chosen, cells: &[usize]) {
    print_answer(domain, question, &chosen.answer);
    if !cells.is_sorted() {
        out!("{DIM}written in the order {}{DIM:#}", named(domain, cells));
    }
    let probability = percent(f64::from(chosen.written.log_probability).exp());
    let style = style_of(chosen.verdict.as_ref().and_then(|verdict| verdict.decision()));
    out!("{style}answer {}, of probability {probability}{style:#}", chosen.sample);
    if let Some(verdict) = &chosen.verdict {
        print_verdict(domain, verdict);
    }
}
