//! The processes that this one works with, if `mpirun` or `srun` has started several.

use anyhow::Result;
use std::sync::OnceLock;
use trm_data::Error;
use trm_team::Team;

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
    let team = team();
    if team.size() == 1 {
        return result;
    }
    team.wait();
    let said = result.as_ref().err().map(|e| (e.to_string(), crate::exit_code(e) == 2));
    let agreed = team.agree(said.as_ref().map(|(message, misuse)| (&message[..], *misuse)));
    agreed.map_err(Error::Team)?;
    result
}

/// Whether all processes have this error and none waits for another.
pub(crate) fn is_everybodys(error: &anyhow::Error) -> bool {
    let shared =
        |error: &Error| matches!(error, Error::Team(_) | Error::NotFinite { .. } | Error::Stopped);
    team().size() == 1 || error.downcast_ref().is_some_and(shared)
}

/// How many processes the launcher says that it has started.
fn started() -> usize {
    let of = |name: &str| std::env::var(name).ok()?.parse().ok();
    let names = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];
    names.iter().filter_map(|name| of(name)).max().unwrap_or(1)
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
        anyhow::bail!(
            "{started} processes were started, but MPI knows of {found}: start them with the mpirun of the MPI that \
             trm was built with, or srun --mpi=pmix"
        );
    }
    Ok(Some(launched))
}

/// Refuses to be one of several processes that do not know of each other.
#[cfg(not(feature = "mpi"))]
pub(crate) fn join() -> Result<Option<Launched>> {
    match started() {
        1 => Ok(None),
        started => anyhow::bail!(
            "{started} processes were started, but this trm was built without MPI: cargo install --path \
             crates/trm-cli --features mpi"
        ),
    }
}
