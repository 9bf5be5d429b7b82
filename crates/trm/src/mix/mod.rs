//! How tokens exchange information: one file for each way, and one entry here.

mod attention;
mod axes;
mod mixer;
mod neighbours;
mod units;

use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::network::Builder;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use trm_ops::{Parameter, Tape, Tensor};

/// Makes [`Mix`] of names, what they mean and the [`Way`] of each.
macro_rules! ways {
    ($($(#[$meaning:meta])* $name:ident = $way:expr,)*) => {
        /// How tokens exchange information.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Mix {
            $($(#[$meaning])* $name,)*
        }

        impl Mix {
            pub(crate) fn way(self) -> &'static dyn Way {
                match self {
                    $(Mix::$name => &$way,)*
                }
            }
        }
    };
}

ways! {
    /// A SwiGLU over the token axis (the paper's MLP variant): best on small fixed grids.
    Mixer = mixer::Way,
    /// Non-causal self-attention.
    Attention = attention::Way,
    /// For Sudoku: tokens are candidates, one per cell and digit, and hear the mean of the row, column,
    /// box and cell that they share ([`Units`](trm_ops::Units)). The network treats all digits alike, as in
    /// symbol-equivariant models (arXiv 2603.02193), and all bands, stacks and lines within them too,
    /// so that it has nothing to learn about them.
    Units = units::Way,
    /// For grids: cells hear the four beside them, the mean of all and that of the prefix
    /// ([`neighbours`](trm_ops::Tape::neighbours)), everywhere in the same way, so that what is learned at one place is known at every other.
    Neighbours = neighbours::Way,
    /// For matrices whose rows and columns have no order: cells hear the mean and the largest of their row and of
    /// their column ([`lines`](trm_ops::Tape::lines)). Permuted rows and columns give the permuted answer, and the
    /// weights fit matrices of all sizes.
    Axes = axes::Way,
}

/// What there is to know of a way of mixing: sizes and costs, how its weights are made, and what its tokens are.
pub(crate) trait Way: Sync {
    /// Refuses sizes that this way has no network of.
    fn check(&self, config: &Config) -> Result<(), ConfigError>;

    /// The weights of one block.
    fn make(
        &self,
        config: &Config,
        block: usize,
        make: &mut Builder<'_>,
    ) -> Result<Box<dyn Mixing>, Error>;

    /// Multiplications of one block for one puzzle.
    fn multiplications(&self, config: &Config) -> f64;

    /// Numbers that one block keeps of one puzzle for the gradient: always, and where nothing is computed again.
    fn kept(&self, config: &Config) -> [f64; 2];

    /// Whether the weights are those of a grid of any size: no place is a special one.
    fn fits_any_grid(&self) -> bool {
        false
    }

    /// Whether it reads where the rows of a grid begin.
    fn reads_rows(&self, _config: &Config) -> bool {
        self.fits_any_grid()
    }

    /// Puts into a configuration sizes that data could have, to check the others before there are data.
    fn suppose_data(&self, config: &mut Config) {
        if self.reads_rows(config) {
            config.columns = config.seq_len;
        }
    }

    /// Tokens of a puzzle without its prefix: its cells.
    fn tokens(&self, config: &Config) -> usize {
        config.seq_len
    }

    /// How many values a token has, and how many numbers are read from it: one for each token of the vocabulary.
    fn vocabulary(&self, config: &Config) -> [usize; 2] {
        [config.vocab_size, config.vocab_size]
    }

    /// The tokens of cells `[B · S]`: themselves.
    fn read<'a>(&self, _config: &Config, cells: &'a [u8]) -> Cow<'a, [u8]> {
        Cow::Borrowed(cells)
    }

    /// The logits of cells, `[B, S, V]`, from what is read from tokens.
    fn logits(&self, _tape: &Tape, _config: &Config, read: Tensor) -> Tensor {
        read
    }

    /// What the halting head sees of a puzzle, `[B, 1, D]`: the first token, or the mean where no place is a special
    /// one.
    fn whole(&self, tape: &Tape, y: &Tensor) -> Tensor {
        match self.fits_any_grid() {
            true => tape.mean_token(y),
            false => tape.tokens(y, 0..1),
        }
    }
}

/// Refuses what is no grid of rows, and rotary positions, which are attention's.
fn check_grid(config: &Config) -> Result<(), ConfigError> {
    match config.positions.is_rotary() {
        true => Err(ConfigError::RopeWithoutAttention),
        false => check_rows(config),
    }
}

/// Refuses cells that are no whole rows.
fn check_rows(config: &Config) -> Result<(), ConfigError> {
    let Config { columns, seq_len, .. } = *config;
    match columns > 0 && seq_len.is_multiple_of(columns) {
        true => Ok(()),
        false => Err(ConfigError::Columns { columns, seq_len }),
    }
}

/// The weights of one block's mixing.
pub(crate) trait Mixing: Send + Sync {
    /// `rms_norm(h + what tokens tell each other)`; h is `[B, L, D]`.
    fn forward(&self, tape: &Tape, h: &Tensor) -> Tensor;

    fn parameters(&self) -> Vec<&Parameter>;

    fn parameters_mut(&mut self) -> Vec<&mut Parameter>;

    fn copy(&self) -> Box<dyn Mixing>;
}

impl Clone for Box<dyn Mixing> {
    fn clone(&self) -> Self {
        self.copy()
    }
}
