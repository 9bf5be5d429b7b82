//! A referee of the user's own, in whole commands.

use crate::session::Session;
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SHELL: &str = include_str!("../../../../examples/referee/sorted.sh");
const PYTHON: &str = include_str!("../../../../examples/referee/sorted.py");

/// Right is whatever begins with `a`; the cost is 10, and 5 where it ends with `a` too.
const PRICED: &str = r#"
while read -r line; do
  case $line in
    *'"answer":["a'*'a"]'*) echo '{"verdict":"right","cost":5,"why":"cheap"}' ;;
    *'"answer":["a'*) echo '{"verdict":"right","cost":10}' ;;
    *) echo '{"verdict":"wrong","broken":[[0,0]],"why":"no a"}' ;;
  esac
done
"#;

/// Questions of four symbols with their sorted answers, in `sorted.csv`.
fn puzzles(session: &Session) {
    let mut text = "input,output\n".to_owned();
    for i in 0..81 {
        let mut cells: Vec<char> =
            [1, 3, 9, 27].iter().map(|power| ['a', 'b', 'c'][i / power % 3]).collect();
        text += &cells.iter().collect::<String>();
        cells.sort();
        text += &format!(",{}\n", cells.into_iter().collect::<String>());
    }
    session.write("sorted.csv", &text);
    session.write("sorted.sh", SHELL);
    session.write("priced.sh", PRICED);
    session.write("recipe.toml", &RECIPE.replace("REFEREE", "referee = [\"sh\", \"sorted.sh\"]"));
}

const RECIPE: &str = "data = \"data\"\nREFEREE\n[model]\nmix = \"attention\"\nheads = 2\nhidden = 32\n\
    inner_multiple = 32\ncycles = 1\nrecursions = 2\nsupervision_steps = 4\nprefix_len = 0\n\
    puzzle_embedding = 0\n[train]\nsteps = 30\nbatch = 16\noptimizer = \"adamw\"\nlr = 2e-3\nwarmup = 5\n\
    validation = 16\nvalidate_every = 10\nprecision = \"f32\"\n";

const DATA: [&str; 10] =
    ["data", "grid", "--train", "sorted.csv", "--width", "4", "--split", "20", "--out", "data"];

