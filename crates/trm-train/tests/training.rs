//! Whole training runs on small generated data: the same seed gives the same weights whatever the
//! threads, a resumed run equals an uninterrupted one, and every key of a recipe does something.

use trm::Network;
use trm_data::{Dataset, Generated, Kind, generate_sudoku};
use trm_ops::{DType, Device, Stop};
use trm_puzzles::sudoku::{Givens, Shape};
use trm_train::{Ending, Event, Recipe, Run, Trainer, training_bytes};

const BASE: &[&str] = &[
    "train.precision=f32",
    "model.hidden=32",
    "model.heads=4",
    "model.inner_multiple=16",
    "model.cycles=2",
    "model.recursions=2",
    "model.supervision_steps=3",
    "model.prefix_len=1",
    "model.puzzle_embedding=8",
    "train.steps=4",
    "train.batch=6",
    "train.lr=1e-2",
    "train.puzzle_lr=1e-2",
    "train.warmup=2",
    "train.ema=0.5",
    "train.validation=8",
    "train.validate_every=2",
    "train.checkpoint_every=1",
];

fn data() -> Dataset {
    let kind = Kind::Random(Givens::AtLeast(6..=10));
    let wanted = Generated { shape: Shape::Four, train: 60, test: 1, kind, seed: 5 };
    generate_sudoku(&wanted, None, &mut |_| ()).unwrap().train
}

fn recipe(settings: &[&str]) -> Recipe {
    let settings: Vec<String> =
        BASE.iter().chain(settings).map(|setting| setting.to_string()).collect();
    Recipe::parse("seed = 3", &settings).unwrap()
}

/// Digest of the weights, averaged and not.
fn digest(run: &Run) -> String {
    let averaged = run.trainer().averaged_model().to_safetensors(DType::F32).unwrap();
    let latest = run.trainer().model().to_safetensors(DType::F32).unwrap();
    blake3::hash(&[averaged, latest].concat()).to_string()
}

/// Everything that a run shows: weights, ending, validations, checkpoints left.
fn outcome(recipe: Recipe, threads: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut run: Run =
        Run::create(folder.path().join("run").as_path(), recipe, data(), &Device::cpu(threads))
            .unwrap();
    let (mut validations, mut written) = (Vec::new(), 0);
    let ending = run.train(&Stop::default(), &mut |event| match event {
        Event::Validation { step, evaluation, .. } => {
            validations.push((step, evaluation.steps.iter().map(|s| s.cells).collect::<Vec<_>>()));
        }
        Event::Checkpoint(_) => written += 1,
        Event::Step(_) | Event::RolledBack { .. } => {}
    });
    let kept = std::fs::read_dir(run.folder.join("checkpoints")).unwrap().count();
    let step = run.progress().step;
    format!("{} {ending:?} {step} {validations:?} {written} {kept}", digest(&run))
}

#[test]
fn weights_do_not_depend_on_threads_or_recomputation() {
    for precision in ["f32", "bf16"] {
        let precision_key = format!("train.precision={precision}");
        let several_portions = ["train.batch=20", &precision_key];
        let mixer = recipe(&several_portions);
        let attention = recipe(&[
            &precision_key,
            "model.mix=attention",
            "model.positions=rope",
            "train.optimizer=muon",
        ]);
        let units = recipe(&[UNITS, &several_portions].concat());
        for mut recipe in [mixer, attention, units] {
            let first = outcome(recipe.clone(), 1);
            assert_eq!(first, outcome(recipe.clone(), 2), "{precision}, 2 threads");
            assert_eq!(first, outcome(recipe.clone(), 4), "{precision}, 4 threads");
            recipe.train.recompute = true;
            assert_eq!(first, outcome(recipe, 2), "{precision}, recomputing");
        }
    }
}

#[test]
fn a_run_can_begin_with_the_model_of_another() {
    let (folder, data, device) = (tempfile::tempdir().unwrap(), data(), Device::cpu(2));
    let first = folder.path().join("first");
    let mut run: Run = Run::create(&first, recipe(&[]), data.clone(), &device).unwrap();
    run.train(&Stop::default(), &mut |_| ()).unwrap();
    let weights = |model: &trm::Model| model.to_safetensors(DType::F32).unwrap();
    let trained = weights(&trm_data::load_model(&first, &device).unwrap());

    let init = format!("init={:?}", first.to_str().unwrap());
    let deeper = recipe(&[&init, "model.cycles=3", "seed=9"]);
    let run: Run =
        Run::create(&folder.path().join("second"), deeper, data.clone(), &device).unwrap();
    assert_eq!(weights(run.trainer().model()), trained, "its weights, whatever depth and seed");

    let wider = recipe(&[&init, "model.hidden=64"]);
    let error = Run::<Trainer>::create(&folder.path().join("third"), wider, data.clone(), &device)
        .err()
        .unwrap();
    assert!(error.to_string().contains("first: unfit to begin with: tensor"), "{error}");
    assert!(!folder.path().join("third").exists());
}

