use crate::error::ConfigError;
use crate::mix::Mix;
use serde::{Deserialize, Serialize};

/// Far beyond what any published search uses, and small enough for every counter.
const MAX_STEPS: usize = 1 << 20;
/// Most blocks: published models have 2 to 12.
const MAX_BLOCKS: usize = 1 << 10;
/// Most calls of the network in a supervision step: published models have 21.
const MAX_CALLS: usize = 1 << 14;

/// Base of the rotary embedding, unless a model says otherwise.
pub(crate) const ROPE_BASE: f32 = 10_000.0;

// the files of models that were there before this key stay as they were
fn is_one(count: &usize) -> bool {
    *count == 1
}

// the files of all models without a base of their own stay as they were
fn is_usual_base(base: &f32) -> bool {
    *base == ROPE_BASE
}

/// Sizes and choices of a tiny recursive model. Defaults are the public preset for Sudoku except
/// for `vocab_size` and `seq_len`, which follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// What the tokens mean, for the programs around the model; the network does not look at it.
    pub domain: String,
    /// V: number of tokens, PAD included.
    pub vocab_size: usize,
    /// S: cells of a puzzle.
    pub seq_len: usize,
    /// D: features of a token.
    pub hidden: usize,
    /// H: attention heads (unused by the mixer).
    pub heads: usize,
    /// Inner width of a SwiGLU over its outer width, before the factor 2/3.
    pub expansion: f32,
    /// Inner widths are rounded up to a multiple of this.
    pub inner_multiple: usize,
    /// Blocks of the one network.
    pub blocks: usize,
    /// How tokens exchange information.
    pub mix: Mix,
    /// Rows and columns of a box; read only with [`Mix::Units`].
    pub boxes: [usize; 2],
    /// Cells of a row of the grid; read only with [`Mix::Neighbours`], [`Mix::Axes`] and [`Positions::Rope2d`].
    pub columns: usize,
    /// How tokens know their place.
    pub positions: Positions,
    /// Base of the rotary embedding; read only with [`Positions::Rope`] and [`Positions::Rope2d`].
    #[serde(skip_serializing_if = "is_usual_base")]
    pub rope_base: f32,
    /// T: cycles of a supervision step.
    pub cycles: usize,
    /// How many of them, the last ones, carry a gradient in training: 1 in the paper.
    #[serde(skip_serializing_if = "is_one")]
    pub gradient_cycles: usize,
    /// n: updates of z per cycle; 0 for a model without scratchpad, whose draft is revised from the
    /// question alone (with one cycle and one supervision step: direct prediction).
    pub recursions: usize,
    /// N_sup: improvement steps per puzzle.
    pub supervision_steps: usize,
    /// P: tokens before the cells that hold the puzzle embedding; 0 for none.
    pub prefix_len: usize,
    /// Width of the vector learned per puzzle identifier, at most P·D; 0 for none.
    pub puzzle_embedding: usize,
    /// Number of puzzle identifiers; identifier 0 stands for "no particular puzzle".
    pub puzzle_identifiers: usize,
}

/// How tokens know their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Positions {
    /// Not at all; the mixer's weights are bound to places anyway.
    None,
    /// A learned vector per place, added to the embedded question.
    Learned,
    /// Rotary embedding of queries and keys by the token's place ([`Config::rope_base`]).
    Rope,
    /// The same by the cell's row and column; tokens of the prefix have none.
    Rope2d,
}

impl Positions {
    /// Whether queries and keys are rotated.
    pub fn is_rotary(self) -> bool {
        matches!(self, Positions::Rope | Positions::Rope2d)
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            domain: "tokens".into(),
            vocab_size: 11,
            seq_len: 81,
            hidden: 512,
            heads: 8,
            expansion: 4.0,
            inner_multiple: 256,
            blocks: 2,
            mix: Mix::Mixer,
            boxes: [3, 3],
            columns: 0,
            positions: Positions::None,
            rope_base: ROPE_BASE,
            cycles: 3,
            gradient_cycles: 1,
            recursions: 6,
            supervision_steps: 16,
            prefix_len: 16,
            puzzle_embedding: 512,
            puzzle_identifiers: 1,
        }
    }
}

