//! Who is alive: a thread of every process answers those that have waited for long.

use super::{process, rank, world};
use mpi::request::StaticScope;
use mpi::topology::Communicator;
use mpi::traits::{Destination, Source};
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// A question of one that waits.
const ASK: i32 = 2;
/// The answer of one that waits too.
const WAITS: i32 = 3;
/// The answer of one that computes, or is busy with files.
const WORKS: i32 = 4;

/// The time that is waited before others are asked, and between two questions.
const AGAIN: Duration = Duration::from_secs(5);
/// The time in which a process that computes has used its processor.
const WINDOW: Duration = Duration::from_secs(10);
/// A pause between two looks that this process did not make itself: it was stopped.
const AWAY: Duration = Duration::from_secs(3);

/// What a process answers.
pub(super) struct Alive {
    waiting: AtomicBool,
    busy: AtomicUsize,
    ended: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// While it lives, this process waits for others.
pub(super) struct Waits<'a>(&'a AtomicBool);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Alive {
    /// Begins to answer, if there is anybody to ask.
    pub(super) fn start(own: usize, size: usize) -> Arc<Alive> {
        let alive = Arc::new(Alive {
            waiting: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            thread: Mutex::default(),
        });
        if size > 1 {
            let answering = alive.clone();
            *alive.thread() = Some(spawn(move || answering.answer(own)));
        }
        alive
    }

    fn thread(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the thread.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread().take() {
            let _ = thread.join();
        }
    }

    pub(super) fn waiting(&self) -> Waits<'_> {
        self.waiting.store(true, Ordering::Relaxed);
        Waits(&self.waiting)
    }

    pub(super) fn set_busy(&self, busy: bool) {
        if busy {
            self.busy.fetch_add(1, Ordering::Relaxed);
        } else {
            self.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Answers until MPI ends. Who neither waits nor works says nothing.
    fn answer(&self, own: usize) {
        let mut work = Work::new();
        while !self.ended.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(250));
            let works = work.goes_on() || self.busy.load(Ordering::Relaxed) > 0;
            for from in received(ASK) {
                if self.waiting.load(Ordering::Relaxed) {
                    tell(from, WAITS);
                } else if works && from != own {
                    tell(from, WORKS);
                }
            }
        }
    }
}

/// Whether this process uses its processor.
struct Work {
    since: Instant,
    used: Duration,
    went_on: bool,
}

impl Work {
    fn new() -> Work {
        Work { since: Instant::now(), used: used(), went_on: true }
    }

    /// Whether it did in the last window.
    fn goes_on(&mut self) -> bool {
        if self.since.elapsed() > WINDOW {
            // the thread that asks this takes far less
            self.went_on = used() - self.used > WINDOW / 50;
            (self.since, self.used) = (Instant::now(), used());
        }
        self.went_on
    }
}

/// Processor time of all threads.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// Who has sent a message of this kind.
fn received(tag: i32) -> Vec<usize> {
    let (world, mut from) = (world(), Vec::new());
    while let Some(status) = world.any_process().immediate_probe_with_tag(tag) {
        let source = status.source_rank();
        let _ = world.process_at_rank(source).receive_vec_with_tag::<u8>(tag);
        from.push(rank(source));
    }
    from
}

/// Sends an empty message, and does not wait until it is there.
fn tell(other: usize, tag: i32) {
    const NOTHING: &[u8] = &[];
    let world = world();
    std::mem::forget(process(&world, other).immediate_send_with_tag(StaticScope, NOTHING, tag));
}

/// How long the others have been silent during a wait.
pub(super) struct Silence {
    heard: Vec<Instant>,
    waits: Vec<bool>,
    asked: Instant,
    looked: Instant,
}

impl Silence {
    pub(super) fn new(size: usize, now: Instant) -> Silence {
        Silence { heard: vec![now; size], waits: vec![false; size], asked: now, looked: now }
    }

    /// Who has been silent for longer than that, and who says so: the lowest rank that waits.
    pub(super) fn look(&mut self, own: usize, limit: Duration) -> Option<(Vec<usize>, usize)> {
        let now = Instant::now(); // one time for all of it: this process may be stopped anywhere
        if now.duration_since(self.looked) > AWAY {
            self.heard.fill(now); // it was
        }
        self.looked = now;
        if now.duration_since(self.asked) < AGAIN {
            return None;
        }
        self.asked = now;
        for (tag, waits) in [(WAITS, true), (WORKS, false)] {
            for other in received(tag) {
                (self.heard[other], self.waits[other]) = (now, waits);
            }
        }
        let others = |rank: &usize| *rank != own;
        let silent = |rank: &usize| now.duration_since(self.heard[*rank]) > limit;
        let ranks = 0..self.heard.len();
        let found: Vec<usize> = ranks.clone().filter(others).filter(silent).collect();
        ranks.clone().filter(others).for_each(|other| tell(other, ASK));
        let waiting = |rank: &usize| *rank == own || self.waits[*rank] && !found.contains(rank);
        let speaker = ranks.clone().find(waiting)?;
        (!found.is_empty()).then_some((found, speaker))
    }
}
