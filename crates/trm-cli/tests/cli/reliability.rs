//! What docs/RELIABILITY.md promises: runs cannot be lost, results can be repeated.

use crate::session::Session;
use rand::{RngExt, SeedableRng};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Steps of the run that is killed, and between its checkpoints.
const STEPS: u64 = 200;
const INTERVAL: u64 = 4;

/// A data set and a recipe of a run that writes many checkpoints.
fn prepared() -> Session {
    let session = Session::new();
    let data = "data sudoku --size 4 --train 230 --test 20 --givens 6-9 --out data";
    session.succeed(&data.split(' ').collect::<Vec<_>>());
    let recipe = format!(
        "data = \"data\"\nseed = 5\n[model]\nhidden = 32\ninner_multiple = 32\ncycles = 1\n\
         recursions = 2\nsupervision_steps = 4\nprefix_len = 1\npuzzle_embedding = 8\n[train]\n\
         steps = {STEPS}\nbatch = 8\noptimizer = \"muon\"\nlr = 2e-3\nwarmup = 5\n\
         validation = 150\nvalidate_every = 10\n\
         checkpoint_every = {INTERVAL}\nkeep = 2\nkeep_every = 100\n"
    );
    session.write("recipe.toml", &recipe);
    session
}

/// Standard error of a training that must end well.
fn train(session: &Session, arguments: &[&str]) -> String {
    let output = session.run(&[&["train"], arguments].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

/// The weight digest that a training has printed.
fn weights(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("weights")).expect(text);
    line.trim().to_owned()
}

/// All that the log of a run says but the time.
fn history(run: &Path) -> Vec<String> {
    let text = |line: &trm_train::Line| {
        let mut value = serde_json::to_value(line).unwrap();
        value.as_object_mut().unwrap().remove("seconds");
        value.to_string()
    };
    trm_train::read_log(run).unwrap().iter().map(text).collect()
}

/// Step and weights of the best model of a run.
fn best(run: &Path) -> (u64, String) {
    let provenance = trm_data::Provenance::load(&run.join("best")).unwrap().unwrap();
    (provenance.step, provenance.weights)
}

fn last_logged(run: &Path) -> u64 {
    let log = trm_train::read_log(run).unwrap_or_default();
    let steps = log.iter().filter_map(|line| match line {
        trm_train::Line::Step { metrics, .. } => Some(metrics.step),
        _ => None,
    });
    steps.max().unwrap_or(0)
}

fn newest(run: &Path) -> u64 {
    let path = trm_data::newest_checkpoint(run);
    path.map_or(0, |p| p.file_name().unwrap().to_str().unwrap()[5..].parse().unwrap())
}

fn assert_nothing_left(session: &Session) {
    let mut left = session.files();
    left.retain(|path| path.extension().is_some_and(|ending| ending == "tmp"));
    assert!(left.is_empty(), "{left:?}");
}

/// The number of kills is `TRM_KILLS`, ten by default; `scripts/kill-test` asks for a hundred.
#[test]
fn a_run_killed_again_and_again_equals_the_uninterrupted_one() {
    let kills: u32 = std::env::var("TRM_KILLS").map_or(10, |n| n.parse().unwrap());
    let session = prepared();
    let whole = weights(&train(&session, &["recipe.toml", "--out", "whole"]));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let (mut killed, mut inside, mut runs) = (0, 0, 0);
    while killed < kills {
        let name = format!("run{runs}");
        let (run, mut begun) = (session.path(&name), false);
        runs += 1;
        loop {
            let arguments = match begun {
                false => vec!["train", "recipe.toml", "--out", &name],
                true => vec!["train", "--resume", &name],
            };
            let mut child = session.command(&arguments).stderr(Stdio::null()).spawn().unwrap();
            let moment = if killed < kills { rng.random_range(20..400) } else { 600_000 };
            if finished_within(&mut child, Duration::from_millis(moment)) {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
            let checkpoints = std::fs::read_dir(run.join("checkpoints")).into_iter().flatten();
            let half =
                checkpoints.flatten().any(|e| e.file_name().to_string_lossy().contains(".tmp"));
            inside += u32::from(half);
            begun = run.join("recipe.toml").exists();
            let lost = last_logged(&run).saturating_sub(newest(&run));
            assert!(lost <= 2 * INTERVAL, "{lost} steps lost"); // one, and one while it was written
        }
        let text = train(&session, &["--resume", &name]);
        assert_eq!(weights(&text), whole, "{name}");
        assert!(history(&run) == history(&session.path("whole")), "the log of {name} differs");
        assert_eq!(best(&run), best(&session.path("whole")), "the best model of {name}");
        assert_nothing_left(&session);
    }
    eprintln!("{killed} kills, {inside} of them inside the writing of a checkpoint, {runs} runs");
}

fn finished_within(child: &mut std::process::Child, time: Duration) -> bool {
    let end = std::time::Instant::now() + time;
    while std::time::Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

#[test]
fn two_processes_and_any_number_of_threads_give_the_same_weights() {
    let session = prepared();
    for precision in ["f32", "bf16"] {
        let digest = |threads: &str, name: &str| {
            let name = format!("{precision}-{name}");
            let arguments = ["recipe.toml", "--out", &name, "--threads", threads];
            let settings = ["--precision", precision, "--set", "train.steps=40"];
            weights(&train(&session, &[&arguments[..], &settings].concat()))
        };
        let first = digest("1", "a");
        for (threads, name) in [("1", "b"), ("2", "c"), ("4", "d")] {
            assert_eq!(digest(threads, name), first, "{precision}, {threads} threads");
        }
    }
}

/// No file may grow beyond `blocks` of 1024 bytes: writing fails in the middle.
fn run_with_small_files(session: &Session, arguments: &str, blocks: u64) -> Output {
    let trm = env!("CARGO_BIN_EXE_trm");
    let script = format!("ulimit -f {blocks}; exec {trm} {arguments}");
    let folder = session.path("");
    Command::new("bash").args(["-c", &script]).current_dir(folder).output().unwrap()
}

#[test]
fn ten_writing_faults_damage_nothing() {
    let session = prepared();
    let whole = weights(&train(&session, &["recipe.toml", "--out", "whole"]));
    train(&session, &["recipe.toml", "--out", "run", "--set", "train.steps=20"]);
    let run = session.path("run");
    let largest = std::fs::metadata(run.join("checkpoints/step-20/state.safetensors")).unwrap();
    let blocks = largest.len() / 1024;
    for fault in 0..10 {
        let before = newest(&run);
        let arguments = "train --resume run --set train.steps=200";
        let output = run_with_small_files(&session, arguments, 1 + fault * (blocks - 1) / 10);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.lines().last().unwrap().starts_with("error: cannot write "), "{text}");
        assert!(newest(&run) >= before);
        assert_nothing_left(&session);
    }
    let text = train(&session, &["--resume", "run", "--set", "train.steps=200"]);
    assert_eq!(weights(&text), whole);
}

#[test]
fn a_limit_on_file_sizes_is_said_in_one_line_and_leaves_nothing() {
    let session = prepared();
    train(&session, &["recipe.toml", "--out", "run", "--set", "train.steps=4"]);
    let before = session.files();
    for arguments in [
        "export run --out o --precision f32",
        "data sudoku --size 4 --train 200 --test 20 --givens 6-9 --out o",
    ] {
        let output = run_with_small_files(&session, arguments, 1);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{text}");
        assert!(text.contains("a file may not be so large here"), "{text}");
        assert_eq!(session.files(), before, "{arguments}");
    }
}

#[test]
fn what_killed_commands_left_is_removed_by_the_next_one_and_nothing_of_the_users() {
    let session = prepared();
    train(&session, &["recipe.toml", "--out", "run", "--set", "train.steps=4"]);
    for name in [".o.trm-99999.tmp", "run/mine.tmp", "run/old.old.tmp", "run/.best.trm-9.tmp"] {
        std::fs::create_dir(session.path(name)).unwrap();
        session.write(&format!("{name}/x"), "x");
    }
    session.write("run/notes.tmp", "x");
    let data = "data sudoku --size 4 --train 20 --test 2 --givens 6-9 --out o";
    session.succeed(&data.split(' ').collect::<Vec<_>>());
    train(&session, &["--resume", "run", "--set", "train.steps=8"]);
    for (name, stays) in [
        (".o.trm-99999.tmp", false),
        ("run/.best.trm-9.tmp", false),
        ("run/notes.tmp", true),
        ("run/mine.tmp/x", true),
        ("run/old.old.tmp/x", true),
    ] {
        assert_eq!(session.path(name).exists(), stays, "{name}");
    }
}

#[test]
fn a_damaged_or_newer_checkpoint_is_refused_and_the_one_before_offered() {
    let session = prepared();
    let whole = weights(&train(&session, &["recipe.toml", "--out", "run"]));
    let folder = session.path("run/checkpoints/step-200");
    let files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 7);
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    for path in &files {
        let good = std::fs::read(path).unwrap();
        let mut flipped = good.clone();
        let place = rng.random_range(0..good.len());
        flipped[place] ^= 1 << rng.random_range(0..8);
        for bad in [flipped, good[..good.len() / 2].to_vec()] {
            std::fs::write(path, bad).unwrap();
            let message = session.refuse(&["train", "--resume", "run"], 2);
            assert!(message.contains("step-200") && message.ends_with("--from 196"), "{message}");
        }
        std::fs::write(path, &good).unwrap();
    }
    let manifest = folder.join("checkpoint.json");
    let newer = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, newer.replace("\"format\": 1", "\"format\": 2")).unwrap();
    let message = session.refuse(&["train", "--resume", "run"], 2);
    assert!(message.contains("format 2 of a newer trm"), "{message}");
    assert!(session.refuse(&["train", "--resume", "run", "--from", "7"], 2).contains("100, 196"));
    let text = train(&session, &["--resume", "run", "--from", "100"]);
    assert_eq!(weights(&text), whole);
}

