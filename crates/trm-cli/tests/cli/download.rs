//! Downloads, from a server of the tests' own.

use crate::server::{Manner, Server};
use crate::session::Session;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Runs `trm data download` with options.
fn download(session: &Session, name: &str, address: &str, out: &str) -> Output {
    let arguments = ["data", "download", name, "--base-url", address, "--out", out];
    let mut command = session.command(&arguments);
    for proxy in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command.output().unwrap()
}

/// The one line of a download that must fail.
fn failure(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim().strip_prefix("error: ").unwrap().to_owned()
}

/// The original files of ConceptARC, if they are at hand.
fn concept() -> Option<[(&'static str, Vec<u8>); 2]> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/arc");
    if !shared.exists() {
        eprintln!("skipped: no ../shared beside the checkout");
        return None;
    }
    let names = ["arc-agi_concept_challenges.json", "arc-agi_concept_solutions.json"];
    Some(names.map(|name| (name, std::fs::read(shared.join(name)).unwrap())))
}

#[test]
fn a_data_set_is_fetched_once_and_resumed_when_broken() {
    let Some(files) = concept() else { return };
    let served = files.each_ref().map(|(name, bytes)| (*name, &bytes[..]));
    let server = Server::new(&served, &[Manner::CutAfter(300_000), Manner::Whole]);
    let session = Session::new();
    let broken = failure(&download(&session, "concept-arc", &server.address, "original"));
    assert!(broken.contains("the connection broke after 300000 bytes"), "{broken}");
    let parts: Vec<PathBuf> = session.files().into_iter().filter(|path| path.is_file()).collect();
    assert_eq!(parts, [session.path("original/arc-agi_concept_challenges.json.part")]);

    let output = download(&session, "concept-arc", &server.address, "original");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && output.stdout.is_empty(), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].ends_with("concept_challenges.json: fetched the rest, digest right"),
        "{text}"
    );
    assert!(lines[1].ends_with("concept_solutions.json: fetched, digest right"), "{text}");
    assert!(lines[2].starts_with("next: trm data arc"), "{text}");
    for (name, bytes) in &files {
        assert!(std::fs::read(session.path("original").join(name)).unwrap() == *bytes, "{name}");
    }
    assert_eq!(session.files().len(), 3);

    let output = download(&session, "concept-arc", "http://127.0.0.1:1", "original");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.matches("was there already, digest right").count(), 2, "{text}");
    let [challenges, solutions] = files.each_ref().map(|(name, _)| format!("/{name}"));
    let rest = format!("{challenges} bytes=300000-");
    assert_eq!(server.requests(), [challenges, rest, solutions]);
}

#[test]
fn a_server_that_ignores_ranges_begins_again() {
    let Some(files) = concept() else { return };
    let served = files.each_ref().map(|(name, bytes)| (*name, &bytes[..]));
    let server = Server::new(&served, &[Manner::WithoutRanges]);
    let session = Session::new();
    session.write("arc-agi_concept_solutions.json.part", "{ half");
    let output = download(&session, "concept-arc", &server.address, ".");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::read(session.path(files[1].0)).unwrap() == files[1].1);
    assert_eq!(session.files().len(), 2);
}

#[test]
fn a_wrong_digest_is_named_and_removes_nothing() {
    let session = Session::new();
    let wrong = vec![b'#'; 1_807_030];
    let server = Server::new(&[("train.csv", &wrong)], &[Manner::Whole]);
    let message = failure(&download(&session, "maze-hard", &server.address, "."));
    assert!(message.contains("/train.csv is not the published file (sha256 "), "{message}");
    assert!(message.contains("expected 25f9e39b5aee16967da41ba63b2d1d75"), "{message}");
    assert!(message.contains("kept as ./train.csv.wrong"), "{message}");
    assert_eq!(session.files(), [session.path("train.csv.wrong")]);

    session.write("train.csv", "question,answer\n");
    let arguments = ["data", "download", "maze-hard", "--out", "."];
    let message = session.refuse(&arguments, 2);
    assert!(message.starts_with("./train.csv: exists already and is not the pub"), "{message}");
    assert_eq!(std::fs::read(session.path("train.csv")).unwrap(), b"question,answer\n");
}

#[test]
fn what_comes_without_a_length_ends_at_the_published_size() {
    let session = Session::new();
    let bytes = [b'#'; 1000];
    let server = Server::new(&[("train.csv", &bytes)], &[Manner::WithoutLength, Manner::Endless]);
    let message = failure(&download(&session, "maze-hard", &server.address, "."));
    assert!(message.contains("broke after 1000 bytes (the server sends no more)"), "{message}");
    std::fs::remove_file(session.path("train.csv.part")).unwrap();
    let message = failure(&download(&session, "maze-hard", &server.address, "."));
    assert!(message.contains("the server sends more than the 1807030 bytes"), "{message}");
    assert!(session.files().is_empty());
}

#[test]
fn what_cannot_be_fetched_is_said_in_one_line_with_what_to_do() {
    let session = Session::new();
    let server = Server::new(&[], &[Manner::Missing]);
    let message = failure(&download(&session, "maze-hard", &server.address, "new"));
    let address = &server.address;
    let expected = format!(
        "cannot fetch {address}/train.csv: the server answers 404 Not Found; fetch it by hand into \
         new, or name a mirror with --base-url"
    );
    assert_eq!(message, expected);
    let server = Server::new(&[], &[Manner::Page]);
    let message = failure(&download(&session, "sudoku-extreme", &server.address, "new"));
    assert!(message.contains("the answer is a web page and not the file"), "{message}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let message = failure(&download(&session, "maze-hard", &address, "new"));
    assert!(message.starts_with(&format!("cannot fetch {address}/train.csv: no connection")));
    assert!(message.ends_with("or name a mirror with --base-url"), "{message}");
    assert!(session.files().is_empty());
}

#[test]
fn a_full_disk_is_said_and_what_there_is_can_be_gone_on_from() {
    let session = Session::new();
    let small = session.path("small");
    std::fs::create_dir(&small).unwrap();
    let mut mount = std::process::Command::new("mount");
    let mount = mount.args(["-t", "tmpfs", "-o", "size=96k", "none"]).arg(&small).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let bytes = vec![b'#'; 1_807_030];
    let server = Server::new(&[("train.csv", &bytes)], &[Manner::Whole]);
    let output = download(&session, "maze-hard", &server.address, "small");
    let files = session.files();
    let unmounted = std::process::Command::new("umount").arg(&small).status();
    assert!(unmounted.unwrap().success());
    let expected =
        "cannot write small/train.csv.part: the disk is full: make room and run the command again";
    assert_eq!(failure(&output), expected);
    assert!(files.contains(&small.join("train.csv.part")), "{files:?}");
}

#[test]
fn the_help_lists_what_can_be_fetched() {
    let help = Session::new().succeed(&["data", "download", "--help"]);
    for name in ["sudoku-extreme", "maze-hard", "arc-agi-1", "arc-agi-2", "concept-arc", "719 MB"] {
        assert!(help.contains(name), "{help}");
    }
}
