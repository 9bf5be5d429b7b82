use serde::{Deserialize, Serialize};

/// What one step says about itself. Sums run over the rows that halted at this step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Number of the step, from 1.
    pub step: u64,
    /// Learning rate of the main optimiser.
    pub lr: f32,
    /// Mean over the batch of cross-entropy + weighted halting loss.
    pub loss: f32,
    /// Mean over the batch of the cross-entropy.
    pub lm_loss: f32,
    /// Mean over the batch of the halting loss, unweighted.
    pub halt_loss: f32,
    /// Norm of the gradient of all parameters, before clipping.
    pub grad_norm: f32,
    /// Norm of all parameters, after the update.
    pub weight_norm: f32,
    /// Rows that halted.
    pub halted: u32,
    /// Sum of their share of right cells.
    pub accuracy: f32,
    /// How many of them are right in every cell.
    pub exact: u32,
    /// How many of them halted or not as they should have.
    pub halt_accuracy: u32,
    /// Sum of the supervision steps that they took.
    pub steps: u32,
}
