//! Any GPU: the operations of `trm-ops` as WGSL kernels, over `wgpu` on Vulkan, Metal and DX12.
//!
//! ```no_run
//! use trm_gpu::{Adapter, open};
//! use trm_ops::{Tape, Tensor};
//!
//! let gpu = open(&Adapter::number(0)?)?;
//! let x = Tensor::from_f32(&gpu, &[2], &[1.5, -2.0]);
//! assert_eq!(Tape::off(&gpu).add(&x, &x).to_f32_vec()?, [3.0, -4.0]);
//! # Ok::<(), trm_ops::DeviceError>(())
//! ```
//!
//! # How it works
//! An operation is one launch, or a few, of a program in `wgsl/`. Launches are recorded into one compute pass; it
//! begins to run when somebody reads or sends values, or after some hundred launches. Nothing is read back in between. Buffers are
//! used again as soon as their tensors are dropped: the queue runs what was recorded in its order.
//!
//! # Determinism
//! Every sum has one order, which depends on shapes alone: two runs on one device give the same bits. Other devices,
//! and the CPU, give others.

mod adapters;
mod buffers;
mod gpu;
mod job;
mod kernels;
mod opened;
mod ops;
mod programs;
mod tuning;

pub use adapters::Adapter;
pub use gpu::{Counting, Limits, lose, open, open_within};
pub use programs::Mutant;
pub use tuning::Class;
