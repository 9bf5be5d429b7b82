//! One supervision step of training, in the order of REFERENCE.md section 3.

use crate::Error;
use crate::carry::{Carry, Example, Halting};
use crate::optimizer::{Optimizer, update_puzzle_embedding};
use crate::random::{Purpose, stream};
use crate::recipe::TrainConfig;
use crate::schedule::Schedule;
use crate::score::Score;
use serde::{Deserialize, Serialize};
use trm::{Model, Step};
use trm_ops::{FaultFinder, Gradients, Tape, Tensor, lerp};

/// A model in training with everything that the next step depends on.
pub struct Trainer {
    pub(crate) model: Model,
    pub(crate) config: TrainConfig,
    pub(crate) seed: u64,
    pub(crate) ignore_label: u8,
    pub(crate) optimizer: Optimizer,
    /// EMA of the trained parameters; empty when switched off.
    pub(crate) average: Vec<Tensor>,
    pub(crate) carry: Carry,
    pub(crate) step: u64,
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
        let values = model.parameters().into_iter().map(|p| p.value().clone());
        let average = if config.ema > 0.0 { values.collect() } else { Vec::new() };
        Trainer {
            optimizer: Optimizer::new(&model, config.optimizer),
            carry: Carry::new(&model, config.batch, config.precision.into()),
            average,
            config: config.clone(),
            seed,
            ignore_label,
            model,
            step: 0,
        }
    }

    /// One optimiser step = one supervision step of the persistent batch. `fresh` gives the example
    /// for a row whose last one is done.
    ///
    /// # Errors
    /// If the loss, the gradient or the updated weights are not finite; the first operation that
    /// failed is named. Nothing but [`Run`](crate::Run)'s way back is to be done with the trainer then.
    pub fn step(&mut self, fresh: impl FnMut(usize) -> Example) -> Result<StepMetrics, Error> {
        self.carry.refill(&self.model, fresh);

        let tape = Tape::recording(self.model.device()).recompute(self.config.recompute);
        let Pass { out, score, losses } = self.forward(&tape);
        let [lm_loss, halt_loss] = losses.each_ref().map(|t| mean(&t.to_f32_vec()));
        let loss = lm_loss + self.config.halt_weight * halt_loss;
        if !loss.is_finite() {
            return Err(self.fault("loss"));
        }
        let mut gradients = self.backward(tape, &losses);
        let grad_norm = clip(&mut gradients, self.config.grad_clip);
        if !grad_norm.is_finite() {
            return Err(self.fault("gradient"));
        }
        self.step += 1;
        let lr = self.update(&gradients, &out);
        let weight_norm = norm(self.model.parameters().into_iter().map(|p| p.value()));
        if !weight_norm.is_finite() {
            return Err(self.fault("size of the weights"));
        }

        let halting = Halting {
            max_steps: self.model.config().supervision_steps as u32,
            exploration: self.config.exploration,
        };
        let mut rng = stream(self.seed, Purpose::Exploration, self.step);
        self.carry.advance(&out, halting, &mut rng);
        let counts = self.count(&out, &score);
        Ok(StepMetrics { lr, loss, lm_loss, halt_loss, grad_norm, weight_norm, ..counts })
    }

    /// From the persistent batch to its losses, `[B]` each: cross-entropy, halting.
    fn forward(&self, tape: &Tape) -> Pass {
        let question = self.carry.question();
        let out = self.model.supervision_step(tape, question, self.carry.state.clone());
        let score = self.score(&out);
        let TrainConfig { likelihood, label_smoothing, .. } = self.config;
        let (answers, ignore) = (&self.carry.answers, self.ignore_label);
        let lm =
            tape.cross_entropy(&out.logits, answers, ignore, likelihood.into(), label_smoothing);
        let halt = tape.halt_loss(&out.q, &score.exact);
        Pass { out, score, losses: [lm, halt] }
    }

    /// Gradients of the mean over the batch of cross-entropy + weighted halting loss.
    fn backward(&self, tape: Tape, [lm, halt]: &[Tensor; 2]) -> Gradients {
        let (device, batch) = (self.model.device(), self.config.batch);
        let seed = |w: f32| Tensor::from_f32(device, &[batch], &vec![w / batch as f32; batch]);
        tape.backward(&[(lm, &seed(1.0)), (halt, &seed(self.config.halt_weight))])
    }

    /// Takes the step that has just failed once more, looking at every result.
    fn fault(&self, what: &'static str) -> Error {
        let mut parameters = self.model.parameters().into_iter();
        let broken = parameters.find(|p| !p.value().is_finite());
        let operation = broken.map(|p| format!("the weights {}", p.name())).or_else(|| {
            let finder = FaultFinder::default();
            let tape = Tape::recording(self.model.device()).checked(&finder);
            let pass = self.forward(&tape);
            self.backward(tape, &pass.losses);
            finder.first()
        });
        Error::NotFinite { what, step: self.step + 1, operation, checkpoint: None }
    }

    /// Sums over the rows that have just halted.
    fn count(&self, out: &Step, score: &Score) -> StepMetrics {
        let mut metrics = StepMetrics { step: self.step, ..StepMetrics::default() };
        let logits = out.halt_logits();
        for row in (0..self.config.batch).filter(|r| self.carry.halted[*r] && score.counted[*r]) {
            metrics.halted += 1;
            metrics.accuracy += score.cells[row];
            metrics.exact += u32::from(score.exact[row]);
            metrics.halt_accuracy += u32::from((logits[row] >= 0.0) == score.exact[row]);
            metrics.steps += self.carry.steps[row];
        }
        metrics
    }

    /// Optimiser, puzzle embeddings, average; returns the learning rate.
    fn update(&mut self, gradients: &Gradients, out: &Step) -> f32 {
        let factor = self.schedule().factor(self.step);
        self.optimizer.update(&mut self.model, gradients, &self.config, (self.step, factor));
        let d_vectors = out.puzzle_vectors.as_ref().and_then(|v| gradients.of(v));
        if let (Some(table), Some(gradient)) = (self.model.puzzle_embedding_mut(), d_vectors) {
            let rates = (self.config.puzzle_lr * factor, self.config.puzzle_weight_decay);
            update_puzzle_embedding(table, &self.carry.puzzles, gradient, rates);
        }
        for (average, parameter) in self.average.iter_mut().zip(self.model.parameters()) {
            lerp(average, parameter.value(), self.config.ema);
        }
        self.config.lr * factor
    }

    /// The learning-rate schedule.
    pub fn schedule(&self) -> Schedule {
        let TrainConfig { warmup, steps, lr_min_ratio, .. } = self.config;
        Schedule { warmup, total: steps, min_ratio: lr_min_ratio }
    }

    /// The model as it is to be used: with averaged parameters if there is an average.
    pub fn averaged_model(&self) -> Model {
        let mut model = self.model.clone();
        let parameters = model.parameters_mut();
        parameters.into_iter().zip(&self.average).for_each(|(p, value)| p.set(value.clone()));
        model
    }

    /// The model with its latest parameters.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The persistent batch.
    pub fn carry(&self) -> &Carry {
        &self.carry
    }

    /// Steps taken.
    pub fn steps_taken(&self) -> u64 {
        self.step
    }

    fn score(&self, out: &Step) -> Score {
        Score::new(&out.answers(), &self.carry.answers, self.config.batch, self.ignore_label)
    }
}

/// What one forward pass of training gives.
struct Pass {
    out: Step,
    score: Score,
    losses: [Tensor; 2],
}

/// The common norm of some tensors.
fn norm<'t>(tensors: impl Iterator<Item = &'t Tensor>) -> f32 {
    tensors.map(Tensor::square_sum).sum::<f64>().sqrt() as f32
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

/// Scales all gradients so that their common norm is at most `limit` (0: no limit); returns the
/// norm before.
fn clip(gradients: &mut Gradients, limit: f32) -> f32 {
    let norm = norm(gradients.parameters_mut().map(|g| &*g));
    if limit > 0.0 && norm > limit {
        gradients.parameters_mut().for_each(|g| g.scale(limit / norm));
    }
    norm
}
