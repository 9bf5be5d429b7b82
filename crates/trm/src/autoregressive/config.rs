use crate::config::inner_width;
use crate::error::ConfigError;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Sizes and choices of an autoregressive model. Domain, `vocab_size` and `seq_len` follow from the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutoregressiveConfig {
    /// What the tokens mean, for the programs around the model.
    pub domain: String,
    /// V: number of tokens of a puzzle, PAD included.
    pub vocab_size: usize,
    /// S: cells of a puzzle.
    pub seq_len: usize,
    /// In which order the answer is written.
    pub order: Order,
    /// D: features of a token.
    pub hidden: usize,
    /// H: attention heads.
    pub heads: usize,
    /// Inner width of the SwiGLU over D, before the factor 2/3.
    pub expansion: f32,
    /// The inner width is rounded up to a multiple of this.
    pub inner_multiple: usize,
    /// Blocks, each with weights of its own.
    pub blocks: usize,
    /// Whether the head's weights are those of the embedding.
    pub tied: bool,
}

/// In which order an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// All cells, row by row: their tokens alone.
    Raster,
    /// Pairs of which cell and which token: the given cells as the prompt, then the open ones in the order
    /// in which a logical solver fills them.
    Solver,
}

impl Default for AutoregressiveConfig {
    fn default() -> AutoregressiveConfig {
        AutoregressiveConfig {
            domain: "tokens".into(),
            vocab_size: 11,
            seq_len: 81,
            order: Order::Raster,
            hidden: 128,
            heads: 4,
            expansion: 4.0,
            inner_multiple: 32,
            blocks: 4,
            tied: false,
        }
    }
}

impl AutoregressiveConfig {
    /// Inner width of the SwiGLU.
    pub fn inner(&self) -> usize {
        inner_width(self.hidden, self.expansion, self.inner_multiple)
    }

    /// Tokens that a sequence is made of: those of the puzzle, then one for every cell if cells are
    /// named.
    pub fn tokens(&self) -> usize {
        match self.order {
            Order::Raster => self.vocab_size,
            Order::Solver => self.vocab_size + self.seq_len,
        }
    }

    /// Tokens of a whole sequence, question and answer.
    pub fn sequence(&self) -> usize {
        2 * self.seq_len
    }

    /// Tokens of the answer to a question with so many open cells.
    pub fn answer_len(&self, open: usize) -> usize {
        match self.order {
            Order::Raster => self.seq_len,
            Order::Solver => self.per_cell() * open,
        }
    }

    /// Tokens that write one cell.
    pub fn per_cell(&self) -> usize {
        match self.order {
            Order::Raster => 1,
            Order::Solver => 2,
        }
    }

    /// The tokens that may stand at a place of a sequence.
    pub fn allowed(&self, place: usize) -> Range<usize> {
        match self.order {
            Order::Solver if place.is_multiple_of(2) => self.vocab_size..self.tokens(),
            Order::Raster | Order::Solver => 0..self.vocab_size,
        }
    }

    /// Number of trained values.
    pub fn parameters(&self) -> usize {
        let d = self.hidden;
        let tables = if self.tied { 1 } else { 2 };
        let embeddings = (tables * self.tokens() + self.sequence() - 1) * d;
        self.blocks * (4 * d * d + 3 * d * self.inner()) + embeddings
    }

    /// Floating-point operations of writing the last `answer` tokens of a sequence with a cache, or of one
    /// forward pass that gives their logits: two per multiplication in a product that the result needs, nothing
    /// for the rest.
    pub fn forward_flops(&self, answer: usize) -> f64 {
        let (n, d) = ((self.sequence() - 1) as f64, self.hidden as f64);
        let tokens = n * (4.0 * d * d + 3.0 * d * self.inner() as f64);
        let pairs = n * (n + 1.0) / 2.0;
        let heads = (answer * self.tokens()) as f64 * d;
        2.0 * (self.blocks as f64 * (tokens + 2.0 * pairs * d) + heads)
    }

    /// The same for one training step: a forward pass, and two products of its size for the gradients.
    pub fn training_flops(&self, answer: usize) -> f64 {
        3.0 * self.forward_flops(answer)
    }

    /// Checks that a network of these sizes exists.
    ///
    /// # Errors
    /// The first [`ConfigError`] found.
    pub fn check(&self) -> Result<(), ConfigError> {
        let AutoregressiveConfig { heads, hidden, .. } = *self;
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("seq_len", self.seq_len),
            ("hidden", hidden),
            ("heads", heads),
            ("inner_multiple", self.inner_multiple),
            ("blocks", self.blocks),
        ];
        if let Some((key, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(ConfigError::Zero { key });
        }
        // the last byte marks places without a label
        if self.tokens() > u8::MAX as usize {
            return Err(ConfigError::Vocabulary(self.tokens()));
        }
        if !(self.expansion.is_finite() && self.expansion > 0.0) {
            return Err(ConfigError::Expansion(self.expansion));
        }
        if hidden % heads != 0 {
            return Err(ConfigError::Heads { heads, hidden });
        }
        if hidden / heads % 2 != 0 {
            return Err(ConfigError::RotaryHead { positions: "rope", multiple: 2, heads, hidden });
        }
        let block = 4.0 * (hidden as f64).powi(2) + 3.0 * hidden as f64 * self.inner() as f64;
        match self.blocks as f64 * block {
            count if count > 2e9 => Err(ConfigError::TooLarge(count)),
            _ => Ok(()),
        }
    }
}
