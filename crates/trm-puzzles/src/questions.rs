//! Several puzzles in one text.

use crate::{Domain, Error};
use serde_json::Value;

/// What is wrong with a text of puzzles, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionError {
    /// The line at which the puzzle begins, from 1, unless it is the only one.
    pub line: Option<usize>,
    /// What is wrong.
    pub source: Error,
}

/// Reads one puzzle or several: one a line, drawn ones with blank lines or comments between them, or a list or objects
/// of JSON (`puzzle`, `question` or `input`). Every one can be asked.
///
/// # Errors
/// The first puzzle that is none or cannot be asked.
///
/// ```
/// use trm_puzzles::{Domain, questions};
///
/// let domain: Domain = "sudoku4".parse()?;
/// let drawn = "1...\n..3.\n.4..\n...2\n\n# the same\n\n1...\n..3.\n.4..\n...2\n";
/// assert_eq!(questions(&domain, drawn).unwrap().len(), 2);
/// assert_eq!(questions(&domain, "1.....3..4.....2\n").unwrap().len(), 1);
/// # Ok::<(), trm_puzzles::UnknownDomain>(())
/// ```
pub fn questions(domain: &Domain, text: &str) -> Result<Vec<Vec<u8>>, QuestionError> {
    let read = |(line, part): (Option<usize>, &str)| {
        let question = domain.parse(part);
        let question = question.and_then(|q| domain.check_question(&q).map(|_| q));
        question.map_err(|source| QuestionError { line, source })
    };
    if let Some(parts) = of_json(text) {
        return parts.iter().map(|part| read((None, part))).collect();
    }
    let is_puzzle = |part: &str| domain.parse(part).is_ok();
    let says_something = |line: &str| !line.trim().is_empty() && !domain.is_comment(line);
    let lines: Vec<_> = puzzle_lines(text).filter(|(_, line)| says_something(line)).collect();
    if lines.len() > 1 && lines.iter().any(|(_, line)| is_puzzle(line)) {
        return lines.into_iter().map(|(number, line)| read((Some(number), line))).collect();
    }
    let blocks = blocks(&lines);
    if blocks.len() > 1 && !is_puzzle(text) && blocks.iter().any(|(_, block)| is_puzzle(block)) {
        return blocks.iter().map(|(line, block)| read((Some(*line), block))).collect();
    }
    read((None, text)).map(|question| vec![question])
}

/// What puzzles are called in JSON and CSV.
const NAMES: [&str; 3] = ["puzzle", "question", "input"];

/// The puzzles of a CSV file whose header names a column of them `puzzle`, `question` or `input`, as a text for
/// [`questions`], each on its line of the file. `None` if it is no such file.
///
/// ```
/// let file = "source,question,answer\na,1..4,1234\n";
/// assert_eq!(trm_puzzles::puzzles_of_csv(file).unwrap(), "\n1..4\n");
/// assert_eq!(trm_puzzles::puzzles_of_csv("1..4\n"), None);
/// ```
pub fn puzzles_of_csv(text: &str) -> Option<String> {
    let header = text.trim_start_matches('\u{feff}').lines().next()?;
    let header: Vec<_> = header.split(',').map(|name| name.trim().trim_matches('"')).collect();
    let column = NAMES.iter().find_map(|name| header.iter().position(|column| column == name))?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let (mut puzzles, mut lines) = (String::new(), 1);
    for record in reader.records() {
        let record = record.ok()?;
        let line = record.position().map_or(0, |position| position.line());
        while lines < line {
            puzzles.push('\n');
            lines += 1;
        }
        let puzzle = record.get(column).filter(|puzzle| !puzzle.trim().is_empty());
        let puzzle = puzzle.unwrap_or("(no puzzle)"); // for a reader to refuse
        let apart = if puzzle.contains('\n') { "\n\n" } else { "\n" };
        puzzles.extend([puzzle, apart]);
        lines += puzzle.matches('\n').count() as u64 + apart.len() as u64;
    }
    Some(puzzles)
}

/// The puzzles of a JSON document that holds several, or one in an object.
fn of_json(text: &str) -> Option<Vec<String>> {
    let bare = text.trim_start_matches('\u{feff}').trim_start();
    let of_object = |value: &Value| {
        let named = NAMES.iter().find_map(|key| value.get(key));
        named.map(|puzzle| puzzle.as_str().map_or_else(|| puzzle.to_string(), str::to_owned))
    };
    let documents: Vec<Value> = match bare.chars().next()? {
        '[' => serde_json::from_str(bare).ok()?,
        '{' => {
            serde_json::Deserializer::from_str(bare).into_iter().collect::<Result<_, _>>().ok()?
        }
        _ => return None,
    };
    let is_grid =
        |value: &Value| value.as_array().and_then(|rows| rows.first()).is_some_and(Value::is_array);
    match documents.first()? {
        first if is_grid(first) => Some(documents.iter().map(Value::to_string).collect()),
        first if first.is_object() => documents.iter().map(of_object).collect(),
        _ => None, // the rows or cells of one
    }
}

/// The lines of a text, numbered from 1, without headers such as `[Puzzle]`; where there is such a section, its lines.
pub(crate) fn puzzle_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_puzzle = |name: &str| name.eq_ignore_ascii_case("puzzle");
    let chooses = text.lines().filter_map(section).any(is_puzzle);
    let mut reads = !chooses;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let header = section(line);
        reads = header.map_or(reads, |name| !chooses || is_puzzle(name));
        reads && header.is_none()
    })
}

