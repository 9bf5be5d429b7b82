//! One supervision step of training, in the order of REFERENCE.md section 3.

use crate::Error;
use crate::carry::{Carry, Example, Halting};
use crate::dataset::Dataset;
use crate::evaluate::{EvalOptions, Evaluation, evaluate_until};
use crate::learner::{Core, Learner, first_weights, mean, mean_of_rows};
use crate::memory::training_bytes;
use crate::model_folder::load_model;
use crate::optimizer::update_puzzle_embedding;
use crate::random::{Purpose, stream};
use crate::recipe::{Recipe, TrainConfig};
use crate::score::Score;
use crate::state::{Reader, Stored};
use serde::{Deserialize, Serialize};
use std::path::Path;
use trm::{Model, Step};
use trm_ops::{Device, Gradients, Stop, Tape, Tensor};

/// A recursive model in training with everything that the next step depends on.
pub struct Trainer {
    pub(crate) core: Core<Model>,
    pub(crate) ignore_label: u8,
    pub(crate) carry: Carry,
}

/// What one step says about itself. Sums run over the rows that halted at this step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Number of the step, from 1.
    pub step: u64,
    /// Learning rate of the main optimiser.
    pub lr: f32,
    /// Mean over the batch of cross-entropy + weighted halting loss.
    pub loss: f32,
    /// Mean over the batch of the cross-entropy.
    pub lm_loss: f32,
    /// Mean over the batch of the halting loss, unweighted.
    pub halt_loss: f32,
    /// Norm of the gradient of all parameters, before clipping.
    pub grad_norm: f32,
    /// Norm of all parameters, after the update.
    pub weight_norm: f32,
    /// Rows that halted.
    pub halted: u32,
    /// Sum of their share of right cells.
    pub accuracy: f32,
    /// How many of them are right in every cell.
    pub exact: u32,
    /// How many of them halted or not as they should have.
    pub halt_accuracy: u32,
    /// Sum of the supervision steps that they took.
    pub steps: u32,
}

impl Trainer {
    /// A model about to take its first step.
    pub fn new(model: Model, config: &TrainConfig, seed: u64, ignore_label: u8) -> Trainer {
        let carry = Carry::new(&model, config.batch, config.precision.into());
        Trainer { carry, core: Core::new(model, config, seed), ignore_label }
    }

    /// One optimiser step = one supervision step of the persistent batch. `fresh` gives the example
    /// for a row whose last one is done.
    ///
    /// # Errors
    /// As [`Learner::step`].
    pub fn step(&mut self, fresh: impl FnMut(usize) -> Example) -> Result<StepMetrics, Error> {
        let waiting = self.carry.halted.clone();
        self.carry.refill(&self.core.model, fresh);

        let tape = self.core.tape();
        let Pass { out, score, losses } = self.forward(&tape);
        let [lm_loss, halt_loss] = losses.each_ref().map(|t| mean(&t.to_f32_vec()));
        let loss = lm_loss + self.core.config.halt_weight * halt_loss;
        if !loss.is_finite() && !self.core.stop.is_requested() {
            return Err(self.fault("loss"));
        }
        let mut gradients = self.backward(tape, &losses);
        if self.core.stop.is_requested() {
            self.carry.halted = waiting; // for the same examples once more
            return Err(Error::Stopped);
        }
        let update = self.core.update(&mut gradients).map_err(|what| self.fault(what))?;
        self.update_puzzles(&gradients, &out);

        let halting = Halting {
            max_steps: self.core.model.config().supervision_steps as u32,
            exploration: self.core.config.exploration,
        };
        let mut rng = stream(self.core.seed, Purpose::Exploration, self.core.step);
        self.carry.advance(&out, halting, &mut rng);
        let (lr, grad_norm, weight_norm) = (update.lr, update.grad_norm, update.weight_norm);
        let counts = self.count(&out, &score);
        Ok(StepMetrics { lr, loss, lm_loss, halt_loss, grad_norm, weight_norm, ..counts })
    }

    /// From the persistent batch to its losses, `[B]` each: cross-entropy, halting.
    fn forward(&self, tape: &Tape) -> Pass {
        let question = self.carry.question();
        let (model, state) = (&self.core.model, self.carry.state.clone());
        let out = model.device().install(|| model.supervision_step(tape, question, state));
        let score = self.score(&out);
        let TrainConfig { likelihood, label_smoothing, .. } = self.core.config;
        let (answers, ignore) = (&self.carry.answers, self.ignore_label);
        let lm =
            tape.cross_entropy(&out.logits, answers, ignore, likelihood.into(), label_smoothing);
        let halt = tape.halt_loss(&out.q, &score.exact);
        Pass { out, score, losses: [lm, halt] }
    }

