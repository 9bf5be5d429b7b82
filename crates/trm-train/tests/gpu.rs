//! Runs on a GPU: the same bits twice and after a stop, moved from and to the CPU, and on after the device was lost.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};
use trm::Network;
use trm_data::{Dataset, Generated, Kind, generate_sudoku};
use trm_gpu::{Adapter, open};
use trm_ops::{DType, Device, Stop};
use trm_puzzles::sudoku::{Givens, Shape};
use trm_train::{Ending, Event, Recipe, Run, Trainer};

const SETTINGS: &[&str] = &[
    "model.hidden=16",
    "model.inner_multiple=16",
    "model.cycles=1",
    "model.recursions=1",
    "model.supervision_steps=3",
    "model.prefix_len=1",
    "model.puzzle_embedding=16",
    "train.steps=8",
    "train.batch=4",
    "train.validation=4",
    "train.optimizer=muon",
    "train.checkpoint_every=3",
    "train.validate_every=0",
    "train.rollbacks=1",
];

fn gpu() -> Option<Device> {
    let gpu = Adapter::number(0).and_then(|adapter| open(&adapter));
    if let Err(error) = &gpu {
        eprintln!("SKIPPED: {error}");
    }
    gpu.ok()
}

fn data() -> Dataset {
    let kind = Kind::Random(Givens::AtLeast(6..=10));
    let wanted = Generated { shape: Shape::Four, train: 30, test: 1, kind, seed: 5 };
    generate_sudoku(&wanted, None, &mut |_| ()).unwrap().train
}

fn recipe(precision: &str) -> Recipe {
    let more = format!("train.precision={precision}");
    let settings: Vec<String> = SETTINGS.iter().map(|s| (*s).to_owned()).chain([more]).collect();
    Recipe::parse("seed = 3", &settings).unwrap()
}

fn create(folder: &Path, device: &Device) -> Run {
    Run::create(folder, recipe("f32"), data(), device).unwrap()
}

fn weights(run: &Run) -> Vec<u8> {
    run.trainer().averaged_model().to_safetensors(DType::F32).unwrap()
}

/// Loses the device of a run, once the checkpoint of its third step, which is written beside the training, is there.
fn lose(device: &Device, run: &Path) {
    let began = Instant::now();
    while !run.join("checkpoints/step-3").exists() {
        assert!(began.elapsed() < Duration::from_secs(120), "no checkpoint");
        sleep(Duration::from_millis(1));
    }
    trm_gpu::lose(device);
}

/// Trains, stopped by a person after so many steps.
fn train_until(run: &mut Run, steps: u64) {
    let stop = Stop::default();
    let mut hear = |event: Event<'_>| {
        if matches!(event, Event::Step(metrics) if metrics.step == steps) {
            stop.request();
        }
    };
    run.train(&stop, &mut hear).unwrap();
}

#[test]
fn a_run_gives_the_same_bits_twice_and_after_a_stop() {
    let (Some(device), Some(other)) = (gpu(), gpu()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut whole = create(&folder.path().join("whole"), &device);
    train_until(&mut whole, 8);
    let stopped = folder.path().join("stopped");
    train_until(&mut create(&stopped, &other), 5);
    let mut resumed = Run::resume(&stopped, None, data(), recipe("f32"), &device).unwrap();
    assert_eq!((resumed.progress().step, resumed.moved_from()), (5, None));
    train_until(&mut resumed, 8);
    assert!(weights(&whole) == weights(&resumed));
}

#[test]
fn a_run_moves_between_devices_and_says_so() {
    let Some(device) = gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train_until(&mut create(&run, &Device::cpu(1)), 3);
    let mut moved = Run::resume(&run, None, data(), recipe("f32"), &device).unwrap();
    assert_eq!((moved.progress().step, moved.moved_from()), (3, Some("cpu")));
    train_until(&mut moved, 6);
    drop(moved);
    let back: Run = Run::resume(&run, None, data(), recipe("f32"), &Device::cpu(1)).unwrap();
    assert_eq!((back.progress().step, back.moved_from()), (6, Some(&*device.kernels().place())));
}

#[test]
fn a_format_that_a_device_has_not_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let on_cpu = Run::<Trainer>::create(folder.path(), recipe("f16"), data(), &Device::cpu(1));
    let error = on_cpu.err().expect("refused").to_string();
    assert!(error.contains("does not compute in f16: give --precision f32 or bf16"), "{error}");
    let Some(device) = gpu() else { return };
    let on_gpu = Run::<Trainer>::create(folder.path(), recipe("bf16"), data(), &device);
    let error = on_gpu.err().expect("refused").to_string();
    assert!(error.contains("does not compute in bf16"), "{error}");
}

