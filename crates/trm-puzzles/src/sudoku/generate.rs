//! New puzzles with exactly one solution.

use std::ops::RangeInclusive;
use std::str::FromStr;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::grid::Grid;
use super::shape::{MAX_CELLS, Shape};
use super::solve::{fill, has_other_solution, rate};
use super::symmetry::Symmetry;

/// A question with its only solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Puzzle {
    /// The givens.
    pub question: Grid,
    /// The solution.
    pub answer: Grid,
    /// The difficulty of the question, see [`rate`].
    pub rating: u32,
}

/// How many givens a generated question keeps.
///
/// ```
/// use trm_puzzles::sudoku::Givens;
///
/// assert_eq!("minimal".parse(), Ok(Givens::Minimal));
/// assert_eq!("4-10".parse(), Ok(Givens::AtLeast(4..=10)));
/// assert_eq!("30".parse(), Ok(Givens::AtLeast(30..=30)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Givens {
    /// Givens are removed until each of those left is needed for the solution to be the only one.
    Minimal,
    /// The same, but removing stops at a number drawn evenly from this range. More givens stay
    /// where fewer would not do.
    AtLeast(RangeInclusive<usize>),
}

/// Text that does not say how many givens to keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("givens `{found}`: write `minimal`, a number like `30` or a range like `4-10`")]
pub struct GivensError {
    /// The text.
    pub found: String,
}

impl FromStr for Givens {
    type Err = GivensError;

    fn from_str(text: &str) -> Result<Givens, GivensError> {
        if text == "minimal" {
            return Ok(Givens::Minimal);
        }
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        match (least.trim().parse(), most.trim().parse()) {
            (Ok(least), Ok(most)) if least <= most => Ok(Givens::AtLeast(least..=most)),
            _ => Err(GivensError { found: text.to_owned() }),
        }
    }
}

/// Makes a puzzle with exactly one solution: a random solution, from which givens are removed in
/// random order where the solution stays the only one.
///
/// ```
/// use rand::SeedableRng;
/// use trm_puzzles::sudoku::{Givens, Shape, check_question, generate};
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
/// let puzzle = generate(Shape::Six, &mut rng, &Givens::AtLeast(12..=20));
/// assert_eq!(check_question(&puzzle.question), Ok(puzzle.answer));
/// assert!(puzzle.question.filled() >= 12);
/// ```
///
/// # Panics
/// If the range of givens is empty.
pub fn generate<R: Rng + ?Sized>(shape: Shape, rng: &mut R, givens: &Givens) -> Puzzle {
    let answer = random_solution(shape, rng);
    let keep = match givens {
        Givens::Minimal => 0,
        Givens::AtLeast(range) => rng.random_range(range.clone()),
    };
    let mut order: [usize; MAX_CELLS] = std::array::from_fn(|cell| cell);
    let order = &mut order[..shape.cells()];
    order.shuffle(rng);
    let mut question = answer;
    let mut left = shape.cells();
    for &mut cell in order {
        if left <= keep {
            break;
        }
        let digit = answer.get(cell);
        question.set(cell, 0);
        if has_other_solution(&question, cell, digit) {
            question.set(cell, digit);
        } else {
            left -= 1;
        }
    }
    Puzzle { question, answer, rating: rate(&question) }
}

/// A random full grid that keeps the rules. Every such grid can come up, not all equally often.
pub fn random_solution<R: Rng + ?Sized>(shape: Shape, rng: &mut R) -> Grid {
    let grid = fill(shape, |digits| digits.shuffle(rng)).expect("the empty grid can be solved");
    // The solver fills the grid in nearly the same order every time; no cell shall be special.
    Symmetry::random(shape, rng).apply(&grid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sudoku::{check_question, count_solutions};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn is_minimal(question: &Grid) -> bool {
        let mut given = (0..question.shape().cells()).filter(|&cell| question.get(cell) != 0);
        given.all(|cell| {
            let mut fewer = *question;
            fewer.set(cell, 0);
            count_solutions(&fewer, 2) == 2
        })
    }

    #[test]
    fn minimal_puzzles_have_one_solution_and_no_given_to_spare() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for shape in Shape::ALL {
            for _ in 0..30 {
                let puzzle = generate(shape, &mut rng, &Givens::Minimal);
                assert_eq!(check_question(&puzzle.question), Ok(puzzle.answer));
                assert!(is_minimal(&puzzle.question), "{}", puzzle.question);
                assert_eq!(puzzle.rating, rate(&puzzle.question));
            }
        }
    }

    #[test]
    fn the_range_of_givens_is_kept_and_used() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut counts = [0; 17];
        for _ in 0..400 {
            let puzzle = generate(Shape::Four, &mut rng, &Givens::AtLeast(8..=11));
            assert_eq!(check_question(&puzzle.question), Ok(puzzle.answer));
            counts[puzzle.question.filled()] += 1;
        }
        assert_eq!(counts[8..=11].iter().sum::<usize>(), 400, "{counts:?}");
        assert!(counts[8..=11].iter().all(|&count| count > 60), "{counts:?}");
    }

    #[test]
    fn the_same_seed_makes_the_same_puzzle() {
        let make =
            |seed| generate(Shape::Nine, &mut ChaCha8Rng::seed_from_u64(seed), &Givens::Minimal);
        assert_eq!(make(4), make(4));
        assert_ne!(make(4), make(5));
    }

    #[test]
    fn all_288_small_solutions_come_up() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let solutions: std::collections::HashSet<_> =
            (0..5000).map(|_| random_solution(Shape::Four, &mut rng)).collect();
        assert_eq!(solutions.len(), 288);
    }

    #[test]
    fn nonsense_givens_are_refused() {
        for text in ["", "many", "9-4", "3-", "-1"] {
            let error = text.parse::<Givens>().unwrap_err();
            let expected = format!(
                "givens `{text}`: write `minimal`, a number like `30` or a range like `4-10`"
            );
            assert_eq!(error.to_string(), expected);
        }
    }
}
