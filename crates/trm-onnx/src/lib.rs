//! Models as ONNX graphs: a file that other runtimes take steps with.
//!
//! [`recursive`] writes one supervision step: question, y and z in; logits, the halting logit and the next y and z
//! out. The recursion is written out; every weight is there once. [`autoregressive`] writes the reading of one token,
//! with the keys and values of those before it. Operators are the standard ones of opset 17, and the number of
//! puzzles is free. What is in the file is told by its inputs' and outputs' own descriptions; the model's
//! `config.json` is in its metadata.
//!
//! ```
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//! use trm::{Config, Model};
//! use trm_onnx::Weights;
//!
//! let config = Config { vocab_size: 6, seq_len: 16, hidden: 32, heads: 2, ..Config::default() };
//! let mut rng = ChaCha8Rng::seed_from_u64(1);
//! let model = Model::new(&config, &trm_ops::Device::cpu(1), &mut rng)?;
//! let bytes = trm_onnx::recursive(&model, Weights::Int8)?;
//! assert!(bytes.len() > model.parameter_count().0);
//! # Ok::<(), trm_onnx::Error>(())
//! ```

mod autoregressive;
mod graph;
mod layers;
mod mix;
mod proto;
mod recursive;
mod signature;
#[cfg(test)]
mod tests;
mod weights;

use prost::Message;
use trm::{Autoregressive, Model, Network};
pub use weights::Weights;

/// The version of the standard operators: old enough for every runtime that is in use, and the last one in which
/// axes of means are attributes.
pub const OPSET: i64 = 17;
/// The version of the file format that came with it.
const IR_VERSION: i64 = 8;
/// What a file of protocol buffers can hold; readers refuse larger ones.
const MOST_BYTES: usize = i32::MAX as usize;

/// Why there is no graph of a model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The device is lost.
    #[error(transparent)]
    Model(#[from] trm::Error),
    /// Too many weights.
    #[error("{0} bytes: an ONNX file holds at most 2 GiB; store the weights as int8")]
    TooLarge(usize),
}

/// A file with one supervision step of a recursive model.
///
/// # Errors
/// If the device is lost, or the file would be too large.
pub fn recursive(model: &Model, stored: Weights) -> Result<Vec<u8>, Error> {
    encode(model, recursive::graph(model, stored)?)
}

/// A file with the reading of one token by an autoregressive model.
///
/// # Errors
/// If the device is lost, or the file would be too large.
pub fn autoregressive(model: &Autoregressive, stored: Weights) -> Result<Vec<u8>, Error> {
    encode(model, autoregressive::graph(model, stored)?)
}

fn encode(model: &impl Network, graph: proto::Graph) -> Result<Vec<u8>, Error> {
    let config = serde_json::to_string_pretty(model.config()).expect("a configuration is JSON");
    let file = proto::Model {
        ir_version: Some(IR_VERSION),
        producer_name: "trm".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        doc_string: "one step of a tiny recursive model, or one token of an autoregressive one"
            .into(),
        graph: Some(graph),
        opset_import: vec![proto::Opset { domain: String::new(), version: Some(OPSET) }],
        metadata: vec![proto::Entry { key: "config.json".into(), value: config }],
    };
    match file.encoded_len() {
        bytes if bytes > MOST_BYTES => Err(Error::TooLarge(bytes)),
        _ => Ok(file.encode_to_vec()),
    }
}
