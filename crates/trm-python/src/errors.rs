//! Errors as Python's own exceptions, with the words of the command line.

use pyo3::PyErr;
use pyo3::exceptions::{
    PyFileNotFoundError, PyFloatingPointError, PyKeyboardInterrupt, PyOSError, PyPermissionError,
    PyRuntimeError, PyTypeError, PyValueError,
};
use std::any::Any;
use std::fmt::Display;
use std::io::ErrorKind;
use trm_data::Error;

/// The exception that an error is.
pub(crate) fn raised(error: impl Into<Error>) -> PyErr {
    let error = error.into();
    let said = error.to_string();
    match &error {
        Error::Io { source, .. } => match source.kind() {
            ErrorKind::NotFound => PyFileNotFoundError::new_err(said),
            ErrorKind::PermissionDenied => PyPermissionError::new_err(said),
            _ => PyOSError::new_err(said),
        },
        Error::Stopped | Error::Model(trm::Error::Stopped) => PyKeyboardInterrupt::new_err(said),
        Error::NotFinite { .. } | Error::Model(trm::Error::NotFinite { .. }) => {
            PyFloatingPointError::new_err(said)
        }
        Error::Referee(_)
        | Error::Model(trm::Error::Referee(_) | trm::Error::Device(_))
        | Error::Device(_)
        | Error::Failed(_)
        | Error::Team(_) => PyRuntimeError::new_err(said),
        Error::File { .. } | Error::Recipe(_) | Error::Mismatch(_) | Error::Model(_) => {
            PyValueError::new_err(said)
        }
    }
}

/// A value that cannot be used.
pub(crate) fn refused(why: impl Display) -> PyErr {
    PyValueError::new_err(why.to_string())
}

/// Something of another kind than is needed.
pub(crate) fn unfit(why: impl Display) -> PyErr {
    PyTypeError::new_err(why.to_string())
}

/// A fault of this program: what a panic said.
pub(crate) fn panicked(payload: &(dyn Any + Send)) -> PyErr {
    let said = payload.downcast_ref::<String>().map(String::as_str);
    let said =
        said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    PyRuntimeError::new_err(format!("a fault of trm itself, please report it: {said}"))
}