    /// Gradients of the mean over the batch of cross-entropy + weighted halting loss.
    fn backward(&self, tape: Tape, [lm, halt]: &[Tensor; 2]) -> Gradients {
        let (device, config) = (self.core.model.device(), &self.core.config);
        let seed = |weight: f32| mean_of_rows(device, config.batch, weight);
        tape.backward(&[(lm, &seed(1.0)), (halt, &seed(config.halt_weight))])
    }

    /// Takes the step that has just failed once more, looking at every result.
    fn fault(&self, what: &'static str) -> Error {
        self.core.fault(what, |tape| {
            let pass = self.forward(&tape);
            self.backward(tape, &pass.losses);
        })
    }

    /// Sums over the rows that have just halted.
    fn count(&self, out: &Step, score: &Score) -> StepMetrics {
        let mut metrics = StepMetrics { step: self.core.step, ..StepMetrics::default() };
        let logits = out.halt_logits();
        let rows = 0..self.core.config.batch;
        for row in rows.filter(|r| self.carry.halted[*r] && score.counted[*r]) {
            metrics.halted += 1;
            metrics.accuracy += score.cells[row];
            metrics.exact += u32::from(score.exact[row]);
            metrics.halt_accuracy += u32::from((logits[row] >= 0.0) == score.exact[row]);
            metrics.steps += self.carry.steps[row];
        }
        metrics
    }

    /// Updates the embeddings of the batch's puzzles, if there are any.
    fn update_puzzles(&mut self, gradients: &Gradients, out: &Step) {
        let TrainConfig { puzzle_lr, puzzle_weight_decay, .. } = self.core.config;
        let factor = self.core.factor();
        let d_vectors = out.puzzle_vectors.as_ref().and_then(|v| gradients.of(v));
        let table = self.core.model.puzzle_embedding_mut();
        if let (Some(table), Some(gradient)) = (table, d_vectors) {
            let rates = (puzzle_lr * factor, puzzle_weight_decay);
            update_puzzle_embedding(table, &self.carry.puzzles, gradient, rates);
        }
    }

    /// The model as it is to be used: with averaged parameters if there is an average.
    pub fn averaged_model(&self) -> Model {
        self.core.averaged()
    }

    /// The model with its latest parameters.
    pub fn model(&self) -> &Model {
        &self.core.model
    }

    /// The persistent batch.
    pub fn carry(&self) -> &Carry {
        &self.carry
    }

    fn score(&self, out: &Step) -> Score {
        let batch = self.core.config.batch;
        Score::new(&out.answers(), &self.carry.answers, batch, self.ignore_label)
    }
}

impl Learner for Trainer {
    type Network = Model;

    fn start(recipe: &Recipe, data: &Dataset, device: &Device) -> Result<Trainer, Error> {
        let config = recipe.model_for(data);
        let model = first_weights(recipe, &config, device, Model::new, load_model)?;
        Ok(Trainer::new(model, &recipe.train, recipe.seed, data.ignore_label()))
    }

    fn step(&mut self, fresh: &mut dyn FnMut(usize) -> Example) -> Result<StepMetrics, Error> {
        self.step(fresh)
    }

    fn core(&self) -> &Core<Model> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Model> {
        &mut self.core
    }

    fn forget(&mut self) {
        self.carry.halted.fill(true);
    }

    fn store(&self) -> Vec<(String, Stored)> {
        self.stored()
    }

    fn restore(&mut self, reader: &Reader<'_>) -> Result<(), String> {
        self.take_back(reader)
    }

    fn evaluate(
        model: &Model,
        data: &Dataset,
        options: EvalOptions,
        stop: &Stop,
    ) -> Result<Evaluation, Error> {
        let evaluation = evaluate_until(model, data, options, stop, &mut |_| ())?;
        if stop.is_requested() { Err(Error::Stopped) } else { Ok(evaluation) }
    }

    fn supervision_steps(&self) -> usize {
        self.model().config().supervision_steps
    }

    fn load(folder: &Path, device: &Device) -> Result<Model, Error> {
        load_model(folder, device)
    }

    fn describe(&self) -> String {
        let (total, _) = self.model().parameter_count();
        let flops = self.model().config().training_flops();
        format!("{total} parameters, {:.2} GFLOP per puzzle and step", flops / 1e9)
    }

    fn training_bytes(&self) -> u64 {
        training_bytes(self.model(), &self.core.config)
    }
}

/// What one forward pass of training gives.
struct Pass {
    out: Step,
    score: Score,
    losses: [Tensor; 2],
}
