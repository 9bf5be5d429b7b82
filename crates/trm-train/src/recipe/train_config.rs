//! `[train]` of a recipe.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use trm_ops::{DType, Device, Likelihood};

/// Settings of training. Defaults are the public recipe for Sudoku (docs/REFERENCE.md section 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainConfig {
    /// Optimiser steps.
    pub steps: u64,
    /// Rows of the persistent batch.
    pub batch: usize,
    /// Number format of activations.
    pub precision: Precision,
    /// Whether inner activations are computed again for the gradient instead of being kept: a
    /// quarter of the memory for some more work, and the same weights bit for bit.
    pub recompute: bool,
    /// Update rule of the trained parameters.
    pub optimizer: OptimizerKind,
    /// Learning rate.
    pub lr: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Learning rate of Muon's matrices.
    pub muon_lr: f32,
    /// Weight decay of Muon's matrices.
    pub muon_weight_decay: f32,
    /// Momentum of Muon.
    pub muon_momentum: f32,
    /// Newton–Schulz iterations of Muon.
    pub muon_iterations: usize,
    /// Learning rate of the puzzle embeddings (SignSGD).
    pub puzzle_lr: f32,
    /// Weight decay of the puzzle embeddings.
    pub puzzle_weight_decay: f32,
    /// Steps of linear warm-up.
    pub warmup: u64,
    /// Where the cosine ends, as a share of the learning rate; 1 keeps it constant.
    pub lr_min_ratio: f32,
    /// Largest norm of the gradient; 0 for no limit.
    pub grad_clip: f32,
    /// How logits become probabilities in the loss.
    pub likelihood: LikelihoodKind,
    /// Share of the target that is spread over all tokens.
    pub label_smoothing: f32,
    /// Weight of the halting loss.
    pub halt_weight: f32,
    /// Probability per row and step of demanding a random minimum number of steps.
    pub exploration: f32,
    /// Rate of the moving average of parameters; 0 to use the latest parameters.
    pub ema: f32,
    /// Draw a fresh symmetry of the puzzle at every visit, where the domain has any.
    pub symmetries: bool,
    /// Give every puzzle the blank identifier, to see what identifiers are worth.
    pub blank_identifiers: bool,
    /// Groups of the training set held out to validate on.
    pub validation: usize,
    /// Steps between validations; 0 for none.
    pub validate_every: u64,
    /// Exact validation accuracy at which training is done; 0 to go on.
    pub target: f32,
    /// Validations without improvement after which training stops; 0 to go on.
    pub patience: u64,
    /// Steps between checkpoints; 0 for one at the end only.
    pub checkpoint_every: u64,
    /// Checkpoints kept, the newest ones.
    pub keep: usize,
    /// Checkpoints at multiples of this many steps are kept as well; 0 for none.
    pub keep_every: u64,
    /// How often a step that is not finite, or a lost device, may be undone: the run goes back to its last checkpoint
    /// and on from there with other examples. 0 to stop at once.
    pub rollbacks: u64,
}

/// Number format of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// The fastest that this machine has: bf16 where the processor multiplies it, else f32. A run, once begun, keeps
    /// what was chosen.
    Auto,
    /// Single precision.
    F32,
    /// bfloat16 activations over f32 weights; on a CPU.
    Bf16,
    /// Half-precision activations over f32 weights; on a GPU.
    F16,
}

/// Update rule of the trained parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// The public code's: bounded steps without an epsilon.
    AdamAtan2,
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW,
    /// Orthogonalised momentum for the network's matrices, AdamW elsewhere.
    Muon,
}

/// How logits become probabilities in the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LikelihoodKind {
    /// The public code's.
    Stablemax,
    /// The usual one.
    Softmax,
}

impl Precision {
    /// The number format that is meant on a device.
    pub fn on(self, device: &Device) -> DType {
        match self {
            Precision::Auto => device.fastest(),
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::Bf16,
            Precision::F16 => DType::F16,
        }
    }

