//! A program that is asked line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A command of the shell that answers every line of its input with a line. It ends with its input.
pub(super) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    limit: Duration,
}

impl Program {
    /// Starts a command; each of its answers may take as long as `limit`.
    pub(super) fn start(command: &str, limit: Duration) -> Result<Program, String> {
        let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let mut child = Command::new(shell)
            .args([option, command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot be started: {error}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("piped"));
        let (send, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Program { child, input, answers, limit })
    }

    /// Its answer to a line.
    pub(super) fn ask(&mut self, line: &str) -> Result<String, String> {
        let ended = || "ended before its last answer".to_owned();
        let input = self.input.as_mut().expect("open");
        let written = writeln!(input, "{line}").and_then(|()| input.flush());
        written.map_err(|_| ended())?;
        self.answers.recv_timeout(self.limit).map_err(|error| match error {
            RecvTimeoutError::Disconnected => ended(),
            RecvTimeoutError::Timeout => {
                let seconds = self.limit.as_secs();
                format!("no answer in {seconds} s: it must write a line for every line, and flush")
            }
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_program_answers_ends_or_is_late() {
        let limit = Duration::from_secs(10);
        let mut cat = Program::start("cat", limit).unwrap();
        assert_eq!((cat.ask("a"), cat.ask("b")), (Ok("a".into()), Ok("b".into())));
        let mut one = Program::start("head -n 1", limit).unwrap();
        assert_eq!(one.ask("a").as_deref(), Ok("a"));
        assert_eq!(one.ask("b").unwrap_err(), "ended before its last answer");
        let mut late = Program::start("sleep 60", Duration::from_millis(50)).unwrap();
        assert!(late.ask("a").unwrap_err().starts_with("no answer in 0 s"));
    }
}
