//! How much may wait: puzzles and bytes that have been admitted and not been answered.

use crate::refusal::Refusal;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The room of a server.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    puzzles: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    sizes: [usize; 2],
}

/// Room that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _puzzles: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn new(puzzles: usize, bytes: usize) -> Admission {
        let sizes = [puzzles, bytes].map(|size| size.min(Semaphore::MAX_PERMITS));
        let [puzzles, bytes] = sizes.map(|size| Arc::new(Semaphore::new(size)));
        Admission { puzzles, bytes, sizes }
    }

    /// Room for so many puzzles of a request of so many bytes.
    ///
    /// # Errors
    /// If it never fits, or not now.
    pub(crate) fn enter(&self, puzzles: usize, bytes: usize) -> Result<Place, Refusal> {
        let [most_puzzles, most_bytes] = self.sizes;
        if puzzles > most_puzzles {
            return Err(Refusal::too_many(puzzles, most_puzzles));
        }
        let take = |semaphore: &Arc<Semaphore>, count: usize| {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            semaphore.clone().try_acquire_many_owned(count)
        };
        let full = || {
            let waiting = most_puzzles - self.puzzles.available_permits();
            Refusal::full(format!("the queue is full ({waiting} puzzles): try again in a second"))
        };
        let bytes = bytes.min(most_bytes);
        Ok(Place {
            _puzzles: take(&self.puzzles, puzzles).map_err(|_| full())?,
            _bytes: take(&self.bytes, bytes).map_err(|_| full())?,
        })
    }

    /// Puzzles that have been admitted and not been answered.
    pub(crate) fn waiting(&self) -> usize {
        self.sizes[0] - self.puzzles.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_and_what_never_fits_is_no_matter_of_time() {
        let admission = Admission::new(3, 100);
        let two = admission.enter(2, 50).unwrap();
        assert_eq!(admission.enter(2, 10).unwrap_err().status.as_u16(), 429);
        assert_eq!(admission.enter(1, 60).unwrap_err().status.as_u16(), 429);
        assert_eq!(admission.waiting(), 2);
        drop(two);
        assert!(admission.enter(3, 1000).is_ok());
        assert_eq!(admission.enter(4, 1).unwrap_err().status.as_u16(), 422);
    }
}
