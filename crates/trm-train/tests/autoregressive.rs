//! The autoregressive model learns what such models are known to learn, by the same loop as all others.

use rand::RngExt;
use std::path::Path;
use trm_data::{
    Dataset, Generated, Kind, Metadata, Purpose, generate_sudoku, load_autoregressive, load_model,
    stream, weight_digest,
};
use trm_ops::{Device, Stop};
use trm_puzzles::sudoku::{Givens, Shape};
use trm_train::{
    AutoregressiveTrainer, EvalOptions, Learner, Recipe, Run, evaluate_autoregressive,
};

const CELLS: usize = 12;

/// Sequences of digits, to be written backwards.
fn reversals(count: usize, seed: u64) -> Dataset {
    let mut rng = stream(seed, Purpose::Data, 0);
    let inputs: Vec<u8> = (0..count * CELLS).map(|_| rng.random_range(1..11)).collect();
    let labels = inputs.chunks_exact(CELLS).flat_map(|q| q.iter().rev().copied()).collect();
    let metadata = Metadata {
        vocab_size: 11,
        seq_len: CELLS,
        domain: "reversal".into(),
        ..Metadata::default()
    };
    Dataset::from_pairs(metadata, inputs, labels)
}

fn recipe(settings: &[&str]) -> Recipe {
    let text = "
        seed = 3
        [autoregressive]
        hidden = 48
        heads = 3
        blocks = 2
        [train]
        steps = 300
        batch = 64
        optimizer = \"muon\"
        lr = 3e-3
        weight_decay = 0.0
        warmup = 20
        lr_min_ratio = 0.05
        likelihood = \"softmax\"
        grad_clip = 1.0
        ema = 0.95
        symmetries = false
        validation = 10
        checkpoint_every = 0
    ";
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    Recipe::parse(text, &settings).unwrap()
}

fn train(folder: &Path, recipe: Recipe, threads: usize) -> Run<AutoregressiveTrainer> {
    let mut run: Run<AutoregressiveTrainer> =
        Run::create(folder, recipe, reversals(4000, 1), &Device::cpu(threads)).unwrap();
    run.train(&Stop::default(), &mut |_| ()).unwrap();
    run
}

#[test]
fn it_learns_to_write_backwards() {
    let folder = tempfile::tempdir().unwrap();
    let run = train(&folder.path().join("run"), recipe(&[]), 2);
    let options = EvalOptions { batch: 100, ..run.eval_options() };
    let model = load_autoregressive(&run.folder, &Device::cpu(2)).unwrap();
    let (unseen, stop) = (reversals(500, 2), Stop::default());
    let evaluation = evaluate_autoregressive(&model, &unseen, options, &stop, &mut |_| ()).unwrap();
    assert!(evaluation.exact() >= 0.99, "{} of unseen sequences", evaluation.exact());
    assert!(evaluation.calibration_error() < 0.02);
    // answers do not depend on what else is in a batch
    let alone = EvalOptions { batch: 7, ..options };
    let again = evaluate_autoregressive(&model, &unseen, alone, &stop, &mut |_| ()).unwrap();
    assert_eq!(again.steps[0].exact, evaluation.steps[0].exact);
    assert_eq!(again.steps[0].cells, evaluation.steps[0].cells);
    let some =
        evaluate_autoregressive(&model, &unseen, alone, &stop, &mut |_| stop.request()).unwrap();
    assert_eq!(some.puzzles, 7);

    let error = load_model(&run.folder, &Device::cpu(1)).err().unwrap().to_string();
    assert!(error.contains("an autoregressive model"), "{error}");
}

#[test]
fn a_resumed_run_equals_one_that_never_stopped_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let short = ["train.steps=12", "train.precision=bf16"];
    let digest =
        |run: &Run<AutoregressiveTrainer>| weight_digest(run.trainer().core().network()).unwrap();
    let whole = train(&folder.path().join("whole"), recipe(&short), 2);

    let path = folder.path().join("parts");
    let first = recipe(&[short[1], "train.steps=5"]);
    drop(train(&path, Recipe { train: first.train.clone(), ..first }, 1));
    let mut run: Run<AutoregressiveTrainer> =
        Run::resume(&path, None, reversals(4000, 1), recipe(&short), &Device::cpu(1)).unwrap();
    assert_eq!(run.progress().step, 5);
    run.train(&Stop::default(), &mut |_| ()).unwrap();
    assert_eq!(digest(&run), digest(&whole));
}

#[test]
fn mistakes_are_named() {
    let message = |settings: &[&str], text: &str| {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        Recipe::parse(text, &settings).unwrap_err()
    };
    let own = "[autoregressive]\nblocks = 2";
    assert_eq!(
        message(&["model.hidden=8"], own),
        "a recipe has [model] or [autoregressive], not both: remove one"
    );
    assert_eq!(
        message(&["autoregressive.heads=5"], own),
        "autoregressive: heads = 5 does not divide hidden = 128: choose a divisor of 128"
    );
    assert_eq!(
        message(&["autoregressive.vocab_size=5"], own),
        "autoregressive.vocab_size follows from the data set: remove it"
    );
    assert!(
        message(&["autoregressive.ordre=raster"], own)
            .contains("did you mean autoregressive.order")
    );
    let recipe = recipe(&["autoregressive.order=solver"]);
    assert_eq!(Recipe::parse(&recipe.to_toml(), &[]).unwrap(), recipe);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let error =
        Run::<AutoregressiveTrainer>::create(&path, recipe, reversals(90, 1), &Device::cpu(1));
    let error = error.err().unwrap().to_string();
    assert!(error.contains("there is no logical solver for reversal"), "{error}");
    assert!(!path.exists());
}

#[test]
fn examples_that_no_solver_can_order_are_refused_before_training() {
    let kind = Kind::Random(Givens::AtLeast(6..=10));
    let wanted = Generated { shape: Shape::Four, train: 30, test: 1, kind, seed: 5 };
    let mut data = generate_sudoku(&wanted, None, &mut |_| ()).unwrap().train;
    data.labels[16 * 7 + 3] = 0;
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(&["autoregressive.order=solver"]);
    let path = folder.path().join("run");
    let run = Run::<AutoregressiveTrainer>::create(&path, recipe, data.clone(), &Device::cpu(1));
    let error = run.err().unwrap().to_string();
    assert!(error.contains("training example 7 is no sudoku4 with its answer"), "{error}");
}
