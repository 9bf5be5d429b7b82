//! The solver on real puzzles of Sudoku-Extreme.

use std::collections::HashSet;
use std::path::Path;

use trm_puzzles::sudoku::{
    check_question, class_hash, count_solutions, rate, read_csv_file, solve,
};

const FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/sudoku-extreme/train_1000.csv");

#[test]
fn the_recorded_answer_is_the_only_solution() {
    if !Path::new(FILE).exists() {
        eprintln!("skipped: the real puzzles are not here ({FILE})");
        return;
    }
    let records = read_csv_file(Path::new(FILE)).unwrap();
    assert_eq!(records.len(), 1000);
    let mut classes = HashSet::new();
    let mut guesses = 0;
    for record in &records {
        assert_eq!(solve(&record.question), Some(record.answer));
        assert_eq!(count_solutions(&record.question, 2), 1);
        assert_eq!(check_question(&record.question), Ok(record.answer));
        classes.insert(class_hash(&record.question));
        guesses += rate(&record.question);
    }
    println!("{} classes, {guesses} guesses in all", classes.len());
}
