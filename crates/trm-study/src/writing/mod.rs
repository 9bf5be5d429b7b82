//! Answers that a model writes token by token: the best of several, and where mistakes begin.

pub(crate) mod choosing;
pub(crate) mod first_errors;
