//! Where results go is looked at before there are any, and a long search is announced.

use crate::session::Session;

#[test]
fn a_place_that_takes_no_file_is_refused_before_anything_is_measured() {
    let session = Session::new();
    session.trained();
    session.write("file", "mine");
    for (option, name) in [
        ("--figure", "missing/a.svg"),
        ("--figure", "data"),
        ("--save-outputs", "file/a.safetensors"),
        ("--submission", "missing/a.json"),
    ] {
        // there is no such split: its place comes first
        let eval = ["eval", "run", "--data", "data", "--split", "none", option, name];
        let line = session.refuse(&eval, 1);
        assert!(line.starts_with(&format!("cannot write {name}")), "{line}");
    }
    let bench = ["bench", "--side", "2", "--runs", "1", "--svg", "missing/a.svg"];
    assert!(session.refuse(&bench, 1).starts_with("cannot write missing/a.svg"));
    let quickstart = |out, code| session.refuse(&["quickstart", "--out", out], code);
    assert!(quickstart("file/run", 1).starts_with("cannot create file/run"));
    assert!(quickstart("file", 2).starts_with("file exists already"));
    assert_eq!(std::fs::read_to_string(session.path("file")).unwrap(), "mine");
}

#[test]
fn a_search_without_rules_says_what_it_costs_before_it_begins() {
    let session = Session::new();
    let line =
        |i: usize| format!("{:02b}/{:02b},{:02b}/{:02b}\n", i / 4, i % 4, 3 - i / 4, 3 - i % 4);
    session.write("mine.csv", &format!("input,output\n{}", (0..16).map(line).collect::<String>()));
    session.succeed(&["data", "grid", "--train", "mine.csv", "--split", "4", "--out", "data"]);
    session.write("recipe.toml", crate::session::RECIPE);
    let quick = ["--set", "train.steps=2", "--set", "train.validation=0"];
    session.succeed(&[&["train", "recipe.toml", "--out", "run"][..], &quick].concat());
    let search = ["eval", "run", "--data", "data", "--search", "--rollouts", "2", "--steps", "3"];
    let output = session.run(&search);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("no answer can be verified: each takes up to 6 steps"), "{errors}");
}
