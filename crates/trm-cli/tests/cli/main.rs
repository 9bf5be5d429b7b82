//! Whole commands, as a user types them.

mod commands;
mod domains;
mod halting;
mod reliability;
mod search;
mod session;
