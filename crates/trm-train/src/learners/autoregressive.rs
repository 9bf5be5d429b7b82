//! Training and measuring an autoregressive model: the next token of the answer, from all before it.

use crate::Error;
use crate::evaluate::tally::Tally;
use crate::evaluate::{EvalOptions, Evaluation, check_sizes};
use crate::learners::memory::autoregressive_bytes;
use crate::learners::metrics::StepMetrics;
use crate::learners::workers::{Shared, Workers};
use crate::learners::{Core, Learner, first_weights, mean, mean_of_rows, whole};
use crate::recipe::{Recipe, TrainConfig};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use trm::{
    Autoregressive, AutoregressiveConfig, Lesson, Network, Order, Sampling, Thought, UNLABELLED,
    Written, generate,
};
use trm_data::{Dataset, Example, Reader, Stored, load_autoregressive};
use trm_ops::{Device, Stop, Tape, Tensor};
use trm_puzzles::Domain;
use trm_team::Team;

/// An autoregressive model in training.
pub struct AutoregressiveTrainer {
    core: Core<Autoregressive>,
    cells: OpenCells,
}

/// Which cells of a question an answer fills.
#[derive(Clone, Debug)]
pub struct OpenCells {
    domain: Option<Domain>,
    order: Order,
}

impl OpenCells {
    /// Those that a model of this configuration writes.
    ///
    /// # Errors
    /// If it is to write in a solver's order, but the domain has no logical solver.
    pub fn of(config: &AutoregressiveConfig) -> Result<OpenCells, Error> {
        let domain: Option<Domain> = config.domain.parse().ok();
        let has_order = domain.as_ref().is_some_and(|domain| domain.has_solver_order());
        if config.order == Order::Solver && !has_order {
            let message = format!(
                "autoregressive.order = \"solver\": there is no logical solver for {}: choose \"raster\"",
                config.domain
            );
            return Err(Error::Recipe(message));
        }
        Ok(OpenCells { domain, order: config.order })
    }

    /// Refuses examples that a solver cannot order.
    fn check(&self, data: &Dataset) -> Result<(), Error> {
        let (Order::Solver, Some(domain)) = (self.order, &self.domain) else { return Ok(()) };
        let unordered = |i: &usize| domain.solver_order(data.input(*i), data.label(*i)).is_none();
        match (0..data.len()).find(unordered) {
            Some(i) => Err(Error::Mismatch(format!(
                "training example {i} is no {domain} with its answer: correct the data set, or choose \
                 autoregressive.order = \"raster\""
            ))),
            None => Ok(()),
        }
    }

    /// The question as a prompt.
    pub fn prompt(&self, config: &AutoregressiveConfig, question: &[u8]) -> Vec<u8> {
        let is_open = |token: u8| self.domain.as_ref().is_none_or(|domain| !domain.is_given(token));
        config.prompt(question, is_open)
    }

    /// The open cells in the order of writing.
    pub fn in_order(&self, question: &[u8], answer: &[u8]) -> Vec<usize> {
        match (self.order, &self.domain) {
            (Order::Solver, Some(d)) => d.solver_order(question, answer).unwrap_or_default(),
            _ => (0..question.len()).collect(),
        }
    }
}

/// What one forward pass gives: logits `[B, A, tokens]`, losses `[B]`.
struct Pass {
    logits: Tensor,
    loss: Tensor,
}

impl AutoregressiveTrainer {
    fn lesson(&self, examples: &[Example]) -> Lesson {
        let config = self.core.model.config();
        let pair = |e: &Example| {
            let cells = self.cells.in_order(&e.question, &e.answer);
            (self.cells.prompt(config, &e.question), config.write(&e.answer, &cells))
        };
        Lesson::new(&examples.iter().map(pair).collect::<Vec<_>>())
    }

    fn forward(&self, tape: &Tape, lesson: &Lesson) -> Pass {
        let Core { model, config, .. } = &self.core;
        let places = lesson.first..model.config().sequence() - 1;
        let device = model.device();
        let form = (config.batch, config.precision.on(device));
        let logits = device.install(|| model.logits(tape, &lesson.tokens, places, form));
        let TrainConfig { likelihood, label_smoothing, .. } = *config;
        let labels = &lesson.labels;
        let loss =
            tape.cross_entropy(&logits, labels, UNLABELLED, likelihood.into(), label_smoothing);
        Pass { logits, loss }
    }

    fn fault(&self, what: &'static str, lesson: &Lesson) -> Error {
        self.core.fault(what, |tape| {
            let tape = tape();
            let pass = self.forward(&tape, lesson);
            let (device, batch) = (self.core.model.device(), self.core.config.batch);
            tape.backward(&[(&pass.loss, &mean_of_rows(device, batch, (batch, 1.0)))]);
        })
    }

