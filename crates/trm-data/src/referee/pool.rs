//! Several processes of a referee, to which answers are dealt out.

use super::RefereeCommand;
use super::process::{Fault, Process};
use super::protocol::Protocol;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use trm_puzzles::{Asked, Domain, Judge, RefereeError, Ruling};

/// Answers that a process gets at a time, at most.
const PORTION: usize = 64;

/// Portions that each process gets of many answers, at least: one that has slow ones gets fewer.
const PORTIONS: usize = 4;

pub(super) struct Pool {
    command: RefereeCommand,
    protocol: Protocol,
    processes: Mutex<Processes>,
    freed: Condvar,
}

#[derive(Default)]
struct Processes {
    /// Those that wait for work.
    idle: Vec<Process>,
    /// These and those at work.
    running: usize,
}

impl Pool {
    /// A pool with its first process.
    pub(super) fn start(command: RefereeCommand, domain: &Domain) -> Result<Pool, RefereeError> {
        let command = RefereeCommand { workers: command.workers.max(1), ..command };
        let (protocol, processes) = (Protocol::of(domain), Mutex::default());
        let pool = Pool { command, protocol, processes, freed: Condvar::new() };
        let first = pool.take()?;
        pool.give(Some(first));
        Ok(pool)
    }

    fn processes(&self) -> MutexGuard<'_, Processes> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process for one's own use: an idle one, a new one, or the next that others give back.
    fn take(&self) -> Result<Process, RefereeError> {
        let mut processes = self.processes();
        loop {
            if let Some(idle) = processes.idle.pop() {
                return Ok(idle);
            }
            if processes.running < self.command.workers {
                processes.running += 1;
                drop(processes);
                return Process::start(&self.command.words).map_err(|error| {
                    self.give(None);
                    self.command.fault(&format!("cannot be started: {error}"))
                });
            }
            processes = self.freed.wait(processes).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives a process back, or the room of one that has ended: another may start in its place.
    fn give(&self, process: Option<Process>) {
        let mut processes = self.processes();
        match process {
            Some(process) => processes.idle.push(process),
            None => processes.running -= 1,
        }
        drop(processes);
        self.freed.notify_one();
    }

    /// Lets one process judge some answers.
    fn judge_some(&self, asked: &[Asked<'_>]) -> Result<Vec<Ruling>, RefereeError> {
        let lines: Vec<String> = asked.iter().map(|asked| self.protocol.line(*asked)).collect();
        let mut process = self.take()?;
        match process.ask(&lines, self.command.limit, |reply| self.protocol.ruling(reply)) {
            Ok(rulings) => {
                self.give(Some(process));
                Ok(rulings)
            }
            Err(fault) => {
                drop(process);
                self.give(None);
                Err(self.explain(fault))
            }
        }
    }

    fn explain(&self, fault: Fault) -> RefereeError {
        let seconds = self.command.limit.as_secs_f64();
        self.command.fault(&match fault {
            Fault::Late => {
                format!("gave no verdict within {seconds} s: allow more with --referee-seconds")
            }
            Fault::Ended(status) => {
                format!("ended ({status}): it must reply to every line until its input ends")
            }
            Fault::Wrote(what) => what,
        })
    }
}

impl Judge for Pool {
    fn judge(&self, question: &[u8], answer: &[u8]) -> Result<Ruling, RefereeError> {
        self.judge_some(&[(question, answer)]).map(|mut one| one.remove(0))
    }

    fn judge_all(&self, asked: &[Asked<'_>]) -> Result<Vec<Ruling>, RefereeError> {
        let workers = self.command.workers.min(asked.len());
        if workers < 2 {
            return self.judge_some(asked);
        }
        let size = asked.len().div_ceil(PORTIONS * workers).min(PORTION);
        let portions: Vec<&[Asked<'_>]> = asked.chunks(size).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut judged = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(portion) = portions.get(place) else { break };
                let rulings = self.judge_some(portion);
                let failed = rulings.is_err();
                judged.push((place, rulings));
                if failed {
                    next.store(portions.len(), Ordering::Relaxed); // nothing more is begun
                }
            }
            judged
        };
        let mut judged: Vec<_> = thread::scope(|scope| {
            let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
            let own = work();
            let others = others.into_iter().flat_map(|other| other.join().expect("no panic"));
            own.into_iter().chain(others).collect()
        });
        judged.sort_by_key(|(place, _)| *place);
        let rulings: Result<Vec<Vec<Ruling>>, _> =
            judged.into_iter().map(|(_, rulings)| rulings).collect();
        rulings.map(|rulings| rulings.concat())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.processes().idle.iter_mut().for_each(Process::close); // all of them at once
    }
}

#[cfg(all(test, unix))]
mod tests;
