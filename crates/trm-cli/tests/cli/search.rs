//! Search, the shipped model and what can be given away.

use crate::session::{PUZZLE, Session};

/// Bred by this project, 24 givens: a search with singles takes 104 guesses.
const HARD: &str =
    "5.1.7..4.9...6.1...4......36..7......57...9...19.5..6.1...9.7....8.....6...2.....";

#[test]
fn the_shipped_model_solves_a_hard_puzzle_without_being_named() {
    let session = Session::new();
    let text = session.succeed(&["solve", HARD, "--precision", "bf16"]);
    assert!(text.contains("step 1") && text.contains("solved: all 27"), "{text}");
    let for_ever = u64::MAX.to_string();
    let json = ["solve", HARD, "--search", "--steps", "64", "--json", "--time", &for_ever];
    let json = session.succeed(&json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["verified"], &json["question"]), (&true.into(), &HARD.into()));
}

#[test]
fn the_form_of_a_puzzle_chooses_the_shipped_model() {
    let session = Session::new();
    let text = session.succeed(&["solve", "S.#.\n..#.\n#...\n##.G"]);
    assert!(text.contains("a shortest path"), "{text}");
    session.succeed(&[
        "data", "maze", "--size", "6", "--train", "1", "--test", "2", "--path", "4", "--out",
        "mazes",
    ]);
    let [found] = &solved(&session, &["1", "--data", "mazes"])[..] else { panic!() };
    assert_eq!(found["verified"], true, "{found}");
    session.write("mazes.csv", &session.succeed(&["data", "csv", "mazes", "--split", "test"]));
    let found = solved(&session, &["--file", "mazes.csv"]);
    assert!(found.len() == 2 && found.iter().all(|one| one["verified"] == true), "{found:?}");
    let refused = session.refuse(&["solve", "S.#.\n..#.\n#...\n##.."], 2);
    assert!(refused.contains('G'), "{refused}");
}

