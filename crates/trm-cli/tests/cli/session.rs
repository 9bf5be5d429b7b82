//! A user at the command line.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A folder to type commands in.
pub struct Session {
    folder: tempfile::TempDir,
}

impl Session {
    pub fn new() -> Session {
        Session { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trm"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed and returns its standard output.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail with one line on standard error and nothing new on disk.
    pub fn refuse(&self, arguments: &[&str], code: i32) -> String {
        let before = self.files();
        let output = self.run(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
        assert_eq!(self.files(), before, "{arguments:?} left something behind");
        text.trim().strip_prefix("error: ").unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    /// All that is in the folder.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                }
                found.push(entry.path());
            }
        }
        found.sort();
        found
    }

    /// A small data set in `data` and a run of a few steps in `run`.
    pub fn trained(&self) {
        let data = "data sudoku --size 4 --train 80 --test 20 --givens 6-9 --out data";
        self.succeed(&data.split(' ').collect::<Vec<_>>());
        self.write("recipe.toml", RECIPE);
        self.succeed(&["train", "recipe.toml", "--out", "run"]);
    }
}

/// A model of few features and thirty steps of training on `data`.
pub const RECIPE: &str = "data = \"data\"\n[model]\nhidden = 32\ninner_multiple = 32\ncycles = 1\n\
    recursions = 2\nsupervision_steps = 4\nprefix_len = 0\npuzzle_embedding = 0\n[train]\n\
    steps = 30\nbatch = 16\noptimizer = \"adamw\"\nlr = 2e-3\nwarmup = 5\nvalidation = 16\n\
    validate_every = 10\nprecision = \"f32\"\n";

/// A puzzle that can be solved.
pub const PUZZLE: &str = "1.....3..4.....2";
