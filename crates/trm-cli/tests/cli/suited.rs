//! A way in for data without a recipe.

use crate::session::Session;

const QUICK: [&str; 6] =
    ["--set", "train.steps=3", "--set", "hidden=16", "--set", "train.validation=8"];

#[test]
fn data_alone_are_trained_on_with_a_recipe_that_suits_them() {
    let session = Session::new();
    let data = "data sudoku --size 4 --train 80 --test 20 --givens 6-9 --out data";
    session.succeed(&data.split(' ').collect::<Vec<_>>());
    session.write("bare.toml", "data = \"data\"\nseed = 7\n");
    for (arguments, run) in
        [(["--data", "data"], "runs/data"), (["bare.toml", "--seed=7"], "runs/bare")]
    {
        let output = session.run(&[&["train"], &arguments[..], &QUICK].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("mix = \"units\""), "{said}");
        let recipe = std::fs::read_to_string(session.path(run).join("recipe.toml")).unwrap();
        assert!(recipe.contains("mix = \"units\"") && recipe.contains("hidden = 16"), "{recipe}");
    }
    session.write("nothing.toml", "");
    let message = session.refuse(&["train", "nothing.toml"], 2);
    assert!(message.contains("names no data set"), "{message}");
}
