//! Questions as candidates: one token per cell and digit, so that all digits are alike to the network.

use trm_ops::Units;

/// What is known of a candidate: the rows of its embedding.
pub(super) const KINDS: usize = 3;
const OPEN: u8 = 0;
const GIVEN: u8 = 1;
const EXCLUDED: u8 = 2;

/// The candidates of cells: open where the cell is, else given or excluded. Digits are the last n
/// tokens of the vocabulary, as in every Sudoku.
pub(super) fn of(tokens: &[u8], units: Units) -> Vec<u8> {
    const BEFORE_DIGITS: u8 = 2; // padding and blank
    let digits = 0..units.size() as u8;
    let of_cell = |token: &u8| {
        let given = token.checked_sub(BEFORE_DIGITS);
        digits.clone().map(move |digit| match given {
            None => OPEN,
            Some(given) if given == digit => GIVEN,
            Some(_) => EXCLUDED,
        })
    };
    tokens.iter().flat_map(of_cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_excludes_the_other_digits_of_its_cell() {
        let units = Units { height: 1, width: 3 };
        assert_eq!(of(&[1, 3, 2], units), [0, 0, 0, 2, 1, 2, 1, 2, 2]);
    }
}
