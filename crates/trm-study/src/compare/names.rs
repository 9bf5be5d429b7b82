//! The names of contenders, and the folders in which each has its own.

use super::refused;
use crate::Error;
use trm_data::text::{foreign, one_line};

/// Folders that are not a contender's.
const TAKEN: [&str; 2] = ["data", "answers"];
/// Characters of a folder's name at most.
const LONGEST: usize = 100;

/// A name as part of a path: letters and digits of ASCII in lower case, other letters by number (`größe` is
/// `gr-uf6-udf-e`), one hyphen for everything between them.
pub(super) fn folder_name(name: &str) -> String {
    let mut spelled = String::new();
    for character in name.chars() {
        match character {
            c if c.is_ascii_alphanumeric() => spelled.push(c.to_ascii_lowercase()),
            c if c.is_ascii() || c.is_whitespace() => spelled.push('-'),
            c => spelled.push_str(&format!("-u{:x}-", u32::from(c))),
        }
    }
    spelled.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Refuses names that make no folder, or not a folder of their own.
pub(super) fn check<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut before: Vec<(&str, String)> = Vec::new();
    for name in names {
        let (folder, shown) = (folder_name(name), foreign(name));
        if one_line(name) != name {
            return Err(refused(format!("contender `{shown}`: must be one line of plain text")));
        }
        if folder.is_empty() {
            return Err(refused(format!("contender `{shown}`: a letter or a digit is needed")));
        }
        if folder.len() > LONGEST {
            let length = folder.len();
            return Err(refused(format!(
                "contender `{shown}`: its folder's name has {length} characters: at most {LONGEST}"
            )));
        }
        if TAKEN.contains(&&folder[..]) {
            return Err(refused(format!(
                "contender `{shown}`: the study keeps other things in the folder `{folder}`: rename it"
            )));
        }
        if let Some((other, _)) = before.iter().find(|(_, taken)| *taken == folder) {
            let other = foreign(other);
            return Err(refused(format!(
                "contenders `{other}` and `{shown}`: both need the folder `{folder}`: rename one"
            )));
        }
        before.push((name, folder));
    }
    Ok(())
}
