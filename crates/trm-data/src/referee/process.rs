//! One process of a referee, which is asked a few answers at a time and never waited for without end.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that wait to be read by the process at most, unless one line is longer: any pipe holds them, so that neither
/// side waits for the other to read first.
const WINDOW: usize = 4096;

/// The longest line that is read.
const LONGEST: u64 = 1 << 20;

/// How often it is looked whether a process is late.
const TICK: Duration = Duration::from_millis(50);

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);

/// Why a process gave no verdict.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The time was up.
    Late,
    /// It has ended, or closed its output.
    Ended(ExitStatus),
    /// It wrote what is no verdict.
    Wrote(String),
}

/// A running process with its pipes. It ends when this is dropped.
pub(crate) struct Process {
    shared: Arc<Shared>,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// What is looked at from outside while the process is waited for.
struct Shared {
    child: Mutex<Child>,
    /// When the process is late.
    deadline: Mutex<Option<Instant>>,
    late: AtomicBool,
}

/// All processes, for the one thread that watches them, and for [`end_referees`].
static RUNNING: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());
static STARTED: Condvar = Condvar::new();

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills all referees: to be called by a program that is about to exit without dropping what it has.
pub fn end_referees() {
    for shared in held(&RUNNING).iter().filter_map(Weak::upgrade) {
        kill(&mut held(&shared.child));
    }
}

/// Kills processes that are late, as long as there are any.
fn watch() {
    loop {
        let mut running = held(&RUNNING);
        running.retain(|shared| shared.strong_count() > 0);
        while running.is_empty() {
            running = STARTED.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        for shared in running.iter().filter_map(Weak::upgrade) {
            if held(&shared.deadline).is_some_and(|deadline| Instant::now() > deadline) {
                shared.late.store(true, Ordering::Release);
                kill(&mut held(&shared.child));
            }
        }
        drop(running);
        thread::sleep(TICK);
    }
}

impl Process {
    /// Starts a program. It is the first of a group of its own: Ctrl-C reaches this program alone, which ends the
    /// group when it has done what is left to do.
    pub(crate) fn start(words: &[String]) -> io::Result<Process> {
        static WATCHED: Once = Once::new();
        let (program, arguments) =
            words.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("it is piped"));
        let (child, deadline) = (Mutex::new(child), Mutex::new(None));
        let shared = Arc::new(Shared { child, deadline, late: AtomicBool::new(false) });
        held(&RUNNING).push(Arc::downgrade(&shared));
        STARTED.notify_one();
        WATCHED.call_once(|| drop(thread::spawn(watch)));
        Ok(Process { shared, input, output: BufReader::new(output) })
    }

    /// Writes lines and hears the reply to each, for which there is so much time. `read` makes something of a reply.
    pub(crate) fn ask<T>(
        &mut self,
        lines: &[String],
        limit: Duration,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Fault> {
        let mut replies = Vec::with_capacity(lines.len());
        let (mut waiting, mut bytes) = (VecDeque::new(), 0);
        let mut hear = |process: &mut Process| -> Result<(), Fault> {
            let reply = process.hear(limit)?;
            replies.push(read(&reply).map_err(Fault::Wrote)?);
            Ok(())
        };
        for line in lines {
            while bytes > 0 && bytes + line.len() > WINDOW {
                hear(self)?;
                bytes -= waiting.pop_front().unwrap_or(0);
            }
            self.tell(line, limit)?;
            waiting.push_back(line.len());
            bytes += line.len();
        }
        waiting.iter().try_for_each(|_| hear(self))?;
        Ok(replies)
    }

    fn tell(&mut self, line: &str, limit: Duration) -> Result<(), Fault> {
        self.expect(limit);
        let told = self.input.as_mut().map_or(Ok(()), |input| input.write_all(line.as_bytes()));
        told.map_err(|_| self.end())
    }

    fn hear(&mut self, limit: Duration) -> Result<String, Fault> {
        self.expect(limit);
        let mut line = Vec::new();
        let heard = (&mut self.output).take(LONGEST).read_until(b'\n', &mut line);
        *held(&self.shared.deadline) = None;
        match line.pop() {
            Some(b'\n') => Ok(String::from_utf8_lossy(&line).into_owned()),
            Some(_) if heard.is_ok() && line.len() as u64 + 1 == LONGEST => {
                Err(Fault::Wrote(format!("wrote a line of more than {LONGEST} bytes")))
            }
            _ => Err(self.end()),
        }
    }

    fn expect(&self, limit: Duration) {
        *held(&self.shared.deadline) = Instant::now().checked_add(limit);
    }

    /// Why it reads or writes no more.
    fn end(&mut self) -> Fault {
        self.close();
        let status = self.shared.wait(GRACE);
        if self.shared.late.load(Ordering::Acquire) { Fault::Late } else { Fault::Ended(status) }
    }

    /// How it ends when its input does, unless that takes long.
    pub(super) fn end_of_input(mut self) -> Option<ExitStatus> {
        self.close();
        self.shared.ended(GRACE)
    }

    /// Tells it that nothing more will be asked.
    pub(super) fn close(&mut self) {
        *held(&self.shared.deadline) = None;
        self.input = None;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.close();
        self.shared.wait(GRACE);
    }
}

impl Shared {
    /// Waits for the end of the process, and brings it about when the time is up.
    fn wait(&self, grace: Duration) -> ExitStatus {
        if let Some(status) = self.ended(grace) {
            return status;
        }
        let mut child = held(&self.child);
        kill(&mut child);
        child.wait().unwrap_or_default()
    }

    /// Waits for the process to end by itself; `None` if the time is up before.
    fn ended(&self, grace: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + grace;
        let mut pause = Duration::from_micros(200);
        while Instant::now() < until {
            if let Ok(Some(status)) = held(&self.child).try_wait() {
                return Some(status);
            }
            thread::sleep(pause);
            pause = (2 * pause).min(TICK);
        }
        None
    }
}

/// Kills a process and those it has started, unless its end has been seen already.
fn kill(child: &mut Child) {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    if matches!(child.try_wait(), Ok(None)) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL); // gone already: as wanted
    }
    let _ = child.kill();
}
