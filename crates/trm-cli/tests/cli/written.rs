//! Measuring, using and giving away a model that writes its answers.

use crate::session::{PUZZLE, Session};
use serde_json::Value;

const RECIPE: &str = "data = \"data\"\n[autoregressive]\norder = \"ORDER\"\nhidden = 24\nheads = 2\nblocks = 2\n\
    inner_multiple = 16\n[train]\nsteps = 30\nbatch = 16\noptimizer = \"adamw\"\nlr = 4e-3\nwarmup = 5\n\
    validation = 16\nvalidate_every = 30\n";

fn trained(order: &str) -> Session {
    let session = Session::new();
    let data = "data sudoku --size 4 --train 80 --test 20 --givens 6-9 --out data";
    session.succeed(&data.split(' ').collect::<Vec<_>>());
    session.write("recipe.toml", &RECIPE.replace("ORDER", order));
    session.succeed(&["train", "recipe.toml", "--out", "run"]);
    session
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_written_answer_is_measured_shown_and_given_away() {
    for order in ["solver", "raster"] {
        use_and_give_away(&trained(order), order == "solver");
    }
}

fn use_and_give_away(session: &Session, names_cells: bool) {
    let eval = ["eval", "run", "--data", "data", "--json"];
    let greedy = json(&session.succeed(&eval));
    let sampled = [&eval[..], &["--samples", "8", "--temperature", "1.5"]].concat();
    let best = json(&session.succeed(&sampled));
    let rows = best["best_of"].as_array().unwrap();
    let right =
        |row: &Value, key: &str| row[key].as_f64().unwrap() / best["puzzles"].as_f64().unwrap();
    // the first answer is the greedy one, and the right ones are among those that keep the rules
    assert_eq!(rows.len(), 8);
    assert_eq!(Some(right(&rows[0], "by_rules")), greedy["exact_accuracy"].as_f64());
    assert!(rows.windows(2).all(|two| right(&two[1], "by_rules") >= right(&two[0], "by_rules")));
    let text = session.succeed(&["eval", "run", "--data", "data"]);
    assert!(text.contains("exactly right") && text.contains("written greedily"), "{text}");
    let text = session.succeed(&["eval", "run", "--data", "data", "--samples", "2"]);
    assert!(text.contains("best of 2: one greedy, the others at temperature 0.7"), "{text}");

    let solve = ["solve", "run", PUZZLE, "--samples", "4"];
    let text = String::from_utf8(session.run(&solve).stdout).unwrap();
    assert_eq!(text.contains("written in the order r"), names_cells, "{text}");
    assert!(text.contains("of probability"), "{text}");
    let solve = ["solve", "run", PUZZLE, "--samples", "4", "--json"];
    let output = session.run(&solve);
    let found = json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(output.status.code(), Some(if found["solved"] == true { 0 } else { 1 }));
    assert_eq!(found["cells"].as_array().unwrap().len(), if names_cells { 12 } else { 16 });
    let text = String::from_utf8(session.run(&["solve", "run", "--data", "data", "3"]).stdout);
    assert!(text.unwrap().contains("the recorded answer"));

    session.succeed(&["export", "run", "--out", "model"]);
    let exported = json(&session.succeed(&["eval", "model", "--data", "data", "--json"]));
    assert!(exported["exact_accuracy"].is_number() && exported["cell_accuracy"].is_number());
}

#[test]
fn what_only_the_other_kind_of_model_does_is_refused() {
    let session = trained("solver");
    let eval = ["eval", "run", "--data", "data"];
    for (option, name) in [
        (&["--search"][..], "--search is for recursive models, and run is an autoregressive one"),
        (&["--steps", "3"], "--steps is for recursive models"),
        (&["--halt"], "--halt is for recursive models"),
        (&["--figure", "f.svg"], "--figure is for recursive models"),
        (&["--precision", "bf16"], "writes in f32"),
        (&["--samples", "0"], "--samples and --batch must be at least 1"),
        (&["--samples", "2", "--temperature", "-1"], "--temperature -1: must be a positive number"),
    ] {
        let line = session.refuse(&[&eval[..], option].concat(), 2);
        assert!(line.contains(name), "{line}");
    }
    let line = session.refuse(&["solve", "run", PUZZLE, "--halt", "0.5"], 2);
    assert!(line.contains("--halt is for recursive models"), "{line}");
    let line = session.refuse(&["export", "run", "--to", "pt-names", "--out", "model.pt"], 2);
    assert!(line.contains("run: an autoregressive model"), "{line}");
    session.succeed(&["export", "run", "--to", "onnx", "--out", "model.onnx"]);
    let line = session.refuse(&["export", "run", "--to", "web", "--out", "page"], 2);
    assert!(line.contains("a page without a server cannot ask: use --to onnx"), "{line}");
    let line = session.refuse(&["solve", PUZZLE, "--samples", "2"], 2);
    assert!(line.contains("--samples is for autoregressive models"), "{line}");
}
