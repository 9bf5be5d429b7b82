//! A team of threads.

use crate::Link;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One of some threads; each has a way to and from every other.
pub(crate) struct Threads {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Mutex<Vec<Receiver<Vec<u8>>>>,
}

impl Threads {
    pub(crate) fn all(size: usize) -> Vec<Threads> {
        let mut ways: Vec<Vec<_>> =
            (0..size).map(|_| (0..size).map(|_| Some(channel())).collect()).collect();
        let mut ends = Vec::new();
        for row in &mut ways {
            let (to, from): (Vec<_>, Vec<_>) = row.iter_mut().filter_map(Option::take).unzip();
            ends.push((to, from.into_iter().map(Some).collect::<Vec<_>>()));
        }
        (0..size)
            .map(|rank| {
                let from = ends.iter_mut().filter_map(|(_, from)| from[rank].take()).collect();
                Threads { rank, to: ends[rank].0.clone(), from: Mutex::new(from) }
            })
            .collect()
    }

    fn from(&self) -> MutexGuard<'_, Vec<Receiver<Vec<u8>>>> {
        self.from.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, rank: usize, message: &[u8]) {
        let gone = |_| panic!("rank {rank} has gone");
        self.to[rank].send(message.to_vec()).unwrap_or_else(gone);
    }
}

fn received(from: &Receiver<Vec<u8>>, rank: usize) -> Vec<u8> {
    from.recv().unwrap_or_else(|_| panic!("rank {rank} has gone"))
}

impl Link for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn host(&self) -> String {
        format!("thread {}", self.rank)
    }

    fn gather(&self, mine: &[u8]) -> Vec<Vec<u8>> {
        (0..self.size()).for_each(|rank| self.send(rank, mine));
        self.from().iter().enumerate().map(|(rank, from)| received(from, rank)).collect()
    }

    fn exchange(&self, sent: &[(usize, &[u8])], wanted: &mut [(usize, &mut [u8])]) {
        sent.iter().for_each(|(rank, message)| self.send(*rank, message));
        let from = self.from();
        for (rank, into) in wanted {
            into.copy_from_slice(&received(&from[*rank], *rank));
        }
    }

    fn wait(&self) {
        self.gather(&[]);
    }

    fn set_busy(&self, _: bool) {}

    fn beside(&self) -> usize {
        self.size()
    }

    fn end(&self, code: i32) -> ! {
        panic!("ended with code {code}")
    }
}
