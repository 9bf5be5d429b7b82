//! Why a puzzle makes no sense.

use std::fmt;
use std::sync::Arc;

/// Why a domain could not make sense of a puzzle, in the words of that domain. Two are equal if they say the same.
///
/// ```
/// use trm_puzzles::Error;
///
/// let error = Error::new("a domino has two halves");
/// assert_eq!(error.to_string(), "a domino has two halves");
/// ```
#[derive(Clone, Debug)]
pub struct Error(Arc<dyn std::error::Error + Send + Sync>);

impl Error {
    /// From an error of the domain's own, or from a text.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error(Arc::from(reason.into()))
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
