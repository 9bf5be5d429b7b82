//! Stopping when sure, and batches of puzzles, at the command line.

mod session;

use session::{PUZZLE, Session};

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
        (&false.into(), &true.into())
    );
    assert_eq!(full["evaluation"]["mean_steps"], 4.0);
    assert_eq!(halting["evaluation"]["mean_steps"], full["evaluation"]["mean_halt_step"]);
    let table = session.succeed(&["eval", "run", "--data", "data", "--halt"]);
    assert!(table.contains("stopped when sure"), "{table}");

    let domain: trm_puzzles::Domain = "sudoku4".parse().unwrap();
    let data = trm_train::Dataset::load(&session.path("data"), "test").unwrap();
    let puzzles: Vec<String> = (0..5).map(|i| domain.format_line(data.input(i))).collect();
    session.write("puzzles.txt", &puzzles.join("\n"));
    let solve = |batch: &str| {
        let file = ["solve", "run", "--file", "puzzles.txt", "--json", "--batch", batch];
        String::from_utf8(session.run(&file).stdout).unwrap()
    };
    let alone =
        puzzles.iter().map(|puzzle| session.run(&["solve", "run", puzzle, "--json"]).stdout);
    let alone = String::from_utf8(alone.collect::<Vec<_>>().concat()).unwrap();
    assert_eq!(alone.lines().count(), puzzles.len());
    assert!(["1", "2", "16"].iter().all(|batch| solve(batch) == alone));
    assert!(session.refuse(&["solve", "run", PUZZLE, "--batch", "0"], 2).contains("at least 1"));
}
