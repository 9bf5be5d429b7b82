//! A training run: the visible loop, its log, its folder.

use crate::Error;
use crate::checkpoint::{Progress, restore_checkpoint, save_checkpoint};
use crate::dataset::Dataset;
use crate::evaluate::{EvalOptions, Evaluation, evaluate};
use crate::files::{create_folder, write_atomic};
use crate::log::Log;
use crate::model_folder::{newest_checkpoint, save_model};
use crate::random::{Purpose, stream};
use crate::recipe::Recipe;
use crate::sampler::Sampler;
use crate::train::{StepMetrics, Trainer};
use rand::seq::SliceRandom;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use trm::Model;
use trm_ops::Device;
use trm_puzzles::Domain;

/// What happens in a run, for whoever shows it.
#[derive(Debug)]
pub enum Event<'a> {
    /// One optimiser step was taken.
    Step(&'a StepMetrics),
    /// The averaged model was evaluated on the held-out groups; `best` if it has never been better.
    Validation {
        /// At this step.
        step: u64,
        /// With this outcome.
        evaluation: &'a Evaluation,
        /// Better than ever before.
        best: bool,
    },
    /// A checkpoint was written.
    Checkpoint(&'a Path),
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps were taken.
    Finished,
    /// The target accuracy was reached.
    Target,
    /// Validation had not improved for too long.
    Patience,
    /// Somebody asked it to stop.
    Interrupted,
}

/// A run that can be started or resumed.
pub struct Run {
    /// Its folder.
    pub folder: PathBuf,
    /// Its complete recipe.
    pub recipe: Recipe,
    train: Dataset,
    validation: Dataset,
    trainer: Trainer,
    progress: Progress,
    symmetries: Option<Domain>,
}

impl Run {
    /// Prepares a run in `folder`, which must not hold one yet.
    ///
    /// # Errors
    /// If recipe and data do not fit, or the folder cannot be made or holds a run.
    pub fn create(
        folder: &Path,
        recipe: Recipe,
        data: &Dataset,
        device: &Device,
    ) -> Result<Run, Error> {
        if folder.join("recipe.toml").exists() {
            let message = "holds a run already: choose another --out, or go on with --resume";
            return Err(Error::file(folder, message));
        }
        let run = Run::prepare(folder, recipe, data, device)?;
        create_folder(folder)?;
        write_atomic(&folder.join("recipe.toml"), run.recipe.to_toml().as_bytes())?;
        Ok(run)
    }

    /// Takes up the run in `folder` at its newest checkpoint.
    ///
    /// # Errors
    /// If there is no checkpoint, it is damaged, or the data have changed.
    pub fn resume(
        folder: &Path,
        data: &Dataset,
        recipe: Recipe,
        device: &Device,
    ) -> Result<Run, Error> {
        let checkpoint = newest_checkpoint(folder).ok_or_else(|| {
            Error::file(folder, "holds no checkpoint to resume from: start a new run")
        })?;
        let mut run = Run::prepare(folder, recipe, data, device)?;
        let expected = run.progress.data_digest.clone();
        run.progress = restore_checkpoint(&checkpoint, &mut run.trainer)?;
        if run.progress.data_digest != expected {
            let message = format!(
                "was trained on other data than {} holds now: restore them or start a new run",
                run.recipe.data.display()
            );
            return Err(Error::file(folder, message));
        }
        write_atomic(&folder.join("recipe.toml"), run.recipe.to_toml().as_bytes())?;
        Ok(run)
    }

    fn prepare(
        folder: &Path,
        recipe: Recipe,
        data: &Dataset,
        device: &Device,
    ) -> Result<Run, Error> {
        recipe.train.check()?;
        let symmetries = match recipe.train.symmetries {
            true => Some(domain_of(data)?),
            false => None,
        };
        let (train, validation) = split(data, recipe.train.validation, recipe.seed)?;
        let mut rng = stream(recipe.seed, Purpose::Weights, 0);
        let model = Model::new(&recipe.model_for(data), device, &mut rng)?;
        let trainer = Trainer::new(model, &recipe.train, recipe.seed, data.ignore_label());
        let progress =
            Progress { data_digest: data.digest(), best_exact: -1.0, ..Progress::default() };
        let folder = folder.to_owned();
        Ok(Run { folder, recipe, train, validation, trainer, progress, symmetries })
    }

    /// The training loop. Returns when the work is done or `stop` is set; either way the last state
    /// is on disk.
    ///
    /// # Errors
    /// If the loss is not finite or the operating system refuses to write.
    pub fn train(
        &mut self,
        stop: &AtomicBool,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Ending, Error> {
        let train = self.train.clone();
        let mut sampler =
            Sampler::new(&train, self.symmetries, self.recipe.seed, self.progress.drawn);
        let mut log = Log::open(&self.folder, self.progress.step)?;
        let settings = self.recipe.train.clone();
        let before = self.progress.seconds;
        let started = Instant::now();
        let due = |step: u64, every: u64| every > 0 && step.is_multiple_of(every);

        let mut ending = Ending::Finished;
        while self.progress.step < settings.steps {
            let metrics = self.trainer.step(|_| sampler.draw())?;
            self.progress.step = metrics.step;
            self.progress.drawn = sampler.drawn();
            self.progress.seconds = before + started.elapsed().as_secs_f64();
            log.step(&metrics, self.progress.seconds)?;
            on(Event::Step(&metrics));

            let last = metrics.step == settings.steps;
            let validated = due(metrics.step, settings.validate_every) || last;
            if validated && !self.validation.is_empty() {
                let exact = self.validate(&mut log, on)?;
                if settings.target > 0.0 && exact as f32 >= settings.target {
                    ending = Ending::Target;
                    break;
                }
                if settings.patience > 0 && self.progress.stale >= settings.patience {
                    ending = Ending::Patience;
                    break;
                }
            }
            if due(metrics.step, settings.checkpoint_every) && !last {
                self.checkpoint(on)?;
            }
            if stop.load(Ordering::Relaxed) {
                ending = Ending::Interrupted;
                break;
            }
        }
        log.flush()?;
        self.checkpoint(on)?;
        Ok(ending)
    }

    /// Evaluates the averaged model on the held-out groups and keeps it if it is the best so far.
    fn validate(&mut self, log: &mut Log, on: &mut dyn FnMut(Event<'_>)) -> Result<f64, Error> {
        self.check_finite()?;
        let model = self.trainer.averaged_model();
        let evaluation = evaluate(&model, &self.validation, self.eval_options(), &mut |_| ())?;
        let (step, exact) = (self.progress.step, evaluation.exact());
        let best = exact > self.progress.best_exact;
        if best {
            self.progress =
                Progress { best_step: step, best_exact: exact, stale: 0, ..self.progress.clone() };
            save_model(&self.folder.join("best"), &model)?;
        } else {
            self.progress.stale += 1;
        }
        log.validation(step, &evaluation, self.progress.seconds)?;
        on(Event::Validation { step, evaluation: &evaluation, best });
        Ok(exact)
    }

    fn checkpoint(&self, on: &mut dyn FnMut(Event<'_>)) -> Result<(), Error> {
        self.check_finite()?;
        let keep = self.recipe.train.keep;
        let path = save_checkpoint(&self.folder, &self.trainer, &self.progress, keep)?;
        on(Event::Checkpoint(&path));
        Ok(())
    }

    /// Refuses to keep weights that an update has made infinite.
    fn check_finite(&self) -> Result<(), Error> {
        let parameters = self.trainer.model().parameters();
        match parameters.iter().all(|p| p.value().square_sum().is_finite()) {
            true => Ok(()),
            false => {
                Err(Error::NotFinite { what: "size of the weights", step: self.progress.step })
            }
        }
    }

    /// How this run evaluates: all supervision steps for every puzzle, so that accuracies compare
    /// with published ones and the best model is not chosen by its halting.
    pub fn eval_options(&self) -> EvalOptions {
        EvalOptions {
            steps: self.trainer.model().config().supervision_steps,
            batch: self.recipe.train.batch.min(128),
            halt: None,
            dtype: self.recipe.train.precision.into(),
            keep_outputs: false,
        }
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The model in training.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// The held-out part of the training set.
    pub fn validation(&self) -> &Dataset {
        &self.validation
    }
}

/// The domain that a data set names.
///
/// # Errors
/// If it names none or an unknown one, so that its symmetries are not known either.
pub fn domain_of(data: &Dataset) -> Result<Domain, Error> {
    let domain: Domain = data.metadata.domain.parse().map_err(|error| {
        Error::Mismatch(format!(
            "the data set names no domain whose symmetries are known ({error}): \
             set train.symmetries = false"
        ))
    })?;
    let (cells, tokens) = (data.metadata.seq_len, data.metadata.vocab_size);
    if (cells, tokens) != (domain.seq_len(), domain.vocab_size()) {
        return Err(Error::Mismatch(format!(
            "the data set has {cells} cells and {tokens} tokens, but names the domain {domain}, \
             which has {} and {}: correct dataset.json",
            domain.seq_len(),
            domain.vocab_size()
        )));
    }
    Ok(domain)
}

/// Splits off groups to validate on, chosen by the seed.
fn split(data: &Dataset, held_out: usize, seed: u64) -> Result<(Dataset, Dataset), Error> {
    if held_out >= data.groups() {
        return Err(Error::Mismatch(format!(
            "train.validation = {held_out} groups of a training set that has {}: hold out fewer",
            data.groups()
        )));
    }
    let mut order: Vec<usize> = (0..data.groups()).collect();
    order.shuffle(&mut stream(seed, Purpose::Validation, 0));
    let (validation, train) = order.split_at(held_out);
    Ok((data.select_groups(train), data.select_groups(validation)))
}
