//! Tensors, a tape, and the fused differentiable operations that tiny recursive models are made of.
//!
//! A [`Tensor`] is a shape, a [`DType`] and storage on a [`Device`]. Operations are methods of a
//! [`Tape`]: the same model code runs with [`Tape::recording`] when gradients are wanted and with
//! [`Tape::off`] when they are not; then nothing is kept and all buffers are recycled.
//!
//! ```
//! use trm_ops::{Device, Parameter, Tape, Tensor};
//!
//! let device = Device::cpu(2);
//! let x = Tensor::from_f32(&device, &[1, 2], &[1.0, 2.0]);
//! let weight = Parameter::new(0, "w", Tensor::from_f32(&device, &[1, 2], &[3.0, 4.0]));
//!
//! let tape = Tape::recording(&device);
//! let y = tape.linear(&x, &weight, None); // x · Wᵀ
//! assert_eq!(y.to_f32_vec()?, [11.0]);
//!
//! let seed = Tensor::from_f32(&device, &[1, 1], &[1.0]);
//! let gradients = tape.backward(&[(&y, &seed)]);
//! assert_eq!(gradients.parameter(&weight).unwrap().to_f32_vec()?, [1.0, 2.0]);
//! # Ok::<(), trm_ops::DeviceError>(())
//! ```
//!
//! # Panics
//! Operations panic when shapes do not fit: that is a bug in the caller, never a property of user
//! input. Configurations and inputs are checked, with typed errors, by the crates above.
//!
//! # Determinism
//! Work is split over outputs: every sum is taken by one thread in one order, and a row's result does
//! not depend on its neighbours. Results are equal bit for bit for any number of threads.

mod cpu;
mod device;
mod dtype;
mod fault;
mod kernels;
mod ops;
mod parameter;
mod plain;
mod stop;
mod tape;
mod tensor;
mod update;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
#[cfg(test)]
mod testing;

pub use cpu::level::{CpuCap, CpuLevel, checked_level, level};
pub use device::Device;
pub use dtype::DType;
pub use fault::FaultFinder;
pub use kernels::{DeviceError, Gated, Kernels, Keys, Launches, Memory, Sum};
pub use ops::attention::{Extent, KvCache, Rope};
pub use ops::cross_entropy::{Likelihood, Targets};
pub use ops::embed::Embedding;
pub use ops::heads::NO_SYMBOL;
pub use ops::lines::{Direction, Lines};
pub use ops::neighbours::{CELLS, Grid};
pub use ops::residual_norm::{Axis, NORM_EPS};
pub use ops::units::{KINDS, Units};
pub use parameter::Parameter;
pub use stop::Stop;
pub use tape::{Gradients, Tape};
pub use tensor::Tensor;
pub use update::{Adam, AdamRule, QUINTIC, adam, lerp, orthogonalize, sgd, sign_sgd_rows};
