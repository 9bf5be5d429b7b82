//! `trm quickstart`: data, training, measurement and a solved puzzle, in under a minute.

use crate::Outcome;
use crate::display::{heading, print_trail};
use crate::eval;
use crate::machine::DeviceArguments;
use crate::output::note;
use crate::train::supervise;
use anyhow::{Result, anyhow, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use trm_data::text::{duration, percent};
use trm_data::{Dataset, Generated, Kind, files::check_new_folder, generate_sudoku, load_model};
use trm_puzzles::Domain;
use trm_puzzles::sudoku::{Givens, Shape};
use trm_study::pages;
use trm_train::{Ending, Evaluation, Recipe, Run, evaluate, free_folder};

/// The recipe is part of the program, so that the command works anywhere.
const RECIPE: &str = include_str!("../../../recipes/sudoku4.toml");

#[derive(Args)]
pub(crate) struct Arguments {
    /// Folder of the run (default: runs/quickstart, numbered if taken).
    #[arg(long, value_name = "RUN")]
    out: Option<PathBuf>,
    /// Seed of data, weights and training.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    machine: DeviceArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let started = Instant::now();
    let folder = arguments.out.clone().unwrap_or_else(|| free_folder(Path::new("quickstart")));
    let mut recipe =
        Recipe::parse(RECIPE, &[]).map_err(|m| anyhow!("recipes/sudoku4.toml: {m}"))?;
    recipe.seed = arguments.seed;
    recipe.data = folder.join("data");

    if folder.exists() {
        bail!("{} exists already: choose another --out", folder.display());
    }
    check_new_folder(&folder)?;
    heading("1. Data");
    let test = make_data(&folder, arguments.seed)?;
    heading("2. Training");
    let data = Dataset::load(&recipe.data, "train")?;
    let mut run: Run = Run::create(&folder, recipe, data, &arguments.machine.device()?)?;
    let (total, _) = run.trainer().model().parameter_count();
    note!(
        "a model of {total} parameters, from random weights, on {:?}",
        run.trainer().model().device()
    );
    if supervise(&mut run)? == Ending::Interrupted {
        note!("go on with trm train --resume {}", folder.display());
        return Ok(Outcome::Interrupted);
    }
    heading(&format!("3. Measurement on {} puzzles it has never seen", test.len()));
    let model = Arc::new(load_model(&folder, run.trainer().model().device())?);
    let evaluation = evaluate(&model, &test, run.eval_options(), &mut |_| ())?;
    eval::table::print_steps(&evaluation);
    heading("4. Thinking");
    let watched = pages::most_thoughtful(&run, &test, 500)?;
    print_trail(&Domain::new(Shape::Four), &watched.trail);

    let seconds = started.elapsed().as_secs_f64();
    let command = format!("trm quickstart --seed {}", arguments.seed);
    let measured = Some((&evaluation, "unseen"));
    let path = pages::write(&run, measured, &watched, &command, run.progress().seconds)?;
    conclude(&folder, &evaluation, seconds, &path);
    Ok(Outcome::Done)
}

fn make_data(folder: &Path, seed: u64) -> Result<Dataset> {
    let kind = Kind::Random(Givens::AtLeast(4..=8));
    let wanted = Generated { shape: Shape::Four, train: 1600, test: 500, kind, seed };
    let splits = generate_sudoku(&wanted, None, &mut |_| ())?;
    let data = folder.join("data");
    splits.save(&data)?;
    note!(
        "{} puzzles of 4 × 4 to learn from and {} others to test on, no two the same up to symmetry",
        splits.train.len(),
        splits.test.len()
    );
    Ok(splits.test)
}

fn conclude(folder: &Path, evaluation: &Evaluation, seconds: f64, report: &Path) {
    heading(&format!(
        "done in {}: {} of unseen puzzles exactly right",
        duration(seconds),
        percent(evaluation.exact())
    ));
    let folder = folder.display();
    note!("report   {}", report.display());
    note!("solve    trm solve {folder} 1.....3..4.....2");
    note!("measure  trm eval {folder} --data {folder}/data");
}
