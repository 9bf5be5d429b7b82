//! Reading structured text into typed settings, with unknown keys refused by their nearest name.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// All leaves by their paths, joined by dots.
pub fn leaves(table: &Table) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (key, value) in table {
        match value {
            Value::Table(below) => {
                let below = leaves(below).into_iter();
                found.extend(below.map(|(path, leaf)| (format!("{key}.{path}"), leaf)));
            }
            leaf => drop(found.insert(key.clone(), leaf.clone())),
        }
    }
    found
}

/// Paths of all leaves.
pub fn paths(table: &Table) -> Vec<String> {
    leaves(table).into_keys().collect()
}

/// Turns a table into settings.
///
/// # Errors
/// One line: the first unknown key with the nearest known one, or the key whose value is wrong.
pub fn parse_known<T: DeserializeOwned>(table: Table, known: &[String]) -> Result<T, String> {
    struct Known<T>(T, Vec<String>);
    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Known<T> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let mut unknown = Vec::new();
            let value =
                serde_ignored::deserialize(deserializer, |path| unknown.push(path.to_string()))?;
            Ok(Known(value, unknown))
        }
    }
    let Known(value, unknown) =
        serde_path_to_error::deserialize::<_, Known<T>>(Value::Table(table))
            .map_err(|error| format!("{}: {}", error.path(), reason(&error.inner().to_string())))?;
    match unknown.first() {
        Some(key) => Err(unknown_key(key, known)),
        None => Ok(value),
    }
}

/// What a reader of settings says, for people: without the place, which stands before it, and without names of types.
fn reason(said: &str) -> String {
    let said = said.trim().lines().take_while(|line| !line.starts_with("in `"));
    let said = said.collect::<Vec<_>>().join("; ");
    let whole = ["usize", "u64", "u32", "u8", "i64"].iter();
    let said = whole.fold(said, |said, name| {
        said.replace(&format!("expected {name}"), "expected a whole number")
    });
    said.replace("expected f32", "expected a number").replace("expected f64", "expected a number")
}

fn unknown_key(key: &str, known: &[String]) -> String {
    let distance = |candidate: &&str| (1000.0 * strsim::jaro_winkler(key, candidate)) as i32;
    // a table may be meant too
    let tables = known.iter().filter_map(|key| Some(key.rsplit_once('.')?.0));
    match known.iter().map(String::as_str).chain(tables).max_by_key(distance) {
        Some(nearest) => format!("unknown key {key}: did you mean {nearest}?"),
        None => format!("unknown key {key}"),
    }
}

/// Writes single-precision numbers as short as they were: 0.002, not 0.0020000000949949026.
pub fn shorten(table: &mut Table) {
    for (_, value) in table.iter_mut() {
        match value {
            Value::Float(x) => {
                let short: f64 = (*x as f32).to_string().parse().unwrap_or(*x);
                *x = if short as f32 == *x as f32 { short } else { *x };
            }
            Value::Table(below) => shorten(below),
            _ => {}
        }
    }
}
