//! Work on several threads, and processes, whose result does not depend on their number.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use trm_team::Team;

/// Threads that the machine runs at the same time.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The longest time between two calls of `watch`; the first ones are shorter, for short work.
const PAUSE: Duration = Duration::from_millis(50);

/// `make(number)` for every number, in their order, on all processes of a team; `watch` is called now and then while
/// they are made.
pub(crate) fn in_team<T: Send + Serialize + DeserializeOwned>(
    team: &Team,
    numbers: Range<u64>,
    make: impl Fn(u64) -> T + Sync,
    watch: &mut dyn FnMut(),
) -> Vec<T> {
    let part = team.part((numbers.end - numbers.start) as usize);
    let own = numbers.start + part.start as u64..numbers.start + part.end as u64;
    team.share(in_parallel(own, cores(), make, watch))
}

/// `make(number)` for every number, in their order; `watch` is called now and then while they are made.
fn in_parallel<T: Send>(
    numbers: Range<u64>,
    threads: usize,
    make: impl Fn(u64) -> T + Sync,
    watch: &mut dyn FnMut(),
) -> Vec<T> {
    let next = AtomicU64::new(numbers.start);
    let made = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if !numbers.contains(&number) {
                    break;
                }
                let result = make(number);
                made.lock().unwrap_or_else(PoisonError::into_inner).insert(number, result);
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut pause = Duration::from_micros(200);
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(pause);
            pause = (2 * pause).min(PAUSE);
            watch();
        }
    });
    made.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}
