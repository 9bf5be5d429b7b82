//! Whole commands, as a user types them.

mod commands;
mod halting;
mod reliability;
mod search;
mod session;
