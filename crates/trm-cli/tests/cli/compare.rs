//! A study from its data to its report, and what is refused.

use crate::session::Session;

const STUDY: &str = r#"
title = "Two ways"
make_data = "sudoku --size 4 --train 60 --test 12 --givens 6-9 --seed 1"
seeds = [1, 2]
training_flops = 2e8
test = 10
steps = 3
answers = 2
temperature = 0.7
growth = ["sudoku4", "sudoku6", "maze6x6"]

[train]
batch = 4
optimizer = "adamw"
likelihood = "softmax"
ema = 0.9

[[contender]]
name = "revising"
[contender.model]
hidden = 24
heads = 2
inner_multiple = 16
mix = "attention"
positions = "learned"
cycles = 1
recursions = 1
supervision_steps = 2
prefix_len = 0
puzzle_embedding = 0

[[contender]]
name = "writing <in> order"
[contender.autoregressive]
order = "solver"
hidden = 24
heads = 2
blocks = 2
inner_multiple = 16
expansion = 3.9
tied = true
"#;

#[test]
fn a_study_is_made_once_and_shown_in_three_forms() {
    let session = Session::new();
    std::fs::write(session.path("study.toml"), STUDY).unwrap();
    let compare = ["compare", "study.toml", "--out", "out"];
    let text = session.succeed(&compare);
    assert!(text.contains("revising") && text.contains("parameters"), "{text}");
    let read = |name: &str| std::fs::read_to_string(session.path(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("out/study.json")).unwrap();
    for contender in json["contenders"].as_array().unwrap() {
        let outcomes = contender["outcomes"].as_array().unwrap();
        assert_eq!(outcomes.len(), 2);
        for outcome in outcomes {
            let number = |a: &str, b: &str| outcome[a][b].as_f64().unwrap();
            // equal compute to the nearest step, and the formula within a hundredth of the count
            assert!((number("training", "flops") / 2e8 - 1.0).abs() < 0.25, "{outcome}");
            assert!((number("cost", "counted") - 1.0).abs() < 0.01, "{outcome}");
        }
    }
    // mazes have no solver's order
    assert_eq!(json["growth"].as_array().unwrap().len(), 5);
    let page = read("out/study.html");
    assert!(page.contains("A draft being revised: revising"));
    assert!(page.contains("A sequence being written: writing &lt;in&gt; order"));
    assert!(read("out/study.md").contains("## The contenders"));
    // what is there is not trained again
    let weights =
        |json: &serde_json::Value| json["contenders"][1]["outcomes"][1]["weights"].clone();
    session.succeed(&compare);
    let again: serde_json::Value = serde_json::from_str(&read("out/study.json")).unwrap();
    assert_eq!(weights(&again), weights(&json));
}

#[test]
fn studies_that_compare_nothing_fairly_are_refused() {
    let session = Session::new();
    let refuse = |from: &str, to: &str| {
        assert!(STUDY.contains(from));
        std::fs::write(session.path("study.toml"), STUDY.replace(from, to)).unwrap();
        session.refuse(&["compare", "study.toml", "--out", "out"], 2)
    };
    assert!(refuse("--size 4", "--size 4 --colour").contains("make_data: "));
    let make = "data sudoku --size 4 --train 60 --test 12 --givens 6-9 --out out/data";
    session.succeed(&make.split(' ').collect::<Vec<_>>());
    assert!(refuse("expansion = 3.9", "expansion = 6.0").contains("within 5 %"));
    assert!(refuse("seeds = [1, 2]", "seeds = []").contains("at least one seed"));
    assert!(refuse("seeds =", "sedes =").contains("unknown field `sedes`"));
    assert!(refuse("maze6x6", "mace").contains("unknown domain `mace`"));
    assert!(refuse("heads = 2\nblocks", "haeds = 2\nblocks").contains("did you mean"));
    assert!(refuse("seeds = [1, 2]", "seeds = [2, 1, 2]").contains("seed 2 occurs twice"));
    assert!(refuse("training_flops = 2e8", "training_flops = nan").contains("positive number"));
    assert!(refuse("ema = 0.9", "ema = nan").contains("ema"));
}

#[test]
fn every_contender_has_a_folder_of_its_own_inside_the_study() {
    let session = Session::new();
    session.write("study.toml", STUDY);
    for (name, message) in [
        ("Writing in order", "contenders `Writing in order` and `writing <in> order`: both need"),
        ("Data", "contender `Data`: the study keeps other things in the folder `data`"),
        ("answers", "in the folder `answers`"),
        ("..", "contender `..`: a letter or a digit is needed"),
        ("", "contender ``: a letter or a digit is needed"),
        ("a\\u001b[2J", "contender `a\\u{1b}[2J`: must be one line of plain text"),
        (&"long ".repeat(30), "characters: at most 100"),
    ] {
        session.write("study.toml", &STUDY.replace("\"revising\"", &format!("\"{name}\"")));
        let line = session.refuse(&["compare", "study.toml", "--out", "out"], 2);
        assert!(line.contains(message), "{line}");
    }
    let names = [("revising", "データ"), ("writing <in> order", "../größe")];
    let study = names.iter().fold(STUDY.to_owned(), |study, (old, new)| study.replace(old, new));
    session.write("study.toml", &study.replace("seeds = [1, 2]", "seeds = [1]"));
    session.succeed(&["compare", "study.toml", "--out", "out"]);
    for folder in ["u30c7-u30fc-u30bf", "gr-uf6-udf-e"] {
        assert!(session.path("out").join(folder).join("seed-1/recipe.toml").exists(), "{folder}");
    }
}
