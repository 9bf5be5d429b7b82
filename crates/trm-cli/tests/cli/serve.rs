//! `trm serve` as a program: how it starts, what it refuses, how it ends.

use super::session::Session;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

const PUZZLE: &str =
    "..8.2...3.6....2..1.....64....9.3.....7....3.6..5..8.2.4...8..7..6.473.....6.....";

/// A server of the shipped model, and where it listens.
pub(super) fn start(session: &Session, arguments: &[&str]) -> (Child, String) {
    let mut command = session.command(&[&["serve", "--port", "0"], arguments].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let address =
        line.trim().strip_prefix("listening at http://").unwrap_or_else(|| panic!("{line}"));
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    (child, address.trim_end_matches('/').to_owned())
}

fn ask(address: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "POST /v1/solve HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}"
    );
    write!(stream, "{head}\r\n\r\n{body}").unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_terminated_server_answers_first_with_a_referee_too() {
    let session = Session::new();
    // slow enough to be asked while it thinks
    session
        .write("slow.sh", "while read -r line; do sleep 1; echo '{\"verdict\":\"right\"}'; done\n");
    for (arguments, asked, says) in [
        (vec![], format!("{{\"puzzle\": \"{PUZZLE}\"}}"), "\"verified\":true"),
        (
            vec!["--referee", "sh slow.sh"],
            format!("{{\"puzzle\": \"{PUZZLE}\"}}"),
            "right by the referee",
        ),
    ] {
        let (mut child, address) = start(&session, &arguments);
        let stream = ask(&address, &asked);
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        let text = answer(stream);
        assert!(text.starts_with("HTTP/1.1 200") && text.contains(says), "{text}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn folders_are_called_as_they_are_or_as_they_are_given() {
    let session = Session::new();
    let shipped =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/sudoku-extreme");
    // a folder whose own name has a sign of equality is no pair
    for folder in ["one/model", "two/model", "a=b"] {
        let copy = session.path(folder);
        std::fs::create_dir_all(&copy).unwrap();
        for file in ["config.json", "model.safetensors"] {
            std::fs::copy(shipped.join(file), copy.join(file)).unwrap();
        }
    }
    let error = session.refuse(&["serve", "--port", "0", "one/model", "two/model"], 2);
    assert!(error.contains("two models are called `model`"), "{error}");
    let (mut child, address) =
        start(&session, &["second=two/model", "one/model", "a=b", "third=a=b"]);
    let text = answer(ask(&address, "{\"model\": \"none\", \"puzzle\": \"\"}"));
    assert!(text.contains("there are `second`, `model`, `a=b`, `third`"), "{text}");
    let text = answer(ask(&address, &format!("{{\"puzzle\": \"{PUZZLE}\", \"one_pass\": true}}")));
    assert!(text.contains("\"model\":\"second\""), "the first is asked: {text}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_cannot_be_served_is_refused_at_the_start() {
    let session = Session::new();
    session.refuse(&["serve", "nowhere"], 1);
    let error = session.refuse(&["serve", "--referee", "false"], 2);
    assert!(error.ends_with("ended (exit status: 1) before it was asked anything"), "{error}");
    for (arguments, says) in [
        (vec!["serve", "--batch", "0"], "--batch and --queue must be at least 1"),
        (vec!["serve", "--api-key", " "], "the key is empty"),
        (vec!["serve", "--cors", "a\u{7}b"], "is no origin"),
        (vec!["serve", "--referee-seconds", "3"], "give --referee"),
    ] {
        let error = session.refuse(&arguments, 2);
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}

#[test]
fn a_study_that_asks_our_server_finds_what_an_evaluation_finds() {
    let session = Session::new();
    let (mut child, address) = start(&session, &[]);
    let study = "title = \"Our own endpoint\"\nseeds = [1]\ntraining_flops = 1e6\ntest = 40\nsteps = 1\nanswers = 1\ntemperature = 1.0\ngrowth = []\n\
        make_data = \"sudoku --train 20 --test 40 --seed 1\"\n[train]\nbatch = 1\n\
        [[contender]]\nname = \"direct\"\n[contender.model]\nhidden = 16\ninner_multiple = 16\ncycles = 1\n\
        recursions = 0\nsupervision_steps = 1\nprefix_len = 0\npuzzle_embedding = 0\n\
        [[contender]]\nname = \"served\"\n[contender.endpoint]\npuzzles = 40\n\
        request = { trm = { one_pass = true, halt = 1.0, steps = 1 } }\n";
    session.write("study.toml", study);
    let mut command = session.command(&["compare", "study.toml", "--out", "out"]);
    let address = format!("http://{address}/v1");
    command.env("TRM_CHAT_URL", address).env("TRM_CHAT_MODEL", "sudoku-extreme");
    let output = command.output().unwrap();
    child.kill().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let found = json(&std::fs::read_to_string(session.path("out/study.json")).unwrap());
    let served = &found["language_models"][0];
    assert_eq!((&served["asked"], &served["unreadable"]), (&40.into(), &0.into()));

    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sudoku-extreme");
    let evaluate = ["eval", model, "--data", "out/data", "--steps", "1", "--halt", "1", "--json"];
    let evaluated = json(&session.succeed(&evaluate));
    let exact = (evaluated["exact_accuracy"].as_f64().unwrap() * 40.0).round();
    assert_eq!(served["exact"].as_f64(), Some(exact));
    assert!((1.0..40.0).contains(&exact), "some right and some wrong: {exact}");
}