impl Config {
    /// L: prefix tokens and those of the cells.
    pub fn len(&self) -> usize {
        self.prefix_len + self.mix.way().tokens(self)
    }

    /// Whether there are no tokens at all; never true of a checked configuration.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Inner width of a SwiGLU over `width` features or tokens: `expansion · width · 2/3`, rounded,
    /// then rounded up to a multiple of `inner_multiple`.
    pub fn inner(&self, width: usize) -> usize {
        inner_width(width, self.expansion, self.inner_multiple)
    }

    /// Floating-point operations of one supervision step of one puzzle, forward only: two per
    /// multiplication in a product, nothing for the rest.
    pub fn forward_flops(&self) -> f64 {
        self.cycles as f64 * self.cycle_flops() + self.head_flops()
    }

    /// The same for one training step: the cycles with a gradient and the heads are followed by two products of
    /// their size.
    pub fn training_flops(&self) -> f64 {
        let cycles = self.gradient_cycles as f64 * self.cycle_flops();
        self.forward_flops() + 2.0 * (cycles + self.head_flops())
    }

    fn cycle_flops(&self) -> f64 {
        let (l, d) = (self.len() as f64, self.hidden as f64);
        let mix = self.mix.way().multiplications(self);
        let block = mix + 3.0 * l * d * self.inner(self.hidden) as f64;
        2.0 * (self.blocks * (self.recursions + 1)) as f64 * block
    }

    fn head_flops(&self) -> f64 {
        let [_, read] = self.mix.way().vocabulary(self);
        let scores = self.mix.way().tokens(self) * read;
        2.0 * (scores + 2) as f64 * self.hidden as f64
    }

    /// Checks that a network of these sizes exists.
    ///
    /// # Errors
    /// The first [`ConfigError`] found.
    pub fn check(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("seq_len", self.seq_len),
            ("hidden", self.hidden),
            ("heads", self.heads),
            ("inner_multiple", self.inner_multiple),
            ("blocks", self.blocks),
            ("cycles", self.cycles),
            ("gradient_cycles", self.gradient_cycles),
            ("supervision_steps", self.supervision_steps),
            ("puzzle_identifiers", self.puzzle_identifiers),
        ];
        if let Some((key, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(ConfigError::Zero { key });
        }
        if self.supervision_steps > MAX_STEPS {
            return Err(ConfigError::TooManySteps(self.supervision_steps));
        }
        if self.blocks > MAX_BLOCKS {
            return Err(ConfigError::TooManyBlocks(self.blocks));
        }
        let calls = self.cycles.saturating_mul(self.recursions.saturating_add(1));
        if calls > MAX_CALLS {
            let (cycles, recursions) = (self.cycles, self.recursions);
            return Err(ConfigError::TooDeep { cycles, recursions });
        }
        if self.gradient_cycles > self.cycles {
            let Config { gradient_cycles, cycles, .. } = *self;
            return Err(ConfigError::GradientCycles { gradient_cycles, cycles });
        }
        if self.vocab_size > 256 {
            return Err(ConfigError::Vocabulary(self.vocab_size));
        }
        if !(self.expansion.is_finite() && self.expansion > 0.0) {
            return Err(ConfigError::Expansion(self.expansion));
        }
        if !(self.rope_base.is_finite() && self.rope_base > 0.0) {
            return Err(ConfigError::RopeBase(self.rope_base));
        }
        self.mix.way().check(self)?;
        self.check_prefix()?;
        match self.approximate_parameters() {
            count if count > 2e9 => Err(ConfigError::TooLarge(count)),
            _ => Ok(()),
        }
    }

    /// Whether the weights are those of a grid of any size: what a cell hears depends on what lies beside it alone.
    pub fn fits_any_grid(&self) -> bool {
        self.mix.way().fits_any_grid() && self.positions == Positions::None
    }

    /// The same for a grid whose rows have so many cells, where the mixing reads that.
    pub fn with_columns(mut self, columns: usize) -> Config {
        self.columns = if self.mix.way().reads_rows(&self) { columns } else { 0 };
        self
    }

    /// The same with sizes that data could have, to check all others before there are data.
    pub fn with_supposed_data(mut self) -> Config {
        self.mix.way().suppose_data(&mut self);
        self
    }

