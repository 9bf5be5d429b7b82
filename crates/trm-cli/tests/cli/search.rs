//! Search, the shipped model and what can be given away.

use crate::session::Session;

/// Bred by this project, 24 givens: a search with singles takes 104 guesses.
const HARD: &str =
    "5.1.7..4.9...6.1...4......36..7......57...9...19.5..6.1...9.7....8.....6...2.....";

#[test]
fn the_shipped_model_solves_a_hard_puzzle_without_being_named() {
    let session = Session::new();
    let text = session.succeed(&["solve", HARD, "--precision", "bf16"]);
    assert!(text.contains("step 1") && text.contains("solved: all 27"), "{text}");
    let text = session.succeed(&["solve", HARD, "--search", "--steps", "64"]);
    assert!(text.contains("verified by the rules"), "{text}");
    let for_ever = u64::MAX.to_string();
    let json = ["solve", HARD, "--search", "--steps", "64", "--json", "--time", &for_ever];
    let json = session.succeed(&json);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["verified"], &json["question"]), (&true.into(), &HARD.into()));
}

#[test]
fn a_search_says_what_it_found_and_what_it_cost() {
    let session = Session::new();
    session.trained();
    let eval = ["eval", "run", "--data", "data", "--limit", "5", "--search", "--rollouts", "3"];
    let text = session.succeed(&eval);
    assert!(text.contains("0 of them wrong") && text.contains("at most 3 chains"), "{text}");
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
fn searches_that_cannot_be_done_are_refused() {
    let session = Session::new();
    session.trained();
    let eval = |more: &[&str]| {
        session.refuse(&[&["eval", "run", "--data", "data", "--search"], more].concat(), 2)
    };
    assert!(eval(&["--noise", "-1"]).contains("--noise -1: must be 0 or a positive number"));
    assert!(eval(&["--rollouts", "0"]).contains("--rollouts must be at least 1"));
    assert!(eval(&["--halt"]).contains("goes without --halt"));
    assert!(session.refuse(&["solve", "run"], 2).contains("no puzzle: give one after the model"));
    for misuse in [&["solve"][..], &["solve", "run", HARD, "--rollouts", "3"]] {
        let output = session.run(misuse); // with the usage, so on several lines
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{misuse:?}");
    }
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
