use crate::config::Config;
use thiserror::Error;
use trm_ops::DeviceError;

/// Anything that this crate refuses.
#[derive(Debug, Error)]
pub enum Error {
    /// A configuration that no network can have.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Weights that do not belong to the configuration.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A question that the model cannot read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A threshold of [`Limits::halt`](crate::Limits::halt) that is no probability, or 0.
    #[error("halt = {0}: must be a probability above 0 and at most 1")]
    Halt(f32),
    /// A step that gave something else than numbers: the weights are finite, what they make of some puzzles is not.
    #[error(
        "the network computes no numbers (NaN or infinity): its weights are too large or damaged"
    )]
    NotFinite {
        /// Numbers of these puzzles in their session.
        puzzles: Vec<usize>,
    },
    /// The referee of a search gave no judgement, in its words.
    #[error("{0}")]
    Referee(String),
    /// The device cannot go on.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Somebody asked to stop.
    #[error("stopped before the end")]
    Stopped,
}

/// Why a [`Config`] describes no network.
#[derive(Debug, Error, PartialEq)]
pub enum ConfigError {
    /// A size that must be at least one is zero.
    #[error("{key} = 0: must be at least 1")]
    Zero {
        /// Name of the key.
        key: &'static str,
    },
    /// The heads do not share the features evenly.
    #[error("heads = {heads} does not divide hidden = {hidden}: choose a divisor of {hidden}")]
    Heads {
        /// Number of heads.
        heads: usize,
        /// Number of features.
        hidden: usize,
    },
    /// Rotary embedding turns pairs of features, on a grid as many by the row as by the column.
    #[error(
        "positions = \"{positions}\" needs a head width that {multiple} divides, but hidden / heads = {hidden} / {heads} = \
         {}: change heads or hidden, or choose positions \"learned\"", hidden / heads
    )]
    RotaryHead {
        /// The kind of embedding.
        positions: &'static str,
        /// What has to divide the width of a head.
        multiple: usize,
        /// Number of heads.
        heads: usize,
        /// Number of features.
        hidden: usize,
    },
    /// Rotary embedding has nothing to act on without attention.
    #[error(
        "positions = \"rope\" or \"rope2d\" has no effect without mix = \"attention\": choose \"none\" or \"learned\""
    )]
    RopeWithoutAttention,
    /// A prefix and its embedding must both be there or both be absent.
    #[error(
        "prefix_len = {prefix_len} with puzzle_embedding = {puzzle_embedding}: \
         both must be 0 or both positive"
    )]
    Prefix {
        /// Number of prefix tokens.
        prefix_len: usize,
        /// Width of the puzzle embedding.
        puzzle_embedding: usize,
    },
    /// The puzzle embedding does not fit in the prefix.
    #[error(
        "puzzle_embedding = {puzzle_embedding} is wider than prefix_len * hidden = {room}: \
         lengthen the prefix or narrow the embedding"
    )]
    WideEmbedding {
        /// Width of the puzzle embedding.
        puzzle_embedding: usize,
        /// Room in the prefix.
        room: usize,
    },
    /// Units are summed in lanes of features.
    #[error("hidden = {0}: mix = \"units\" needs a multiple of 16")]
    Lanes(usize),
    /// Boxes, cells and tokens are not those of one Sudoku.
    #[error(
        "boxes = {boxes:?} with seq_len = {seq_len} and vocab_size = {vocab_size}: mix = \"units\" is for \
         Sudoku, whose n = {} rows of a box times columns make n * n cells and n + 2 tokens",
        boxes[0].saturating_mul(boxes[1])
    )]
    Boxes {
        /// Rows and columns of a box.
        boxes: [usize; 2],
        /// Number of cells.
        seq_len: usize,
        /// Number of tokens.
        vocab_size: usize,
    },
    /// Candidates have neither a prefix nor positions.
    #[error(
        "mix = \"units\" goes without prefix and positions: set prefix_len = 0, positions = \"none\""
    )]
    UnitsAlone,
    /// A prefix has neither row nor column.
    #[error("mix = \"axes\" goes without prefix: set prefix_len = 0, puzzle_embedding = 0")]
    AxesWithPrefix,
    /// The cells do not lie in rows.
    #[error(
        "{seq_len} cells in rows of {columns}: mix = \"neighbours\" and \"axes\" and positions = \"rope2d\" are for \
         grids, whose domain says how long a row is"
    )]
    Columns {
        /// Cells of a row.
        columns: usize,
        /// Number of cells.
        seq_len: usize,
    },
    /// More supervision steps than counters are made for.
    #[error("supervision_steps = {0}: at most 1048576")]
    TooManySteps(usize),
    /// More blocks than any published model has by far.
    #[error("blocks = {0}: at most 1024")]
    TooManyBlocks(usize),
    /// More calls of the network in a supervision step than anybody waits for.
    #[error(
        "cycles = {cycles} with recursions = {recursions}: cycles · (recursions + 1) must be at most 16384"
    )]
    TooDeep {
        /// Number of cycles.
        cycles: usize,
        /// Recursions of each.
        recursions: usize,
    },
    /// More cycles with a gradient than there are.
    #[error("gradient_cycles = {gradient_cycles}: at most cycles = {cycles}")]
    GradientCycles {
        /// Cycles with a gradient.
        gradient_cycles: usize,
        /// All of them.
        cycles: usize,
    },
    /// Tokens are single bytes.
    #[error("vocab_size = {0}: tokens are bytes, so at most 256")]
    Vocabulary(usize),
    /// The expansion is not a positive, finite number.
    #[error("expansion = {0}: must be a positive number")]
    Expansion(f32),
    /// The base of the rotary embedding is not a positive, finite number.
    #[error("rope_base = {0}: must be a positive number")]
    RopeBase(f32),
    /// A total that no machine could hold.
    #[error("the model would have {0:.2e} parameters: reduce its sizes")]
    TooLarge(f64),
}

