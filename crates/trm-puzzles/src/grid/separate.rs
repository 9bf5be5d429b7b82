//! Which parts of a row are its symbols.

use super::files::{Example, FileError, Wanted};
use super::row::{Row, is_long};
use super::symbols::characters;
use std::collections::{BTreeSet, HashSet};

/// What can stand between cells.
const GAPS: [&str; 4] = [", ", ",", "\t", " "];

/// Leaves out what stands between the cells of every row of every grid, as many programs print them: a blank, a
/// tab or a comma. Where parts between them have several characters, they are the symbols.
///
/// # Errors
/// If blanks or commas may be symbols or stand between some.
pub fn separate(examples: &mut [Example], wanted: &Wanted) -> Result<(), FileError> {
    if rows(examples).any(|row| row.text().is_none()) {
        return Ok(()); // lists of symbols
    }
    if wanted.apart {
        let gap = GAPS[..3].iter().find(|gap| all_apart(examples, gap)).copied();
        replace(examples, |text| cells_apart(text, gap.unwrap_or(" ")));
    } else if let Some(gap) = GAPS.iter().find(|gap| are_characters_apart(examples, gap)) {
        replace(examples, |text| cells_apart(text, gap));
    } else if let Some(gap) = GAPS.iter().find(|gap| all_apart(examples, gap))
        && !wanted.symbols.as_ref().is_some_and(|symbols| are_characters_with(symbols, gap))
    {
        if *gap != "\t" && characters_fit(examples, gap) {
            return Err(question(examples, gap));
        }
        replace(examples, |text| cells_apart(text, gap));
    }
    Ok(())
}

/// Cuts grids of a single row that is longer into rows of so many cells.
pub fn cut(examples: &mut [Example], width: usize) {
    for rows in examples.iter_mut().flat_map(Example::grids_mut) {
        if let [row] = &rows[..]
            && width > 0
            && row.len() > width
        {
            let cells: Vec<&str> = row.cells().collect();
            *rows = cells.chunks(width).map(|cells| Row::of(cells.iter().copied())).collect();
        }
    }
}

fn rows(examples: &[Example]) -> impl Iterator<Item = &Row> + Clone {
    examples.iter().flat_map(Example::grids).flatten()
}

fn texts(examples: &[Example]) -> impl Iterator<Item = &str> + Clone {
    rows(examples).filter_map(Row::text)
}

fn replace(examples: &mut [Example], cells: impl Fn(&str) -> Vec<&str>) {
    for row in examples.iter_mut().flat_map(Example::grids_mut).flatten() {
        *row = Row::of(cells(row.text().expect("texts")));
    }
}

/// The parts of a row; between several blanks there is nothing.
fn cells_apart<'t>(text: &'t str, gap: &str) -> Vec<&'t str> {
    match gap {
        " " => text.split_whitespace().collect(),
        _ => text.split(gap).map(str::trim).collect(),
    }
}

/// Whether every row is single characters with a gap between.
fn are_characters_apart(examples: &[Example], gap: &str) -> bool {
    let is_apart = |text: &str| text.split(gap).all(|cell| !cell.is_empty() && !is_long(cell));
    texts(examples).all(is_apart) && texts(examples).any(is_long)
}

/// Whether every grid is rows of as many parts, none of them empty, and some part has several characters.
fn all_apart(examples: &[Example], gap: &str) -> bool {
    let is_symbol = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_control() || c.is_whitespace())
    };
    let mut grids = examples.iter().flat_map(Example::grids);
    let is_even = |rows: &Vec<Row>| {
        let counts = rows.iter().filter_map(Row::text).map(|text| text.split(gap).count());
        counts.collect::<HashSet<usize>>().len() == 1
    };
    let parts = || texts(examples).flat_map(|text| text.split(gap));
    parts().all(is_symbol)
        && parts().any(is_long)
        && texts(examples).any(|text| text.contains(gap))
        && grids.all(is_even)
}

/// Whether the characters of all rows, gaps among them, make grids too.
fn characters_fit(examples: &[Example], gap: &str) -> bool {
    let size = |rows: &Vec<Row>| {
        let lengths: BTreeSet<usize> = rows.iter().map(Row::len).collect();
        (lengths.len() == 1).then(|| (lengths.first().copied(), rows.len()))
    };
    let sizes: Option<HashSet<_>> = examples.iter().flat_map(Example::grids).map(size).collect();
    sizes.is_some_and(|sizes| gap == "," || sizes.len() == 1)
}

/// Whether an alphabet is characters, what stands in gaps among them.
fn are_characters_with(alphabet: &str, gap: &str) -> bool {
    let all = characters(alphabet);
    all.iter().collect::<HashSet<_>>().len() == all.len() && alphabet.contains(gap)
}

fn question(examples: &[Example], gap: &str) -> FileError {
    let has_gap = |e: &&Example| e.grids().into_iter().flatten().any(|row| is_in(row, gap));
    let example = examples.iter().find(has_gap).expect("there are gaps");
    let row = example.grids().into_iter().flatten().find(|row| is_in(row, gap)).expect("the same");
    let text = row.text().unwrap_or_default();
    FileError::Gaps {
        line: example.line,
        row: text.to_owned(),
        parts: text.split(gap).count(),
        characters: row.len(),
        gap: if gap == " " { "blanks" } else { "commas" },
    }
}

fn is_in(row: &Row, gap: &str) -> bool {
    row.text().is_some_and(|text| text.contains(gap))
}
