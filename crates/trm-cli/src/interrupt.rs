//! Ctrl-C, hang-up and termination: the first ends the work in good order, the next one the process.

use crate::output::note;
use crate::team::team;
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use trm_data::end_referees;
use trm_ops::Stop;

/// Whether there is anything that an interruption must not lose.
static WORKING: AtomicBool = AtomicBool::new(false);

/// What the first signal says.
static SAID: Mutex<&str> = Mutex::new("");

/// Signals within this time are one: a terminal that is closed sends two.
const ONE_SIGNAL: Duration = Duration::from_secs(1);

/// Does work that a first signal stops and a second one ends with the process; `said` tells the user so.
pub(crate) fn stoppable<T>(said: &'static str, work: impl FnOnce(&Stop) -> T) -> Result<T> {
    let stop = stop_at_signals()?;
    *SAID.lock().unwrap_or_else(PoisonError::into_inner) = said;
    WORKING.store(true, Ordering::Relaxed);
    let result = work(&stop);
    WORKING.store(false, Ordering::Relaxed);
    Ok(result)
}

/// Whether the process is about to end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Ends the process, and first what it has started.
pub(crate) fn exit(code: i32) -> ! {
    ENDING.store(true, Ordering::Release);
    end_referees();
    std::process::exit(code);
}

/// Returns unless the process is about to end, with a code that no other thread may change: errors of referees that
/// were ended, for instance.
pub(crate) fn unless_ending() {
    while ENDING.load(Ordering::Acquire) {
        std::thread::park();
    }
}

/// The stop that a first signal requests while there is work ([`stoppable`]); at any other time it ends the process.
pub(crate) fn stop_at_signals() -> Result<Stop> {
    static STOP: OnceLock<Stop> = OnceLock::new();
    if let Some(stop) = STOP.get() {
        return Ok(stop.clone());
    }
    let stop = STOP.get_or_init(Stop::default).clone();
    let (asked, mut first) = (stop.clone(), None);
    let ended = move || {
        let since = first.get_or_insert_with(Instant::now).elapsed();
        let again = asked.is_requested() && since > ONE_SIGNAL;
        if again || !WORKING.load(Ordering::Relaxed) {
            exit(130);
        }
        if !asked.is_requested() {
            asked.request();
            if team().size() > 1 {
                return; // what a process was sent is not what all of them do
            }
            note!("\n{}", SAID.lock().unwrap_or_else(PoisonError::into_inner));
        }
    };
    #[cfg(unix)]
    before_the_limit(ended.clone())?;
    ctrlc::set_handler(ended)?;
    Ok(stop)
}

/// Does the same at the signal that Slurm sends some time before a job's limit (`--signal=USR1@60`).
#[cfg(unix)]
fn before_the_limit(mut ended: impl FnMut() + Send + 'static) -> Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([signal_hook::consts::SIGUSR1])?;
    std::thread::spawn(move || signals.forever().for_each(|_| ended()));
    Ok(())
}
