//! The operations, a file for each kind. A file of WGSL beside each has its equations.

mod attention;
mod embed;
mod grids;
mod heads;
mod losses;
mod network;
mod norm;
mod peak;
mod product;
mod rows;
mod units;
mod updates;
mod values;

pub(crate) use attention::Keys;
