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
    assert!(text.contains("there are `a=b`, `model`, `second`, `third`"), "{text}");
    let text = answer(ask(&address, &format!("{{\"puzzle\": \"{PUZZLE}\", \"one_pass\": true}}")));
    assert!(text.contains("\"model\":\"second\""), "the first is asked: {text}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_cannot_be_served_is_refused_at_the_start() {
    let session = Session::new();
    session.refuse(&["serve", "nowhere"], 1);
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
