//! A training run: the visible loop, its log, its folder.

pub(crate) mod checkpoint;
mod estimate;
mod held_out;
pub(crate) mod log;
mod state;
pub use held_out::domain_of;
pub mod tensorboard;
mod training;
mod writer;

use crate::Error;
use crate::evaluate::{EvalOptions, Evaluation};
use crate::learners::Learner;
use crate::learners::memory::check_memory;
use crate::learners::workers::Workers;
use crate::recipe::{Recipe, TrainConfig};
use checkpoint::{Checkpoint, Progress, discard_after};
use trm_data::files::{create_folder, lock, sweep, write_atomic};

use crate::learners::{metrics::StepMetrics, train::Trainer};
use held_out::{check_blank_identifier, split};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use training::due;
use trm::Network;
use trm_data::{Augment, Dataset, Provenance, program};
use trm_ops::level;
use trm_team::Team;

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
    /// A step was not finite, or the device was lost, and the run has gone back to an earlier step.
    RolledBack {
        /// To this step.
        step: u64,
        /// Why.
        fault: &'a Error,
    },
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

/// A run that can be started or resumed. Its folder is locked as long as it lives.
pub struct Run<L = Trainer> {
    /// Its folder.
    pub folder: PathBuf,
    /// Its complete recipe.
    pub recipe: Recipe,
    data: Arc<Dataset>,
    trained_on: Arc<[usize]>, // groups of the data
    validation: Dataset,      // the others
    trainer: L,
    progress: Progress,
    augment: Augment,
    lock: Option<File>,
    place: String, // where it computes
    workers: Workers,
}

/// Keys that a resumed run may change: none of them changes what has been done so far.
const MAY_CHANGE: [&str; 12] = [
    "data", // its digest is checked
    "referee",
    "train.steps",
    "train.validate_every",
    "train.target",
    "train.patience",
    "train.checkpoint_every",
    "train.keep",
    "train.keep_every",
    "train.rollbacks",
    "train.recompute",
    "train.precision", // as other devices may need: the past stays, what follows is rounded otherwise
];

impl<L: Learner> Run<L> {
    /// Prepares a run in `folder`, which must not hold one yet.
    ///
    /// # Errors
    /// If recipe and data do not fit, or the folder cannot be made or holds a run, or the processes of a team differ.
    pub fn create(
        folder: &Path,
        recipe: Recipe,
        data: impl Into<Arc<Dataset>>,
        workers: impl Into<Workers>,
    ) -> Result<Self, Error> {
        let workers = workers.into();
        let team = workers.team.clone();
        let run = if team.leads() && folder.join("recipe.toml").exists() {
            let message = "holds a run already: choose another --out, or go on with --resume";
            Err(Error::file(folder, message))
        } else {
            Self::prepare(folder, recipe, data.into(), workers)
        };
        let mut run = Error::on_all(&team, run)?;
        run.compare()?;
        let begun = if team.leads() { run.begin_in_folder() } else { Ok(()) };
        Error::on_all(&team, begun).map(|()| run)
    }

    /// Compares what decides about the bits of this run with that of rank 0.
    fn compare(&self) -> Result<(), Error> {
        let Progress { data_digest, step, .. } = &self.progress;
        let settings = blake3::hash(self.recipe.to_toml().as_bytes()).to_hex()[..16].to_owned();
        let computes = format!("{} with {}", self.place, level().features().join(", "));
        let facts = [
            ("the version of trm", program()),
            ("what computes (TRM_CPU caps it)", computes),
            ("the recipe (its digest)", settings),
            ("the data set (its digest)", data_digest.clone()),
            ("the folder", self.folder.display().to_string()),
            ("the step to go on from", step.to_string()),
        ];
        Ok(self.workers.team.compare(&facts)?)
    }

    fn begin_in_folder(&mut self) -> Result<(), Error> {
        let folder = &self.folder.clone();
        let is_new = !folder.exists();
        create_folder(folder)?;
        self.begin().inspect_err(|_| {
            if is_new {
                let _ = fs::remove_dir(folder);
            }
        })
    }

    /// Takes hold of the folder and writes the recipe there.
    fn begin(&mut self) -> Result<(), Error> {
        self.lock = Some(lock(&self.folder)?);
        write_atomic(&self.folder.join("recipe.toml"), self.recipe.to_toml().as_bytes())
    }

    /// Takes up the run in `folder` at its newest checkpoint, or at that of the step `from`; later
    /// ones are then removed. A run that was stopped before its first checkpoint begins anew.
    ///
    /// # Errors
    /// If the checkpoint is damaged, or data or recipe have changed so that the past would have been
    /// another, or another process is training in this folder, or the processes of a team differ.
    pub fn resume(
        folder: &Path,
        from: Option<u64>,
        data: impl Into<Arc<Dataset>>,
        recipe: Recipe,
        workers: impl Into<Workers>,
    ) -> Result<Self, Error> {
        let workers = workers.into();
        let team = workers.team.clone();
        let run = Error::on_all(&team, Self::reopen(folder, from, data.into(), recipe, workers))?;
        run.compare()?;
        let tidied = if team.leads() { run.tidy() } else { Ok(()) };
        Error::on_all(&team, tidied).map(|()| run)
    }