/// Why weights cannot be used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// Not a safetensors file, or a damaged one.
    #[error("not a readable safetensors file: {0}")]
    Format(String),
    /// A tensor that the configuration needs is absent.
    #[error("tensor {name:?} is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("tensor {name:?} has shape {found:?}, but the configuration needs {wanted:?}")]
    Shape {
        /// Its name.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape by the configuration.
        wanted: Vec<usize>,
    },
    /// A tensor has a number format that is not f32, f16 or bf16.
    #[error("tensor {name:?} has type {found}: only F32, F16 and BF16 are read")]
    Type {
        /// Its name.
        name: String,
        /// Type in the file.
        found: String,
    },
    /// Tensors that the configuration does not know.
    #[error("tensor {name:?} does not belong to this configuration")]
    Unexpected {
        /// Name of the first one.
        name: String,
    },
    /// A value is not a number.
    #[error("tensor {name:?} contains a NaN or an infinity")]
    NotFinite {
        /// Its name.
        name: String,
    },
}

/// Why a question cannot be read.
#[derive(Debug, Error, PartialEq)]
pub enum InputError {
    /// The number of tokens is not a whole number of questions.
    #[error("{found} tokens for {puzzles} puzzles: the model reads {wanted} tokens each")]
    Length {
        /// Tokens given.
        found: usize,
        /// Puzzles announced.
        puzzles: usize,
        /// The model's sequence length.
        wanted: usize,
    },
    /// A token is not in the vocabulary.
    #[error("token {token} at position {position}: the model's vocabulary has {vocab} tokens")]
    Token {
        /// The token.
        token: u8,
        /// Its place among all tokens given.
        position: usize,
        /// Size of the vocabulary.
        vocab: usize,
    },
    /// A puzzle identifier has no embedding.
    #[error("puzzle identifier {id}: the model knows identifiers below {known}")]
    Puzzle {
        /// The identifier.
        id: u32,
        /// Number of identifiers.
        known: usize,
    },
}

impl InputError {
    /// Checks tokens and identifiers of a batch against a configuration.
    pub(crate) fn check(config: &Config, tokens: &[u8], puzzles: &[u32]) -> Result<(), InputError> {
        if tokens.len() != puzzles.len() * config.seq_len {
            let (found, puzzles, wanted) = (tokens.len(), puzzles.len(), config.seq_len);
            return Err(InputError::Length { found, puzzles, wanted });
        }
        let vocab = config.vocab_size;
        if let Some(position) = tokens.iter().position(|t| *t as usize >= vocab) {
            return Err(InputError::Token { token: tokens[position], position, vocab });
        }
        let known = config.puzzle_identifiers;
        match puzzles.iter().find(|id| config.prefix_len > 0 && **id as usize >= known) {
            Some(id) => Err(InputError::Puzzle { id: *id, known }),
            None => Ok(()),
        }
    }
}
