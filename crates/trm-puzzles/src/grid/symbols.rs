//! The alphabet of a user's puzzle, and how it is written in names.

use super::format::FormatError;
use super::row::is_long;
use std::collections::HashSet;

/// The symbol of places outside a grid that is smaller than its format.
pub(super) const OUTSIDE: &str = " ";
/// How it is written between symbols of several characters.
pub(super) const OPEN_BOX: &str = "␣";

/// What begins the list of symbols in a name where some have several characters.
const LIST: &str = "symbols=";
/// Characters that separate in names, and what is written for them there.
const ESCAPED: [(&str, &str); 4] = [("%", "%25"), (",", "%2C"), (":", "%3A"), (" ", "%20")];

/// The symbols of a puzzle in the order of their tokens, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Symbols {
    list: Vec<String>,
    long: bool,
}

impl Symbols {
    /// Checks an alphabet.
    pub(super) fn new(list: Vec<String>) -> Result<Symbols, FormatError> {
        if list.is_empty() || list.len() > super::Format::MAX_SYMBOLS {
            return Err(FormatError::Symbols { found: list.len() });
        }
        check_twice(&list)?;
        let long = list.iter().any(|symbol| is_long(symbol));
        let is_reserved = |c: char| match long {
            true => c == '/' || c.is_control() || c.is_whitespace(),
            false => c == '/' || c.is_control() || c == ':',
        };
        let is_wrong =
            |s: &&String| s.is_empty() || s.contains(is_reserved) || long && **s == OPEN_BOX;
        match list.iter().find(|symbol| !(long && *symbol == OUTSIDE) && is_wrong(symbol)) {
            Some(reserved) => Err(FormatError::Reserved(reserved.clone())),
            None => Ok(Symbols { list, long }),
        }
    }

    /// The alphabet in a part of a name.
    pub(super) fn from_name(part: &str) -> Option<Symbols> {
        let list = match part.strip_prefix(LIST) {
            Some(list) => listed(list),
            None => characters(part),
        };
        Symbols::new(list).ok()
    }

    /// The part of a name that says them.
    pub(super) fn name(&self) -> String {
        let list = if self.long { LIST } else { "" };
        list.to_owned() + &self.text(&self.list)
    }

    /// Some of them, in a name or in a message.
    pub(super) fn text(&self, symbols: &[String]) -> String {
        match self.long {
            true => symbols.iter().map(|symbol| escape(symbol)).collect::<Vec<_>>().join(","),
            false => symbols.concat(),
        }
    }

    /// The symbols in such a text.
    pub(super) fn read(&self, text: &str) -> Vec<String> {
        match self.long {
            true => listed(text),
            false => characters(text),
        }
    }

    /// Whether some have several characters.
    pub(super) fn are_long(&self) -> bool {
        self.long
    }

    pub(super) fn list(&self) -> &[String] {
        &self.list
    }

    /// The token of a symbol.
    pub(super) fn token(&self, symbol: &str) -> Option<u8> {
        let place = self.list.iter().position(|known| known == symbol)?;
        Some(1 + place as u8)
    }
}

/// Refuses what is named twice.
pub(super) fn check_twice(list: &[String]) -> Result<(), FormatError> {
    let mut seen = HashSet::new();
    match list.iter().find(|symbol| !seen.insert(*symbol)) {
        Some(twice) => Err(FormatError::Twice(twice.clone())),
        None => Ok(()),
    }
}

/// Every character of a text.
pub(super) fn characters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

/// Symbols separated by commas, with `%2C` for a comma, and so on.
pub(super) fn listed(text: &str) -> Vec<String> {
    let read = |part: &str| {
        let plain = ESCAPED[1..].iter().fold(part.to_owned(), |s, (c, code)| s.replace(code, c));
        plain.replace(ESCAPED[0].1, ESCAPED[0].0)
    };
    text.split(',').filter(|part| !part.is_empty()).map(read).collect()
}

fn escape(symbol: &str) -> String {
    ESCAPED.iter().fold(symbol.to_owned(), |text, (c, code)| text.replace(c, code))
}
