//! Mixing along the units of a Sudoku, for tokens that stand for candidates.

use crate::ops::linear::add_weight_gradient;
use crate::tape::{Backward, Gradients};
use crate::{Parameter, Tape, Tensor};

/// The units of a Sudoku of n × n cells with boxes of `height` × `width`, n = height · width.
///
/// Tokens are candidates, one per cell and digit: `(row · n + column) · n + digit`. Every candidate is
/// in four units of n candidates, of which a solution has one each: its digit in its row, in its
/// column, in its box, and all digits in its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    /// Rows of a box.
    pub height: usize,
    /// Columns of a box.
    pub width: usize,
}

/// Kinds of units: row, column, box, cell.
pub const KINDS: usize = 4;
const LANES: usize = Units::LANES;

impl Units {
    /// Features that are summed at a time: D is a multiple of it.
    pub const LANES: usize = 16;

    /// n: rows, columns, boxes and digits.
    pub fn size(&self) -> usize {
        self.height * self.width
    }

    /// n³: candidates.
    pub fn candidates(&self) -> usize {
        self.size().pow(3)
    }

    /// The units of a candidate, one of each kind, numbered from 0 to n².
    #[inline(always)]
    pub(crate) fn of(&self, row: usize, column: usize, digit: usize) -> [usize; KINDS] {
        let n = self.size();
        let in_box = row / self.height * self.height + column / self.width;
        [row * n + digit, column * n + digit, in_box * n + digit, row * n + column]
    }

    /// Calls `f` with every candidate and its units.
    #[inline(always)]
    pub(crate) fn each(&self, mut f: impl FnMut(usize, [usize; KINDS])) {
        let n = self.size();
        for row in 0..n {
            for column in 0..n {
                for digit in 0..n {
                    f((row * n + column) * n + digit, self.of(row, column, digit));
                }
            }
        }
    }
}

impl Tape {
    /// What every candidate hears: a map of itself, and one of the mean of every unit that it is in,
    /// `out = h · W₀ᵀ + Σ mean_unit(h) · W_unitᵀ`.
    ///
    /// # Shapes
    /// h, output `[B, n³, D]` with a D that is a multiple of 16; weights `[D, D]`: own, row, column, box,
    /// cell.
    pub fn mix_units(&self, h: &Tensor, weights: &[Parameter; 5], units: Units) -> Tensor {
        assert_eq!(h.shape()[1], units.candidates(), "one token per cell and digit");
        assert!(h.last_dim().is_multiple_of(LANES), "{} features", h.last_dim());
        let d = h.last_dim();
        assert!(weights.iter().all(|w| w.value().shape() == [d, d]), "weights of {d} features");
        self.device().count(multiplications(h, units));
        let (out, means) = self.kernels().mix_units(h, weights, units);
        self.record(out, || MixUnits { h: h.clone(), means, weights: weights.clone(), units })
    }
}

struct MixUnits {
    h: Tensor,
    means: [Tensor; KINDS],
    weights: [Parameter; 5],
    units: Units,
}

impl Backward for MixUnits {
    fn backward(self: Box<Self>, d_out: Tensor, gradients: &mut Gradients) {
        let MixUnits { h, means, weights, units } = *self;
        let [own, of_units @ ..] = &weights;
        h.device().count(multiplications(&h, units)); // the other half is counted with the weights
        add_weight_gradient(gradients, own, &d_out, &h);
        let kernels = h.device().kernels();
        let (d_h, d_messages) = kernels.mix_units_backward(&weights, units, &d_out);
        for ((weight, d_message), mean) in of_units.iter().zip(&d_messages).zip(&means) {
            add_weight_gradient(gradients, weight, d_message, mean);
        }
        gradients.add(h.var(), d_h);
    }
}