    /// Numbers that the mixing of one block keeps of one puzzle for the gradient: always, and where nothing is computed
    /// again (`recompute`).
    pub fn kept_by_mixing(&self) -> [f64; 2] {
        self.mix.way().kept(self)
    }

    fn check_prefix(&self) -> Result<(), ConfigError> {
        let Config { prefix_len, puzzle_embedding, .. } = *self;
        let room = prefix_len.saturating_mul(self.hidden);
        if (prefix_len == 0) != (puzzle_embedding == 0) {
            return Err(ConfigError::Prefix { prefix_len, puzzle_embedding });
        }
        if puzzle_embedding > room {
            return Err(ConfigError::WideEmbedding { puzzle_embedding, room });
        }
        Ok(())
    }

    /// Parameters to a tenth or so, at most some more, without making any; for impossible sizes too.
    pub fn approximate_parameters(&self) -> f64 {
        let f = |n: usize| n as f64;
        let (l, d) = (f(self.prefix_len) + f(self.seq_len), f(self.hidden));
        let inner = |width: f64| self.expansion as f64 * width + f(self.inner_multiple);
        let block = 3.0 * d * inner(d) + (3.0 * l * inner(l)).max(7.0 * d * d);
        let table = f(self.puzzle_embedding) * f(self.puzzle_identifiers);
        f(self.blocks) * block + l * d + table
    }
}

/// Inner width of a SwiGLU ([`Config::inner`]).
pub(crate) fn inner_width(width: usize, expansion: f32, multiple: usize) -> usize {
    let inner = (expansion as f64 * width as f64 * 2.0 / 3.0).round() as usize;
    inner.max(1).next_multiple_of(multiple)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_presets_have_their_inner_widths_and_cost() {
        let sudoku = Config::default();
        assert_eq!((sudoku.inner(512), sudoku.inner(sudoku.len())), (1536, 512));
        assert!((sudoku.forward_flops() / 1e9 - 25.6).abs() < 0.2, "{}", sudoku.forward_flops());
        assert!((sudoku.training_flops() / 1e9 - 43.0).abs() < 0.5);
        assert_eq!(sudoku.check(), Ok(()));
    }

    #[test]
    fn impossible_shapes_are_refused_by_name() {
        let base =
            || Config { mix: Mix::Attention, positions: Positions::Rope, ..Config::default() };
        let message = |config: Config| config.check().unwrap_err().to_string();
        assert_eq!(
            message(Config { heads: 3, ..base() }),
            "heads = 3 does not divide hidden = 512: choose a divisor of 512"
        );
        assert!(
            message(Config { hidden: 24, heads: 8, ..base() })
                .contains("head width that 2 divides")
        );
        let grid_places = || Config { positions: Positions::Rope2d, columns: 9, ..base() };
        assert_eq!(grid_places().check(), Ok(()));
        let odd = Config { hidden: 48, heads: 8, ..grid_places() };
        assert!(message(odd).contains("\"rope2d\" needs a head width that 4 divides"));
        assert!(
            message(Config { columns: 10, ..grid_places() }).starts_with("81 cells in rows of 10")
        );
        assert!(message(Config { mix: Mix::Mixer, ..base() }).contains("no effect"));
        let grid = |columns| Config {
            mix: Mix::Neighbours,
            positions: Positions::None,
            columns,
            ..base()
        };
        assert_eq!(grid(9).check(), Ok(()));
        assert!(message(grid(10)).starts_with("81 cells in rows of 10"));
        assert_eq!(message(Config { blocks: 0, ..base() }), "blocks = 0: must be at least 1");
        assert!(message(Config { prefix_len: 0, ..base() }).contains("both must be 0"));
        assert!(message(Config { puzzle_embedding: 9000, ..base() }).contains("wider than"));
        assert!(message(Config { blocks: 1_000_000_000, ..base() }).contains("at most 1024"));
        assert!(message(Config { rope_base: f32::NAN, ..base() }).starts_with("rope_base = NaN"));
        assert!(message(Config { hidden: 1 << 40, heads: 1, ..base() }).contains("parameters"));
    }
}
