//! Text that comes from files, servers and users, made fit for one line of a terminal or a log, and numbers in words.

use sha2::{Digest, Sha256};

/// Characters of a foreign text that are shown; of a longer one the middle is left out.
const SHOWN: usize = 80;

/// A foreign text as it may be printed: control characters and what reorders a line are escaped, and a long text is
/// shortened.
///
/// ```
/// use trm_data::text::foreign;
///
/// assert_eq!(foreign("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
/// assert_eq!(foreign(&"x".repeat(500)).chars().count(), 107);
/// ```
pub fn foreign(text: &str) -> String {
    let count = text.chars().count();
    if count <= SHOWN {
        return one_line(text);
    }
    let at = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(at, _)| at);
    let (head, tail) = (&text[..at(SHOWN - 20)], &text[at(count - 20)..]);
    format!("{}…({} characters left out)…{}", one_line(head), count - SHOWN, one_line(tail))
}

/// A number and what it counts.
///
/// ```
/// use trm_data::text::counted;
///
/// assert_eq!(counted(1, "step") + " of " + &counted(0, "cell"), "1 step of 0 cells");
/// ```
pub fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// "560 ms", "8 s", "3 min 20 s", "5 h 12 min".
///
/// ```
/// use trm_data::text::duration;
///
/// let told = [0.0, 0.0042, 0.56, 0.9999, 1.4, 200.0, 18_720.0].map(duration);
/// assert_eq!(told, ["0 s", "4 ms", "560 ms", "1 s", "1 s", "3 min 20 s", "5 h 12 min"]);
/// ```
pub fn duration(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        _ if seconds > 0.0 && seconds < 0.9995 => format!("{:.0} ms", seconds * 1e3),
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// A share as "95.7 %".
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A digest in small hexadecimal digits.
pub fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text with everything escaped that would not stay on its line or would steer a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match is_steering(character) {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// Control characters, line and paragraph separators, and marks of direction.
fn is_steering(character: char) -> bool {
    let marks = ['\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}', '\u{feff}'];
    character.is_control()
        || marks.contains(&character)
        || ('\u{202a}'..='\u{202e}').contains(&character)
        || ('\u{2066}'..='\u{2069}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_and_what_steers_is_escaped() {
        assert_eq!(foreign("größe 9×9"), "größe 9×9");
        assert_eq!(foreign("\u{9b}2J\r\u{202e}x"), "\\u{9b}2J\\r\\u{202e}x");
    }

    #[test]
    fn a_long_text_is_one_short_line_with_both_ends() {
        let text = format!("begin{}end", "é\n".repeat(1 << 16));
        let shown = foreign(&text);
        assert!(shown.starts_with("begin") && shown.ends_with("end"), "{shown}");
        assert!(shown.chars().count() < 250 && !shown.contains('\n'), "{shown}");
    }
}