    /// What a device takes: a format, not [`Auto`](Precision::Auto).
    pub fn chosen(self, device: &Device) -> Precision {
        match self.on(device) {
            DType::F32 => Precision::F32,
            DType::Bf16 => Precision::Bf16,
            DType::F16 => Precision::F16,
        }
    }

    /// Whether a device stores it.
    ///
    /// # Errors
    /// If it does not: what it stores.
    pub fn check(self, device: &Device) -> Result<(), String> {
        let formats = device.kernels().formats();
        if formats.contains(&self.on(device)) {
            return Ok(());
        }
        let names: Vec<String> = formats.iter().map(DType::to_string).collect();
        Err(format!(
            "{device:?} does not compute in {self}: give --precision {}",
            names.join(" or ")
        ))
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::Auto => "auto",
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
        })
    }
}

impl From<LikelihoodKind> for Likelihood {
    fn from(kind: LikelihoodKind) -> Likelihood {
        match kind {
            LikelihoodKind::Stablemax => Likelihood::Stablemax,
            LikelihoodKind::Softmax => Likelihood::Softmax,
        }
    }
}

impl Default for TrainConfig {
    fn default() -> TrainConfig {
        TrainConfig {
            steps: 65_000,
            batch: 768,
            precision: Precision::Auto,
            recompute: false,
            optimizer: OptimizerKind::AdamAtan2,
            lr: 1e-4,
            weight_decay: 1.0,
            beta1: 0.9,
            beta2: 0.95,
            muon_lr: 0.02,
            muon_weight_decay: 0.005,
            muon_momentum: 0.6,
            muon_iterations: 3,
            puzzle_lr: 1e-4,
            puzzle_weight_decay: 1.0,
            warmup: 2000,
            lr_min_ratio: 1.0,
            grad_clip: 0.0,
            likelihood: LikelihoodKind::Stablemax,
            label_smoothing: 0.0,
            halt_weight: 0.5,
            exploration: 0.1,
            ema: 0.999,
            symmetries: true,
            blank_identifiers: false,
            validation: 64,
            validate_every: 1000,
            target: 0.0,
            patience: 0,
            checkpoint_every: 1000,
            keep: 2,
            keep_every: 0,
            rollbacks: 0,
        }
    }
}

impl TrainConfig {
    /// Checks ranges.
    ///
    /// # Errors
    /// Names the key, its value and what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |key: &str, value: String, rule: &str| {
            Err(Error::Recipe(format!("train.{key} = {value}: must be {rule}")))
        };
        let positive =
            [("batch", self.batch as u64), ("steps", self.steps), ("keep", self.keep as u64)];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return refuse(key, "0".into(), "at least 1");
        }
        let shares = [
            ("beta1", self.beta1, 1.0),
            ("beta2", self.beta2, 1.0),
            ("muon_momentum", self.muon_momentum, 1.0),
            ("label_smoothing", self.label_smoothing, 1.0),
            ("ema", self.ema, 1.0),
            ("lr_min_ratio", self.lr_min_ratio, 1.0f32.next_up()),
            ("exploration", self.exploration, 1.0f32.next_up()),
            ("target", self.target, 1.0f32.next_up()),
        ];
        if self.batch > 1 << 20 {
            return refuse("batch", self.batch.to_string(), "at most 1048576");
        }
        if self.muon_iterations > 100 {
            return refuse("muon_iterations", self.muon_iterations.to_string(), "at most 100");
        }
        if let Some((key, value, _)) = shares.iter().find(|(_, v, end)| !(0.0..*end).contains(v)) {
            return refuse(key, value.to_string(), "between 0 and 1");
        }
        let rates = [
            ("lr", self.lr),
            ("weight_decay", self.weight_decay),
            ("muon_lr", self.muon_lr),
            ("muon_weight_decay", self.muon_weight_decay),
            ("puzzle_lr", self.puzzle_lr),
            ("puzzle_weight_decay", self.puzzle_weight_decay),
            ("grad_clip", self.grad_clip),
            ("halt_weight", self.halt_weight),
        ];
        match rates.iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)) {
            Some((key, value)) => refuse(key, value.to_string(), "0 or a positive number"),
            None => Ok(()),
        }
    }
}