/// What `trm solve --json` says, a puzzle a line.
fn solved(session: &Session, arguments: &[&str]) -> Vec<serde_json::Value> {
    let output = session.run(&[&["solve", "--json"], arguments].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn boards_that_are_nearly_full_keep_their_givens_and_are_solved() {
    const FULL: &str =
        "416738529358219764729546183264385917891472635573961842932857416645123978187694253";
    let session = Session::new();
    let mut boards = Vec::new();
    for blanks in [1, 2, 5, 10, 30] {
        let mut board = FULL.as_bytes().to_vec();
        (0..blanks).for_each(|i| board[i * 37 % 81] = b'.');
        boards.push(String::from_utf8(board).unwrap());
    }
    session.write("boards.txt", &boards.join("\n"));
    for (board, found) in boards.iter().zip(solved(&session, &["--file", "boards.txt"])) {
        assert_eq!((&found["question"], &found["answer"]), (&board.as_str().into(), &FULL.into()));
        for step in found["steps"].as_array().unwrap() {
            let draft = step["answer"].as_str().unwrap();
            let kept = |(given, cell): (char, char)| given == '.' || given == cell;
            assert!(board.chars().zip(draft.chars()).all(kept), "{board} {draft}");
        }
        assert_eq!((&found["solved"], &found["verified"]), (&true.into(), &true.into()));
    }
}

#[test]
fn a_draft_that_the_rules_approve_is_the_answer_and_a_refuted_one_never_ends_the_thinking() {
    let session = Session::new();
    session.trained();
    // a model of thirty steps of training is seldom right and often sure
    let [found] = &solved(&session, &["run", PUZZLE, "--rollouts", "200"])[..] else { panic!() };
    let steps = found["steps"].as_array().unwrap();
    let (last, before) = steps.split_last().unwrap();
    assert!(before.iter().all(|step| step["solved"] == false), "{found}");
    assert_eq!((&found["solved"], &last["answer"]), (&last["solved"], &found["answer"]));
    let chains = found["rollouts"].as_u64().unwrap();
    assert!(found["solved"] == true || chains == 200, "{found}");
}

#[test]
fn answers_come_in_the_order_of_the_puzzles_whenever_they_are_found() {
    let session = Session::new();
    session.trained();
    let puzzles = ["1.....3..4.....2", "1324423124133142", "......23...1.34.", "132442312413314."];
    session.write("puzzles.txt", &puzzles.join("\n"));
    for batch in ["1", "3"] {
        let found = solved(&session, &["run", "--file", "puzzles.txt", "--batch", batch]);
        let questions: Vec<&str> =
            found.iter().map(|found| found["question"].as_str().unwrap()).collect();
        assert_eq!(questions, puzzles);
    }
}

#[test]
fn a_search_says_what_it_found_and_what_it_cost() {
    let session = Session::new();
    session.trained();
    let eval = ["eval", "run", "--data", "data", "--limit", "5", "--search", "--rollouts", "3"];
    let text = session.succeed(&eval);
    assert!(
        text.contains("0 of them not the recorded answer") && text.contains("at most 3 chains"),
        "{text}"
    );
    let json = session.succeed(&[&eval[..], &["--json", "--figure", "f.svg"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["report"]["puzzles"], &json["search"]["rollouts"]), (&5.into(), &3.into()));
    assert!(std::fs::read_to_string(session.path("f.svg")).unwrap().contains("GFLOP"));
    // no time at all: every puzzle gets one step at most
    let hurried = session.succeed(&[&eval[..], &["--json", "--time", "0"]].concat());
    let json: serde_json::Value = serde_json::from_str(&hurried).unwrap();
    assert!(json["report"]["mean_steps"].as_f64().unwrap() <= 3.0, "{json}");
}

#[test]
fn a_search_without_rules_ends_when_the_model_is_sure() {
    let session = Session::new();
    session.trained();
    let eval = ["eval", "run", "--data", "data", "--search", "--rollouts", "3"];
    let searched = |halt: &str| {
        let json = session.succeed(&[&eval[..], &["--json", halt]].concat());
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["report"].clone()
    };
    let (never, at_once) = (searched("--halt=1"), searched("--halt=1e-9"));
    assert_eq!((&never["verified"], &never["mean_rollouts"]), (&0.into(), &3.0.into()));
    assert_eq!((&at_once["verified"], &at_once["mean_steps"]), (&0.into(), &1.0.into()));
    let last = at_once["curve"].as_array().unwrap().last().unwrap();
    assert_eq!(last[1], at_once["exact"], "the curve counts what is exact");
    let text = session.succeed(&[&eval[..], &["--halt=0.9"]].concat());
    let ends = ["steps spent      exact", "until the model is sure to 0.9"];
    assert!(ends.iter().all(|end| text.contains(end)) && !text.contains("verified"), "{text}");
    let solve = ["solve", "run", PUZZLE, "--search", "--halt", "1e-9"];
    let text = String::from_utf8(session.run(&solve).stdout).unwrap();
    assert!(text.contains("what the model believes in most: 1 step in 1 chain"), "{text}");
}

#[test]
fn files_of_puzzles_are_read_in_the_forms_that_people_have() {
    let session = Session::new();
    session.trained();
    let puzzle = "1.....3..4.....2";
    for text in [
        "# two puzzles\n1.....3..4.....2\n1.....3..4.....2\n",
        "0a1b 1.....3..4.....2 1.2\n1a1b 1.....3..4.....2 1.5\n",
        "[Puzzle]\n1...\n..3.\n.4..\n...2\n[State]\n1...\n..3.\n.4..\n...2\n",
    ] {
        session.write("puzzles.txt", text);
        let found = solved(&session, &["run", "--file", "puzzles.txt", "--one-pass"]);
        assert!(!found.is_empty() && found.iter().all(|f| f["question"] == puzzle), "{text}");
    }
    let csv = session.succeed(&["data", "csv", "data", "--split", "test"]);
    session.write("puzzles.csv", &csv);
    let found = solved(&session, &["run", "--file", "puzzles.csv", "--one-pass"]);
    let asked = csv.lines().skip(1).map(|line| line.split(',').next().unwrap());
    assert!(found.iter().map(|f| f["question"].as_str().unwrap()).eq(asked), "{csv}");
    let message = session.refuse(&["solve", "run", "puzzles.txt"], 2);
    assert_eq!(message, "the puzzle: `puzzles.txt` is a file: give it with --file");
}

#[test]
fn searches_that_cannot_be_done_are_refused() {
    let session = Session::new();
    session.trained();
    let eval = |more: &[&str]| {
        session.refuse(&[&["eval", "run", "--data", "data", "--search"], more].concat(), 2)
    };
    assert!(eval(&["--noise", "-1"]).contains("--noise -1: must be 0 or a positive number"));
    assert!(eval(&["--rollouts", "0"]).contains("--rollouts must be at least 1"));
    assert!(eval(&["--halt", "--save-outputs", "f"]).contains("goes without --save-outputs"));
    let stray = ["eval", "run", "--data", "data", "--rollouts", "3"];
    assert!(session.refuse(&stray, 2).contains("--rollouts is for a search: give --search too"));
    let alone = session.refuse(&["solve", "run", PUZZLE, "--one-pass", "--time", "3"], 2);
    assert_eq!(alone, "--time is for a search: leave out --one-pass");
    assert!(session.refuse(&["solve", "run"], 2).contains("no puzzle: give one after the model"));
    let output = session.run(&["solve"]); // with the usage, so on several lines
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}

#[test]
fn an_exported_model_is_half_the_size_and_loads() {
    let session = Session::new();
    session.trained();
    session.succeed(&["export", "run", "--out", "small"]);
    let size = |path: &str| std::fs::metadata(session.path(path)).unwrap().len();
    let (whole, half) = (size("run/best/model.safetensors"), size("small/model.safetensors"));
    assert!(half < whole * 6 / 10, "{half} of {whole}");
    session.succeed(&["eval", "small", "--data", "data", "--limit", "2"]);
    assert!(session.path("small/provenance.json").exists());
    assert!(session.refuse(&["export", "run", "--out", "small"], 2).contains("exists already"));
}
