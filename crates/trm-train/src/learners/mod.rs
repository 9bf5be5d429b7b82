//! What all kinds of training have in common: weights, their optimiser, their average.

pub(crate) mod autoregressive;
pub(crate) mod carry;
pub(crate) mod memory;
pub(crate) mod metrics;
mod optimizer;
pub(crate) mod schedule;
pub(crate) mod train;
pub(crate) mod workers;

use crate::Error;
use crate::evaluate::{EvalOptions, Evaluation};
use crate::recipe::{Recipe, TrainConfig};
use metrics::StepMetrics;
use optimizer::Optimizer;
use rand_chacha::ChaCha8Rng;
use schedule::Schedule;
use std::path::Path;
use std::sync::Arc;
use trm::Network;
use trm_data::public::{PUZZLE_EMBEDDING, named, resize};
use trm_data::torch::to_safetensors;
use trm_data::{Dataset, Example, Purpose, Reader, Stored, stream};
use trm_ops::{Device, FaultFinder, Gradients, Stop, Tape, Tensor, lerp};
use trm_team::Team;
use workers::{Shared, Workers};

/// What a [`Run`](crate::Run) trains: a network and its way of learning.
pub trait Learner: Sized {
    /// What it trains.
    type Network: Network;

    /// Before the first step, with the weights that the seed gives, or those of the recipe's `init`.
    ///
    /// # Errors
    /// If recipe and data do not fit, or the weights to begin with cannot be read.
    fn start(recipe: &Recipe, data: &Dataset, workers: &Workers) -> Result<Self, Error>;

    /// The rows of the batch that wait for an example, in order: those of all processes.
    fn waiting(&self) -> Vec<usize>;

    /// One optimiser step. `fresh` gives the example of a row of this process that waits for one.
    ///
    /// # Errors
    /// If the loss, the gradient or the updated weights are not finite; the first operation that
    /// failed is named. The learner must not be used any more then; [`Run`](crate::Run) restores a checkpoint.
    /// [`Error::Stopped`] if [`Core::stop`] was requested, on any process; the learner is then where it was before the step.
    fn step(&mut self, fresh: &mut dyn FnMut(usize) -> Example) -> Result<StepMetrics, Error>;

    /// What it shares with all others.
    fn core(&self) -> &Core<Self::Network>;

    /// [`Learner::core`] to change.
    fn core_mut(&mut self) -> &mut Core<Self::Network>;

    /// Forgets what it was at: every row waits for a fresh example.
    fn forget(&mut self);

    /// What its next step depends on beside the core, by name. All processes are asked at once; rank 0 gets that of all.
    ///
    /// # Errors
    /// If the device is lost.
    #[doc(hidden)]
    fn store(&self) -> Result<Vec<(String, Stored)>, Error>;

    /// Takes back what [`Learner::store`] gave.
    #[doc(hidden)]
    fn restore(&mut self, reader: &Reader<'_>) -> Result<(), String>;

    /// Measures a network; the processes of a team share the puzzles, and all get the result.
    ///
    /// # Errors
    /// If the data do not fit it, or [`Error::Stopped`].
    fn evaluate(
        network: &Arc<Self::Network>,
        data: &Dataset,
        options: EvalOptions,
        together: (&Team, &Stop),
    ) -> Result<Evaluation, Error>;

    /// Most supervision steps that a puzzle is evaluated with.
    fn supervision_steps(&self) -> usize;

    /// Reads a model folder, or a run's ([`load_model`](trm_data::load_model)).
    ///
    /// # Errors
    /// If files are missing or damaged, or do not belong together.
    fn load(folder: &Path, device: &Device) -> Result<Self::Network, Error>;

    /// What it is and costs, in a line: parameters, operations.
    fn describe(&self) -> String;

    /// Bytes that training is about to use: an estimate.
    fn training_bytes(&self) -> u64;
}

/// A network to begin with: the weights that the seed gives, or those of the recipe's `init`, which `load` reads.
/// If `init` has vectors for another number of puzzle identifiers, each gets their mean, as in the public code.
pub(crate) fn first_weights<N: Network>(
    recipe: &Recipe,
    config: &N::Config,
    device: &Device,
    new: fn(&N::Config, &Device, &mut ChaCha8Rng) -> Result<N, trm::Error>,
    load: fn(&Path, &Device) -> Result<N, Error>,
) -> Result<N, Error> {
    let network = new(config, device, &mut stream(recipe.seed, Purpose::Weights, 0))?;
    if recipe.init.as_os_str().is_empty() {
        return Ok(network);
    }
    let unfit = |error: String| Error::file(&recipe.init, format!("unfit to begin with: {error}"));
    let mut tensors = named(&load(&recipe.init, device)?)?;
    let embedding = |name: &str| name == PUZZLE_EMBEDDING;
    if let Some((_, fresh)) = network.tensors().into_iter().find(|(name, _)| embedding(name))
        && let Some(trained) = tensors.iter_mut().find(|tensor| embedding(&tensor.name))
    {
        resize(trained, fresh.shape()[0]).map_err(|error| unfit(error.to_string()))?;
    }
    let weights = to_safetensors(&tensors).map_err(unfit)?;
    N::from_safetensors(config, device, &weights).map_err(|error| unfit(error.to_string()))
}

/// Weights in training, with their optimiser and their average.
pub struct Core<N> {
    pub(crate) model: N,
    pub(crate) config: TrainConfig,
    pub(crate) seed: u64,
    pub(crate) optimizer: Optimizer,
    /// EMA of the trained parameters; empty when switched off.
    pub(crate) average: Vec<Tensor>,
    pub(crate) step: u64,
    pub(crate) batch: Shared,
    /// Ends a step early.
    pub stop: Stop,
}

/// Sizes of an update.
pub(crate) struct Update {
    /// Learning rate of the main optimiser.
    pub(crate) lr: f32,
    /// Norm of the gradient of all parameters, before clipping.
    pub(crate) grad_norm: f32,
    /// Norm of all parameters, after the update.
    pub(crate) weight_norm: f32,
}

impl<N: Network> Core<N> {
    pub(crate) fn new(model: N, config: &TrainConfig, seed: u64, batch: Shared) -> Core<N> {
        let values = model.parameters().into_iter().map(|p| p.value().clone());
        let average = if config.ema > 0.0 { values.collect() } else { Vec::new() };
        let optimizer = Optimizer::new(&model.parameters(), config.optimizer);
        let (config, stop) = (config.clone(), Stop::default());
        Core { optimizer, average, config, seed, model, step: 0, batch, stop }
    }