/// What the log says of losses and of validations, without the times.
fn logged(run: &Run) -> Vec<(u64, String)> {
    let log = trm_train::read_log(&run.folder).unwrap();
    let lines = log.into_iter().map(|line| match line {
        trm_train::Line::Step { metrics, .. } => (metrics.step, format!("{}", metrics.loss)),
        trm_train::Line::Validation { step, exact, cells, .. } => {
            (step, format!("{exact:?} {cells:?}"))
        }
        trm_train::Line::Rollback { .. } => unreachable!("every step is finite"),
    });
    lines.collect()
}

#[test]
fn a_resumed_run_equals_the_uninterrupted_one() {
    for settings in [&[][..], &["train.precision=bf16", "train.optimizer=muon"], UNITS] {
        let (folder, data) = (tempfile::tempdir().unwrap(), data());
        let at = |name: &str| folder.path().join(name);
        let device = Device::cpu(2);
        let recipe = recipe(&[settings, &["train.steps=7"]].concat());
        let mut whole: Run =
            Run::create(&at("whole"), recipe.clone(), data.clone(), &device).unwrap();
        whole.train(&Stop::default(), &mut |_| ()).unwrap();

        // stopped in the validation of step 4, and in step 6 after its examples were drawn
        let mut parts: Run =
            Run::create(&at("parts"), recipe.clone(), data.clone(), &device).unwrap();
        for last in [4, 5] {
            let stop = Stop::default();
            let ending = parts.train(&stop, &mut |event| match event {
                Event::Step(metrics) if metrics.step == last => stop.request(),
                _ => (),
            });
            assert_eq!(ending.unwrap(), Ending::Interrupted);
            drop(parts);
            parts = Run::resume(&at("parts"), None, data.clone(), recipe.clone(), &Device::cpu(1))
                .unwrap();
            assert_eq!(parts.progress().step, last);
            assert_eq!(parts.progress().unvalidated, last == 4);
        }
        parts.train(&Stop::default(), &mut |_| ()).unwrap();

        assert_eq!(digest(&parts), digest(&whole));
        assert_eq!(logged(&parts), logged(&whole));
    }
}

#[test]
fn resuming_with_other_data_is_refused() {
    let (folder, mut data) = (tempfile::tempdir().unwrap(), data());
    let path = folder.path().join("run");
    let mut run: Run = Run::create(&path, recipe(&[]), data.clone(), &Device::cpu(1)).unwrap();
    run.train(&Stop::default(), &mut |_| ()).unwrap();
    let error = Run::<Trainer>::resume(&path, None, data.clone(), recipe(&[]), &Device::cpu(1))
        .err()
        .unwrap();
    assert!(error.to_string().contains("another process is training here"), "{error}");
    drop(run);
    data.inputs.swap(0, 1);
    let error = Run::<Trainer>::resume(&path, None, data.clone(), recipe(&[]), &Device::cpu(1))
        .err()
        .unwrap();
    assert!(error.to_string().contains("was trained on other data"), "{error}");
    let error =
        Run::<Trainer>::create(&path, recipe(&[]), data.clone(), &Device::cpu(1)).err().unwrap();
    assert!(error.to_string().contains("holds a run already"), "{error}");
}

#[test]
fn training_steps_recycle_their_buffers() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::cpu(2);
    let settings = ["train.steps=8", "train.validation=0", "train.checkpoint_every=0"];
    let mut run: Run =
        Run::create(&folder.path().join("run"), recipe(&settings), data(), &device).unwrap();
    let mut allocations = Vec::new();
    run.train(&Stop::default(), &mut |event| {
        if let Event::Step(_) = event {
            allocations.push(device.memory().allocations);
        }
    })
    .unwrap();
    assert_eq!(allocations[3], allocations[7], "{allocations:?}");
}