#[test]
fn a_model_whose_weights_were_changed_is_refused() {
    let session = prepared();
    train(&session, &["recipe.toml", "--out", "run"]);
    let path = session.path("run/best/model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let message = session.refuse(&["eval", "run", "--data", "data"], 2);
    assert!(message.contains("best/model.safetensors: not the weights"), "{message}");
}

#[test]
fn a_model_says_where_it_comes_from_and_can_be_made_again() {
    let session = prepared();
    train(&session, &["recipe.toml", "--out", "run"]);
    let best = session.path("run/best");
    let provenance = trm_data::Provenance::load(&best).unwrap().unwrap();
    assert_eq!(provenance.seed, 5);
    let command: Vec<&str> = provenance.command.split(' ').skip(1).collect();
    std::fs::copy(best.join("recipe.toml"), session.path("recipe.toml")).unwrap();
    session.succeed(&command);
    let again = trm_data::Provenance::load(&session.path("NEW-FOLDER")).unwrap().unwrap();
    assert_eq!((again.weights, again.step), (provenance.weights.clone(), provenance.step));
    let report = session.succeed(&["eval", "run", "--data", "data"]);
    assert!(report.contains(&format!("weight digest {}", provenance.weights)), "{report}");
}

#[test]
fn weights_that_leave_the_numbers_stop_the_run_by_step_and_operation() {
    let session = prepared();
    let hot = ["train", "recipe.toml", "--out", "hot", "--set", "train.lr=3e38"];
    for (settings, rollbacks) in [(&[][..], 0), (&["--set", "train.rollbacks=2"][..], 2)] {
        let output = session.run(&[&hot[..], settings].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        let error = text.lines().last().unwrap();
        assert!(error.starts_with("error: the ") && error.contains("not finite at step"), "{text}");
        assert!(error.contains("(first: ") && error.contains("train.grad_clip"), "{text}");
        assert_eq!(text.matches("on with other examples: ").count(), rollbacks, "{text}");
        assert!(!session.path("hot/best").exists());
        std::fs::remove_dir_all(session.path("hot")).unwrap();
    }
}

#[test]
fn a_finished_run_says_so_and_goes_on_with_more_steps() {
    let session = Session::new();
    session.trained();
    let before = session.files();
    let text = train(&session, &["--resume", "run"]);
    assert!(text.starts_with("run is finished: all steps taken at step 30\n"), "{text}");
    assert_eq!(session.files(), before);
    let text = train(&session, &["--resume", "run", "--set", "steps=34"]);
    assert!(text.contains("all steps taken at step 34"), "{text}");
    let text = train(&session, &["--resume", "run", "--set", "steps=60", "--set", "patience=1"]);
    let text = text + &train(&session, &["--resume", "run"]);
    assert!(text.contains("run is finished: "), "{text}");
}

#[test]
fn without_validation_nothing_is_validated() {
    let session = prepared();
    let settings = ["--set", "train.validate_every=0", "--set", "train.steps=12"];
    let text = train(&session, &[&["recipe.toml", "--out", "run"][..], &settings].concat());
    assert!(!text.contains("held-out"), "{text}");
    assert!(!session.path("run/best").exists());
    session.succeed(&["eval", "run", "--data", "data"]);
}

#[test]
fn what_a_run_cannot_be_made_of_is_refused_and_leaves_no_folder() {
    let session = prepared();
    let refuse = |settings: &[&str]| {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let arguments = ["train", "recipe.toml", "--out", "o"].into_iter().chain(settings);
        session.refuse(&arguments.collect::<Vec<_>>(), 2)
    };
    for setting in [
        "train.lr=nan",
        "train.lr=-1",
        "train.lr=1e39",
        "train.weight_decay=inf",
        "train.ema=nan",
        "train.muon_iterations=1000000000",
        "train.steps=-1",
        "train.batch=99999999999999999999",
        "model.expansion=inf",
        "model.expansion=nan",
        "model.expansion=-1",
        "model.inner_multiple=4611686018427387904",
        "model.hidden=4611686018427387904",
    ] {
        let message = refuse(&[setting]);
        let key = setting.split(['.', '=']).nth(1).unwrap();
        assert!(message.contains(key) || message.contains("parameters"), "{setting}: {message}");
    }
    let path = session.path("data/train/dataset.json");
    let json = std::fs::read_to_string(&path).unwrap();
    let broken = json.replace("\"blank_identifier_id\": 0", "\"blank_identifier_id\": 77");
    assert_ne!(json, broken);
    std::fs::write(&path, broken).unwrap();
    let message = refuse(&["train.blank_identifiers=true"]);
    assert!(message.contains("blank_identifier_id = 77"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_data_folder_whose_name_is_no_text_is_refused_in_one_line() {
    use std::os::unix::ffi::OsStrExt;
    let session = prepared();
    let name = std::ffi::OsStr::from_bytes(b"d\xff");
    std::fs::rename(session.path("data"), session.path("").join(name)).unwrap();
    let before = session.files();
    let mut command = session.command(&["train", "recipe.toml", "--out", "o", "--data"]);
    let output = command.arg(name).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
    assert!(text.contains("not UTF-8"), "{text}");
    assert_eq!(session.files(), before);
}