    /// A tape for a step of training.
    pub(crate) fn tape(&self) -> Tape {
        let tape = Tape::recording(self.model.device()).recompute(self.config.recompute);
        tape.until(&self.stop)
    }

    /// Adds up the gradients of all processes, clips the sum and takes a step: optimiser, average. Says what is not
    /// finite, if anything.
    ///
    /// # Errors
    /// If the device is lost.
    pub(crate) fn update(
        &mut self,
        gradients: &mut Gradients,
    ) -> Result<Result<Update, &'static str>, Error> {
        self.batch.sum(gradients)?;
        let grad_norm = clip(gradients, self.config.grad_clip)?;
        if !grad_norm.is_finite() {
            return Ok(Err("gradient"));
        }
        self.step += 1;
        let factor = self.factor();
        let parameters = self.model.parameters_mut();
        self.optimizer.update(parameters, gradients, &self.config, (self.step, factor));
        for (average, parameter) in self.average.iter_mut().zip(self.model.parameters()) {
            lerp(average, parameter.value(), self.config.ema);
        }
        let weight_norm = norm(self.model.parameters().into_iter().map(|p| p.value()))?;
        if !weight_norm.is_finite() {
            self.step -= 1; // it has failed, not been taken
            return Ok(Err("size of the weights"));
        }
        Ok(Ok(Update { lr: self.config.lr * factor, grad_norm, weight_norm }))
    }

    /// What the schedule multiplies learning rates with at this step.
    pub(crate) fn factor(&self) -> f32 {
        let TrainConfig { warmup, steps, lr_min_ratio, .. } = self.config;
        Schedule { warmup, total: steps, min_ratio: lr_min_ratio }.factor(self.step)
    }

    /// An error that names the first operation to fail when the step is taken `again`, with such tapes.
    pub(crate) fn fault(
        &self,
        what: &'static str,
        again: impl FnOnce(&(dyn Fn() -> Tape + Sync)),
    ) -> Error {
        let mut parameters = self.model.parameters().into_iter();
        let broken = parameters.find(|p| p.value().is_finite() == Ok(false));
        let operation = broken.map(|p| format!("the weights {}", p.name())).or_else(|| {
            let finder = FaultFinder::default();
            again(&|| Tape::recording(self.model.device()).checked(&finder));
            finder.first()
        });
        // another process may have found it, in its rows
        let found = self.batch.team.gather(operation.unwrap_or_default().as_bytes());
        let operation = found.iter().find(|name| !name.is_empty());
        let operation = operation.map(|name| String::from_utf8_lossy(name).into_owned());
        Error::NotFinite { what, step: self.step + 1, operation, checkpoint: None }
    }

    /// The network as it is to be used: with averaged parameters if there is an average.
    pub fn averaged(&self) -> N {
        let mut model = self.model.clone();
        let parameters = model.parameters_mut();
        parameters.into_iter().zip(&self.average).for_each(|(p, value)| p.set(value.clone()));
        model
    }

    /// The network with its latest parameters.
    pub fn network(&self) -> &N {
        &self.model
    }
}

/// An evaluation, if no process was stopped before the end of its part: all decide alike.
pub(crate) fn whole(evaluation: Evaluation, data: &Dataset) -> Result<Evaluation, Error> {
    if evaluation.puzzles < data.len() { Err(Error::Stopped) } else { Ok(evaluation) }
}

/// Gradient of the mean over a batch, times `weight`: what the losses of some of its rows are weighted with.
pub(crate) fn mean_of_rows(device: &Device, rows: usize, (batch, weight): (usize, f32)) -> Tensor {
    Tensor::from_f32(device, &[rows], &vec![weight / batch as f32; rows])
}

/// The mean of the losses of some rows.
pub(crate) fn mean(losses: impl ExactSizeIterator<Item = f32>) -> f32 {
    let rows = losses.len().max(1) as f32;
    losses.sum::<f32>() / rows
}

/// The common norm of some tensors.
fn norm<'t>(tensors: impl Iterator<Item = &'t Tensor>) -> Result<f32, Error> {
    let tensors: Vec<&Tensor> = tensors.collect();
    let Some(first) = tensors.first() else { return Ok(0.0) };
    let sums = first.device().kernels().square_sums(&tensors)?;
    Ok(sums.iter().sum::<f64>().sqrt() as f32)
}

/// Scales all gradients so that their common norm is at most `limit` (0: no limit); returns the
/// norm before.
fn clip(gradients: &mut Gradients, limit: f32) -> Result<f32, Error> {
    let norm = norm(gradients.parameters_mut().map(|g| &*g))?;
    if limit > 0.0 && norm > limit {
        gradients.parameters_mut().for_each(|g| g.scale(limit / norm));
    }
    Ok(norm)
}