#[test]
fn the_memory_announced_is_the_memory_used() {
    for settings in [
        &["train.precision=bf16"][..],
        &["train.precision=f32", "train.ema=0.0"],
        &["train.precision=bf16", "train.recompute=true"],
        &["train.precision=bf16", "model.mix=attention"],
        &["train.precision=bf16", "model.mix=neighbours"],
        &["train.precision=f32", "model.mix=attention", "train.recompute=true"],
        &[UNITS, &["train.precision=bf16"]].concat(),
    ] {
        let sizes =
            ["model.hidden=128", "model.inner_multiple=64", "train.batch=64", "train.steps=2"];
        let unlogged = ["train.validation=0", "train.checkpoint_every=0", "model.recursions=4"];
        let recipe = recipe(&[&sizes[..], &unlogged, settings].concat());
        let (folder, device) = (tempfile::tempdir().unwrap(), Device::cpu(2));
        let mut run: Run =
            Run::create(&folder.path().join("run"), recipe, data(), &device).unwrap();
        let announced = training_bytes(run.trainer().model(), &run.recipe.train) as f64;
        run.train(&Stop::default(), &mut |_| ()).unwrap();
        let ratio = device.memory().bytes as f64 / announced;
        println!("{settings:?}: {ratio}");
        assert!((0.7..1.35).contains(&ratio), "{settings:?}: {ratio} times what was announced");
    }
}

/// A model of candidates.
const UNITS: &[&str] =
    &["model.mix=units", "model.boxes=[2, 2]", "model.prefix_len=0", "model.puzzle_embedding=0"];

/// Every key, a value that differs from the base, and what must be set for the key to matter.
const KEYS: &[(&str, &str, &[&str])] = &[
    ("seed", "4", &[]),
    ("model.hidden", "16", &[]),
    ("model.heads", "2", &["model.mix=attention"]),
    ("model.expansion", "2.0", &[]),
    ("model.inner_multiple", "64", &[]),
    ("model.blocks", "1", &[]),
    ("model.mix", "attention", &[]),
    ("model.boxes", "[1, 4]", UNITS),
    ("model.positions", "learned", &[]),
    ("model.cycles", "1", &[]),
    ("model.gradient_cycles", "2", &[]),
    ("model.recursions", "1", &[]),
    ("model.supervision_steps", "2", &[]),
    ("model.prefix_len", "2", &[]),
    ("model.puzzle_embedding", "4", &[]),
    ("train.steps", "3", &[]),
    ("train.batch", "5", &[]),
    ("train.precision", "bf16", &["train.precision=f32"]),
    ("train.optimizer", "adamw", &[]),
    ("train.lr", "2e-2", &[]),
    ("train.weight_decay", "0.5", &[]),
    ("train.beta1", "0.8", &[]),
    ("train.beta2", "0.9", &[]),
    ("train.muon_lr", "0.1", &["train.optimizer=muon"]),
    ("train.muon_weight_decay", "0.5", &["train.optimizer=muon"]),
    ("train.muon_momentum", "0.9", &["train.optimizer=muon"]),
    ("train.muon_iterations", "5", &["train.optimizer=muon"]),
    ("train.puzzle_lr", "0.1", &[]),
    ("train.puzzle_weight_decay", "0.1", &[]),
    ("train.warmup", "3", &[]),
    ("train.lr_min_ratio", "0.1", &[]),
    ("train.grad_clip", "0.01", &["train.optimizer=adamw"]),
    ("train.likelihood", "softmax", &[]),
    ("train.label_smoothing", "0.1", &[]),
    ("train.halt_weight", "2.0", &[]),
    ("train.exploration", "1.0", &["train.steps=250", "train.optimizer=adamw", "train.ema=0.0"]),
    ("train.ema", "0.0", &[]),
    ("train.symmetries", "false", &[]),
    ("train.validation", "12", &[]),
    ("train.validate_every", "1", &[]),
    ("train.target", "1e-9", &["train.steps=120", "train.validate_every=60"]),
    ("train.patience", "1", &[]),
    ("train.checkpoint_every", "2", &[]),
    ("train.keep", "1", &[]),
    ("train.keep_every", "1", &[]),
];

#[test]
fn every_key_of_a_recipe_changes_something() {
    let listed: Vec<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
    // memory, runs that fail, models to begin with and identifiers have tests of their own
    let nothing = ["recompute", "rollbacks", "init", "blank_identifiers"];
    for line in Recipe::default().to_toml().lines().filter_map(|line| line.split_once(" = ")) {
        let found =
            listed.iter().any(|key| *key == line.0 || key.ends_with(&format!(".{}", line.0)));
        assert!(found || line.0 == "data" || nothing.contains(&line.0), "no test for {}", line.0);
    }
    for (key, value, needed) in KEYS {
        let base = recipe(needed);
        let mut changed = needed.to_vec();
        let setting = format!("{key}={value}");
        changed.push(&setting);
        assert_ne!(outcome(base, 2), outcome(recipe(&changed), 2), "{key} changes nothing");
    }
}
