//! The columns of files of puzzles, as people call them.

/// Names of the column of puzzles; the first is ours.
pub(crate) const QUESTION: &[&str] = &["question", "input", "puzzle", "quiz", "quizzes"];
/// Names of the column of solutions.
pub(crate) const ANSWER: &[&str] = &["answer", "output", "solution", "solutions"];
/// Names of the column of ratings.
pub(crate) const RATING: &[&str] = &["rating", "difficulty"];

/// The place of the column with the first of some names that a header has, in small or capital letters.
pub(crate) fn place(header: &csv::StringRecord, names: &[&str]) -> Option<usize> {
    let is_named =
        |name: &str| header.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
    names.iter().find_map(|name| is_named(name))
}
