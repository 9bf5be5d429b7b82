//! How operations are cut into tasks: for all threads, or for this one alone while the others have portions of their
//! own.

use rayon::iter::MinLen;
use rayon::prelude::*;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many portions of a batch are not yet done.
#[derive(Clone)]
pub(crate) struct Unfinished(Arc<AtomicUsize>);

thread_local! {
    /// Of the batch that this thread works on a portion of.
    static PORTIONS: RefCell<Option<Unfinished>> = const { RefCell::new(None) };
}

impl Unfinished {
    pub(crate) fn new(portions: usize) -> Unfinished {
        Unfinished(Arc::new(AtomicUsize::new(portions)))
    }

    /// Runs the work of one portion. Its operations stay on this thread until a thread has nothing left to do.
    pub(crate) fn portion<R>(&self, work: impl FnOnce() -> R) -> R {
        struct Done<'a>(&'a Unfinished, Option<Unfinished>);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.0.fetch_sub(1, Ordering::Relaxed);
                PORTIONS.set(self.1.take());
            }
        }
        let _done = Done(self, PORTIONS.replace(Some(self.clone())));
        work()
    }
}

/// Threads that an operation of this thread is cut for.
pub(crate) fn hands() -> usize {
    let threads = rayon::current_num_threads();
    let left = PORTIONS.with_borrow(|p| p.as_ref().map_or(0, |p| p.0.load(Ordering::Relaxed)));
    if left >= threads { 1 } else { threads }
}

/// Items that are tasks.
pub(crate) trait Tasks: IndexedParallelIterator {
    /// Each item a task that any thread may take; all of them one task where this thread is to be alone.
    fn tasks(self) -> MinLen<Self> {
        self.with_min_len(if hands() == 1 { usize::MAX } else { 1 })
    }
}

impl<I: IndexedParallelIterator> Tasks for I {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::thread;

    /// Which threads took the tasks of an operation.
    fn takers() -> usize {
        let seen = Mutex::new(HashSet::new());
        (0..64).into_par_iter().tasks().for_each(|_| {
            seen.lock().unwrap().insert(thread::current().id());
            thread::sleep(std::time::Duration::from_millis(1));
        });
        seen.into_inner().unwrap().len()
    }

    #[test]
    fn operations_stay_on_their_thread_while_every_thread_has_a_portion() {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        threads.install(|| {
            let unfinished = Unfinished::new(3);
            for _ in 0..2 {
                assert_eq!((unfinished.portion(takers), hands()), (1, 2));
            }
            assert_eq!(unfinished.portion(takers), 2, "a thread would idle");
        });
    }

    #[test]
    fn a_portion_that_panics_is_done() {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        threads.install(|| {
            let unfinished = Unfinished::new(2);
            let panic = || unfinished.portion(|| panic!("as work may"));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panic)).is_err());
            assert_eq!(unfinished.portion(hands), 2);
        });
    }
}
