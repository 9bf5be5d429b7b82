//! Stopping when sure, and batches of puzzles, at the command line.

use crate::session::{PUZZLE, Session};

#[test]
fn halting_and_batches_change_no_answer() {
    let session = Session::new();
    session.trained();
    let eval = |more: &[&str]| -> serde_json::Value {
        let arguments = [&["eval", "run", "--data", "data", "--json"], more].concat();
        let mut json: serde_json::Value =
            serde_json::from_str(&session.succeed(&arguments)).unwrap();
        json["puzzles_per_second"].take();
        json["evaluation"]["seconds"].take();
        json
    };
    let (full, halting) = (eval(&[]), eval(&["--halt"]));
    assert_eq!(halting, eval(&["--halt", "--batch", "3"]));
    assert_eq!(full, eval(&["--batch", "3"]));
    assert_eq!(
        (&full["evaluation"]["halt"], &halting["evaluation"]["halt"]),
        (&serde_json::Value::Null, &0.5.into())
    );
    assert_eq!(full["evaluation"]["mean_steps"], 4.0);
    assert_eq!(halting["evaluation"]["mean_steps"], full["evaluation"]["mean_halt_step"]);
    let table = session.succeed(&["eval", "run", "--halt", "--data", "data"]);
    assert!(table.contains("stopped when sure (probability above 0.5) after"), "{table}");
    let steps = |json: serde_json::Value| json["evaluation"]["mean_steps"].as_f64().unwrap();
    let thresholds = ["--halt=0.0001", "--halt=0.1", "--halt=0.5", "--halt=0.95", "--halt=1"];
    let found = thresholds.map(|halt| steps(eval(&[halt])));
    assert!(found.is_sorted() && found[0] < found[4] && found[4] == 4.0, "{found:?}");
    assert_eq!(eval(&["--halt=0.95"])["evaluation"]["halt"], 0.95);
    assert_eq!(eval(&["--halt=0.95"]), eval(&["--halt", "0.95"]));
    assert_eq!(eval(&["--halt=1"])["exact_accuracy"], full["exact_accuracy"]);

    let domain: trm_puzzles::Domain = "sudoku4".parse().unwrap();
    let data = trm_data::Dataset::load(&session.path("data"), "test").unwrap();
    let puzzles: Vec<String> = (0..5).map(|i| domain.format_line(data.input(i))).collect();
    session.write("puzzles.txt", &puzzles.join("\n"));
    let solve = |batch: &str| {
        let file =
            ["solve", "run", "--file", "puzzles.txt", "--one-pass", "--json", "--batch", batch];
        String::from_utf8(session.run(&file).stdout).unwrap()
    };
    let alone = puzzles
        .iter()
        .map(|puzzle| session.run(&["solve", "run", puzzle, "--one-pass", "--json"]).stdout);
    let alone = String::from_utf8(alone.collect::<Vec<_>>().concat()).unwrap();
    assert_eq!(alone.lines().count(), puzzles.len());
    assert!(["1", "2", "16"].iter().all(|batch| solve(batch) == alone));
    assert!(session.refuse(&["solve", "run", PUZZLE, "--batch", "0"], 2).contains("at least 1"));
}

#[test]
fn solving_stops_at_the_threshold_and_bad_ones_are_refused() {
    let session = Session::new();
    session.trained();
    let drafts = |more: &[&str]| {
        let output = session.run(&[&["solve", "run", PUZZLE, "--json"], more].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["steps"].as_array().unwrap().clone()
    };
    let all = drafts(&["--halt", "1"]);
    assert_eq!(all.len(), 4);
    for threshold in [0.0001, 0.05, 0.5, 0.95] {
        let sure = |step: &serde_json::Value| step["halt_probability"].as_f64() > Some(threshold);
        let stop = all.iter().position(sure).map_or(4, |step| step + 1);
        assert_eq!(drafts(&["--halt", &threshold.to_string()]), all[..stop], "{threshold}");
    }
    assert_eq!(drafts(&["--one-pass"]), drafts(&["--halt", "0.95"]));

    for (halt, shown) in [("0", "0"), ("-0.5", "-0.5"), ("1.01", "1.01"), ("nan", "NaN")] {
        let expected = format!("halt = {shown}: must be a probability above 0 and at most 1");
        assert_eq!(session.refuse(&["solve", "run", PUZZLE, "--halt", halt], 2), expected);
        let eval = ["eval", "run", "--data", "data", "--halt", halt];
        assert_eq!(session.refuse(&eval, 2), expected);
    }
    let swallowed = session.run(&["eval", "--halt", "run", "--data", "data"]);
    let errors = String::from_utf8_lossy(&swallowed.stderr);
    assert_eq!(swallowed.status.code(), Some(2));
    assert!(errors.contains("not a number: name the model before --halt"), "{errors}");
    for (verb, expected) in [("eval", "--halt [<P>]"), ("solve", "[default: 0.95]")] {
        assert!(session.succeed(&[verb, "--help"]).contains(expected), "{verb}");
    }
}