    /// Rows and tokens that are right when every earlier token is.
    fn count(&self, logits: &Tensor, lesson: &Lesson) -> Result<StepMetrics, Error> {
        let batch = self.core.config.batch as u32;
        let (step, halted, steps) = (self.core.step, batch, batch);
        let mut metrics = StepMetrics { step, halted, steps, ..StepMetrics::default() };
        let (logits, config) = (logits.to_f32_vec()?, self.core.model.config());
        let labelled = lesson.labels.len() / batch as usize;
        let rows = logits.chunks_exact(labelled * config.tokens());
        for (row, labels) in rows.zip(lesson.labels.chunks_exact(labelled)) {
            let places = labels.iter().zip(row.chunks_exact(config.tokens())).enumerate();
            let right: Vec<bool> = places
                .filter(|(_, (label, _))| **label != UNLABELLED)
                .map(|(i, (label, logits))| {
                    let allowed = config.allowed(lesson.first + 1 + i);
                    let best = allowed.rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
                    best == Some(usize::from(*label))
                })
                .collect();
            metrics.accuracy +=
                right.iter().filter(|r| **r).count() as f32 / right.len().max(1) as f32;
            metrics.exact += u32::from(!right.is_empty() && right.iter().all(|r| *r));
        }
        Ok(metrics)
    }
}

impl Learner for AutoregressiveTrainer {
    type Network = Autoregressive;

    fn start(
        recipe: &Recipe,
        data: &Dataset,
        Workers { device, team }: &Workers,
    ) -> Result<AutoregressiveTrainer, Error> {
        if team.size() > 1 {
            let message =
                "an autoregressive model takes its batch at once: train it in one process";
            return Err(Error::Recipe(message.into()));
        }
        let config = recipe.autoregressive_for(data).unwrap_or_default();
        let (new, load) = (Autoregressive::new, load_autoregressive);
        let model = first_weights(recipe, &config, device, new, load)?;
        let cells = OpenCells::of(&config)?;
        cells.check(data)?;
        let batch = Shared::new(team, recipe.train.batch, 1)?;
        let core = Core::new(model, &recipe.train, recipe.seed, batch);
        Ok(AutoregressiveTrainer { core, cells })
    }

    fn step(&mut self, fresh: &mut dyn FnMut(usize) -> Example) -> Result<StepMetrics, Error> {
        let (device, batch) = (self.core.model.device().clone(), self.core.config.batch);
        let examples: Vec<Example> = (0..batch).map(fresh).collect();
        let lesson = self.lesson(&examples);
        let tape = self.core.tape();
        let Pass { logits, loss } = self.forward(&tape, &lesson);
        let lm_loss = mean(loss.to_f32_vec()?.into_iter());
        if !lm_loss.is_finite() && !self.core.stop.is_requested() {
            return Err(self.fault("loss", &lesson));
        }
        let mut gradients = tape.backward(&[(&loss, &mean_of_rows(&device, batch, (batch, 1.0)))]);
        if self.core.stop.is_requested() {
            return Err(Error::Stopped);
        }
        let update = self.core.update(&mut gradients)?;
        let update = update.map_err(|what| self.fault(what, &lesson))?;
        let (lr, grad_norm, weight_norm) = (update.lr, update.grad_norm, update.weight_norm);
        let counts = self.count(&logits, &lesson)?;
        Ok(StepMetrics { lr, loss: lm_loss, lm_loss, grad_norm, weight_norm, ..counts })
    }

    fn core(&self) -> &Core<Autoregressive> {
        &self.core
    }

    fn core_mut(&mut self) -> &mut Core<Autoregressive> {
        &mut self.core
    }

    fn forget(&mut self) {}

    fn store(&self) -> Result<Vec<(String, Stored)>, Error> {
        Ok(Vec::new())
    }

    fn waiting(&self) -> Vec<usize> {
        (0..self.core.config.batch).collect()
    }

    fn restore(&mut self, _: &Reader<'_>) -> Result<(), String> {
        Ok(())
    }

    fn evaluate(
        model: &Arc<Autoregressive>,
        data: &Dataset,
        options: EvalOptions,
        (team, stop): (&Team, &Stop),
    ) -> Result<Evaluation, Error> {
        let evaluation =
            evaluate_autoregressive_in_team(model, data, options, (team, stop), &mut |_| ())?;
        whole(evaluation, data)
    }

    fn supervision_steps(&self) -> usize {
        1
    }

    fn load(folder: &Path, device: &Device) -> Result<Autoregressive, Error> {
        load_autoregressive(folder, device)
    }

    fn describe(&self) -> String {
        let config = self.core.model.config();
        let answer = config.answer_len(config.seq_len);
        let flops = config.training_flops(answer);
        format!("{} parameters, {:.3} GFLOP per puzzle", config.parameters(), flops / 1e9)
    }

