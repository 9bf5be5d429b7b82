//! One supervision step of training, in the order of docs/REFERENCE.md section 3.

use crate::Error;
use crate::evaluate::score::Score;
use crate::evaluate::{EvalOptions, Evaluation, evaluate_in_team};
use crate::learners::carry::{Carry, Halting};
use crate::learners::memory::training_bytes;
use crate::learners::metrics::StepMetrics;
use crate::learners::optimizer::update_puzzle_embedding;
use crate::learners::workers::{Shared, Workers};
use crate::learners::{Core, Learner, first_weights, mean, mean_of_rows, whole};
use crate::recipe::{Recipe, TrainConfig};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use trm::{Config, Model, Step};
use trm_data::{Dataset, Example, Purpose, Reader, Stored, load_model, stream};
use trm_ops::{DType, Device, Gradients, Stop, Tape, Tensor};
use trm_team::Team;

/// A recursive model in training with everything that the next step depends on.
pub struct Trainer {
    core: Core<Model>,
    ignore_label: u8,
    pub(crate) carry: Carry,
}

impl Trainer {
    /// A model about to take its first step.
    pub fn new(model: Model, config: &TrainConfig, seed: u64, ignore_label: u8) -> Trainer {
        Trainer::in_team(model, config, (seed, ignore_label), &Team::alone())
            .expect("one process has all to do")
    }

    /// [`Trainer::new`] with other processes, which share the batch.
    ///
    /// # Errors
    /// If there are more processes than portions of the batch.
    pub fn in_team(
        model: Model,
        config: &TrainConfig,
        (seed, ignore_label): (u64, u8),
        team: &Team,
    ) -> Result<Trainer, Error> {
        let dtype = config.precision.on(model.device());
        let portion = model.config().portion(model.device(), true);
        let batch = Shared::new(team, config.batch, portion)?;
        let carry = Carry::new(&model, (config.batch, batch.rows()), dtype);
        Ok(Trainer { carry, core: Core::new(model, config, seed, batch), ignore_label })
    }

    /// One optimiser step = one supervision step of the persistent batch. `fresh` gives the example
    /// for a row whose last one is done.
    ///
    /// # Errors
    /// As [`Learner::step`].
    pub fn step(&mut self, fresh: impl FnMut(usize) -> Example) -> Result<StepMetrics, Error> {
        let waiting = self.carry.halted.clone();
        self.carry.refill(&self.core.model, fresh);

        let mut pass = self.pass();
        let Some(rows) = self.found(&pass)? else {
            self.carry.halted = waiting; // for the same examples once more
            return Err(Error::Stopped);
        };
        let lm_loss = mean(rows.iter().map(|row| row.lm_loss));
        let halt_loss = mean(rows.iter().map(|row| row.halt_loss));
        let loss = lm_loss + self.core.config.halt_weight * halt_loss;
        if !loss.is_finite() {
            return Err(self.fault("loss"));
        }
        let update = self.core.update(&mut pass.gradients)?.map_err(|what| self.fault(what))?;
        self.update_puzzles(pass.d_vectors.as_ref())?;

        let halting = Halting {
            max_steps: self.core.model.config().supervision_steps as u32,
            exploration: self.core.config.exploration,
        };
        let mut rng = stream(self.core.seed, Purpose::Exploration, self.core.step);
        self.carry.advance(pass.out.state, rows.iter().map(|row| row.logit), halting, &mut rng);
        let (lr, grad_norm, weight_norm) = (update.lr, update.grad_norm, update.weight_norm);
        let counts = self.count(&rows);
        Ok(StepMetrics { lr, loss, lm_loss, halt_loss, grad_norm, weight_norm, ..counts })
    }

