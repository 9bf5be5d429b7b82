//! The format that fits examples.

use super::augmentation::Augmentation;
use super::files::{Example, FileError, Wanted};
use super::format::{Format, FormatError, Size, ragged};
use super::row::{Row, Rows, is_long};
use super::symbols::{OUTSIDE, Symbols, characters, listed};
use crate::Pair;
use std::collections::{BTreeSet, HashMap};

/// The format that fits all examples. Where all questions have a size and all answers another, so does the format;
/// grids of several sizes are filled up with spaces.
///
/// # Errors
/// If there is none; the line is named.
pub fn infer(examples: &[Example], wanted: &Wanted) -> Result<Format, FileError> {
    grids(examples).try_for_each(|(line, side, rows)| {
        check_rows(rows).map_err(|source| FileError::Grid { line, side, source })
    })?;
    let (sizes, varied) = sizes(examples, wanted)?;
    let symbols = symbols(examples, wanted, varied)?;
    let permuted = symbols.read(&wanted.permuted);
    let format = Format::new(sizes, symbols, &wanted.augmentations, permuted)?;
    for example in examples {
        let [question, answer] = tokens(example, &format)?;
        check_augmentations(&format, &question, &answer)
            .map_err(|source| FileError::Augmentation { line: example.line, source })?;
    }
    Ok(format)
}

/// The tokens of all examples.
///
/// # Errors
/// If a grid is not of this format; the line is named.
pub fn pairs(examples: &[Example], format: &Format) -> Result<Vec<Pair>, FileError> {
    examples.iter().map(|example| tokens(example, format)).collect()
}

/// The examples that answer a question otherwise than its first example, each with that one.
pub fn two_answers(pairs: &[Pair]) -> Vec<(usize, usize)> {
    let mut first: HashMap<&[u8], usize> = HashMap::new();
    let firsts = pairs.iter().enumerate().map(|(i, [q, _])| (*first.entry(&q[..]).or_insert(i), i));
    let differ = |(one, other): &(usize, usize)| pairs[*one][1] != pairs[*other][1];
    firsts.collect::<Vec<_>>().into_iter().filter(differ).collect()
}

fn tokens(Example { line, input, output }: &Example, format: &Format) -> Result<Pair, FileError> {
    let refuse = |side| move |source| FileError::Grid { line: *line, side, source };
    let question = format.question_tokens(input).map_err(refuse("input"))?;
    Ok([question, format.answer_tokens(output).map_err(refuse("output"))?])
}

/// Refuses an example that the augmentations of a format would tear apart.
fn check_augmentations(format: &Format, question: &[u8], answer: &[u8]) -> Result<(), FormatError> {
    let refuse = |augmentation: Augmentation, why| {
        Err(FormatError::Misfit { augmentation: augmentation.name(), why })
    };
    let [(columns, rows), (answer_columns, answer_rows)] =
        [(format.question(), question), (format.answer(), answer)]
            .map(|(size, tokens)| format.used(size, tokens));
    let begins_outside =
        [question, answer].iter().any(|tokens| Some(tokens[0]) == format.outside());
    if format.has(Augmentation::Rows) && rows != answer_rows {
        return refuse(Augmentation::Rows, "question and answer differ in their number");
    }
    if format.has(Augmentation::Columns) && columns != answer_columns {
        return refuse(Augmentation::Columns, "question and answer differ in their number");
    }
    if format.has(Augmentation::Reversal) && begins_outside {
        return refuse(Augmentation::Reversal, "a sequence begins with a blank");
    }
    Ok(())
}

fn grids(examples: &[Example]) -> impl Iterator<Item = (u64, &'static str, &Rows)> {
    examples.iter().flat_map(|e| [(e.line, "input", &e.input), (e.line, "output", &e.output)])
}

fn check_rows(rows: &Rows) -> Result<(), FormatError> {
    let first = rows.first().map_or(0, Row::len);
    match rows.iter().enumerate().find(|(_, row)| row.len() != first) {
        Some((row, found)) => Err(ragged(row, found.len(), first)),
        None if first == 0 => Err(FormatError::Side { width: 0, height: 0 }),
        None => Ok(()),
    }
}

/// The sizes of questions and answers, and whether there are smaller ones.
fn sizes(examples: &[Example], wanted: &Wanted) -> Result<([Size; 2], bool), FileError> {
    let of = |rows: &Rows| (rows[0].len(), rows.len());
    let questions: BTreeSet<Size> = examples.iter().map(|e| of(&e.input)).collect();
    let answers: BTreeSet<Size> = examples.iter().map(|e| of(&e.output)).collect();
    let all: BTreeSet<Size> = questions.union(&answers).copied().collect();
    let widest = all.iter().map(|size| size.0).max().unwrap_or(0);
    let highest = all.iter().map(|size| size.1).max().unwrap_or(0);
    let canvas = (wanted.width.unwrap_or(widest), wanted.height.unwrap_or(highest));
    let (cells, side) = (widest, widest.isqrt());
    let is_free = wanted.width.is_none() && wanted.height.is_none();
    if is_free && all.len() == 1 && highest == 1 && side > 1 && side * side == cells {
        let line = examples.first().map_or(0, |example| example.line);
        return Err(FileError::OneRow { line, cells, side });
    }
    let fixed = [&questions, &answers].map(|sizes| sizes.first().filter(|_| sizes.len() == 1));
    if let [Some(question), Some(answer)] = fixed
        && canvas == (widest, highest)
    {
        return Ok(([*question, *answer], false));
    }
    Ok(([canvas; 2], all.iter().any(|size| *size != canvas)))
}

/// The alphabet: as wanted, or the symbols that there are, numbers in their order.
fn symbols(examples: &[Example], wanted: &Wanted, varied: bool) -> Result<Symbols, FileError> {
    let cells = |rows: &'_ Rows| -> bool { rows.iter().flat_map(Row::cells).any(|c| c == OUTSIDE) };
    let used: BTreeSet<&str> =
        grids(examples).flat_map(|(_, _, rows)| rows.iter().flat_map(Row::cells)).collect();
    if varied && used.contains(OUTSIDE) {
        let line = grids(examples).find(|(_, _, rows)| cells(rows)).map_or(0, |(line, ..)| line);
        return Err(FileError::Space { line });
    }
    let long = used.iter().any(|symbol| is_long(symbol));
    let mut symbols: Vec<String> = match &wanted.symbols {
        Some(text) if long || Symbols::new(characters(text)).is_err() && text.contains(',') => {
            listed(text)
        }
        Some(text) => characters(text),
        None => used.into_iter().map(str::to_owned).collect(),
    };
    if let (true, None, Some(mut numbers)) = (long, &wanted.symbols, numbers(&symbols)) {
        numbers.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        symbols = numbers.into_iter().map(|(_, symbol)| symbol).collect();
    }
    if varied && !symbols.iter().any(|symbol| symbol == OUTSIDE) {
        symbols.push(OUTSIDE.into());
    }
    Ok(Symbols::new(symbols)?)
}

/// The symbols with their values, if all are numbers.
fn numbers(symbols: &[String]) -> Option<Vec<(f64, String)>> {
    symbols.iter().map(|symbol| Some((symbol.parse().ok()?, symbol.clone()))).collect()
}