/// The name in a header such as `[Puzzle]`.
pub(crate) fn section(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('[')?.strip_suffix(']')?;
    name.starts_with(|first: char| first.is_ascii_alphabetic()).then_some(name)
}

/// Runs of lines that follow each other, with the number of their first line.
fn blocks(lines: &[(usize, &str)]) -> Vec<(usize, String)> {
    let runs = lines.chunk_by(|(one, _), (next, _)| one + 1 == *next);
    let block = |run: &[(usize, &str)]| {
        let lines: Vec<&str> = run.iter().map(|(_, line)| *line).collect();
        (run[0].0, lines.join("\n"))
    };
    runs.map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1.....3..4.....2";
    const OTHER: &str = "..2.1......4.3..";

    fn read(text: &str) -> Vec<String> {
        let domain: Domain = "sudoku4".parse().unwrap();
        let questions =
            questions(&domain, text).unwrap_or_else(|e| panic!("{text:?}: {}", e.source));
        questions.iter().map(|question| domain.format_line(question)).collect()
    }

    #[test]
    fn csv_files_give_their_puzzles_line_by_line() {
        for text in [
            format!("question,answer\n{ONE},{ONE}\n{OTHER},{ONE}\n"),
            format!("\u{feff}source,\"puzzle\",rating\r\na,{ONE},3\r\n\"b, c\",{OTHER}\r\n"),
            "input\n\"1...\n..3.\n.4..\n...2\"\n\"..2.\n1...\n...4\n.3..\"\n".into(),
        ] {
            assert_eq!(read(&puzzles_of_csv(&text).unwrap()), [ONE, OTHER], "{text}");
        }
        let short = puzzles_of_csv(&format!("a,question\n1,{ONE}\n2\n3,12\n")).unwrap();
        let refused = questions(&"sudoku4".parse().unwrap(), &short).unwrap_err();
        assert_eq!(refused.line, Some(3), "{short:?}");
        let short = short.replace("(no puzzle)", "");
        let refused = questions(&"sudoku4".parse().unwrap(), &short).unwrap_err();
        assert_eq!(refused.line, Some(4), "lines are those of the file");
        for text in ["", "1..4", "a,b\n1,2\n"] {
            assert_eq!(puzzles_of_csv(text), None);
        }
    }

    #[test]
    fn several_puzzles_are_read_in_every_form() {
        let drawn = |line: &str| {
            format!("{}\n{}\n{}\n{}\n", &line[..4], &line[4..8], &line[8..12], &line[12..])
        };
        let framed = |line: &str| drawn(line).replace('\n', "|\n");
        let json = |line: &str| {
            let row = |r: usize| {
                format!(
                    "[{}]",
                    line[4 * r..][..4]
                        .replace('.', "0")
                        .split("")
                        .filter(|c| !c.is_empty())
                        .collect::<Vec<_>>()
                        .join(",")
                )
            };
            format!("[{},{},{},{}]", row(0), row(1), row(2), row(3))
        };
        for text in [
            format!("{ONE}\n{OTHER}\n"),
            format!("# two\n{ONE}\n\n; the other\n{OTHER}"),
            format!("{}\n{}", drawn(ONE), drawn(OTHER)),
            format!("{}# other\n{}", framed(ONE), framed(OTHER)),
            format!("[{}, {}]", json(ONE), json(OTHER)),
            format!("{}\n{}\n", json(ONE), json(OTHER)),
            format!("{{\"puzzle\": \"{ONE}\"}}\n{{\"question\": {}}}", json(OTHER)),
            format!("[{{\"input\": \"{ONE}\"}}, {{\"input\": \"{OTHER}\"}}]"),
        ] {
            assert_eq!(read(&text), [ONE, OTHER], "{text}");
        }
        for text in [
            ONE.to_owned(),
            drawn(ONE),
            format!("{}\n{}", &drawn(ONE)[..10], &drawn(ONE)[10..]), // bands apart
            json(ONE),
            format!("[Puzzle]\n{ONE}\n[State]\n1324423124133142\n"),
            format!("[Author]\nnobody\n[Puzzle]\n{}\n[State]\n{}", drawn(ONE), drawn(ONE)),
            format!(
                "[\"{}\", \"{}\", \"{}\", \"{}\"]",
                &ONE[..4],
                &ONE[4..8],
                &ONE[8..12],
                &ONE[12..]
            ),
        ] {
            assert_eq!(read(&text), [ONE], "{text}");
        }
    }

    #[test]
    fn the_puzzle_that_is_none_is_named_by_its_line() {
        let domain: Domain = "sudoku4".parse().unwrap();
        let line = |text: &str| questions(&domain, text).unwrap_err().line;
        assert_eq!(line("1.....3..4.....\n"), None);
        assert_eq!(line(&format!("\n{ONE}\n\n11.............2\n")), Some(4));
        assert_eq!(line("1...\n..3.\n.4..\n...2\n\n1...\n..3.\n.4.\n...2\n"), Some(6));
        assert_eq!(line(&format!("{ONE}\n1.....a..4.....2")), Some(2));
    }
}
