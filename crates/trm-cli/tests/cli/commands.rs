//! The commands as a user types them: whole paths through real data, and every kind of bad input.

use crate::session::{PUZZLE, Session};
use rand::SeedableRng;
use std::path::Path;
use std::process::{Command, Stdio};
use trm_puzzles::sudoku::{Givens, Shape};

#[test]
fn data_train_eval_and_solve_work_together() {
    let session = Session::new();
    session.trained();
    for file in [
        "recipe.toml",
        "metrics.jsonl",
        "report.html",
        "best/config.json",
        "best/model.safetensors",
    ] {
        assert!(session.path("run").join(file).exists(), "{file}");
    }
    let checked = session.succeed(&["data", "check", "data"]);
    assert!(checked.contains("classes: 80 in train, 20 in test, 0 in both"), "{checked}");

    let eval = ["eval", "run", "--data", "data", "--json", "--save-outputs", "out.safetensors"];
    let json: serde_json::Value = serde_json::from_str(&session.succeed(&eval)).unwrap();
    assert_eq!(json["evaluation"]["puzzles"], 20);
    assert_eq!(json["evaluation"]["steps"].as_array().unwrap().len(), 4);
    let bytes = std::fs::read(session.path("out.safetensors")).unwrap();
    let saved = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(saved.tensor("logits").unwrap().shape(), [20, 16, 6]);
    assert_eq!(saved.tensor("preds").unwrap().shape(), [20, 16]);
    assert_eq!(saved.tensor("q_halt_logits").unwrap().shape(), [20]);
    let table = session.succeed(&["eval", "run", "--data", "data", "--limit", "5", "--steps", "2"]);
    assert!(table.contains("data digest") && table.lines().count() == 7, "{table}");

    // a model of thirty steps solves nothing; what counts is that it says so
    let output = session.run(&["solve", "run", PUZZLE, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["question"], PUZZLE);
    assert_eq!(output.status.code(), Some(if json["solved"] == true { 0 } else { 1 }));
    let mut child = session.command(&["solve", "run", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let drawn = "1 . | . .\n. . | 3 .\n----+----\n. 4 | . .\n. . | . 2\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), drawn.as_bytes()).unwrap();
    let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(text.contains("step 1") && text.contains("solved"), "{text}");
}

#[test]
fn interrupted_training_says_how_to_go_on_and_does() {
    let session = Session::new();
    session.trained();
    let settings = ["train", "recipe.toml", "--out", "long", "--set", "train.steps=100000"];
    let child = session.command(&settings).stderr(Stdio::piped()).spawn().unwrap();
    let log = session.path("long/metrics.jsonl");
    while std::fs::metadata(&log).map_or(0, |m| m.len()) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("go on with trm train --resume long"), "{text}");
    let log = trm_train::read_log(&session.path("long")).unwrap();
    let steps = log.iter().filter(|line| matches!(line, trm_train::Line::Step { .. })).count();
    let total = format!("train.steps={}", steps + 5);
    session.succeed(&["train", "--resume", "long", "--set", &total]);
    let changed = ["train", "--resume", "long", "--set", "train.lr=1"];
    assert!(session.refuse(&changed, 2).contains("keep its recipe (train.lr: 0.002, now 1.0)"));
}

#[test]
fn a_stopped_evaluation_prints_what_it_has() {
    let session = Session::new();
    session.trained();
    let eval = ["eval", "run", "--data", "data", "--split", "train", "--batch", "1", "--json"];
    for more in [&["--steps", "2000"][..], &["--search", "--steps", "2000", "--rollouts", "50"]] {
        let mut command = session.command(&[&eval[..], more].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_secs(2));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{said}");
        let told = String::from_utf8_lossy(&output.stdout);
        match said.contains("stopped before any of 80 puzzles") {
            true => assert_eq!(told, ""),
            false => {
                let json: serde_json::Value = serde_json::from_str(&told).unwrap();
                let puzzles = json["puzzles"].as_u64().unwrap();
                assert!(puzzles < 80, "{puzzles}");
                assert!(said.contains(&format!("stopped after {puzzles} of 80")), "{said}");
            }
        }
    }
}

#[test]
fn a_csv_of_real_form_becomes_a_data_set() {
    let session = Session::new();
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sudoku-extreme");
    if !shared.exists() {
        eprintln!("skipped: no ../shared beside the checkout");
        return;
    }
    let (train, test) = (shared.join("train_1000.csv"), shared.join("test_5000.csv"));
    let (train, test) = (train.to_str().unwrap(), test.to_str().unwrap());
    session.succeed(&["data", "sudoku", "--csv", train, "--test-csv", test, "--out", "extreme"]);
    let checked = session.succeed(&["data", "check", "extreme"]);
    assert!(checked.contains("classes: 1000 in train, 5000 in test, 0 in both"), "{checked}");
}

#[test]
fn a_run_keeps_the_number_format_that_was_chosen_for_it() {
    let session = Session::new();
    session.trained();
    let more = ["--out", "auto", "--precision", "auto", "--set", "train.steps=2"];
    session.succeed(&[&["train", "recipe.toml"], &more[..]].concat());
    let recipe = std::fs::read_to_string(session.path("auto/recipe.toml")).unwrap();
    let fastest = trm_ops::Device::cpu(1).fastest();
    assert!(recipe.contains(&format!("precision = \"{fastest}\"")), "{recipe}");
    let eval = ["eval", "auto", "--data", "data", "--limit", "2", "--json"];
    let json: serde_json::Value = serde_json::from_str(&session.succeed(&eval)).unwrap();
    assert_eq!(json["precision"], fastest.to_string());
}

#[test]
fn bad_puzzles_are_refused_in_one_line() {
    let session = Session::new();
    session.trained();
    let cases = [
        ("1.....3..4.....", "15 cells"),
        ("1.....3..4.y...2", "unexpected 'y'"),
        ("1.....3..4.....9", "9"),
        ("11....3..4.....2", "row 1"),
        ("1...............", "solution"),
        ("123...4.........", "solution"),
    ];
    for (puzzle, expected) in cases {
        let message = session.refuse(&["solve", "run", puzzle], 2);
        assert!(message.contains(expected), "{puzzle}: {message}");
    }
    session.write("puzzles.txt", &format!("{PUZZLE}\n1.....3..4....\n"));
    let message = session.refuse(&["solve", "run", "--file", "puzzles.txt"], 2);
    assert!(message.starts_with("puzzles.txt, line 2"), "{message}");
}

#[test]
fn bad_csv_files_are_refused_by_file_and_row() {
    let session = Session::new();
    let rows = [
        ("question,answer\n1.....3..4.....2\n", "line 2"),
        (
            "question,answer\n1.....3..4.....2,1324423124133141\n",
            "line 2: the answer does not solve",
        ),
        ("question,answer\n1.....3..4.....2,132442312413314\n", "line 2, answer"),
        ("question,answer\n1...............,1324423124133142\n", "line 2, question: "),
        ("task,result\na,b\n", "line 1: no column"),
        ("puzzle,solution\na,b\n", "line 2, question: unexpected 'a'"),
        ("question,answer\n", "no puzzles"),
    ];
    for (text, expected) in rows {
        session.write("bad.csv", text);
        let message = session.refuse(&["data", "sudoku", "--csv", "bad.csv", "--out", "data"], 2);
        assert!(message.contains("bad.csv") && message.contains(expected), "{message}");
    }
    let message = session.refuse(&["data", "sudoku", "--csv", "none.csv", "--out", "data"], 1);
    assert_eq!(message, "cannot read none.csv: no such file or folder");
}

#[test]
fn hard_puzzles_are_bred_and_keep_apart_from_the_test_file() {
    let session = Session::new();
    let mut rows = String::from("question,answer\n");
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let puzzle = trm_puzzles::sudoku::generate(Shape::Nine, &mut rng, &Givens::Minimal);
    rows.push_str(&format!("{},{}\n", puzzle.question, puzzle.answer));
    session.write("test.csv", &rows);
    let hard = "data sudoku --hard --train 4 --test-csv test.csv --out data";
    session.succeed(&hard.split(' ').collect::<Vec<_>>());
    assert!(session.succeed(&["data", "check", "data"]).contains("train: 4 examples"));
    let small = "data sudoku --hard --size 4 --out small";
    let message = session.refuse(&small.split(' ').collect::<Vec<_>>(), 2);
    assert_eq!(message, "hard puzzles are 9×9");
}

#[test]
fn bad_recipes_are_refused_by_key() {
    let session = Session::new();
    session.trained();
    let cases = [
        ("train.batch=0", "train.batch = 0: must be at least 1"),
        ("model.hiden=3", "unknown key model.hiden: did you mean model.hidden?"),
        ("train.validation=1000", "train.validation = 1000 groups of a training set that has 80"),
    ];
    for (setting, expected) in cases {
        let message =
            session.refuse(&["train", "recipe.toml", "--out", "new", "--set", setting], 2);
        assert!(message.contains(expected), "{message}");
    }
    let attention = ["--set", "model.mix=attention", "--set"];
    let refuse = |rest: &[&str]| {
        let mut arguments = vec!["train", "recipe.toml", "--out", "new"];
        arguments.extend(attention);
        arguments.extend(rest);
        session.refuse(&arguments, 2)
    };
    assert!(refuse(&["model.heads=3"]).contains("heads = 3 does not divide hidden = 32"));
    let rope = refuse(&["model.positions=rope", "--set", "model.heads=32"]);
    assert!(rope.contains("head width that 2 divides"), "{rope}");
    assert!(
        session
            .refuse(&["train", "recipe.toml", "--data", "none"], 1)
            .contains("no data set at none")
    );
    assert!(session.refuse(&["train", "none.toml"], 1).contains("none.toml: no such file"));
    assert!(
        session
            .refuse(&["train", "recipe.toml", "--out", "run"], 2)
            .contains("holds a run already")
    );
}

#[test]
fn data_that_do_not_fit_the_model_are_refused() {
    let session = Session::new();
    session.trained();
    session.succeed(
        &"data sudoku --size 6 --train 5 --test 5 --out six".split(' ').collect::<Vec<_>>(),
    );
    let message = session.refuse(&["eval", "run", "--data", "six"], 2);
    assert!(message.contains("the model has seq_len 16, but the data set has 36"), "{message}");
    assert!(session.refuse(&["eval", "none", "--data", "data"], 1).contains("cannot read none"));
    assert!(session.refuse(&["eval", "data", "--data", "data"], 2).contains("no model here"));
    std::fs::write(session.path("run/best/model.safetensors"), b"damaged").unwrap();
    let message = session.refuse(&["eval", "run", "--data", "data"], 2);
    assert!(message.contains("model.safetensors: not a readable safetensors file"), "{message}");
}

#[test]
fn settings_that_overflow_are_refused_and_leave_no_model() {
    let session = Session::new();
    session.trained();
    for setting in ["train.exploration=1.0005", "model.supervision_steps=1000000000000"] {
        let arguments = ["train", "recipe.toml", "--out", "new", "--set", setting];
        assert!(session.refuse(&arguments, 2).contains("must be") || setting.starts_with("model"));
    }
    let arguments = ["train", "recipe.toml", "--out", "hot", "--set", "train.lr=3e38"];
    let output = session.run(&arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("is not finite at step"), "{text}");
    assert!(!session.path("hot/best").exists() && !session.path("hot/checkpoints").exists());
}

#[test]
fn existing_folders_are_left_alone() {
    let session = Session::new();
    session.trained();
    assert!(session.refuse(&["quickstart", "--out", "run"], 2).len() < 100);
    let again = "data sudoku --size 4 --train 9 --test 9 --givens 6-9 --out data";
    let message = session.refuse(&again.split(' ').collect::<Vec<_>>(), 2);
    assert_eq!(message, "data: exists already: choose another --out");
}

#[test]
fn metadata_that_contradict_their_domain_are_refused() {
    let session = Session::new();
    session.trained();
    let path = session.path("data/train/dataset.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("sudoku4", "sudoku9");
    std::fs::write(&path, text).unwrap();
    let message = session.refuse(&["train", "recipe.toml", "--out", "new"], 2);
    let contradiction = "seq_len = 16 and vocab_size = 6, but the domain sudoku9 has 81 and 11";
    assert_eq!(message, format!("data/train/dataset.json: {contradiction}"));
}

#[test]
fn the_puzzles_in_the_readme_are_puzzles() {
    let readme = include_str!("../../../../README.md");
    let solve = readme.lines().find(|line| line.starts_with("trm solve")).unwrap();
    let puzzle = solve.split_whitespace().nth(3).unwrap();
    let domain: trm_puzzles::Domain = "sudoku6".parse().unwrap();
    domain.check_question(&domain.parse(puzzle).unwrap()).unwrap();
    let nine = readme.split_whitespace().find(|word| word.len() == 81).unwrap();
    let domain: trm_puzzles::Domain = "sudoku9".parse().unwrap();
    domain.check_question(&domain.parse(nine).unwrap()).unwrap();
    assert_eq!(readme.matches(nine).count(), 3, "on the command line, from Python, from a program");
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let session = Session::new();
    session.trained();
    std::fs::create_dir(session.path("small")).unwrap();
    let small = session.path("small");
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=96k", "none"]).arg(&small).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let data = "data sudoku --size 4 --train 2000 --test 1 --givens 8-12 --out small/data";
    let data = session.run(&data.split(' ').collect::<Vec<_>>());
    assert_eq!(data.status.code(), Some(1));
    assert!(!small.join("data").exists());
    let output = session.run(&["train", "recipe.toml", "--out", "small/run"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let names: Vec<String> = session.files().iter().map(|p| p.display().to_string()).collect();
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the disk is full"), "{text}");
    assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
}

#[test]
fn the_processor_is_capped_or_the_cap_refused() {
    let session = Session::new();
    session.trained();
    let solve = |cap: &str| {
        let mut command = session.command(&["solve", "run", PUZZLE]);
        command.env("TRM_CPU", cap).output().unwrap()
    };
    let refused = solve("sse");
    let message = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{message}");
    assert!(message.contains("TRM_CPU=`sse`: must be portable, avx2, avx512 or"), "{message}");
    let portable = solve("portable");
    assert!([Some(0), Some(1)].contains(&portable.status.code()));
    assert!(String::from_utf8(portable.stdout).unwrap().contains("step 1"));
}
