//! Processes that work together ([`Team`]): who takes which part of a batch, and sums that have the same bits however
//! many they are.
//!
//! A process of a team has a rank, from 0. What all must do is a method of [`Team`]: every process calls the same
//! ones in the same order. How messages travel is a [`Link`]: MPI (feature `mpi`), or threads ([`Team::of_threads`]).
//!
//! ```
//! use trm_team::{Shares, Team};
//!
//! let shares = Shares::new(10, 2, 3).unwrap(); // ten rows, two at a time, three processes
//! let sums = Team::of_threads(3, |team| {
//!     let mut sums = vec![team.rank() as f32; 4];
//!     team.sum(&shares, &mut sums);
//!     sums
//! });
//! assert_eq!(sums, vec![vec![3.0; 4]; 3]); // 0 + 1 + 2
//! ```

mod agree;
#[cfg(feature = "mpi")]
pub mod mpi;
mod shares;
mod threads;

pub use agree::Fault;
pub use shares::Shares;

use serde::Serialize;
use serde::de::DeserializeOwned;
use shares::Half;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

/// How messages travel between the processes of a team. Nothing fails: a link that cannot go on ends the process and says
/// why, because no process can go on without the others.
pub trait Link: Send + Sync {
    /// This process, from 0.
    fn rank(&self) -> usize;
    /// How many there are.
    fn size(&self) -> usize;
    /// The machine that it runs on.
    fn host(&self) -> String;
    /// The messages of all, by rank.
    fn gather(&self, mine: &[u8]) -> Vec<Vec<u8>>;
    /// Sends to some and receives from some, all at once; the lengths of what comes are known.
    fn exchange(&self, sent: &[(usize, &[u8])], received: &mut [(usize, &mut [u8])]);
    /// Waits until all are here, where some may take long: they read data.
    fn wait(&self);
    /// Whether this process does something on its own that may use no processor, so that others wait on.
    fn set_busy(&self, busy: bool);
    /// How many processes of the team share this machine.
    fn beside(&self) -> usize;
    /// Ends all processes at once.
    fn end(&self, code: i32) -> !;
}

/// This process and those that it works with. Cloning is cheap.
#[derive(Clone)]
pub struct Team(Option<Arc<dyn Link>>);

impl Team {
    /// A process that works alone.
    pub fn alone() -> Team {
        Team(None)
    }

    /// A process that reaches others by a link.
    pub fn new(link: impl Link + 'static) -> Team {
        Team(Some(Arc::new(link)))
    }

