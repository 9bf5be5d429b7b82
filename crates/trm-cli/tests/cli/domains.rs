//! Mazes, and models of the public code.

use crate::session::{RECIPE, Session};
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

    let question = "S..#..|.#....|...#..|.#.#..|.....G".replace('|', "\n");
    session.write("maze.txt", &question);
    let output = session.run(&["solve", "run", "--file", "maze.txt"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("step 1") && text.contains('█') && text.contains("path"), "{text}");
    assert!([0, 1].contains(&output.status.code().unwrap()));
    // whether a path is a shortest one the rules cannot say, so a search verifies nothing
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

    session.write("bad.csv", &file.replacen('S', "X", 1));
    let refused = |file: &str| session.refuse(&["data", "maze", "--csv", file, "--out", "new"], 2);
    assert!(refused("bad.csv").starts_with("bad.csv: line 2, question: 'X' at row 1 column 1"));
    session.write("bad.csv", &file.replacen('o', " ", 1));
    assert!(refused("bad.csv").contains("line 2: the answer has no path from S to G"));
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

    let refused = session.refuse(&["import", "model.pt", "--out", "new"], 2);
    assert!(refused.starts_with("model.pt: the tensors do not say"), "{refused}");
    session.write("junk.pt", "not a checkpoint");
    let refused = session.refuse(&["import", "junk.pt", "--out", "new"], 2);
    assert!(refused.starts_with("junk.pt: not an archive of torch.save"), "{refused}");
    assert!(session.refuse(&["import", "gone.pt", "--out", "new"], 1).contains("no such file"));
    assert!(session.refuse(&import, 2).contains("exists already"));
}
