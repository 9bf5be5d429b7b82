//! Long work without the interpreter's lock: another thread does it, while the calling one hears signals.

use crate::errors::panicked;
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use trm_ops::Stop;

/// The longest time for which a signal waits.
const PAUSE: Duration = Duration::from_millis(50);

/// Tells the calling thread something; returns when it has taken it.
pub(crate) struct Teller<M>(SyncSender<M>);

impl<M> Teller<M> {
    pub(crate) fn tell(&self, message: M) {
        let _ = self.0.send(message); // nobody hears any more: the work is being stopped
    }
}

/// What has become of work.
pub(crate) struct Done<T> {
    /// What it gave.
    pub(crate) result: PyResult<T>,
    /// The exception for which it was stopped early: of a signal, or of who heard the messages.
    pub(crate) stopped: Option<PyErr>,
}

/// Does work in another thread. `hear` gets its messages in this one.
pub(crate) fn told<T: Send, M: Send>(
    py: Python<'_>,
    hear: &mut dyn FnMut(Python<'_>, M) -> PyResult<()>,
    work: impl FnOnce(&Stop, Teller<M>) -> T + Send,
) -> Done<T> {
    let (stop, (sender, mut messages)) = (Stop::default(), sync_channel(0));
    std::thread::scope(|scope| {
        let asked = stop.clone();
        let worker = scope.spawn(move || work(&asked, Teller(sender)));
        let mut stopped = None;
        while let Some(message) = next(py, &mut messages, &stop, &mut stopped) {
            if stopped.is_none()
                && let Err(exception) = hear(py, message)
            {
                stopped = Some(exception);
                stop.request();
            }
        }
        let result = py.detach(|| worker.join());
        Done { result: result.map_err(|payload| panicked(&*payload)), stopped }
    })
}

/// The next message; `None` if there will be none.
fn next<M: Send>(
    py: Python<'_>,
    messages: &mut Receiver<M>,
    stop: &Stop,
    stopped: &mut Option<PyErr>,
) -> Option<M> {
    loop {
        let messages = &mut *messages;
        let message = py.detach(move || messages.recv_timeout(PAUSE));
        if let Err(signal) = py.check_signals() {
            stop.request();
            stopped.get_or_insert(signal);
        }
        match message {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// Does work in another thread, of which nothing is told before its end.
pub(crate) fn quietly<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Stop) -> T + Send,
) -> PyResult<T> {
    let done = told(py, &mut |_, (): ()| Ok(()), |stop, _| work(stop));
    match done.stopped {
        Some(exception) => Err(exception),
        None => done.result,
    }
}

/// Does short work here, without the lock; a panic is an exception.
pub(crate) fn shortly<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    let result = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    result.map_err(|payload| panicked(&*payload))
}

/// Waits for a message of work that goes on by itself.
pub(crate) fn wait<M: Send>(py: Python<'_>, messages: &mut Receiver<M>) -> PyResult<Option<M>> {
    loop {
        let messages = &mut *messages;
        match py.detach(move || messages.recv_timeout(PAUSE)) {
            Ok(message) => return Ok(Some(message)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
        }
    }
}
