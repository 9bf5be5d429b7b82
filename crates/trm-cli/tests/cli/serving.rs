//! Every example of docs/SERVING.md, against a server.

use super::serve::start;
use super::session::Session;
use super::your_problem::blocks;
use std::process::{Command, Stdio};

const PAGE: &str = include_str!("../../../../docs/SERVING.md");

/// The answer to the puzzle of the page.
const ANSWER: &str =
    "478126953365489271192735648824963715957812436631574892249358167516247389783691524";

/// What runs a language from its standard input.
fn runner(language: &str) -> Vec<&'static str> {
    match language {
        "sh" => vec!["bash", "-e"],
        "python" => vec!["python3", "-"],
        "js" => vec!["node", "--input-type=module", "-"],
        other => panic!("examples in {other:?} are not run"),
    }
}

/// What an example prints; nothing if its language is missing here.
fn output(language: &str, text: &str) -> Option<String> {
    let runner = runner(language);
    let needed = if language == "sh" { "curl" } else { runner[0] };
    if Command::new(needed).arg("--version").output().is_err() {
        eprintln!("skipped: {needed} is missing, the example in {language} was not run");
        return None;
    }
    let mut command = Command::new(runner[0]);
    command.args(&runner[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{language}: {}\n{said}", output.status);
    Some(said)
}

#[test]
fn every_example_of_the_page_brings_the_answer() {
    let (mut child, address) = start(&Session::new(), &[]);
    let mut languages = Vec::new();
    for (language, _, text) in blocks(PAGE) {
        if text.starts_with("trm serve") {
            assert_eq!(text, "trm serve --port 8080\n");
            continue;
        }
        languages.push(language);
        let Some(said) = output(language, &text.replace("127.0.0.1:8080", &address)) else {
            continue;
        };
        // solved; the last draft, the end of its chain and the answer of a stream; a chat that draws it besides
        assert_eq!(said.matches(ANSWER).count(), 5, "{language}: {said}");
        assert!(said.contains("solved: all 27 rows"), "{language}: {said}");
    }
    assert_eq!(languages, ["sh", "python", "js"]);
    child.kill().unwrap();
    child.wait().unwrap();
}
