use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use trm_ops::DeviceError;
use trm_puzzles::RefereeError;
use trm_team::{Fault, Team};

/// Anything that data, files, downloads, training or evaluation can refuse.
#[derive(Debug, Error)]
pub enum Error {
    /// The operating system refused to read or write.
    #[error("cannot {action} {}: {}", path.display(), reason(source))]
    Io {
        /// What was tried: "read", "write", ….
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {message}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A recipe or a setting that cannot be used.
    #[error("{0}")]
    Recipe(String),
    /// Data and model do not belong together.
    #[error("{0}")]
    Mismatch(String),
    /// The model refused.
    #[error(transparent)]
    Model(trm::Error),
    /// The referee gave no verdict.
    #[error(transparent)]
    Referee(#[from] RefereeError),
    /// The device cannot go on.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Something outside of this program failed, such as a server.
    #[error("{0}")]
    Failed(String),
    /// A process of a team cannot go on, and so none of them does; all have this error.
    #[error(transparent)]
    Team(#[from] Fault),
    /// Somebody asked to stop.
    #[error("stopped before the end")]
    Stopped,
    /// Training left the numbers that a computer can hold.
    #[error(
        "the {what} is not finite at step {step}{}{}: resume with --set train.rollbacks=1 to go on \
         with other examples, or start again with a lower train.lr or with train.grad_clip",
        operation.as_ref().map_or(String::new(), |name| format!(" (first: {name})")),
        checkpoint.as_ref().map_or(String::new(), |path| {
            format!("; the last good checkpoint is {}", path.display())
        })
    )]
    NotFinite {
        /// What is not finite.
        what: &'static str,
        /// The optimiser step.
        step: u64,
        /// The first operation with a result that is not finite, where it was found.
        operation: Option<String>,
        /// The checkpoint to resume from, if there is one.
        checkpoint: Option<PathBuf>,
    },
}

impl From<trm::Error> for Error {
    fn from(error: trm::Error) -> Error {
        match error {
            trm::Error::Device(error) => Error::Device(error),
            other => Error::Model(other),
        }
    }
}

impl Error {
    /// What the operating system said about an action on a path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source: io::Error| match source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<DeviceError>())
        {
            Some(lost) => Error::Device(lost.clone()), // what was to be written could not be read
            None => Error::Io { action, path, source },
        }
    }

    /// What is wrong with a file, and what to do.
    pub fn file(path: &Path, message: impl Into<String>) -> Error {
        Error::File { path: path.to_owned(), message: message.into() }
    }

    /// Names the checkpoint to resume from.
    pub fn with_checkpoint(self, path: Option<PathBuf>) -> Error {
        match self {
            Error::NotFinite { what, step, operation, .. } => {
                Error::NotFinite { what, step, operation, checkpoint: path }
            }
            Error::Device(DeviceError(message)) => {
                let end = path.map_or(String::new(), |path| {
                    format!(
                        "; the last good checkpoint is {}: resume, or with --device cpu",
                        path.display()
                    )
                });
                Error::Device(DeviceError(message + &end))
            }
            other => other,
        }
    }

    /// A result once all processes of a team have theirs.
    ///
    /// # Errors
    /// That of the first process that has none, on all of them.
    pub fn on_all<T>(team: &Team, result: Result<T, Error>) -> Result<T, Error> {
        team.on_all(result, |error| (error.to_string(), error.is_misuse()))
    }

    /// Whether the user asked for something that cannot be (exit code 2) rather than something
    /// having failed (exit code 1).
    pub fn is_misuse(&self) -> bool {
        match self {
            Error::Io { .. }
            | Error::NotFinite { .. }
            | Error::Device(_)
            | Error::Failed(_)
            | Error::Stopped => false,
            Error::Team(fault) => fault.misuse,
            Error::File { .. }
            | Error::Recipe(_)
            | Error::Mismatch(_)
            | Error::Model(_)
            | Error::Referee(_) => true,
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".into(),
        io::ErrorKind::StorageFull => "the disk is full".into(),
        io::ErrorKind::FileTooLarge => {
            "a file may not be so large here (see ulimit -f, or the file system's own limit)".into()
        }
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}
