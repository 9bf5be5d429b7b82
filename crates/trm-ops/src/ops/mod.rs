//! The fused operations, one file each: equation, shapes, forward, backward, numeric tests.

mod add;
pub(crate) mod attention;
pub(crate) mod cross_entropy;
mod embed;
mod halt_loss;
mod linear;
mod neighbours;
pub(crate) mod residual_norm;
mod swiglu;
mod token_swiglu;
mod tokens;
pub(crate) mod units;
