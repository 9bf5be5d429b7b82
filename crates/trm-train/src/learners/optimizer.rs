use crate::recipe::{OptimizerKind, TrainConfig};
use trm_ops::{
    Adam, AdamRule, Gradients, Parameter, Tensor, adam, lerp, orthogonalize, sgd, sign_sgd_rows,
};

/// Moments of every trained parameter, and the update that uses them.
pub struct Optimizer {
    slots: Vec<Slot>,
}

/// State of one parameter.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) update: Update,
    pub(crate) moments: Vec<Tensor>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    Adam(AdamRule),
    Muon,
}

impl Optimizer {
    /// Fresh moments for the parameters of a network. Muon takes the matrices of its blocks; embeddings,
    /// heads and vectors get AdamW beside it.
    pub fn new(parameters: &[&Parameter], kind: OptimizerKind) -> Optimizer {
        let slot = |p: &&Parameter| {
            let update = match kind {
                OptimizerKind::AdamAtan2 => Update::Adam(AdamRule::Atan2),
                OptimizerKind::Muon if p.name().starts_with("net.") => Update::Muon,
                OptimizerKind::AdamW | OptimizerKind::Muon => Update::Adam(AdamRule::W),
            };
            let count = if update == Update::Muon { 1 } else { 2 };
            Slot { update, moments: (0..count).map(|_| p.value().zeros_like()).collect() }
        };
        Optimizer { slots: parameters.iter().map(slot).collect() }
    }

    /// Updates every parameter that has a gradient. `factor` is the schedule's, `step` counts
    /// updates from 1.
    pub fn update(
        &mut self,
        parameters: Vec<&mut Parameter>,
        gradients: &Gradients,
        config: &TrainConfig,
        (step, factor): (u64, f32),
    ) {
        let TrainConfig { beta1, beta2, weight_decay, .. } = *config;
        let rates = Adam { lr: config.lr * factor, beta1, beta2, weight_decay, step };
        for (parameter, slot) in parameters.into_iter().zip(&mut self.slots) {
            let Some(gradient) = gradients.parameter(parameter) else { continue };
            match (slot.update, slot.moments.as_mut_slice()) {
                (Update::Adam(rule), [m, v]) => adam(parameter, gradient, [m, v], (&rates, rule)),
                (Update::Muon, [m]) => muon(parameter, gradient, m, config, factor),
                _ => unreachable!("a slot has the moments of its update"),
            }
        }
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn slots_mut(&mut self) -> &mut [Slot] {
        &mut self.slots
    }
}

/// Muon: momentum (Nesterov), orthogonalised, scaled by `sqrt(max(1, N/K))`.
fn muon(p: &mut Parameter, gradient: &Tensor, m: &mut Tensor, config: &TrainConfig, factor: f32) {
    let momentum = config.muon_momentum;
    lerp(m, gradient, momentum);
    let mut ahead = gradient.clone();
    lerp(&mut ahead, m, 1.0 - momentum);
    let direction = orthogonalize(&ahead, config.muon_iterations);
    let [n, k] = *p.value().shape() else { panic!("Muon updates matrices") };
    let shape = (n as f32 / k as f32).max(1.0).sqrt();
    let lr = config.muon_lr * factor;
    sgd(p, &direction, lr * shape, 1.0 - lr * config.muon_weight_decay);
}

/// SignSGD of the puzzle embeddings that a batch used: gradients of equal identifiers are summed.
pub fn update_puzzle_embedding(
    table: &mut Parameter,
    puzzles: &[u32],
    gradient: &Tensor,
    (lr, weight_decay): (f32, f32),
) {
    sign_sgd_rows(table, puzzles, gradient, lr, 1.0 - lr * weight_decay);
}
