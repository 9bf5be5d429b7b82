//! Judging answers.

use super::grid::Grid;
use crate::ConstraintVerdict;

/// Checks an answer against its question: a unit (row, column or box) that does not hold every
/// digit once is a violation, whether a digit is missing, repeated or not filled in.
///
/// # Panics
/// If the two grids have different shapes.
pub fn verify(question: &Grid, answer: &Grid) -> ConstraintVerdict {
    let shape = question.shape();
    assert_eq!(shape, answer.shape(), "shapes of question and answer");
    let all_digits = (1u16 << (shape.size() + 1)) - 2;
    let complete = |cells: &mut dyn Iterator<Item = usize>| {
        cells.fold(0u16, |seen, cell| seen | 1 << answer.get(cell)) == all_digits
    };
    let pairs = question.cells().iter().zip(answer.cells());
    ConstraintVerdict {
        givens_changed: pairs.filter(|(given, value)| **given != 0 && given != value).count(),
        blanks: shape.cells() - answer.filled(),
        violations: shape.units().filter(|unit| !complete(&mut unit.cells(shape))).count(),
        checks: 3 * shape.size(),
        checked: "rows, columns and boxes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sudoku::Shape;

    fn verdict(question: &str, answer: &str) -> ConstraintVerdict {
        verify(&question.parse().unwrap(), &answer.parse().unwrap())
    }

    #[test]
    fn faults_are_counted() {
        let question = "1.....3..4.....2";
        assert!(verdict(question, "1324423124133142").is_solved());
        let swapped = verdict(question, "1324423124133124");
        assert_eq!((swapped.violations, swapped.givens_changed, swapped.blanks), (2, 1, 0));
        assert_eq!(
            swapped.to_string(),
            "not solved: 2 of 12 rows, columns and boxes wrong, 1 given changed"
        );
        let moved = verdict("2.......4.......", "1324423124133142");
        assert_eq!(moved.to_string(), "not solved: 2 givens changed");
        assert!(!moved.is_solved());
    }

    #[test]
    fn an_empty_answer_breaks_every_unit() {
        for shape in Shape::ALL {
            let empty = Grid::empty(shape);
            let verdict = verify(&empty, &empty);
            assert_eq!(verdict.violations, 3 * shape.size());
            assert_eq!(verdict.blanks, shape.cells());
        }
    }
}
