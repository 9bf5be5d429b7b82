//! How much memory training takes, said before it starts.

use crate::Error;
use crate::learners::{Core, Learner};
use crate::recipe::TrainConfig;
use trm::{AutoregressiveConfig, Config, Model, Network};
use trm_ops::{Device, Tensor};

/// Bytes that training of this model is about to use: an estimate from the sizes of what is kept,
/// within a third: how many portions are at work is up to the threads.
///
/// Parameters: master, two moments and average in f32, the forms that products read, and the puzzle embedding
/// once. Gradients: one for every portion at work, and the sums that wait for their other half. Activations: those
/// that the portions at work save for the gradient of the last cycles, and what one operation's backward holds at its
/// widest; the states of the batch.
pub fn training_bytes(model: &Model, train: &TrainConfig) -> u64 {
    let (all, network) = model.parameter_count();
    let parameters = (all as f64, network as f64);
    recursive_bytes(parameters, model.config(), train, model.device()) as u64
}

fn recursive_bytes(
    (all, network): (f64, f64),
    config: &Config,
    train: &TrainConfig,
    device: &Device,
) -> f64 {
    let threads = device.threads();
    let averages = if train.ema > 0.0 { 1.0 } else { 0.0 };
    // both sides of products, as the processor multiplies them
    let forms = 2.0 * network * operand_size(train, device);
    let portions = train.batch.div_ceil(config.portion(device, true)).max(1);
    let gradients = portions.min(threads + portions.ilog2() as usize);
    let kept = 3.0 + averages + gradients as f64;
    let parameters = 4.0 * (network * kept + (all - network)) + forms;
    let at_work = train.batch.min(config.portion(device, true).saturating_mul(threads));
    let states = 4.0 * (config.len() * config.hidden) as f64; // y and z, before and after
    let states = states * train.precision.on(device).size() as f64;
    parameters
        + train.batch as f64 * states
        + at_work as f64 * bytes_per_puzzle(config, train, device)
}

/// [`training_bytes`] of an autoregressive model.
pub(crate) fn autoregressive_bytes(
    network: &AutoregressiveConfig,
    train: &TrainConfig,
    device: &Device,
) -> u64 {
    let f = |n: usize| n as f64;
    let averages = if train.ema > 0.0 { 1.0 } else { 0.0 };
    let parameters = 4.0 * f(network.parameters()) * (5.0 + averages);
    let features = if train.recompute { 0.0 } else { 2.0 * f(network.inner()) };
    let saved = f(network.blocks) * (6.0 * f(network.hidden) + features);
    let widest = 5.0 * f(network.inner()) + 10.0 * f(network.hidden);
    let size = f(train.precision.on(device).size());
    (parameters + f(train.batch) * f(network.sequence()) * (saved + widest) * size) as u64
}

/// Refuses training that this machine's memory could never hold, before any of it is taken; `beside` processes share it.
///
/// # Errors
/// What is needed, what there is, and what would need less.
pub(crate) fn check_memory(
    network: &Config,
    writer: Option<&AutoregressiveConfig>,
    train: &TrainConfig,
    (device, beside): (&Device, u64),
) -> Result<(), Error> {
    let needed = match writer {
        Some(writer) => autoregressive_bytes(writer, train, device),
        None => {
            let parameters = network.approximate_parameters();
            recursive_bytes((parameters, parameters), network, train, device) as u64
        }
    };
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    if !device.is_cpu() {
        return Ok(()); // GPUs do not say how much memory they have
    }
    match memory_bytes() {
        Some(all) if needed.saturating_mul(beside) > all => Err(Error::Recipe(format!(
            "training needs about {:.1} GiB{}, and this machine has {:.1} GiB: set a smaller train.batch{}, or a \
             smaller network",
            gibibytes(needed),
            if beside > 1 { format!(" in each of {beside} processes here") } else { String::new() },
            gibibytes(all),
            if train.recompute { "" } else { ", train.recompute=true" }
        ))),
        _ => Ok(()),
    }
}

/// Bytes that a checkpoint takes besides while it is written and training goes on: every number once more as the
/// next steps change it. 0 where that would be more than a quarter of what training uses: it waits then.
pub fn checkpoint_bytes<L: Learner>(learner: &L) -> u64 {
    let Core { model, optimizer, average, .. } = learner.core();
    let weights = model.tensors().into_iter().map(|(_, tensor)| tensor.len());
    let moments = optimizer.slots().iter().flat_map(|slot| &slot.moments).chain(average);
    let bytes = 4 * weights.chain(moments.map(Tensor::len)).sum::<usize>() as u64;
    if bytes <= learner.training_bytes() / 4 { bytes } else { 0 }
}

fn bytes_per_puzzle(config: &Config, train: &TrainConfig, device: &Device) -> f64 {
    let f = |n: usize| n as f64;
    let (l, d) = (f(config.len()), f(config.hidden));
    let outer = l * d;
    let features = f(config.inner(config.hidden)) * l;
    let [saved, tokens] = config.kept_by_mixing();
    let kept = if train.recompute { 0.0 } else { 2.0 * features + tokens };
    let calls = config.gradient_cycles * (config.recursions + 1);
    let saved = f(calls) * (outer + f(config.blocks) * (saved + kept));
    // gradients of both halves and a few states; those and their product packed for the processor
    let widest = 2.0 * features + 10.0 * outer;
    let packed = 3.0 * features.max(tokens / 2.0);
    (saved + widest) * f(train.precision.on(device).size()) + packed * operand_size(train, device)
}

/// Bytes of a number as the processor multiplies it: bf16 widened where it knows none.
fn operand_size(train: &TrainConfig, device: &Device) -> f64 {
    train.precision.on(device).size().max(device.fastest().size()) as f64
}

/// Memory that this machine could give now, where it says so.
pub fn available_bytes() -> Option<u64> {
    said("MemAvailable:")
}

/// All memory of this machine, swap included, where it says so.
fn memory_bytes() -> Option<u64> {
    Some(said("MemTotal:")? + said("SwapTotal:").unwrap_or(0))
}

fn said(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_holds_is_refused_without_an_overflow() {
        let config = Config::default();
        let train = TrainConfig { batch: 1 << 20, ..TrainConfig::default() };
        let deep = Config { recursions: 16_383, seq_len: 1 << 20, ..config.clone() };
        for network in [&config, &deep] {
            match check_memory(network, None, &train, (&Device::cpu(2), 1)) {
                Err(error) => assert!(error.to_string().contains("train.batch"), "{error}"),
                Ok(()) => assert!(memory_bytes().is_none()),
            }
        }
        let small = TrainConfig { batch: 1, ..train };
        let network = Config { hidden: 32, ..config };
        assert!(check_memory(&network, None, &small, (&Device::cpu(2), 1)).is_ok());
    }
}
