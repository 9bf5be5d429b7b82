//! Candidates of a Sudoku, one per cell and digit, hear the means of the row, column, box and cell that they share:
//! all digits are alike to the network.

use super::Mixing;
use crate::config::{Config, Positions};
use crate::error::{ConfigError, Error};
use crate::network::Builder;
use std::borrow::Cow;
use trm_ops::{Axis, Parameter, Tape, Tensor, Units};

pub(super) struct Way;

fn units(config: &Config) -> Units {
    let [height, width] = config.boxes;
    Units { height, width }
}

/// What is known of a candidate: the rows of its embedding.
const KINDS: usize = 3;
const OPEN: u8 = 0;
const GIVEN: u8 = 1;
const EXCLUDED: u8 = 2;

impl super::Way for Way {
    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let Config { seq_len, vocab_size, boxes, .. } = *config;
        let n = boxes[0].saturating_mul(boxes[1]);
        if n == 0 || n.saturating_mul(n) != seq_len || n + 2 != vocab_size {
            return Err(ConfigError::Boxes { boxes, seq_len, vocab_size });
        }
        if !config.hidden.is_multiple_of(Units::LANES) {
            return Err(ConfigError::Lanes(config.hidden));
        }
        if config.prefix_len > 0 || config.positions != Positions::None {
            return Err(ConfigError::UnitsAlone);
        }
        Ok(())
    }

    fn make(
        &self,
        config: &Config,
        block: usize,
        make: &mut Builder<'_>,
    ) -> Result<Box<dyn Mixing>, Error> {
        let d = config.hidden;
        let [own, row, column, in_box, cell] = ["own", "row", "column", "box", "cell"]
            .map(|unit| make.linear(&format!("net.{block}.{unit}"), d, d));
        let weights = [own?, row?, column?, in_box?, cell?];
        Ok(Box::new(Heard { weights, units: units(config) }))
    }

    fn multiplications(&self, config: &Config) -> f64 {
        let (l, d) = (config.len() as f64, config.hidden as f64);
        (l + 4.0 * config.seq_len as f64) * d * d
    }

    /// The means besides.
    fn kept(&self, config: &Config) -> [f64; 2] {
        let tokens = 2.0 * config.len() as f64 + 4.0 * config.seq_len as f64;
        [tokens * config.hidden as f64, 0.0]
    }

    fn suppose_data(&self, config: &mut Config) {
        let n = config.boxes[0].saturating_mul(config.boxes[1]);
        (config.seq_len, config.vocab_size) = (n.saturating_mul(n), n.saturating_add(2));
    }

    fn tokens(&self, config: &Config) -> usize {
        units(config).candidates()
    }

    fn vocabulary(&self, _: &Config) -> [usize; 2] {
        [KINDS, 1]
    }

    fn read<'a>(&self, config: &Config, cells: &'a [u8]) -> Cow<'a, [u8]> {
        Cow::Owned(candidates(cells, units(config)))
    }

    fn logits(&self, tape: &Tape, config: &Config, read: Tensor) -> Tensor {
        tape.symbol_logits(&read, units(config).size(), config.vocab_size)
    }

    /// The mean of all candidates, as none is a special one.
    fn whole(&self, tape: &Tape, y: &Tensor) -> Tensor {
        tape.mean_token(y)
    }
}

/// The candidates of cells: open where the cell is, else given or excluded. Digits are the last n
/// tokens of the vocabulary, as in every Sudoku.
fn candidates(tokens: &[u8], units: Units) -> Vec<u8> {
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

#[derive(Clone)]
struct Heard {
    weights: [Parameter; 5], // [D, D]: own, row, column, box, cell
    units: Units,
}

impl Mixing for Heard {
    fn forward(&self, tape: &Tape, h: &Tensor) -> Tensor {
        let heard = tape.mix_units(h, &self.weights, self.units);
        tape.residual_norm(h, &heard, Axis::Features)
    }

    fn parameters(&self) -> Vec<&Parameter> {
        self.weights.iter().collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        self.weights.iter_mut().collect()
    }

    fn copy(&self) -> Box<dyn Mixing> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_excludes_the_other_digits_of_its_cell() {
        let units = Units { height: 1, width: 3 };
        assert_eq!(candidates(&[1, 3, 2], units), [0, 0, 0, 2, 1, 2, 1, 2, 2]);
    }
}
