//! Mazes, ARC, and models of the public code.

use crate::session::{RECIPE, Session};
use trm::Limits;
use trm_ops::{DType, Device, Stop};
use trm_puzzles::maze::{Maze, label, read_csv};

/// A maze data set in `data` and a run of a few steps in `run`.
fn mazes(session: &Session) {
    let data = "data maze --size 6 --height 5 --train 60 --test 12 --path 7 --out data";
    session.succeed(&data.split(' ').collect::<Vec<_>>());
    session.write("recipe.toml", RECIPE);
    let attention = ["model.mix=attention", "model.positions=rope", "model.heads=2"];
    let mut train = vec!["train", "recipe.toml", "--out", "run"];
    attention.iter().for_each(|setting| train.extend(["--set", setting]));
    session.succeed(&train);
}

#[test]
fn mazes_are_made_learned_measured_and_solved() {
    let session = Session::new();
    mazes(&session);
    let checked = session.succeed(&["data", "check", "data"]);
    assert!(checked.contains("classes: 60 in train, 12 in test, 0 in both"), "{checked}");
    let report = std::fs::read_to_string(session.path("run/report.html")).unwrap();
    assert!(report.contains("maze6x5") && report.contains("class=\"ink\""));
    let table = session.succeed(&["eval", "run", "--data", "data", "--limit", "4"]);
    assert!(table.contains("data digest"), "{table}");
    assert!(table.contains("by the rules, of the last drafts: 100.0 % no path"), "{table}");
    // what the rules call the path of the labelling rule is what equals the label
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/maze-hard");
    let measured = ["eval", shipped, "--data", "data", "--steps", "4", "--json"];
    let json: serde_json::Value = serde_json::from_str(&session.succeed(&measured)).unwrap();
    let kinds = json["evaluation"]["kinds"].as_object().unwrap();
    assert_eq!(kinds.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 12);
    let exact = kinds.get("the path of the labelling rule");
    assert_eq!(exact, Some(&json["evaluation"]["steps"][3]["exact"]), "{kinds:?}");

    let csv = session.succeed(&["data", "csv", "data", "--split", "test"]);
    session.write("again.csv", &csv);
    session.succeed(&["data", "maze", "--csv", "again.csv", "--test", "1", "--out", "again"]);
    assert!(session.succeed(&["data", "check", "again"]).contains("classes: 11 in train, 1 in"));

    let question = "S..#..|.#....|...#..|.#.#..|.....G".replace('|', "\n");
    session.write("maze.txt", &question);
    let output = session.run(&["solve", "run", "--file", "maze.txt"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("step 1") && text.contains('█') && text.contains("path"), "{text}");
    assert!([0, 1].contains(&output.status.code().unwrap()));
    // a network of a few steps marks no path, so a search verifies nothing
    let search = session.run(&[
        "solve",
        "run",
        "--file",
        "maze.txt",
        "--search",
        "--rollouts",
        "2",
        "--json",
    ]);
    let json: serde_json::Value = serde_json::from_slice(&search.stdout).unwrap();
    assert_eq!((&json["verified"], &json["rollouts"]), (&false.into(), &2.into()));
    let searched = ["eval", "run", "--data", "data", "--limit", "4", "--search", "--rollouts", "2"];
    assert!(session.succeed(&searched).contains("verified 0.0 %"));
}

#[test]
fn weights_that_know_no_size_solve_and_measure_mazes_of_every_size() {
    let session = Session::new();
    for (size, folder) in [("6", "small"), ("9", "large")] {
        let sizes = ["--size", size, "--train", "40", "--test", "8", "--path", "5"];
        session.succeed(&[&["data", "maze", "--out", folder], &sizes[..]].concat());
    }
    session.write("recipe.toml", &RECIPE.replace("\"data\"", "\"small\""));
    session.succeed(&["train", "recipe.toml", "--out", "run", "--set", "model.mix=neighbours"]);
    let eval = |model: &str| session.run(&["eval", model, "--data", "large", "--json"]);
    let measured: serde_json::Value = serde_json::from_slice(&eval("run").stdout).unwrap();
    assert_eq!(measured["puzzles"], 8);
    let solve = |model: &str, maze: &str| {
        let output = session.run(&["solve", model, maze, "--json", "--one-pass"]);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for maze in ["S..#....G", "S..../.##.#/....G"] {
        let found: serde_json::Value = serde_json::from_str(&solve("run", maze)).unwrap();
        assert_eq!(found["question"], maze);
    }
    assert!(solve("run", "S..#...").contains("not a square"), "{}", solve("run", "S..#..."));

    let attention = ["--set", "model.mix=attention", "--set", "model.positions=rope"];
    session.succeed(&[&["train", "recipe.toml", "--out", "bound"], &attention[..]].concat());
    let refused = String::from_utf8(eval("bound").stderr).unwrap();
    assert!(refused.contains("the model has seq_len 36, but the data set has 81"), "{refused}");
    assert!(solve("bound", "S..#....G").contains("3×3 cells, not 6×6"));
}

#[test]
fn mazes_come_from_csv_and_bad_ones_are_refused() {
    let session = Session::new();
    let maze = Maze::parse("S..\n.#.\n..G").unwrap();
    let row = |maze: &Maze| format!(",{maze},{},\n", label(maze).unwrap());
    let other = Maze::parse("S#.\n...\n#.G").unwrap();
    let file = format!("source,question,answer,rating\n{}{}", row(&maze), row(&other));
    assert_eq!(read_csv(file.as_bytes()).unwrap().len(), 2);
    session.write("m.csv", &file);
    session.succeed(&["data", "maze", "--csv", "m.csv", "--test", "1", "--out", "data"]);
    assert!(session.succeed(&["data", "check", "data"]).contains("0 in both"));

    let cut = "data maze --pieces-of m.csv --size 2 --train 1 --test 1 --path 3 --out pieces";
    session.succeed(&cut.split(' ').collect::<Vec<_>>());
    let cut_out = session.succeed(&["data", "csv", "pieces"]);
    assert_eq!(read_csv(cut_out.as_bytes()).unwrap()[0].0.width(), 2);
    let many = cut.replace("--train 1", "--train 9").replace("--out pieces", "--out new");
    let refused = session.refuse(&many.split(' ').collect::<Vec<_>>(), 2);
    assert!(refused.contains("m.csv: only "), "{refused}");

    session.write("bad.csv", &file.replacen('S', "X", 1));
    let refused = |file: &str| session.refuse(&["data", "maze", "--csv", file, "--out", "new"], 2);
    assert!(refused("bad.csv").starts_with("bad.csv: line 2, question: 'X' at row 1 column 1"));
    let unmarked = file.replacen(&label(&maze).unwrap().to_string(), &maze.to_string(), 1);
    session.write("bad.csv", &unmarked);
    assert!(
        refused("bad.csv").contains("line 2, answer: the marks are no single line from S to G")
    );
    session.write("bad.csv", "question,answer\n");
    assert!(refused("bad.csv").contains("no mazes"));
    assert!(
        session
            .refuse(&["data", "maze", "--size", "300", "--out", "new"], 2)
            .contains("at most 255")
    );
    let walls = ["data", "maze", "--walls", "0.5", "0.2", "--out", "new"];
    assert!(session.refuse(&walls, 2).contains("two rising shares"));
}

/// Tasks whose outputs are their inputs with two colours exchanged, numbered from `first`.
fn tasks(first: usize, count: usize, solved: bool) -> (String, String) {
    let grid = |seed: usize, exchanged: bool| {
        let colour = |cell: u32| match ((seed + 1) * 7919 / 3usize.pow(cell) % 3 + 1, exchanged) {
            (1, true) => 2,
            (2, true) => 1,
            (colour, _) => colour,
        };
        let row = |row: u32| [0, 1, 2].map(|column| colour(3 * row + column));
        format!("{:?}", [0, 1, 2].map(row))
    };
    let pair =
        |seed| format!("{{\"input\":{},\"output\":{}}}", grid(seed, false), grid(seed, true));
    let task = |task: usize| {
        let (one, two, asked) = (pair(5 * task), pair(5 * task + 1), grid(5 * task + 2, false));
        let challenge =
            format!("\"t{task}\":{{\"train\":[{one},{two}],\"test\":[{{\"input\":{asked}}}]}}");
        (challenge, format!("\"t{task}\":[{}]", grid(5 * task + 2, true)))
    };
    let (challenges, solutions): (Vec<_>, Vec<_>) = (first..first + count).map(task).unzip();
    let solutions = if solved { solutions } else { Vec::new() };
    (format!("{{{}}}", challenges.join(",")), format!("{{{}}}", solutions.join(",")))
}

#[test]
fn tasks_of_arc_are_learned_voted_on_and_submitted() {
    let session = Session::new();
    for (name, first, count) in [("training", 0, 3), ("evaluation", 10, 2)] {
        let (challenges, solutions) = tasks(first, count, true);
        session.write(&format!("{name}_challenges.json"), &challenges);
        session.write(&format!("{name}_solutions.json"), &solutions);
    }
    let (training, evaluation) = ("training_challenges.json", "evaluation_challenges.json");
    let data = [
        "data",
        "arc",
        "--train",
        training,
        "--test",
        evaluation,
        "--augmentations",
        "4",
        "--out",
        "data",
    ];
    session.succeed(&data);
    session.write("recipe.toml", RECIPE);
    let train = |out: &str, blank: &str| {
        let settings = [
            "model.hidden=16",
            "model.prefix_len=1",
            "model.puzzle_embedding=16",
            "model.heads=2",
            "model.mix=attention",
            "model.positions=rope",
            "model.supervision_steps=2",
            "train.steps=2",
            "train.batch=4",
            "train.validation=0",
            "train.puzzle_lr=0.1",
            blank,
        ];
        let mut train = vec!["train", "recipe.toml", "--out", out];
        settings.iter().for_each(|setting| train.extend(["--set", setting]));
        session.succeed(&train);
    };
    train("run", "train.blank_identifiers=false");
    train("blank", "train.blank_identifiers=true");
    let eval = |run: &str, more: &[&str]| -> serde_json::Value {
        let eval = ["eval", run, "--data", "data", "--json"];
        serde_json::from_str(&session.succeed(&[&eval[..], more].concat())).unwrap()
    };
    let measured = eval("run", &["--submission", "submission.json"]);
    assert_eq!(measured["report"]["inputs"], serde_json::json!([2, 2]));
    assert_eq!(measured["report"]["votes"], 5.0);
    assert_eq!(measured["report"]["pass"].as_array().unwrap().len(), 6);
    assert_ne!(measured["weight_digest"], eval("blank", &[])["weight_digest"]);
    assert_eq!(eval("run", &["--votes", "2"])["report"]["votes"], 2.0);

    let model = trm_data::load_model(&session.path("run"), &Device::cpu(1)).unwrap().into();
    let data = trm_data::Dataset::load(&session.path("data"), "test").unwrap();
    let options = trm_study::VoteOptions {
        votes: 5,
        limits: Limits { steps: 2, halt: None },
        batch: 64,
        dtype: DType::F32,
        blank_identifiers: false,
    };
    let voted = |report: trm_study::VoteReport| (report.pass, report.inputs, report.submission);
    let shared = trm_team::Team::of_threads(3, |team| {
        let together = (&team, &Stop::default());
        let report = trm_study::vote_in_team(&model, &data, options, together, &mut |_, _| ());
        voted(report.unwrap())
    });
    let alone = trm_study::vote(&model, &data, options, &Stop::default(), &mut |_, _| ()).unwrap();
    assert_eq!(shared, vec![voted(alone); 3]);
    let stop = Stop::default();
    let stopped =
        trm_study::vote(&model, &data, options, &stop, &mut |_, _| stop.request()).unwrap();
    assert_eq!((stopped.tasks, stopped.asked, stopped.inputs), (1, 2, (1, 1)));
    assert_eq!(stopped.submission.as_object().unwrap().keys().collect::<Vec<_>>(), ["t10"]);

    let submission = std::fs::read(session.path("submission.json")).unwrap();
    let submission: serde_json::Value = serde_json::from_slice(&submission).unwrap();
    let asked = submission.as_object().unwrap();
    assert_eq!(asked.keys().collect::<Vec<_>>(), ["t10", "t11"]);
    for inputs in asked.values() {
        let [attempts] = &inputs.as_array().unwrap()[..] else { panic!("one test input") };
        assert_eq!(attempts.as_object().unwrap().len(), 2);
        for attempt in ["attempt_1", "attempt_2"] {
            let rows = attempts[attempt].as_array().unwrap();
            let width = rows[0].as_array().unwrap().len();
            assert!((1..=30).contains(&rows.len()) && (1..=30).contains(&width));
            for row in rows {
                assert_eq!(row.as_array().unwrap().len(), width);
                assert!(row.as_array().unwrap().iter().all(|c| c.as_u64().unwrap() < 10));
            }
        }
    }
    assert!(session.succeed(&["eval", "run", "--data", "data"]).contains("5.0 votes for each"));
    let solved = session.run(&["solve", "run", "t10", "--data", "data"]);
    let text = String::from_utf8(solved.stdout).unwrap();
    assert!(text.contains("step 2") && text.contains("the recorded answer"), "{text}");
    assert_eq!(solved.status.code(), Some(i32::from(text.contains("not the recorded answer"))));
    let stranger = session.refuse(&["solve", "run", "t1", "--data", "data"], 2);
    assert_eq!(stranger, "data: `t1` is not a test task, such as t10");
    assert!(session.succeed(&["solve", "run", "12/21", "--steps", "1"]).contains("not checked"));
    assert!(session.succeed(&["data", "check", "data"]).contains("digest"));

    let leak = ["data", "arc", "--train", training, "--test", training, "--out", "new"];
    assert!(session.refuse(&leak, 2).contains("is task t0 of the evaluation set"));
    let few = [
        "data",
        "arc",
        "--test",
        evaluation,
        "--augmentations",
        "1",
        "--only",
        "t11",
        "--out",
        "few",
    ];
    session.succeed(&few);
    assert!(session.succeed(&["data", "check", "few"]).contains("test: 1 examples, 1 puzzles"));
    let unknown = ["data", "arc", "--test", evaluation, "--only", "t11,t12", "--out", "new"];
    assert!(session.refuse(&unknown, 2).starts_with("--only t12: no task"));
    session.write("bad.json", "{\"a\":{\"train\":[{\"input\":[[1],[2,3]]}],\"test\":[]}}");
    let bad = ["data", "arc", "--train", "bad.json", "--test", evaluation, "--out", "new"];
    assert_eq!(session.refuse(&bad, 2), "bad.json: task a: no test pairs");
    assert!(
        session.refuse(&["eval", "run", "--data", "data", "--search"], 2).contains("are voted on")
    );
}

#[test]
fn puzzles_of_ones_own_are_learned_measured_and_solved() {
    let session = Session::new();
    // rows are exchanged, and so are the two letters
    let row = |code: usize| (0..3).map(move |i| if code >> i & 1 == 0 { 'a' } else { 'b' });
    let other = |row: &str| row.chars().map(|c| if c == 'a' { 'b' } else { 'a' }).collect();
    let mut file = "input,output\n".to_owned();
    for code in 0..64 {
        let (one, two): (String, String) = (row(code / 8).collect(), row(code % 8).collect());
        let (below, above): (String, String) = (other(&one), other(&two));
        file += &format!("{one}/{two},{above}/{below}\n");
    }
    session.write("own.csv", &file);
    let data = ["data", "grid", "--train", "own.csv", "--split", "12", "--permute", "ab"];
    session.succeed(&[&data[..], &["--out", "data"]].concat());
    let checked = session.succeed(&["data", "check", "data"]);
    assert!(checked.contains("in test, 0 in both"), "{checked}");
    session.write("recipe.toml", RECIPE);
    session.succeed(&["train", "recipe.toml", "--out", "run"]);
    assert!(session.succeed(&["eval", "run", "--data", "data"]).contains("data digest"));
    let report = std::fs::read_to_string(session.path("run/report.html")).unwrap();
    assert!(report.contains("grid:3x2:ab:permute=ab"));

    let solved = session.succeed(&["solve", "run", "aba/bab"]);
    assert!(solved.contains("not checked: there are no rules to check by"), "{solved}");
    let search = ["solve", "run", "aba/bab", "--search", "--rollouts", "2", "--json"];
    let json: serde_json::Value = serde_json::from_str(&session.succeed(&search)).unwrap();
    assert_eq!((&json["solved"], &json["question"]), (&serde_json::Value::Null, &"aba/bab".into()));
    let known = session.run(&["solve", "run", "3", "--data", "data", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&known.stdout).unwrap();
    assert_eq!(known.status.code(), Some(i32::from(json["recorded"] == false)));
    let refused = session.refuse(&["solve", "run", "12", "--data", "data"], 2);
    assert_eq!(refused, "data: `12` is not the number of a test example, 0 to 11");
    let refused = session.refuse(&["solve", "run", "abc/bab"], 2);
    assert_eq!(refused, "the puzzle: `c` at row 1 column 3: the symbols are `ab`");

    session.write("bad.csv", "input,output\nab/a,ab\n");
    let refused = session.refuse(&["data", "grid", "--train", "bad.csv", "--out", "new"], 2);
    assert_eq!(refused, "bad.csv: line 2, input: row 2 has 1 cells where the first has 2");
}

#[test]
fn models_go_to_the_public_code_and_come_back() {
    let session = Session::new();
    session.trained();
    session.succeed(&["export", "run", "--to", "pt-names", "--out", "model.pt"]);
    let settings = ["cycles=1", "recursions=2", "supervision_steps=4", "inner_multiple=32"];
    let mut import = vec!["import", "model.pt", "--data", "data", "--out", "back"];
    settings.iter().for_each(|setting| import.extend(["--set", setting]));
    let text = session.succeed(&import);
    assert!(text.contains("\"domain\":\"sudoku4\""), "{text}");
    let measured = |model: &str| {
        let json = session.succeed(&["eval", model, "--data", "data", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        (json["weight_digest"].clone(), json["evaluation"]["steps"].clone())
    };
    assert_eq!(measured("back"), measured("run"));

    // what the tensors do not say stands beside them
    std::fs::create_dir(session.path("theirs")).unwrap();
    std::fs::copy(session.path("model.pt"), session.path("theirs/model.pt")).unwrap();
    session
        .write("theirs/config.yaml", "arch:\n  H_cycles: 1\n  L_cycles: 2\n  halt_max_steps: 4\n");
    let theirs = "import theirs/model.pt --data data --set inner_multiple=32 --out beside";
    session.succeed(&theirs.split(' ').collect::<Vec<_>>());
    assert_eq!(measured("beside"), measured("run"));

    let refused = session.refuse(&["import", "model.pt", "--out", "new"], 2);
    assert!(refused.starts_with("model.pt: the tensors do not say"), "{refused}");
    session.write("junk.pt", "not a checkpoint");
    let refused = session.refuse(&["import", "junk.pt", "--out", "new"], 2);
    assert!(refused.starts_with("junk.pt: no checkpoint"), "{refused}");
    assert!(session.refuse(&["import", "gone.pt", "--out", "new"], 1).contains("no such file"));
    assert!(session.refuse(&import, 2).contains("exists already"));
}
