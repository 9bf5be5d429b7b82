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

/// B, L, D.
fn dims(x: &trm_ops::Tensor) -> [usize; 3] {
    x.shape().try_into().unwrap_or_else(|_| panic!("{:?} is not [B, L, D]", x.shape()))
}