    fn training_bytes(&self) -> u64 {
        let model = &self.core.model;
        autoregressive_bytes(model.config(), &self.core.config, model.device())
    }
}

/// Writes an answer to every question, greedily, and compares them with the labels. The model's belief in
/// an answer is the probability that it gave all its tokens. Ends when `stop` is requested, with what is done by
/// then; `progress` hears how much that is.
///
/// # Errors
/// If the data do not fit the model.
pub fn evaluate_autoregressive(
    model: &Autoregressive,
    data: &Dataset,
    options: EvalOptions,
    stop: &Stop,
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, Error> {
    evaluate_autoregressive_in_team(model, data, options, (&Team::alone(), stop), progress)
}

/// [`evaluate_autoregressive`], the puzzles shared by a team; all its processes get the result.
///
/// # Errors
/// As [`evaluate_autoregressive`].
pub fn evaluate_autoregressive_in_team(
    model: &Autoregressive,
    data: &Dataset,
    options: EvalOptions,
    (team, stop): (&Team, &Stop),
    progress: &mut dyn FnMut(usize),
) -> Result<Evaluation, Error> {
    let started = Instant::now();
    let options = EvalOptions { steps: 1, halt: None, keep_outputs: false, ..options };
    let mut tally = Tally::new(options, data);
    let (how, part) = ((Sampling::Greedy, options.batch), team.part(data.len()));
    let (mut done, wanted) = (0usize, part.len());
    write_until(model, (data, part), how, stop, &mut |puzzle, answer, written| {
        tally.add(&thought(puzzle, answer, written));
        done += 1;
        if done.is_multiple_of(options.batch) || done == wanted {
            progress(done);
        }
    })?;
    let evaluation = tally.finish(team)?;
    Ok(Evaluation { seconds: started.elapsed().as_secs_f64(), ..evaluation })
}

fn thought(puzzle: usize, answer: Vec<u8>, written: &Written) -> Thought {
    let p = f64::from(written.log_probability);
    let halt_logit = (p - (-p.exp_m1()).ln()) as f32; // ln(p / (1 - p)) of the probability e^p
    Thought { puzzle, step: 1, last: true, answer, halt_logit, logits: Vec::new() }
}

/// Refuses data of other cells, tokens or puzzles than a model's.
///
/// # Errors
/// Both sizes, if they differ.
pub fn check_fit_autoregressive(model: &Autoregressive, data: &Dataset) -> Result<(), Error> {
    let config = model.config();
    check_sizes((config.seq_len, config.vocab_size, &config.domain), &data.metadata)
}

/// Writes one answer to every question, some at a time, in the order of the data set; `take` gets its place,
/// the answer and how it was written.
///
/// # Errors
/// If the data do not fit the model.
pub fn write_answers(
    model: &Autoregressive,
    data: &Dataset,
    sampling: Sampling,
    batch: usize,
    take: &mut dyn FnMut(usize, Vec<u8>, &Written),
) -> Result<(), Error> {
    write_until(model, (data, 0..data.len()), (sampling, batch), &Stop::default(), take)
}

/// [`write_answers`] to a part of the questions, some at a time until `stop` is requested.
fn write_until(
    model: &Autoregressive,
    (data, part): (&Dataset, Range<usize>),
    (sampling, batch): (Sampling, usize),
    stop: &Stop,
    take: &mut dyn FnMut(usize, Vec<u8>, &Written),
) -> Result<(), Error> {
    let config = model.config();
    check_fit_autoregressive(model, data)?;
    let open = OpenCells::of(config)?;
    let mut puzzle = part.start;
    for questions in data.questions()[part].chunks(batch.max(1)) {
        if stop.is_requested() {
            break;
        }
        for (answer, written) in write_some(model, &open, questions, (sampling, puzzle as u64))? {
            take(puzzle, answer, &written);
            puzzle += 1;
        }
    }
    Ok(())
}

/// One answer to each question, all at once, and how it was written; `first` is the place of the first
/// question among all, for random numbers.
pub fn write_some(
    model: &Autoregressive,
    open: &OpenCells,
    questions: &[&[u8]],
    (sampling, first): (Sampling, u64),
) -> Result<Vec<(Vec<u8>, Written)>, Error> {
    let config = model.config();
    let prompts: Vec<_> = questions.iter().map(|q| open.prompt(config, q)).collect();
    if let Some(i) = prompts.iter().position(Vec::is_empty) {
        return Err(Error::Mismatch(format!(
            "puzzle {}: no cell is given, and a solver's order begins with one",
            first + i as u64
        )));
    }
    let written = generate(model, &prompts, (sampling, first))?;
    let answers = questions.iter().zip(written);
    Ok(answers.map(|(question, w)| (config.read(question, &w.tokens), w)).collect())
}
