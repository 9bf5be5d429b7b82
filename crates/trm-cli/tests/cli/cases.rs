//! The small inputs of `../shared/cases` that once failed, each with what is right.
//!
//! Those that need more than a command have tests of their own: a server that echoes keys (`compare.rs`), a body
//! without end (`download.rs`), closed outputs (`outputs.rs`), killed runs (`reliability.rs`).

use crate::session::Session;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

const IMPORT: &str = "import ckpt --config all_config.yaml --data data --out m";

/// Case, command, exit code, and a part of what is said.
const CASES: &[(&str, &str, i32, &str)] = &[
    (
        "arc-leak-turned-task",
        "data arc --train tr_challenges.json --test te_challenges.json --augmentations 2 --out o",
        2,
        "--leaks drop",
    ),
    (
        "arc-leak-up-to-colours-and-rotation",
        "data arc --train known --test asked --out d",
        2,
        "--leaks drop",
    ),
    (
        "arc-leak-up-to-colours-and-rotation",
        "data arc --train known --test asked --leaks drop --out d",
        0,
        "1 left out as duplicates",
    ),
    (
        "arc-single-task-file",
        "data arc --train aaaaaaaa.json --test asked --leaks allow --augmentations 2 --out d",
        0,
        "",
    ),
    ("arc-single-task-file", "data arc --train rearc --test asked --out d", 2, "a list of pairs"),
    ("arc-stored-images-become-tasks", "train small.toml --out run", 0, ""),
    (
        "arc-two-tasks-of-one-name",
        "data arc --train twice.json --test asked --out d",
        2,
        "two tasks are called",
    ),
    ("ckpt-dict-with-model", IMPORT, 0, "from `model`"),
    ("ckpt-legacy", IMPORT, 0, "3178 parameters"),
    ("ckpt-lightning", IMPORT, 0, "from `state_dict`"),
    ("ckpt-nested-orig_mod", IMPORT, 0, "3178 parameters"),
    (
        "ckpt-safetensors",
        "import ckpt.safetensors --config all_config.yaml --data data --out m",
        0,
        "3178 parameters",
    ),
    ("ckpt-sparse-cache", IMPORT, 0, "3178 parameters"),
    ("ckpt-whole-module", "import ckpt --out m", 2, "save model.state_dict()"),
    ("config-endless-cycles", "solve . 1.....3..4.....2", 2, "cycles = 1000000000"),
    ("config-puzzle_emb_len-0", IMPORT, 0, "\"prefix_len\":2"),
    (
        "csv-kaggle-headers",
        "data sudoku --csv kaggle1m.csv --test-csv kaggle9m.csv --out a",
        2,
        "in the test split too",
    ),
    (
        "csv-kaggle-headers",
        "data sudoku --csv kaggle1m.csv --test-csv kaggle3m.csv --out b",
        2,
        "in the test split too",
    ),
    (
        "csv-several-solutions-without-line",
        "data sudoku --csv open.csv --test 1 --out d",
        2,
        "open.csv, line 2",
    ),
    ("file-name-as-puzzle", "solve puzzle.txt", 2, "give it with --file"),
    ("grid-spaces-between-cells", "data grid --train pairs.jsonl --out d", 0, "grid:2x2:01234"),
    ("init-with-other-identifiers", IMPORT, 0, ""),
    ("init-with-other-identifiers", "train more.toml --out run", 0, ""),
    ("labels-all-ignored-counts-100", "data check .", 2, "leave such examples out"),
    (
        "maze-path-that-touches-itself",
        "data maze --csv one.csv --test-csv one.csv --out d",
        2,
        "no single line",
    ),
    ("nearly-solved-sudoku", "solve --file puzzle.txt", 0, "solved"),
    ("overflowing-weights-silent", "solve . 1.....3..4.....2", 2, "NaN or infinity"),
    ("pt-escape-in-name", "import x.pt --out o", 2, "\\u{1b}"),
    ("public-data-without-domain", "train small.toml --out run", 0, "training sudoku9"),
    (
        "public-data-without-domain",
        "solve run --one-pass 6...2..8..42..536....3.6....95...8.......92...2176..9.8.467.129...8.....2.9..1638",
        1,
        "",
    ),
    ("right-draft-thrown-away", "solve --json --file puzzle.txt", 0, "\"solved\":true"),
    (
        "set-public-names",
        "import ckpt --data data --set puzzle_emb_len=1 --set H_cycles=1 --set L_cycles=1 --set halt_max_steps=1 --set num_heads=1 --set pos_encodings=rope --out m",
        0,
        "3178",
    ),
    ("sudoku-columns-around", "solve --file bank.txt", 0, ""),
    ("sudoku-comment-lines", "solve --file tdoku.txt", 0, ""),
    ("sudoku-comment-lines", "solve --file sudocue.sdk", 0, ""),
    ("sudoku-dash-blanks", "solve --file dashes.txt", 0, ""),
    ("sudoku-json", "solve --file grid.json", 0, ""),
    ("sudoku-letters-for-blanks", "solve --file x.txt", 0, ""),
    ("sudoku-section-headers", "solve --file sadman.sdk", 0, ""),
    ("sudoku-star-corners", "solve --file clip.txt", 0, ""),
    (
        "train-blank-identifier-out-of-range",
        "train r4p.toml --data . --out o --set train.steps=5 --set train.blank_identifiers=true",
        2,
        "blank_identifier_id = 77",
    ),
];

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases").join(case)
}