    /// What a pass has found of every row of the batch, on all processes; `None` if one of them was stopped.
    fn found(&self, pass: &Pass) -> Result<Option<Vec<Row>>, Error> {
        let batch = &self.core.batch;
        let mut rows = Vec::new();
        if !self.core.stop.is_requested() {
            let losses =
                pass.losses.iter().map(Tensor::to_f32_vec).collect::<Result<Vec<_>, _>>()?;
            let (logits, answers) = (pass.out.halt_logits()?, pass.out.answers()?);
            let count = self.carry.rows.len();
            let score = Score::new(&answers, &self.carry.answers, count, self.ignore_label);
            rows.extend((0..count).map(|row| Row {
                lm_loss: losses[0][row],
                halt_loss: losses[1][row],
                logit: logits[row],
                cells: score.cells[row],
                exact: score.exact[row].into(),
                counted: score.counted[row].into(),
            }));
        }
        let rows = batch.gather(&rows);
        Ok((rows.len() == self.core.config.batch).then_some(rows))
    }

    /// From the persistent batch to its losses and their gradients, in portions, each with a tape of its own.
    fn pass(&self) -> Pass {
        let model = &self.core.model;
        let of_portion = |rows: Range<usize>| self.pass_of(rows, self.core.tape());
        let portion = model.config().portion(model.device(), true);
        model.device().in_parts(self.carry.rows.len(), portion, &of_portion, &Pass::join)
    }

    /// [`Trainer::pass`] of some rows of this process. The loss is the mean over the batch of cross-entropy + weighted
    /// halting loss.
    fn pass_of(&self, rows: Range<usize>, tape: Tape) -> Pass {
        let Core { model, config, .. } = &self.core;
        let cells = model.config().seq_len;
        let answers = &self.carry.answers[rows.start * cells..rows.end * cells];
        let question = self.carry.question().rows(rows.clone());
        let out = model.supervision_step(&tape, question, self.carry.state.rows(rows.clone()));
        let (ignore, likelihood) = (self.ignore_label, config.likelihood.into());
        let smoothing = config.label_smoothing;
        let lm = tape.cross_entropy(&out.logits, answers, ignore, likelihood, smoothing);
        let halt = tape.halt_loss(&out.q, &out.logits.exact_rows(answers, ignore));
        let scale = loss_scale(model.config(), config, self.carry.state.y.dtype());
        let seed =
            |weight: f32| mean_of_rows(model.device(), rows.len(), (config.batch, weight * scale));
        let mut gradients = tape.backward(&[(&lm, &seed(1.0)), (&halt, &seed(config.halt_weight))]);
        let mut d_vectors = out.puzzle_vectors.as_ref().and_then(|v| gradients.of(v)).cloned();
        if scale != 1.0 {
            gradients.parameters_mut().chain(&mut d_vectors).for_each(|g| g.scale(1.0 / scale));
        }
        Pass { out, losses: [lm.detach(), halt.detach()], gradients, d_vectors }
    }

    /// Takes the step that has just failed once more, portion after portion, looking at every result.
    fn fault(&self, what: &'static str) -> Error {
        let (model, own) = (&self.core.model, self.carry.rows.len());
        self.core.fault(what, |tape| {
            let portion = model.config().portion(model.device(), true).min(own);
            for first in (0..own).step_by(portion) {
                let rows = first..(first + portion).min(own);
                model.device().install(|| self.pass_of(rows, tape()));
            }
        })
    }

    /// Sums over the rows that have just halted.
    fn count(&self, rows: &[Row]) -> StepMetrics {
        let mut metrics = StepMetrics { step: self.core.step, ..StepMetrics::default() };
        let halted = rows.iter().enumerate().filter(|(place, _)| self.carry.halted[*place]);
        for (place, row) in halted.filter(|(_, row)| row.counted != 0) {
            metrics.halted += 1;
            metrics.accuracy += row.cells;
            metrics.exact += row.exact;
            metrics.halt_accuracy += u32::from((row.logit >= 0.0) == (row.exact != 0));
            metrics.steps += self.carry.steps[place];
        }
        metrics
    }

