//! The fused operations, one file each: equation, shapes, what the gradient needs, numeric tests. Devices compute
//! them ([`Kernels`](crate::Kernels)).

mod add;
pub(crate) mod attention;
pub(crate) mod cross_entropy;
pub(crate) mod embed;
mod halt_loss;
pub(crate) mod heads;
mod linear;
pub(crate) mod lines;
pub(crate) mod neighbours;
pub(crate) mod residual_norm;
mod rope;
mod swiglu;
mod token_swiglu;
pub(crate) mod units;