/// Multiplications of one pass.
fn multiplications(h: &Tensor, units: Units) -> usize {
    let d = h.last_dim();
    h.shape()[0] * (units.candidates() + KINDS * units.size().pow(2)) * d * d
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::testing::{Case, check_gradients, close, random_tensor};

    const SIX: Units = Units { height: 2, width: 3 };

    #[test]
    fn gradients_equal_finite_differences() {
        let units = Units { height: 1, width: 2 };
        let mut case = Case::new().input(&[2, 8, LANES]);
        for _ in 0..5 {
            case = case.parameter(&[LANES, LANES]);
        }
        check_gradients(&case, |tape, x, w| {
            let weights: &[Parameter; 5] = w.try_into().unwrap();
            tape.mix_units(&x[0], weights, units)
        });
    }

    #[test]
    fn every_unit_has_as_many_candidates_as_there_are_digits() {
        let mut members = vec![0; KINDS * 36];
        SIX.each(|_, unit| {
            unit.into_iter().enumerate().for_each(|(kind, unit)| members[kind * 36 + unit] += 1);
        });
        assert_eq!(members, [6; KINDS * 36]);
        // row 3, column 4 of a 6×6 grid is in the box of rows 2–3 and columns 3–5: the fourth
        assert_eq!(SIX.of(3, 4, 5), [3 * 6 + 5, 4 * 6 + 5, 3 * 6 + 5, 3 * 6 + 4]);
    }

    #[test]
    fn a_candidate_hears_its_units_and_no_others() {
        let device = Device::cpu(2);
        let matrix = |i: usize, value: f32| {
            let mut values = vec![0.0; LANES * LANES];
            values[0] = value; // only the first feature counts
            Parameter::new(i, "w", Tensor::from_f32(&device, &[LANES, LANES], &values))
        };
        let weights = std::array::from_fn(|i| matrix(i, [0.5, 1.0, 10.0, 100.0, 1000.0][i]));
        let mut h = vec![0.0; 216 * LANES];
        let at = |row: usize, column: usize, digit: usize| ((row * 6 + column) * 6 + digit) * LANES;
        h[at(3, 4, 5)] = 6.0;
        let h = Tensor::from_f32(&device, &[1, 216, LANES], &h);
        let out = Tape::off(&device).mix_units(&h, &weights, SIX).to_f32_vec().unwrap();
        assert_eq!(out[at(3, 4, 5)], 3.0 + 1111.0);
        assert_eq!(out[at(3, 0, 5)], 1.0); // the row
        assert_eq!(out[at(0, 4, 5)], 10.0); // the column
        assert_eq!(out[at(2, 3, 5)], 100.0); // the box
        assert_eq!(out[at(2, 4, 5)], 110.0); // box and column
        assert_eq!(out[at(3, 4, 0)], 1000.0); // the cell
        assert_eq!(out[at(0, 0, 5)] + out[at(2, 3, 4)], 0.0);
    }

    #[test]
    fn moving_bands_and_digits_moves_the_result() {
        let device = Device::cpu(1);
        let d = LANES;
        let weights = std::array::from_fn(|i| {
            Parameter::new(i, "w", random_tensor(&device, &[d, d], i as u64))
        });
        let h = random_tensor(&device, &[1, 216, d], 9).to_f32_vec().unwrap();
        // swap the first two bands and turn the digits
        let image = |candidate: usize| {
            let (row, column, digit) = (candidate / 36, candidate / 6 % 6, candidate % 6);
            (([2, 3, 0, 1, 4, 5][row]) * 6 + column) * 6 + (digit + 1) % 6
        };
        let moved = |values: &[f32]| {
            let mut out = vec![0.0; values.len()];
            for candidate in 0..216 {
                let (from, to) = (candidate * d, image(candidate) * d);
                out[to..to + d].copy_from_slice(&values[from..from + d]);
            }
            out
        };
        let mix = |values: &[f32]| {
            let h = Tensor::from_f32(&device, &[1, 216, d], values);
            Tape::off(&device).mix_units(&h, &weights, SIX).to_f32_vec().unwrap()
        };
        close(&mix(&moved(&h)), &moved(&mix(&h)), 1e-5);
    }
}