    /// What each of a team of threads gives, by rank: to try what a team does within one process.
    pub fn of_threads<R: Send>(size: usize, work: impl Fn(Team) -> R + Sync) -> Vec<R> {
        thread::scope(|scope| {
            let start = |link| scope.spawn(|| work(Team::new(link)));
            let threads: Vec<_> = threads::Threads::all(size).into_iter().map(start).collect();
            let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
            ended.map(|result| result.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }

    /// This process, from 0.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |link| link.rank())
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1, |link| link.size())
    }

    /// The machine that it runs on.
    pub fn host(&self) -> String {
        self.0.as_ref().map_or("this machine".into(), |link| link.host())
    }

    /// The part of some things in order that this process takes; all take as many, or one more.
    pub fn part(&self, things: usize) -> Range<usize> {
        self.part_of(self.rank(), things)
    }

    /// The part that another process takes ([`Team::part`]).
    pub fn part_of(&self, rank: usize, things: usize) -> Range<usize> {
        rank * things / self.size()..(rank + 1) * things / self.size()
    }

    /// What all have of something, in the order of the ranks, as JSON between them.
    ///
    /// # Panics
    /// If it is none, or another version of the program takes part.
    pub fn share<T: Serialize + DeserializeOwned>(&self, own: Vec<T>) -> Vec<T> {
        if self.size() == 1 {
            return own;
        }
        let own = serde_json::to_vec(&own).expect("what is shared is JSON");
        let parts = self.gather(&own).into_iter();
        let parts = parts.map(|part| serde_json::from_slice::<Vec<T>>(&part));
        parts.flat_map(|part| part.expect("what another process shares")).collect()
    }

    /// Whether this is rank 0, which writes files and speaks.
    pub fn leads(&self) -> bool {
        self.rank() == 0
    }

    /// The messages of all, by rank.
    pub fn gather(&self, mine: &[u8]) -> Vec<Vec<u8>> {
        match &self.0 {
            None => vec![mine.to_vec()],
            Some(link) => link.gather(mine),
        }
    }

    /// The bytes of all on rank 0, those of rank 0 first; nothing elsewhere. All know the lengths.
    ///
    /// # Panics
    /// If `mine` has not the length of this rank.
    pub fn collect(&self, mine: &[u8], lengths: &[usize]) -> Vec<u8> {
        assert_eq!(mine.len(), lengths[self.rank()], "bytes of rank {}", self.rank());
        let Some(link) = &self.0 else { return mine.to_vec() };
        if !self.leads() {
            link.exchange(&[(0, mine)], &mut []);
            return Vec::new();
        }
        let mut all = vec![0; lengths.iter().sum()];
        let (own, mut rest) = all.split_at_mut(mine.len());
        own.copy_from_slice(mine);
        let mut received = Vec::new();
        for (rank, length) in lengths.iter().enumerate().skip(1) {
            let (part, after) = rest.split_at_mut(*length);
            received.push((rank, part));
            rest = after;
        }
        link.exchange(&[], &mut received);
        all
    }

    /// Waits until all are here.
    pub fn meet(&self) {
        self.gather(&[]);
    }

    /// [`Team::meet`] where some may take long: they read data.
    pub fn wait(&self) {
        if let Some(link) = &self.0 {
            link.wait();
        }
    }

    /// Does something that others wait for and that may use no processor: files are written, a judge is asked.
    pub fn busy<R>(&self, work: impl FnOnce() -> R) -> R {
        self.set_busy(true);
        let result = work();
        self.set_busy(false);
        result
    }

    fn set_busy(&self, busy: bool) {
        if let Some(link) = &self.0 {
            link.set_busy(busy);
        }
    }

    /// How many processes of the team share this machine.
    pub fn beside(&self) -> usize {
        self.0.as_ref().map_or(1, |link| link.beside())
    }

    /// Ends all processes at once, where this one cannot go on and the others wait for it.
    pub fn end(&self, code: i32) -> ! {
        match &self.0 {
            None => std::process::exit(code),
            Some(link) => link.end(code),
        }
    }

    /// The sum over all processes, in the order of the tree of `shares`: the bits are those of
    /// one process that adds the same parts. Each process sends and receives less than twice the values.
    ///
    /// # Panics
    /// If the shares are those of another number of processes.
    pub fn sum(&self, shares: &Shares, values: &mut [f32]) {
        assert_eq!(shares.processes(), self.size(), "shares of another team");
        let Some(link) = &self.0 else { return };
        let meetings = shares.meetings(self.rank(), values.len());
        let kept = |meeting: &Vec<Half>| meeting.iter().map(|half| half.kept.len()).sum();
        let mut theirs = vec![0.0; meetings.iter().map(kept).max().unwrap_or(0)];
        for meeting in &meetings {
            let (mut sent, mut received, mut rest) = (Vec::new(), Vec::new(), &mut theirs[..]);
            let halves = split(values, meeting);
            for (half, (kept, given)) in meeting.iter().zip(&halves) {
                let (part, after) = rest.split_at_mut(kept.len());
                sent.push((half.with, bytemuck::cast_slice(given)));
                received.push((half.with, bytemuck::cast_slice_mut(part)));
                rest = after;
            }
            link.exchange(&sent, &mut received);
            let sums = halves.into_iter().flat_map(|(kept, _)| kept);
            sums.zip(&theirs).for_each(|(sum, term)| *sum += term);
        }
        for meeting in meetings.iter().rev() {
            // back the same way: what was kept is whole now
            let (mut sent, mut received) = (Vec::new(), Vec::new());
            for (half, (kept, given)) in meeting.iter().zip(split(values, meeting)) {
                sent.push((half.with, bytemuck::cast_slice(kept)));
                received.push((half.with, bytemuck::cast_slice_mut(given)));
            }
            link.exchange(&sent, &mut received);
        }
    }
}

/// What is kept and what is given of every piece of a meeting; pieces follow each other.
fn split<'v>(mut values: &'v mut [f32], meeting: &[Half]) -> Vec<(&'v mut [f32], &'v mut [f32])> {
    let mut at = 0;
    let mut take = |to: usize| {
        let (part, rest) = std::mem::take(&mut values).split_at_mut(to - at);
        (values, at) = (rest, to);
        part
    };
    let mut halves = Vec::new();
    for half in meeting {
        let keeps_low = half.kept.end <= half.given.start; // one of them may be empty
        let (low, high) =
            if keeps_low { (&half.kept, &half.given) } else { (&half.given, &half.kept) };
        take(low.start);
        let (low, high) = (take(low.end), take(high.end));
        halves.push(if keeps_low { (low, high) } else { (high, low) });
    }
    halves
}
