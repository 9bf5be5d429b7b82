//! The processes that this one works with, if `mpirun` or `srun` has started several.

use anyhow::Result;
use std::sync::OnceLock;
use trm_data::Error;
use trm_team::{Fault, Team};

static TEAM: OnceLock<Team> = OnceLock::new();

/// This process and the others.
pub(crate) fn team() -> Team {
    TEAM.get().cloned().unwrap_or_else(Team::alone)
}

/// Whether this process speaks for all.
pub(crate) fn leads() -> bool {
    TEAM.get().is_none_or(Team::leads)
}

/// A result once all processes have theirs; else the error of the first one that has none.
pub(crate) fn on_all<T>(result: Result<T>) -> Result<T> {
    let said = |Said(error): &Said| (error.to_string(), crate::exit_code(error) == 2);
    team().on_all(result.map_err(Said), said).map_err(|Said(error)| error)
}

/// An error of this process, or that of another.
struct Said(anyhow::Error);

impl From<Fault> for Said {
    fn from(fault: Fault) -> Said {
        Said(Error::Team(fault).into())
    }
}

/// Refuses to share work with processes that differ in such facts.
pub(crate) fn compare(facts: &[(&str, String)]) -> Result<()> {
    Ok(team().compare(facts).map_err(Error::Team)?)
}

/// Whether all processes have this error and none waits for another.
pub(crate) fn is_everybodys(error: &anyhow::Error) -> bool {
    let shared =
        |error: &Error| matches!(error, Error::Team(_) | Error::NotFinite { .. } | Error::Stopped);
    team().size() == 1 || error.downcast_ref().is_some_and(shared)
}

/// How many processes `mpirun`, or `srun` with MPI, says that it has started.
fn started() -> usize {
    let of = |name: &str| std::env::var(name).ok()?.parse().ok();
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].iter().find_map(|name| of(name)).unwrap_or(1)
}

/// The first of some processes that do not know of each other says why, the others just end.
fn refuse(why: String) -> anyhow::Error {
    let number =
        ["OMPI_COMM_WORLD_RANK", "PMI_RANK"].iter().find_map(|name| std::env::var(name).ok());
    if number.is_some_and(|number| number != "0") {
        std::process::exit(2);
    }
    anyhow::Error::msg(why)
}

/// What must live until the command is done.
#[cfg(feature = "mpi")]
pub(crate) type Launched = trm_team::mpi::Launched;
#[cfg(not(feature = "mpi"))]
pub(crate) struct Launched;

/// Joins the other processes, if there are any.
#[cfg(feature = "mpi")]
pub(crate) fn join() -> Result<Option<Launched>> {
    let started = started();
    if started == 1 {
        return Ok(None);
    }
    let told = |line: &str| crate::display::error_of_one(line);
    let (launched, team) = trm_team::mpi::start(told).map_err(anyhow::Error::msg)?;
    let found = team.size();
    TEAM.get_or_init(|| team);
    if found != started {
        return Err(refuse(format!(
            "{started} processes were started, but MPI knows of {found}: start them with the mpirun of the MPI that \
             trm was built with, or srun --mpi=pmix"
        )));
    }
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        crate::display::error_of_one("a fault of trm itself, please report it:");
        usual(panic);
        self::team().end(1); // the others wait for this one
    }));
    Ok(Some(launched))
}

/// Refuses to be one of several processes that do not know of each other.
#[cfg(not(feature = "mpi"))]
pub(crate) fn join() -> Result<Option<Launched>> {
    match started() {
        1 => Ok(None),
        started => Err(refuse(format!(
            "{started} processes were started, but this trm was built without MPI: cargo install --path \
             crates/trm-cli --features mpi"
        ))),
    }
}
