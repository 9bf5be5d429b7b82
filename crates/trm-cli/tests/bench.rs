//! `trm bench` as a user types it.

use std::path::Path;
use std::process::{Command, Output};
use trm::{Config, Model};
use trm_ops::Device;

/// A model folder of little work, `model`.
fn small_model(folder: &Path) {
    let config = Config { seq_len: 16, hidden: 64, puzzle_embedding: 64, ..Config::default() };
    let mut rng = trm_data::stream(1, trm_data::Purpose::Weights, 0);
    let model = Model::new(&config, &Device::cpu(1), &mut rng).unwrap();
    trm_data::save_model(&folder.join("model"), &model).unwrap();
}

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trm"));
    command.arg("bench").args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn every_kind_of_work_is_timed_and_written_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    small_model(folder.path());
    let arguments = "--preset model --side 2 --batch 2 --threads 1 --precision f32 \
        --work forward,train,solve --runs 5 --json --svg over.svg";
    let output = bench(folder.path(), &arguments.split_whitespace().collect::<Vec<_>>());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["machine"]["cores"].as_u64() >= Some(1) && json["machine"]["features"].is_array());
    let cases = json["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    let number = |case: usize, key: &str| {
        cases[case][key].as_f64().unwrap_or_else(|| panic!("{key}: {}", cases[case]))
    };
    for (i, work) in ["forward", "train", "solve"].iter().enumerate() {
        let case = &cases[i];
        assert_eq!([&case["preset"], &case["work"], &case["precision"]], ["model", work, "f32"]);
        let sizes = ["threads", "batch", "tokens", "runs"].map(|key| number(i, key));
        assert_eq!(sizes, [1.0, 2.0, 20.0, 5.0]);
        let [least, median, most] = ["least_ms", "median_ms", "most_ms"].map(|key| number(i, key));
        assert!(0.0 < least && least <= median && median <= most);
        assert!((number(i, "ms_per_puzzle") * 2.0 / median - 1.0).abs() < 1e-9);
        assert!((number(i, "puzzles_per_second") * median / 2e3 - 1.0).abs() < 1e-9);
        let share = number(i, "gflops") / number(i, "ceiling_gflops");
        assert!((number(i, "share_of_ceiling") / share - 1.0).abs() < 1e-9);
        assert!(number(i, "allocated_bytes") > 4.0 * number(i, "parameters"));
    }
    assert!(number(2, "least_ms") > 4.0 * number(0, "least_ms"), "a solve is sixteen steps");
    let svg = std::fs::read_to_string(folder.path().join("over.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.matches("<circle").count() == 3);
}

#[test]
fn what_cannot_be_timed_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "[model]\nhiden = 3\n").unwrap();
    let cases = [
        (["--preset", "sodoku"], "--preset sodoku: choose sudoku, attention or long"),
        (["--preset", "bad.toml"], "unknown key model.hiden: did you mean model.hidden?"),
        (["--batch", "1,0"], "--batch 0: must be between 1 and"),
        (["--side", "0"], "--side 0: must be between 1 and 1000"),
        (["--runs", "0"], "--runs 0: must be at least 1"),
        (["--seconds", "nan"], "--seconds NaN: must be between 0 and 3600"),
    ];
    for (arguments, expected) in cases {
        let output = bench(folder.path(), &arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.lines().count() == 1 && text.contains(expected), "{arguments:?}: {text}");
    }
}