    /// The run in `folder`, where a checkpoint stands; nothing is changed there.
    fn reopen(
        folder: &Path,
        from: Option<u64>,
        data: Arc<Dataset>,
        recipe: Recipe,
        workers: Workers,
    ) -> Result<Self, Error> {
        if folder.join(Provenance::FILE).exists() {
            return Err(Error::file(folder, "a model, not a run: give the folder that it lies in"));
        }
        let lock = if workers.team.leads() { Some(lock(folder)?) } else { None };
        let checkpoint = Checkpoint::open(folder, from)?;
        let mut run = Self::prepare(folder, recipe, data, workers)?;
        run.lock = lock;
        if let Some(checkpoint) = &checkpoint {
            run.check_unchanged(checkpoint)?;
            run.go_to(checkpoint)?;
        }
        Ok(run)
    }

    /// Removes what later steps and broken writes have left in the folder, and writes the recipe there.
    fn tidy(&self) -> Result<(), Error> {
        for folder in [self.folder.clone(), self.folder.join("checkpoints")] {
            sweep(&folder)?;
        }
        discard_after(&self.folder, self.progress.step)?;
        write_atomic(&self.folder.join("recipe.toml"), self.recipe.to_toml().as_bytes())
    }

    /// Refuses data and settings that would have led elsewhere.
    fn check_unchanged(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        if checkpoint.progress.data_digest != self.progress.data_digest {
            let message = format!(
                "was trained on other data than {} holds now: restore them or start a new run",
                self.recipe.data.display()
            );
            return Err(Error::file(&self.folder, message));
        }
        let changes = checkpoint.recipe.changes(&self.recipe);
        let refused: Vec<String> = changes
            .into_iter()
            .filter(|(key, _)| !MAY_CHANGE.contains(&key.as_str()))
            .map(|(_, change)| change)
            .collect();
        if refused.is_empty() {
            return Ok(());
        }
        Err(Error::file(
            &self.folder,
            format!(
                "a resumed run must keep its recipe ({}); only {} may change",
                refused.join("; "),
                MAY_CHANGE.join(", ")
            ),
        ))
    }

    /// Puts the run where a checkpoint stands.
    fn go_to(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        checkpoint.restore(&mut self.trainer)?;
        self.progress = checkpoint.progress.clone();
        Ok(())
    }

    /// Puts the run at its beginning.
    fn begin_anew(&mut self) -> Result<(), Error> {
        self.trainer = L::start(&self.recipe, &self.data, &self.workers)?;
        self.progress = Progress::start(&self.progress.data_digest);
        Ok(())
    }

    fn prepare(
        folder: &Path,
        mut recipe: Recipe,
        data: Arc<Dataset>,
        workers: Workers,
    ) -> Result<Self, Error> {
        let device = &workers.device;
        recipe.train.precision.check(device).map_err(Error::Recipe)?;
        recipe.train.precision = recipe.train.precision.chosen(device);
        recipe.check()?;
        check_blank_identifier(&recipe, &data)?;
        let augment = match recipe.train.symmetries {
            true if data.holds_augmentations() => Augment::None,
            true if data.augmented.is_some() => Augment::Tasks,
            true => Augment::Symmetries(domain_of(&data)?),
            false => Augment::None,
        };
        let writer = recipe.autoregressive_for(&data);
        let share = TrainConfig {
            batch: recipe.train.batch.div_ceil(workers.team.size()),
            ..recipe.train.clone()
        };
        let beside = workers.team.beside() as u64;
        check_memory(&recipe.model_for(&data), writer.as_ref(), &share, (device, beside))?;
        let (trained_on, validation) = split(&data, recipe.train.validation, recipe.seed)?;
        let trainer = L::start(&recipe, &data, &workers)?;
        let progress = Progress::start(&data.digest());
        let folder = folder.to_owned();
        Ok(Run {
            folder,
            recipe,
            data,
            trained_on,
            validation,
            trainer,
            progress,
            augment,
            lock: None,
            place: device.kernels().place(),
            workers,
        })
    }

    /// Whether the run validates after this step.
    fn validates_at(&self, step: u64) -> bool {
        let settings = &self.recipe.train;
        let is_due = step == settings.steps || due(step, settings.validate_every);
        settings.validate_every > 0 && !self.validation.is_empty() && is_due
    }

    /// How this run evaluates: all supervision steps for every puzzle, so that accuracies compare
    /// with published ones and the best model is not chosen by its halting.
    pub fn eval_options(&self) -> EvalOptions {
        EvalOptions {
            steps: self.trainer.supervision_steps(),
            batch: self.recipe.train.batch.min(128),
            halt: None,
            dtype: self.recipe.train.precision.on(self.trainer.core().model.device()),
            keep_outputs: false,
        }
    }

    /// Why there is nothing left to do, if so.
    pub fn ending(&self) -> Option<Ending> {
        let (progress, settings) = (&self.progress, &self.recipe.train);
        if progress.unvalidated {
            None
        } else if settings.target > 0.0 && progress.best_exact as f32 >= settings.target {
            Some(Ending::Target)
        } else if settings.patience > 0 && progress.stale >= settings.patience {
            Some(Ending::Patience)
        } else {
            (progress.step >= settings.steps).then_some(Ending::Finished)
        }
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Where the checkpoint was computed that this run goes on from, if that was on another device: the bits of what
    /// follows are not those of a run that stays. `None` after the first step here.
    pub fn moved_from(&self) -> Option<&str> {
        let before = &self.progress.place;
        (*before != self.place && !before.is_empty()).then_some(before)
    }

    /// Where it computes ([`Kernels::place`](trm_ops::Kernels::place)).
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The processes that take part.
    pub fn team(&self) -> &Team {
        &self.workers.team
    }

    /// The model in training.
    pub fn trainer(&self) -> &L {
        &self.trainer
    }

    /// The held-out part of the training set.
    pub fn validation(&self) -> &Dataset {
        &self.validation
    }
}
