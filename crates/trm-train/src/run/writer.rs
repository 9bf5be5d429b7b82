use crate::Error;
use std::path::PathBuf;
use std::thread::JoinHandle;
use trm_team::Team;

/// Writes one checkpoint at a time on a thread of its own, while training goes on.
#[derive(Default)]
pub(crate) struct Writer(Option<JoinHandle<Result<PathBuf, Error>>>);

impl Writer {
    /// Begins to write. The one before must have been finished.
    pub(crate) fn begin(
        &mut self,
        write: impl FnOnce() -> Result<PathBuf, Error> + Send + 'static,
    ) {
        assert!(self.0.is_none(), "one checkpoint at a time");
        self.0 = Some(std::thread::spawn(write));
    }

    /// What was being written, if that is on disk by now.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) fn poll(&mut self, team: &Team) -> Result<Option<PathBuf>, Error> {
        let is_finished = self.0.as_ref().is_some_and(JoinHandle::is_finished);
        if is_finished { self.finish(team) } else { Ok(None) }
    }

    /// Waits until nothing is being written; says what was.
    ///
    /// # Errors
    /// If it could not be written.
    pub(crate) fn finish(&mut self, team: &Team) -> Result<Option<PathBuf>, Error> {
        let Some(thread) = self.0.take() else { return Ok(None) };
        match team.busy(|| thread.join()) {
            Ok(written) => written.map(Some),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Nothing is left half-written behind a run that ends with an error.
impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}
