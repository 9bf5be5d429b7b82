//! Every command with an output that is closed or full.

use crate::session::{PUZZLE, Session};
use std::fs::OpenOptions;
use std::process::{ExitStatus, Stdio};

/// Every verb once, OUT standing for a name not used before, and whether it prints data to standard output.
const COMMANDS: &[(&str, bool)] = &[
    ("--help", true),
    ("data sudoku --size 4 --train 5 --test 2 --givens 6-9 --out OUT", false),
    ("data maze --size 5 --train 4 --test 2 --path 3 --out OUT", false),
    ("data grid --train pairs.csv --test 1 --out OUT", false),
    ("data merge data data --out OUT", true),
    ("data csv data", true),
    ("data check data", true),
    ("data download maze-hard --out OUT --base-url http://127.0.0.1:9/", false),
    ("train recipe.toml --out OUT --set train.steps=4", false),
    ("train --resume run", false),
    ("eval run --data data --limit 3", true),
    ("eval run --data data --limit 3 --json", true),
    ("eval run --data data --limit 3 --search --rollouts 2", true),
    ("solve run PUZZLE", true),
    ("solve run PUZZLE --json", true),
    ("solve run x", false),
    ("export run --out OUT", true),
    ("export run --to pt-names --out OUT", true),
    ("export run --to onnx --out OUT", true),
    ("export run --to web --out OUT", true),
    ("import nothing --out OUT", false),
    ("compare nothing.toml --out OUT", false),
    ("bench --preset run --batch 1 --threads 1 --precision f32 --work forward --runs 5", true),
];

enum End {
    Pipe,
    Disk,
}

/// An output that takes nothing: a pipe that nobody reads, or a disk that is full.
fn unwritable(end: &End) -> Stdio {
    match end {
        End::Pipe => std::io::pipe().unwrap().1.into(),
        End::Disk => OpenOptions::new().write(true).open("/dev/full").unwrap().into(),
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_command_is_lost_to_an_output_that_takes_nothing() {
    let session = Session::new();
    session.trained();
    session.write("pairs.csv", "input,output\nab/ba,ba/ab\naa/bb,bb/aa\nab/ab,ba/ba\n");
    let mut outs = 0;
    for (line, prints) in COMMANDS {
        let mut status = |stdout: Stdio, stderr: Stdio| -> ExitStatus {
            outs += 1;
            let line = line.replace("OUT", &format!("out-{outs}")).replace("PUZZLE", PUZZLE);
            let words: Vec<&str> = line.split(' ').collect();
            session.command(&words).stdout(stdout).stderr(stderr).status().unwrap()
        };
        let usual = status(Stdio::null(), Stdio::null()).code();
        assert!(usual.is_some_and(|code| code < 3), "{line}: {usual:?}");
        for end in [End::Pipe, End::Disk] {
            let silent = status(Stdio::null(), unwritable(&end));
            assert_eq!(silent.code(), usual, "{line}, standard error");
        }
        let unread = status(unwritable(&End::Pipe), Stdio::null()).code();
        assert!(unread == usual || unread == Some(0), "{line}: {unread:?}");
        let full = status(unwritable(&End::Disk), Stdio::null()).code();
        assert_eq!(full, if *prints { Some(1) } else { usual }, "{line}, standard output");
    }
}