    /// Updates the embeddings of the batch's puzzles, if there are any, by what all processes say of theirs.
    fn update_puzzles(&mut self, d_vectors: Option<&Tensor>) -> Result<(), Error> {
        let TrainConfig { puzzle_lr, puzzle_weight_decay, .. } = self.core.config;
        let factor = self.core.factor();
        let table = self.core.model.puzzle_embedding_mut();
        if let (Some(table), Some(gradient)) = (table, d_vectors) {
            let rates = (puzzle_lr * factor, puzzle_weight_decay);
            let puzzles = self.core.batch.gather(&self.carry.puzzles);
            let gradient = self.core.batch.gather_rows(gradient)?;
            update_puzzle_embedding(table, &puzzles, &gradient, rates);
        }
        Ok(())
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
}

impl Learner for Trainer {
    type Network = Model;

    fn start(recipe: &Recipe, data: &Dataset, workers: &Workers) -> Result<Trainer, Error> {
        let config = recipe.model_for(data);
        let model = first_weights(recipe, &config, &workers.device, Model::new, load_model)?;
        let chosen = (recipe.seed, data.ignore_label());
        Trainer::in_team(model, &recipe.train, chosen, &workers.team)
    }

    fn waiting(&self) -> Vec<usize> {
        let halted = self.carry.halted.iter().enumerate();
        halted.filter(|(_, halted)| **halted).map(|(row, _)| row).collect()
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

    fn store(&self) -> Result<Vec<(String, Stored)>, Error> {
        let (carry, batch) = (&self.carry, &self.core.batch);
        let cells = self.core.model.config().seq_len;
        let halted: Vec<u8> = carry.halted.iter().map(|h| u8::from(*h)).collect();
        Ok(vec![
            ("carry/y".into(), Stored::floats(&batch.collect(&carry.state.y)?)),
            ("carry/z".into(), Stored::floats(&batch.collect(&carry.state.z)?)),
            ("carry/questions".into(), Stored::bytes(&batch.collected(&carry.questions, cells))),
            ("carry/answers".into(), Stored::bytes(&batch.collected(&carry.answers, cells))),
            ("carry/puzzles".into(), Stored::integers(&batch.gather(&carry.puzzles))),
            ("carry/steps".into(), Stored::integers(&carry.steps)),
            ("carry/halted".into(), Stored::bytes(&halted)),
        ])
    }

    fn restore(&mut self, reader: &Reader<'_>) -> Result<(), String> {
        let model = &mut self.core.model;
        if let Some(table) = model.puzzle_embedding_mut() {
            table.set(reader.tensor(&format!("weight/{}", table.name()), table.value())?);
        }
        for (name, value) in ["initial_y", "initial_z"].into_iter().zip(model.initial_mut()) {
            *value = reader.tensor(&format!("weight/{name}"), value)?;
        }
        let (carry, cells) = (&mut self.carry, model.config().seq_len);
        let batch = carry.halted.len();
        let (rows, own) = (carry.rows.clone(), carry.rows.start * cells..carry.rows.end * cells);
        carry.state.y = reader.rows("carry/y", &carry.state.y, (batch, rows.clone()))?;
        carry.state.z = reader.rows("carry/z", &carry.state.z, (batch, rows.clone()))?;
        carry.questions = reader.bytes("carry/questions", batch * cells)?[own.clone()].to_vec();
        carry.answers = reader.bytes("carry/answers", batch * cells)?[own].to_vec();
        carry.puzzles = reader.integers("carry/puzzles", batch)?[rows].to_vec();
        carry.steps = reader.integers("carry/steps", carry.steps.len())?;
        let halted = reader.bytes("carry/halted", carry.halted.len())?;
        carry.halted = halted.into_iter().map(|h| h != 0).collect();
        self.core.model.check(self.carry.question()).map_err(|error| error.to_string())
    }

    fn evaluate(
        model: &Arc<Model>,
        data: &Dataset,
        options: EvalOptions,
        (team, stop): (&Team, &Stop),
    ) -> Result<Evaluation, Error> {
        let evaluation = evaluate_in_team(model, data, options, (team, stop), &mut |_| ())?;
        whole(evaluation, data)
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
        let batch = self.carry.rows.len();
        training_bytes(self.model(), &TrainConfig { batch, ..self.core.config.clone() })
    }
}

/// What losses are multiplied with, and gradients of parameters divided by: a power of two, so that nothing is rounded
/// otherwise. f16 has no numbers for a share of a cell in a batch: of 768 puzzles of 81 cells one has 1.6e-5, and f16
/// loses digits below 6e-5. With it a cell's own gradient is at most 1/16, which leaves room for what layers multiply
/// with.
fn loss_scale(config: &Config, train: &TrainConfig, dtype: DType) -> f32 {
    match dtype {
        DType::F16 => (train.batch * config.seq_len).next_power_of_two() as f32 / 16.0,
        DType::F32 | DType::Bf16 => 1.0,
    }
}

/// What a step found of a row, of whichever process.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Row {
    lm_loss: f32,
    halt_loss: f32,
    /// Of the halting head.
    logit: f32,
    /// Share of right cells.
    cells: f32,
    /// Whether all are right.
    exact: u32,
    /// Whether any has a label.
    counted: u32,
}

/// What some rows give.
struct Pass {
    out: Step,
    /// Cross-entropy and halting loss of every row.
    losses: [Tensor; 2],
    /// Of the parameters.
    gradients: Gradients,
    /// Of the puzzle vectors, if there are any.
    d_vectors: Option<Tensor>,
}

impl Pass {
    /// These rows, then those of `other`.
    fn join(mut self, other: Pass) -> Pass {
        self.gradients.merge(other.gradients);
        let ([lm, halt], [more_lm, more_halt]) = (self.losses, other.losses);
        let vectors = self.d_vectors.zip(other.d_vectors);
        Pass {
            out: self.out.join(other.out),
            losses: [lm.append_rows(&more_lm), halt.append_rows(&more_halt)],
            gradients: self.gradients,
            d_vectors: vectors.map(|(a, b)| a.append_rows(&b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trm::Network;
    use trm_data::stream;

    #[test]
    fn portions_give_the_gradients_of_the_whole_batch() {
        let config = Config {
            vocab_size: 5,
            seq_len: 99,
            hidden: 16,
            heads: 2,
            inner_multiple: 8,
            cycles: 1,
            recursions: 1,
            prefix_len: 1,
            puzzle_embedding: 16,
            puzzle_identifiers: 3,
            ..Config::default()
        };
        let device = Device::cpu(2);
        let model = Model::new(&config, &device, &mut stream(1, Purpose::Weights, 0)).unwrap();
        let train = TrainConfig { batch: 7, ..TrainConfig::default() };
        let mut trainer = Trainer::new(model, &train, 1, 0);
        let example = |row: usize| {
            let tokens = |step: usize| (0..99).map(|i| (1 + (step * i + row) % 4) as u8).collect();
            Example { question: tokens(1), answer: tokens(3), puzzle: row as u32 % 3 }
        };
        trainer.carry.refill(&trainer.core.model, example);
        let (portions, whole) = (trainer.pass(), trainer.pass_of(0..7, trainer.core.tape()));
        assert_eq!(config.portion(&device, true), 2);
        let losses = |pass: &Pass| pass.losses.each_ref().map(|l| l.to_f32_vec().unwrap());
        assert_eq!(losses(&portions), losses(&whole));
        assert_eq!(portions.out.answers().unwrap(), whole.out.answers().unwrap());
        let close = |a: &Tensor, b: &Tensor| {
            let (a, b) = (a.to_f32_vec().unwrap(), b.to_f32_vec().unwrap());
            let largest = b.iter().fold(0.0f32, |m, x| m.max(x.abs()));
            assert!(largest > 0.0 && a.len() == b.len());
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-5 * largest));
        };
        for parameter in trainer.model().parameters() {
            let of = |pass: &Pass| pass.gradients.parameter(parameter).cloned();
            close(&of(&portions).unwrap(), &of(&whole).unwrap());
        }
        close(&portions.d_vectors.unwrap(), &whole.d_vectors.unwrap());
    }
}