/// A session in a copy of the case's folder; none where the cases are not at hand.
fn session(case: &str) -> Option<Session> {
    let from = folder(case);
    if !from.exists() {
        eprintln!("skipped: no ../shared/cases beside the checkout");
        return None;
    }
    let session = Session::new();
    copy(&from, &session.path(""));
    Some(session)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => std::fs::write(&to, std::fs::read(entry.path()).unwrap()).unwrap(),
        }
    }
}

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

#[test]
fn every_case_gives_what_is_right() {
    let mut at: Option<(&str, Session)> = None;
    let mut wrong = Vec::new();
    for (case, command, code, said) in CASES {
        if at.as_ref().is_none_or(|(name, _)| name != case) {
            let Some(session) = session(case) else { return };
            at = Some((case, session));
        }
        let output = at.as_ref().unwrap().1.run(&words(command));
        let text = [&output.stdout[..], &output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        if output.status.code() != Some(*code) || !text.contains(said) {
            wrong.push(format!("{case}: trm {command}: {:?}: {text}", output.status.code()));
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        if *code == 2 && errors.trim_end().lines().count() != 1 {
            wrong.push(format!("{case}: trm {command}: several lines: {errors}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn logits_are_those_of_an_independent_model() {
    let Some(session) = session("import-ignores-rope_theta") else { return };
    session.succeed(&words(IMPORT));
    let eval = "eval m --data data --precision f32 --save-outputs o.safetensors";
    session.succeed(&words(eval));
    let bytes = std::fs::read(session.path("o.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let logits = file.tensor("logits").unwrap().data().to_vec();
    let logits = logits.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x));
    let text = std::fs::read_to_string(session.path("expected_logits.txt")).unwrap();
    let expected: Vec<f32> = text.split_whitespace().map(|x| x.parse().unwrap()).collect();
    assert_eq!(logits.len(), expected.len());
    for (ours, theirs) in logits.zip(expected) {
        assert!((ours - theirs).abs() < 2e-5, "{ours} and {theirs}");
    }
}

#[test]
fn a_checkpoint_for_the_public_training_has_the_names_of_a_compiled_model() {
    let Some(session) = session("export-not-loadable-by-public-pretrain") else { return };
    session.succeed(&words(IMPORT));
    for (form, prefix) in [("pt-names", "model.inner."), ("pt-compiled", "_orig_mod.model.inner.")]
    {
        session.succeed(&["export", "m", "--to", form, "--out", form]);
        let weights = trm_data::torch::decode(&std::fs::read(session.path(form)).unwrap()).unwrap();
        assert!(weights.tensors.iter().all(|tensor| tensor.name.starts_with(prefix)), "{form}");
    }
}

#[test]
fn stored_images_vote_for_their_tasks() {
    let Some(session) = session("arc-stored-images-become-tasks") else { return };
    session.succeed(&words("train small.toml --out run"));
    let said = session.succeed(&words("eval run --data d --precision f32 --submission s.json"));
    assert!(said.contains("2 tasks, 2 test inputs"), "{said}");
    let submission = std::fs::read_to_string(session.path("s.json")).unwrap();
    assert_eq!(submission.matches("attempt_1").count(), 2);
    assert!(!submission.contains("\"\""), "{submission}");
}

#[test]
fn answers_of_a_search_come_in_the_order_of_the_file() {
    let Some(session) = session("search-answers-out-of-order") else { return };
    let asked = std::fs::read_to_string(session.path("p.txt")).unwrap();
    let search = "solve --file p.txt --search --batch 1 --json --rollouts 1 --steps 2";
    let output = session.run(&words(search));
    let told = String::from_utf8(output.stdout).unwrap();
    let questions = told.lines().map(|line| line.split('"').nth(3).unwrap());
    assert!(questions.eq(asked.lines()), "{told}");
}
