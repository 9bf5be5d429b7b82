//! Addresses as they may be shown, and the keys and passwords that are neither printed nor kept.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Stands where a secret stood.
const HIDDEN: &str = "[hidden]";
/// A shorter secret is hidden only as a word of its own, since it may be a part of any other word.
const LONG: usize = 8;
/// Where an environment names its proxies, in capitals or not.
const PROXIES: [&str; 3] = ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"];

/// The parts of an address that matter here.
struct Parts<'a> {
    scheme: &'a str,
    /// `NAME:PASSWORD`, or a key alone.
    user: &'a str,
    /// Host and path.
    place: &'a str,
    query: &'a str,
}

fn parts(address: &str) -> Parts<'_> {
    let address = address.split('#').next().unwrap_or_default();
    let (front, query) = address.split_once('?').unwrap_or((address, ""));
    let (scheme, rest) = front.split_once("://").unwrap_or(("", front));
    let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    Parts { scheme, user, place, query }
}

/// An address without user, password and query: these may be secret.
pub fn shown(address: &str) -> String {
    let Parts { scheme, place, .. } = parts(address);
    format!("{scheme}://{place}")
}

/// The address of what is below another one, with the same query.
pub fn below(base: &str, path: &str) -> String {
    let (front, query) = match base.split_once('?') {
        Some((front, query)) => (front, format!("?{query}")),
        None => (base, String::new()),
    };
    format!("{}/{path}{query}", front.trim_end_matches('/'))
}

/// What must be neither printed nor kept, however a server writes it.
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Those in an address, and in the proxies that the environment names.
    pub fn of(address: &str) -> Secrets {
        let mut secrets = Secrets(Vec::new());
        secrets.add_parts(address);
        for name in PROXIES.into_iter().flat_map(|name| [name.to_owned(), name.to_lowercase()]) {
            std::env::var(name).iter().for_each(|proxy| secrets.add_parts(proxy));
        }
        secrets
    }

    fn add_parts(&mut self, address: &str) {
        let Parts { user, query, .. } = parts(address);
        self.add(user);
        self.add(user.split_once(':').map_or("", |(_, password)| password));
        for parameter in query.split('&') {
            self.add(parameter.split_once('=').map_or(parameter, |(_, value)| value));
        }
    }

    /// Adds a secret, and what it looks like in base64 alone or within something longer.
    pub fn add(&mut self, secret: &str) {
        let secret = decoded(secret);
        if secret.is_empty() {
            return;
        }
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            self.0.push(alphabet.encode(&secret));
            for before in 0..3 {
                let bytes = [&vec![0; before][..], secret.as_bytes()].concat();
                let text = alphabet.encode(&bytes);
                // what the bytes before and after take part in is left out
                let (first, last) = ([0, 2, 3][before], bytes.len() * 4 / 3);
                let within = text.get(first..last).filter(|within| within.len() >= LONG);
                self.0.extend(within.map(String::from));
            }
        }
        self.0.push(secret);
    }

    /// A text without the secrets: in plain letters, percent-encoded, escaped as in JSON, or in base64.
    pub fn hide(&self, text: &str) -> String {
        let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
        while let Some(character) = text[at..].chars().next() {
            match self.0.iter().filter_map(|secret| end(text, at, secret)).max() {
                Some(end) => {
                    shown.push_str(HIDDEN);
                    at = end;
                }
                None => {
                    shown.push(character);
                    at += character.len_utf8();
                }
            }
        }
        shown
    }
}

/// Where a secret ends that begins here.
fn end(text: &str, start: usize, secret: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start;
    for wanted in secret.bytes() {
        let (byte, length) = unit(&bytes[at..])?;
        if byte != wanted {
            return None;
        }
        at += length;
    }
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_part = is_word(bytes[..start].last()) || is_word(bytes.get(at));
    (text.is_char_boundary(at) && !(secret.len() < LONG && is_part)).then_some(at)
}

/// The byte that a text begins with, and how many bytes of the text say it: `A`, `%41`, `\u0041`, `\/`.
fn unit(text: &[u8]) -> Option<(u8, usize)> {
    let number = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let encoded = match text {
        [b'%', a, b, ..] => number(&[*a, *b]).map(|byte| (byte, 3)),
        [b'\\', b'u', b'0', b'0', a, b, ..] => number(&[*a, *b]).map(|byte| (byte, 6)),
        [b'\\', byte @ (b'"' | b'\\' | b'/'), ..] => Some((*byte, 2)),
        _ => None,
    };
    encoded.or_else(|| Some((*text.first()?, 1)))
}

/// A secret as it is after an address has been read.
fn decoded(secret: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), secret.as_bytes());
    while let Some((byte, length)) = unit(rest) {
        bytes.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8(bytes).unwrap_or_else(|_| secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(address: &str, keys: &[&str]) -> Secrets {
        let mut secrets = Secrets(Vec::new());
        secrets.add_parts(address);
        keys.iter().for_each(|key| secrets.add(key));
        secrets
    }

    #[test]
    fn addresses_are_shown_without_user_and_query() {
        for (address, expected) in [
            ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1"),
            ("https://user:KEY@host/v1?key=KEY#KEY", "https://host/v1"),
            ("https://KEY@host", "https://host"),
            ("https://user:K/EY@host/v1", "https://host/v1"),
        ] {
            assert_eq!(shown(address), expected);
        }
        assert_eq!(below("http://a/b", "c.csv"), "http://a/b/c.csv");
        assert_eq!(below("http://a/b/", "c.csv"), "http://a/b/c.csv");
        assert_eq!(below("http://a/b/?v=1", "c/d"), "http://a/b/c/d?v=1");
    }

    #[test]
    fn a_key_is_hidden_in_every_form() {
        let key = "sk-SECRET/1234567890\"+abc";
        let secrets = secrets("", &[key]);
        let percent: String = key.bytes().map(|b| format!("%{b:02x}")).collect();
        let unicode: String = key.bytes().map(|b| format!("\\u{b:04X}")).collect();
        for form in [
            key.to_owned(),
            percent,
            unicode,
            "sk-SECRET%2F1234567890%22%2Babc".into(),
            "sk-SECRET\\/1234567890\\\"+abc".into(),
        ] {
            let said = format!("größe: your key {form}, wrong");
            assert_eq!(secrets.hide(&said), "größe: your key [hidden], wrong");
        }
        for around in ["", "user:", "Bearer ", "ab"] {
            for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let encode = |text: &str| alphabet.encode(format!("{around}{text}, or not"));
                let said = secrets.hide(&encode(key));
                // no more is left than of what stood around it, and half a letter at each end
                let left = said.replace(HIDDEN, "").len();
                assert!(said.contains(HIDDEN) && left <= encode("").len() + 4, "{said}");
            }
        }
    }

    #[test]
    fn what_an_address_says_is_hidden_and_short_secrets_are_words() {
        let secrets = secrets("http://me:p%40ss@host/?token=abcdefgh1&v", &[]);
        assert_eq!(secrets.hide("p@ss p%40ss p%40sst"), "[hidden] [hidden] p%40sst");
        assert_eq!(secrets.hide("xabcdefgh1x me very"), "x[hidden]x me very");
        let basic = STANDARD_NO_PAD.encode("me:p@ss");
        assert_eq!(secrets.hide(&format!("Basic {basic}==")), "Basic [hidden]==");
    }
}
