//! Prints flood-fill puzzles as CSV: which open cells can be reached from `s`?
//!
//! cargo run --release --example flood-fill 11000 > flood.csv

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIDE: usize = 9;
const CELLS: usize = SIDE * SIDE;

fn main() {
    let wanted = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let wanted: usize = wanted.expect("how many puzzles?");
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    println!("input,output");
    for _ in 0..wanted {
        let (question, answer) = puzzle(&mut rng);
        println!("{},{}", rows(&question), rows(&answer));
    }
}

/// A question of a third to a half walls in which at least a quarter of the cells is flooded, and its answer.
fn puzzle(rng: &mut impl Rng) -> ([u8; CELLS], [u8; CELLS]) {
    loop {
        let walls = rng.random_range(0.33..0.5);
        let mut question = [b'.'; CELLS];
        question.fill_with(|| if rng.random_bool(walls) { b'#' } else { b'.' });
        let source = rng.random_range(0..CELLS);
        question[source] = b's';
        let answer = flood(&question, source);
        if answer.iter().filter(|cell| **cell == b'o').count() >= CELLS / 4 {
            return (question, answer);
        }
    }
}

/// The grid with `o` in all open cells that are connected with the source.
fn flood(question: &[u8; CELLS], source: usize) -> [u8; CELLS] {
    let mut answer = *question;
    let mut reached = vec![source];
    while let Some(cell) = reached.pop() {
        let (row, column) = (cell / SIDE, cell % SIDE);
        let beside = [
            (row > 0).then(|| cell - SIDE),
            (row + 1 < SIDE).then_some(cell + SIDE),
            (column > 0).then(|| cell - 1),
            (column + 1 < SIDE).then_some(cell + 1),
        ];
        for cell in beside.into_iter().flatten() {
            if answer[cell] == b'.' {
                answer[cell] = b'o';
                reached.push(cell);
            }
        }
    }
    answer
}

fn rows(grid: &[u8; CELLS]) -> String {
    let rows = grid.chunks(SIDE).map(|row| String::from_utf8_lossy(row).into_owned());
    rows.collect::<Vec<_>>().join("/")
}
