//! Whole commands, as a user types them.

mod cases;
mod chat;
mod commands;
mod compare;
mod domains;
mod download;
mod gpu;
mod grids;
mod halting;
mod hub;
mod mpi;
mod onnx;
mod outputs;
mod places;
mod referee;
mod reliability;
mod search;
mod serve;
#[path = "../../../trm-data/src/download/server.rs"]
mod server;
mod serving;
mod session;
mod suited;
mod written;
mod your_problem;
