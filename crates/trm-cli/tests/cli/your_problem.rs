//! Every command of docs/YOUR-PROBLEM.md, as a reader types them.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

const PAGE: &str = include_str!("../../../../docs/YOUR-PROBLEM.md");

/// The fenced blocks of a page: their language, the file that they are, if any, and their text.
pub(super) fn blocks(page: &str) -> Vec<(&str, Option<&str>, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let (language, file) = info.split_once(' ').map_or((info, None), |(l, f)| (l, Some(f)));
        blocks.push((language, file, text.join("\n") + "\n"));
    }
    blocks
}

#[test]
fn every_command_of_the_page_does_what_it_says() {
    if ["python3", "curl"]
        .iter()
        .any(|program| Command::new(program).arg("--version").output().is_err())
    {
        eprintln!("skipped: python3 or curl is missing");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bin = Path::new(env!("CARGO_BIN_EXE_trm")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut script = String::from("set -e\n");
    for (language, file, text) in blocks(PAGE) {
        match (language, file) {
            ("sh", None) => script += &text.replace("8080", &port.to_string()),
            (_, Some(file)) => std::fs::write(folder.path().join(file), text).unwrap(),
            other => panic!("a block that is neither a file nor commands: {other:?}"),
        }
    }
    let run = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&folder)
        .env("PATH", path)
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, log) = (said(&run.stdout), said(&run.stderr));
    assert!(run.status.success(), "{}\n{out}\n{log}", run.status);
    let valid: Vec<f64> = out
        .lines()
        .filter_map(|line| line.strip_prefix("valid, says the referee, ")?.split(' ').next())
        .map(|share| share.parse().unwrap())
        .collect();
    let [alone, searched] = valid[..] else { panic!("{out}") };
    assert!(alone > 90.0 && searched > 99.0, "{out}");
    assert!(out.contains("right by the referee"), "{out}");
    let answer = out.lines().last().unwrap();
    assert!(answer.contains("\"solved\":true"), "{answer}");
}