/// The puzzles as data, and a run whose validations the shell script has judged.
fn trained(session: &Session) {
    puzzles(session);
    session.succeed(&[&DATA[..], &["--referee", "sh sorted.sh"]].concat());
    session.succeed(&["train", "recipe.toml", "--out", "run"]);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn recorded_answers_are_judged_before_they_are_learned() {
    let session = Session::new();
    puzzles(&session);
    let text = std::fs::read_to_string(session.path("sorted.csv")).unwrap();
    session.write("sorted.csv", &text.replace("cabb,abbc", "cabb,abbb"));
    let line = 1 + text.lines().position(|line| line == "cabb,abbc").unwrap();
    let message = session.refuse(&[&DATA[..], &["--referee", "sh sorted.sh"]].concat(), 2);
    let expected =
        format!("sorted.csv: line {line}: the answer is wrong by the referee: not sorted");
    assert_eq!(message, expected);
}

#[test]
fn validations_count_valid_answers_and_the_recipe_keeps_the_referee() {
    let session = Session::new();
    trained(&session);
    let log = std::fs::read_to_string(session.path("run/metrics.jsonl")).unwrap();
    let validations: Vec<Value> =
        log.lines().map(json).filter(|l| l["kind"] == "validation").collect();
    assert_eq!(validations.len(), 3);
    for line in &validations {
        assert_eq!(line["valid"], line["exact"][3], "these puzzles have one answer: {line}");
        assert!(line.get("cost").is_none());
    }
    let recipe = std::fs::read_to_string(session.path("run/recipe.toml")).unwrap();
    assert!(recipe.contains("referee = [\"sh\", \"sorted.sh\"]"), "{recipe}");
    // another referee changes nothing that has been learned
    let resume =
        ["train", "--resume", "run", "--set", "train.steps=40", "--referee", "sh priced.sh"];
    session.succeed(&resume);
    let log = std::fs::read_to_string(session.path("run/metrics.jsonl")).unwrap();
    let last = json(log.lines().last().unwrap());
    assert!(
        last["valid"].as_f64().unwrap() == 0.0 || last["cost"].as_f64().unwrap() >= 5.0,
        "{last}"
    );
    session.write("plain.toml", &RECIPE.replace("REFEREE", ""));
    session.succeed(&["train", "plain.toml", "--out", "plain"]);
    let digest = |run: &str| {
        json(&session.succeed(&["eval", run, "--data", "data", "--json"]))["weight_digest"].clone()
    };
    session.succeed(&["train", "recipe.toml", "--out", "again"]);
    assert_eq!(digest("plain"), digest("again"));
}

#[test]
fn an_evaluation_tells_valid_answers_their_cost_and_the_gap() {
    let session = Session::new();
    trained(&session);
    let eval = ["eval", "run", "--data", "data"];
    let table = session.succeed(&[&eval[..], &["--referee", "sh sorted.sh"]].concat());
    assert!(table.contains("valid, says the referee, "), "{table}");
    let measured = |more: &[&str]| json(&session.succeed(&[&eval[..], &["--json"], more].concat()));
    assert!(measured(&[]).get("valid").is_none());
    let priced = ["--referee", "sh priced.sh"];
    let search = measured(&[&priced[..], &["--search", "--rollouts", "8"]].concat());
    let (report, validity) = (&search["report"], &search["report"]["validity"]);
    assert_eq!((&validity["answers"], &validity["valid"]), (&20.into(), &report["verified"]));
    assert!(report["verified"].as_u64().unwrap() > 0, "a test that tells nothing: {search}");
    let cost = search["mean_cost"].as_f64().unwrap();
    assert!((5.0..=10.0).contains(&cost), "{search}");
    assert_eq!(report["mean_rollouts"], 8.0, "with costs a search goes on to its end");
    let one_pass = measured(&priced);
    assert_eq!(one_pass["evaluation"]["validity"]["answers"], 20);
    assert!(one_pass["valid"].as_f64().unwrap() <= search["valid"].as_f64().unwrap());
}

#[test]
fn a_search_takes_the_cheapest_answer_and_tells_what_is_at_fault() {
    let session = Session::new();
    trained(&session);
    let solve = |more: &[&str]| {
        let output = session.run(&[&["solve", "run", "cacb"], more].concat());
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let priced = ["--referee", "sh priced.sh", "--rollouts", "40", "--restart", "3"];
    let (text, code) = solve(&[&priced[..], &["--json"]].concat());
    let found = json(&text);
    assert_eq!((code, &found["verified"], &found["solved"]), (Some(0), &true.into(), &true.into()));
    assert_eq!((&found["rollouts"], &found["steps_of_all_chains"]), (&40.into(), &160.into()));
    let answer = found["answer"].as_str().unwrap();
    let cost = if answer.ends_with('a') { 5.0 } else { 10.0 };
    assert_eq!((answer.starts_with('a'), &found["cost"]), (true, &cost.into()));
    assert_eq!(found["broken"], json("[]"));
    let (text, _) = solve(&priced);
    let told = format!("right by the referee, cost {cost}");
    assert!(text.contains(&told) && text.contains("verified by the referee: step"), "{text}");

    session.write("never.sh", &PRICED.replace("[\"a", "[\"z"));
    let (text, code) = solve(&["--referee", "sh never.sh", "--rollouts", "2"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("wrong by the referee: no a\nat fault: r1c1\n"), "{text}");
    let (text, _) = solve(&["--referee", "sh never.sh", "--one-pass", "--json"]);
    let found = json(&text);
    assert_eq!((&found["why"], &found["broken"]), (&"no a".into(), &json("[[0,0]]")));
    assert_eq!(found["cost"], Value::Null);
}

#[test]
fn a_referee_that_fails_is_told_in_one_line() {
    let session = Session::new();
    trained(&session);
    let eval = |referee: &str, more: &[&str]| {
        let eval = ["eval", "run", "--data", "data", "--json", "--referee", referee];
        session.refuse(&[&eval[..], more].concat(), 2)
    };
    session.write("crash.sh", "read -r line\nexit 7\n");
    session.write("hang.sh", "read -r line\nsleep 100\n");
    for more in [&[][..], &["--search"]] {
        let message = eval("sh crash.sh", more);
        assert!(message.contains("`sh crash.sh` ended (exit status: 7)"), "{message}");
        let message = eval("cat", more);
        assert!(message.contains("the referee `cat` wrote `{\"question\":[\""), "{message}");
        let begun = Instant::now();
        let message = eval("sh hang.sh", &[more, &["--referee-seconds", "1"]].concat());
        assert!(message.contains("gave no verdict within 1 s"), "{message}");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    assert!(eval("nothing-of-this-name", &[]).contains("cannot be started"));
    assert!(eval("sh 'x", &[]).contains("a quote is not closed"));
    let message = session.refuse(&["solve", "run", "cacb", "--referee-workers", "2"], 2);
    assert!(message.contains("give --referee"), "{message}");
    assert!(eval("cat", &["--referee-seconds", "-1"]).contains("must be a positive number"));
}

#[test]
fn an_interrupted_program_leaves_no_referee_behind() {
    let session = Session::new();
    trained(&session);
    session.write("hang.sh", "echo $$ > started\nread -r line\nsleep 100\n");
    let mut command = session.command(&["solve", "run", "cacb", "--referee", "sh hang.sh"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let process = loop {
        let text = std::fs::read_to_string(session.path("started")).unwrap_or_default();
        if text.ends_with('\n') {
            break text.trim().to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no referee was started");
        std::thread::sleep(Duration::from_millis(10));
    };
    let kill = |arguments: &[&str]| {
        Command::new("kill").args(arguments).stderr(Stdio::null()).status().unwrap().success()
    };
    std::thread::sleep(Duration::from_millis(200)); // it has its line and hangs
    assert!(kill(&["-INT", &child.id().to_string()]));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        !kill(&["-0", "--", &format!("-{process}")])
    });
    assert!(gone, "the referee and its sleep are still there");
}

#[test]
fn the_python_example_agrees_with_the_shell_script() {
    let session = Session::new();
    trained(&session);
    session.write("sorted.py", PYTHON);
    if !Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success()) {
        eprintln!("skipped: there is no python3 here");
        return;
    }
    let report = |referee: &str| {
        let eval = ["eval", "run", "--data", "data", "--search", "--rollouts", "4", "--json"];
        let found = json(&session.succeed(&[&eval[..], &["--referee", referee]].concat()));
        (found["report"]["curve"].clone(), found["valid"].clone())
    };
    assert_eq!(report("python3 sorted.py"), report("sh sorted.sh"));
}
