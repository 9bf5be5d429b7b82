//! The visible loop of a run.

use super::{Ending, Event, Run};
use crate::Error;
use crate::learners::Learner;
use crate::learners::memory::checkpoint_bytes;
use crate::learners::metrics::StepMetrics;
use crate::run::checkpoint::{Checkpoint, Progress, Snapshot, retain};
use crate::run::log::Log;
use crate::run::state::state_of;
use crate::run::writer::Writer;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use trm::Network;
use trm_data::{
    Example, Machine, Provenance, Sampler, checkpoints, model_files, program, save_files,
    weight_digest,
};
use trm_ops::Stop;

/// What the loop holds beside the run. Of the processes of a team rank 0 alone has a log and writes files.
struct Loop<'a, L> {
    run: &'a mut Run<L>,
    log: Option<Log>,
    writer: Writer,
    on: &'a mut dyn FnMut(Event<'_>),
    stop: &'a Stop,
    before: f64,
    started: Instant,
}

impl<L: Learner> Run<L> {
    /// The training loop. Returns when the work is done or `stop` is requested, inside a step too, which
    /// then counts as not taken; either way the last state is on disk.
    ///
    /// # Errors
    /// If a step is not finite or the device is lost, and that may not be undone (`train.rollbacks`), or the operating system
    /// refuses to write. The last checkpoint is then there to resume from.
    pub fn train(&mut self, stop: &Stop, on: &mut dyn FnMut(Event<'_>)) -> Result<Ending, Error> {
        let log = self.open_log()?;
        let (before, started) = (self.progress.seconds, Instant::now());
        self.trainer.core_mut().stop = stop.clone();
        let writer = Writer::default();
        let mut work = Loop { run: self, log, writer, on, stop, before, started };
        let ending = match work.steps() {
            Err(Error::Stopped) => Ending::Interrupted,
            ending => ending?,
        };
        work.begin_checkpoint()?;
        work.finish_checkpoint()?;
        self.team().meet();
        Ok(ending)
    }

    fn open_log(&self) -> Result<Option<Log>, Error> {
        self.team().leads().then(|| Log::open(&self.folder, &self.progress)).transpose()
    }
}

pub(super) fn due(step: u64, every: u64) -> bool {
    every > 0 && step.is_multiple_of(every)
}

impl<L: Learner> Loop<'_, L> {
    /// [`Error::Stopped`] with the run at its last whole step.
    fn steps(&mut self) -> Result<Ending, Error> {
        let (data, groups) = (self.run.data.clone(), self.run.trained_on.clone());
        let (augment, seed) = (self.run.augment.clone(), self.run.recipe.seed);
        let mut sampler = Sampler::new((&data, &groups), augment, seed, self.run.progress.drawn);
        let checkpoint_every = self.run.recipe.train.checkpoint_every;
        loop {
            match self.round(&mut sampler, checkpoint_every) {
                Err(fault @ Error::NotFinite { .. }) => self.roll_back(fault)?,
                // the others of a team do not know of a device that one of them lost
                Err(fault @ Error::Device(_)) if self.run.team().size() == 1 => {
                    self.roll_back(fault)?;
                }
                Ok(Some(ending)) => return Ok(ending),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A step with all that is due after it; how the run ends, if it does.
    fn round(
        &mut self,
        sampler: &mut Sampler<'_>,
        checkpoint_every: u64,
    ) -> Result<Option<Ending>, Error> {
        self.validate_if_due()?; // where the run was stopped in a validation
        if let Some(ending) = self.run.ending() {
            return Ok(Some(ending));
        }
        let metrics = self.step(sampler)?;
        let Progress { step, seconds, .. } = self.run.progress;
        if let Some(log) = &mut self.log {
            log.step(&metrics, self.run.recipe.train.batch, seconds)?;
        }
        (self.on)(Event::Step(&metrics));
        self.validate_if_due()?;
        if self.run.ending().is_none() && due(step, checkpoint_every) {
            self.begin_checkpoint()?;
        }
        let written = self.writer.poll(self.run.team())?;
        self.written(written)?;
        Ok(None)
    }

    /// One step of training, after which the run stands there; or none, and it stands where it did.
    fn step(&mut self, sampler: &mut Sampler<'_>) -> Result<StepMetrics, Error> {
        let run = &mut *self.run;
        let blank = run.recipe.train.blank_identifiers;
        let blank = blank.then_some(run.data.metadata.blank_identifier_id);
        let (waiting, drawn) = (run.trainer.waiting(), run.progress.drawn);
        let mut places = waiting.iter().zip(drawn..);
        let step = run.trainer.step(&mut |row| {
            let place = places.find(|(waiting, _)| **waiting == row);
            sampler.seek(place.expect("a row that waits").1);
            let example = sampler.draw();
            Example { puzzle: blank.unwrap_or(example.puzzle), ..example }
        });
        run.progress.seconds = self.before + self.started.elapsed().as_secs_f64();
        if !matches!(step, Err(Error::Stopped)) {
            run.progress.drawn = drawn + waiting.len() as u64;
        }
        if let Ok(metrics) = &step {
            run.progress.step = metrics.step;
            run.progress.place.clone_from(&run.place);
            run.progress.unvalidated = run.validates_at(metrics.step);
        }
        step
    }

    fn validate_if_due(&mut self) -> Result<(), Error> {
        if self.run.progress.unvalidated { self.validate() } else { Ok(()) }
    }

    /// Evaluates the averaged model on the held-out groups and keeps it if none was better: in exact accuracy,
    /// then in right cells, then in loss.
    fn validate(&mut self) -> Result<(), Error> {
        let run = &mut *self.run;
        let model = Arc::new(run.trainer.core().averaged());
        let workers = (&run.workers.team, self.stop);
        let evaluation = L::evaluate(&model, &run.validation, run.eval_options(), workers)?;
        let (step, exact) = (run.progress.step, evaluation.exact());
        let cells = evaluation.steps.last().map_or(0.0, |last| last.cells);
        let loss = evaluation.loss.unwrap_or(0.0);
        let Progress { best_exact, best_cells, best_loss, stale, .. } = run.progress;
        // of equals the later one is kept; only a better exact accuracy ends the waiting
        let best = (exact, cells, -loss) >= (best_exact, best_cells, -best_loss);
        let stale = if exact > best_exact { 0 } else { stale + 1 };
        run.progress.stale = stale;
        run.progress.unvalidated = false;
        if best {
            run.progress = Progress {
                best_step: step,
                best_exact: exact,
                best_cells: cells,
                best_loss: loss,
                ..run.progress.clone()
            };
            if run.team().leads() {
                let files = model_files(&*model, &run.recipe.to_toml(), &run.provenance(&*model)?);
                run.team().busy(|| save_files(&run.folder.join("best"), files))?;
            }
        }
        if let Some(log) = &mut self.log {
            log.validation(step, &evaluation, run.progress.seconds)?;
        }
        (self.on)(Event::Validation { step, evaluation: &evaluation, best });
        Ok(())
    }

    /// Begins to write a checkpoint of this moment, and waits for it where memory has no room for training to go on.
    /// The log is on disk before it, so that a resumed run has no gap in it.
    fn begin_checkpoint(&mut self) -> Result<(), Error> {
        self.finish_checkpoint()?;
        let Some(log) = &mut self.log else { return self.run.trainer.store().map(drop) };
        log.sync()?;
        let (snapshot, folder) = (self.run.snapshot()?, self.run.folder.clone());
        self.writer.begin(move || snapshot.write(&folder));
        if checkpoint_bytes(&self.run.trainer) == 0 { self.finish_checkpoint() } else { Ok(()) }
    }

    fn finish_checkpoint(&mut self) -> Result<(), Error> {
        let written = self.writer.finish(self.run.team())?;
        self.written(written)
    }

    fn written(&mut self, checkpoint: Option<PathBuf>) -> Result<(), Error> {
        let Some(path) = checkpoint else { return Ok(()) };
        let settings = &self.run.recipe.train;
        retain(&self.run.folder, settings.keep, settings.keep_every)?;
        (self.on)(Event::Checkpoint(&path));
        Ok(())
    }

    /// Goes back to the last checkpoint, or the beginning, and on with examples not drawn yet; on a device that was
    /// lost, after it has started once more.
    fn roll_back(&mut self, fault: Error) -> Result<(), Error> {
        match self.finish_checkpoint() {
            Err(Error::Device(_)) => {} // what was being written is not there
            finished => finished?,
        }
        let run = &mut *self.run;
        let checkpoint = run.newest_checkpoint()?;
        if run.progress.rollbacks >= run.recipe.train.rollbacks {
            return Err(fault.with_checkpoint(checkpoint.map(|c| c.folder)));
        }
        let Progress { drawn, seconds, rollbacks, .. } = run.progress;
        let lost = matches!(fault, Error::Device(_));
        if lost {
            run.trainer.core().model.device().kernels().recover()?;
        }
        if lost || checkpoint.is_none() {
            run.begin_anew()?; // nothing is left on a device that was lost
            run.trainer.core_mut().stop = self.stop.clone();
        }
        if let Some(checkpoint) = &checkpoint {
            run.go_to(checkpoint)?;
        }
        run.progress =
            Progress { drawn, seconds, rollbacks: rollbacks + 1, ..run.progress.clone() };
        run.trainer.forget();
        let step = run.progress.step;
        self.log = run.open_log()?;
        if let Some(log) = &mut self.log {
            log.rollback(step, &fault.to_string(), seconds)?;
        }
        (self.on)(Event::RolledBack { step, fault: &fault });
        Ok(())
    }
}

impl<L: Learner> Run<L> {
    /// The checkpoint that rank 0 finds to be the newest.
    fn newest_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let team = self.team();
        let newest = checkpoints(&self.folder).last().map(|(step, _)| *step);
        let told = team.gather(&newest.map_or(Vec::new(), |step| step.to_le_bytes().to_vec()));
        let newest = told[0][..].try_into().ok().map(u64::from_le_bytes);
        let opened = newest.map(|step| Checkpoint::open(&self.folder, Some(step)));
        Ok(Error::on_all(team, opened.transpose())?.flatten())
    }

    fn snapshot(&self) -> Result<Snapshot<L::Network>, Error> {
        let model = self.trainer.core().averaged();
        Ok(Snapshot {
            state: state_of(&self.trainer)?,
            progress: self.progress.clone(),
            recipe: self.recipe.clone(),
            provenance: self.provenance(&model)?,
            model,
        })
    }

    /// Where a model of this run, as it stands, comes from.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn provenance(&self, model: &impl Network) -> Result<Provenance, Error> {
        Ok(Provenance {
            program: program(),
            command: Provenance::command(&self.recipe.data),
            seed: self.recipe.seed,
            data: self.recipe.data.clone(),
            data_digest: self.progress.data_digest.clone(),
            step: self.progress.step,
            seconds: self.progress.seconds,
            rollbacks: self.progress.rollbacks,
            machine: Machine::this(),
            device: match self.progress.place.as_str() {
                "" => self.place.clone(), // no step yet
                place => place.to_owned(),
            },
            threads: model.device().threads(),
            weights: weight_digest(model)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use crate::{Line, read_log};
    use std::path::Path;
    use trm_data::{Generated, Kind, generate_sudoku};
    use trm_ops::Device;
    use trm_puzzles::sudoku::{Givens, Shape};

    const SETTINGS: &[&str] = &[
        "model.hidden=16",
        "model.inner_multiple=16",
        "model.cycles=1",
        "model.recursions=1",
        "model.supervision_steps=3",
        "model.prefix_len=0",
        "model.puzzle_embedding=0",
        "train.steps=8",
        "train.batch=4",
        "train.validation=4",
        "train.checkpoint_every=3",
        "train.rollbacks=1",
    ];

    /// A run whose state becomes a NaN before its first step and again after its last but one.
    fn poisoned(folder: &Path) -> Run {
        let settings: Vec<String> = SETTINGS.iter().map(|s| (*s).to_owned()).collect();
        let recipe = Recipe::parse("seed = 3", &settings).unwrap();
        let kind = Kind::Random(Givens::AtLeast(6..=10));
        let wanted = Generated { shape: Shape::Four, train: 30, test: 1, kind, seed: 5 };
        let data = generate_sudoku(&wanted, None, &mut |_| ()).unwrap().train;
        let mut run: Run = Run::create(folder, recipe, data, &Device::cpu(1)).unwrap();
        poison(&mut run);
        run
    }

    fn poison(run: &mut Run) {
        let nan = trm_ops::Tensor::from_f32(run.trainer.model().device(), &[1], &[f32::NAN]);
        let carry = &mut run.trainer.carry;
        carry.halted.fill(false);
        carry.state.z.fill_row(2, &nan);
    }

    #[test]
    fn weights_that_overflow_in_the_first_step_name_the_first_step() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = poisoned(&folder.path().join("run"));
        run.trainer.forget(); // the poison
        run.trainer.core_mut().config.lr = f32::MAX;
        run.trainer.core_mut().config.warmup = 0;
        run.recipe.train.rollbacks = 0;
        let error = run.train(&Stop::default(), &mut |_| ()).unwrap_err().to_string();
        assert!(error.contains("size of the weights is not finite at step 1 ("), "{error}");
    }

    #[test]
    fn a_step_that_is_not_finite_is_undone_once_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = poisoned(&folder.path().join("run"));
        run.train(&Stop::default(), &mut |_| ()).unwrap();
        assert_eq!((run.progress.step, run.progress.rollbacks), (8, 1));
        let log = read_log(&run.folder).unwrap();
        assert!(
            matches!(&log[0], Line::Rollback { step: 0, reason, .. } if reason.contains("first: Add"))
        );

        run.recipe.train.steps = 12;
        poison(&mut run);
        let error = run.train(&Stop::default(), &mut |_| ()).unwrap_err().to_string();
        assert!(error.contains("not finite at step 9 (first: Add)"), "{error}");
        assert!(error.contains("checkpoints/step-8"), "{error}");

        run.recipe.train.rollbacks = 2;
        run.train(&Stop::default(), &mut |_| ()).unwrap();
        assert_eq!((run.progress.step, run.progress.rollbacks), (12, 2));
        assert!(run.trainer.model().parameters().iter().all(|p| p.value().is_finite().unwrap()));
    }
}