#[test]
fn a_run_goes_on_after_its_device_was_lost() {
    let Some(device) = gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut run = create(folder.path(), &device);
    let mut told = Vec::new();
    let mut hear = |event: Event<'_>| match event {
        Event::Step(metrics) if metrics.step == 5 && told.is_empty() => {
            lose(&device, folder.path())
        }
        Event::RolledBack { step, fault } => told.push((step, fault.to_string())),
        _ => {}
    };
    run.train(&Stop::default(), &mut hear).unwrap();
    assert_eq!((run.progress().step, run.progress().rollbacks), (8, 1));
    let [(step, fault)] = &told[..] else { panic!("{told:?}") };
    assert!(*step == 3 && fault.starts_with("the GPU was lost"), "{told:?}");
}

#[test]
fn a_device_lost_before_a_validation_costs_steps_and_a_stop_is_still_heard() {
    let Some(device) = gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut run = create(folder.path(), &device);
    run.recipe.train.validate_every = 5;
    let (stop, mut lost, mut undone) = (Stop::default(), false, None);
    let mut hear = |event: Event<'_>| match event {
        Event::Step(metrics) if metrics.step == 5 && !lost => {
            lost = true;
            lose(&device, folder.path()); // the validation of this step meets it
        }
        Event::RolledBack { step, .. } => undone = Some(step),
        Event::Step(metrics) if metrics.step == 5 => stop.request(),
        _ => {}
    };
    let ending = run.train(&stop, &mut hear).unwrap();
    assert_eq!((ending, undone), (Ending::Interrupted, Some(3)));
    assert_eq!((run.progress().step, run.progress().rollbacks), (5, 1));
}

#[test]
fn half_precision_learns_from_a_cell_of_a_large_batch() {
    let Some(device) = gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let norm = |precision: &str, device: &Device| {
        let mut recipe = recipe(precision);
        (recipe.train.batch, recipe.train.steps) = (512, 1);
        let mut run: Run =
            Run::create(&folder.path().join(precision), recipe, data(), device).unwrap();
        let mut norm = 0.0;
        let mut hear = |event: Event<'_>| {
            if let Event::Step(metrics) = event {
                norm = metrics.grad_norm;
            }
        };
        run.train(&Stop::default(), &mut hear).unwrap();
        norm
    };
    let (half, single) = (norm("f16", &device), norm("f32", &device));
    assert!((half / single - 1.0).abs() < 0.01, "{half} instead of {single}");
}

#[test]
fn without_rollbacks_a_lost_device_names_the_checkpoint() {
    let Some(device) = gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut run = create(folder.path(), &device);
    run.recipe.train.rollbacks = 0;
    let mut hear = |event: Event<'_>| {
        if matches!(event, Event::Step(metrics) if metrics.step == 5) {
            lose(&device, folder.path());
        }
    };
    let error = run.train(&Stop::default(), &mut hear).unwrap_err();
    assert!(!error.is_misuse());
    let error = error.to_string();
    assert!(error.starts_with("the GPU was lost") && error.contains("step-3"), "{error}");
    drop(run);
    let resumed =
        Run::<Trainer>::resume(folder.path(), None, data(), recipe("f32"), &Device::cpu(1));
    assert_eq!(resumed.unwrap().progress().step, 3);
}
