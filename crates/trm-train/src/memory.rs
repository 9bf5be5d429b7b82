//! How much memory training takes, said before it starts.

use crate::recipe::TrainConfig;
use trm::{AutoregressiveConfig, Config, Mix, Model, Network};
use trm_ops::DType;

/// Bytes that training of this model is about to use: an estimate from the sizes of what is kept,
/// within a fifth for all but the smallest models.
///
/// Parameters: master, gradient, two moments and average in f32, the forms that products read, and
/// the puzzle embedding once. Activations: those saved for the gradient of the last cycle, and what
/// one operation's backward holds at its widest.
pub fn training_bytes(model: &Model, train: &TrainConfig) -> u64 {
    let (all, network) = model.parameter_count();
    let averages = if train.ema > 0.0 { 1 } else { 0 };
    let forms = network * 4;
    let parameters = 4 * (network * (4 + averages) + (all - network)) + forms;
    parameters as u64 + train.batch as u64 * bytes_per_puzzle(model.config(), train)
}

/// [`training_bytes`] of an autoregressive model.
pub(crate) fn autoregressive_bytes(network: &AutoregressiveConfig, train: &TrainConfig) -> u64 {
    let averages = if train.ema > 0.0 { 1 } else { 0 };
    let parameters = 4 * network.parameters() * (5 + averages);
    let features = if train.recompute { 0 } else { 2 * network.inner() };
    let saved = network.blocks * (6 * network.hidden + features);
    let widest = 5 * network.inner() + 10 * network.hidden;
    let activations = network.sequence() * (saved + widest) * DType::from(train.precision).size();
    (parameters + train.batch * activations) as u64
}

/// Bytes that writing a checkpoint takes for a moment besides: every number once more as the next steps change
/// it, in f32, as bytes, and in the file that is made of them.
pub fn checkpoint_bytes(model: &impl Network) -> u64 {
    let all: usize = model.tensors().iter().map(|(_, tensor)| tensor.len()).sum();
    4 * 4 * all as u64
}

fn bytes_per_puzzle(config: &Config, train: &TrainConfig) -> u64 {
    let (l, d) = (config.len(), config.hidden);
    let outer = l * d;
    let features = config.inner(d) * l;
    let (saved, tokens) = match config.mix {
        Mix::Mixer => (2 * outer, config.inner(l) * d),
        Mix::Attention => (6 * outer, 0), // queries, keys, values and the attended besides
        Mix::Units => (2 * outer + 4 * config.seq_len * d, 0), // the means besides
        Mix::Neighbours => (9 * outer, 0), // seven copies besides
    };
    let kept = if train.recompute { 0 } else { 2 * (features + tokens) };
    let saved = (config.recursions + 1) * (outer + config.blocks * (saved + kept));
    // gradients of both halves, their product, its input packed; and a few states
    let widest = 2 * features + 3 * features.max(tokens) + 10 * outer;
    let size = DType::from(train.precision).size();
    ((saved + widest) * size) as u64
}

/// Memory that this machine could give now, where it says so.
pub fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}
