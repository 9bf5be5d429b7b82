//! What trainers, sessions and files see of a model: its parameters, its states, its sizes.

use super::{Model, Question, State};
use crate::config::Config;
use crate::error::{Error, InputError};
use crate::network::{Network, from_file};
use trm_ops::{DType, Device, Parameter, Tensor};

impl Model {
    /// The state that every puzzle starts from, for a batch of `batch`.
    pub fn initial_state(&self, batch: usize, dtype: DType) -> State {
        let zeros = Tensor::zeros(&self.device, &[1, self.config.len(), self.config.hidden], dtype);
        let mut one = State { y: zeros.clone(), z: zeros };
        self.reset(&mut one, 0);
        let rows = vec![0; batch];
        State { y: one.y.select_rows(&rows), z: one.z.select_rows(&rows) }
    }

    /// Puts one row of a state back to the start.
    pub fn reset(&self, state: &mut State, row: usize) {
        state.y.fill_row(row, &self.initial_y);
        state.z.fill_row(row, &self.initial_z);
    }

    /// Sizes and choices.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where the model runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Checks a question before it is given to [`Model::supervision_step`].
    ///
    /// # Errors
    /// If lengths, tokens or identifiers do not fit.
    pub fn check(&self, question: Question<'_>) -> Result<(), Error> {
        Ok(InputError::check(&self.config, question.tokens, question.puzzles)?)
    }

    /// The table of puzzle embeddings, `[identifiers, E]`.
    pub fn puzzle_embedding_mut(&mut self) -> Option<&mut Parameter> {
        self.puzzle_embedding.as_mut()
    }

    /// The fixed vectors that [`State`] starts from, `[D]` each: y, then z.
    pub fn initial_mut(&mut self) -> [&mut Tensor; 2] {
        [&mut self.initial_y, &mut self.initial_z]
    }

    /// Number of trained values, with and without the puzzle embedding.
    pub fn parameter_count(&self) -> (usize, usize) {
        let network = self.parameters().iter().map(|p| p.value().len()).sum();
        let table = self.puzzle_embedding.as_ref().map_or(0, |p| p.value().len());
        (network + table, network)
    }
}

impl Network for Model {
    type Config = Config;

    fn config(&self) -> &Config {
        &self.config
    }

    fn device(&self) -> &Device {
        &self.device
    }

    /// The puzzle embedding is apart: only the rows of a batch's puzzles change
    /// ([`Model::puzzle_embedding_mut`]).
    fn parameters(&self) -> Vec<&Parameter> {
        let blocks = self.net.iter().flat_map(|block| {
            let mixing = block.mixing.parameters().into_iter();
            mixing.chain([&block.gate_up, &block.down])
        });
        let [weight, bias] = &self.q_head;
        let rest = [Some(&self.lm_head), Some(&self.token_embedding), self.positions.as_ref()];
        blocks.chain(rest.into_iter().flatten()).chain([weight, bias]).collect()
    }

    fn parameters_mut(&mut self) -> Vec<&mut Parameter> {
        let blocks = self.net.iter_mut().flat_map(|block| {
            let mixing = block.mixing.parameters_mut().into_iter();
            mixing.chain([&mut block.gate_up, &mut block.down])
        });
        let [weight, bias] = &mut self.q_head;
        let rest =
            [Some(&mut self.lm_head), Some(&mut self.token_embedding), self.positions.as_mut()];
        blocks.chain(rest.into_iter().flatten()).chain([weight, bias]).collect()
    }

    /// Parameters, puzzle embedding, initial states.
    fn tensors(&self) -> Vec<(&str, &Tensor)> {
        let parameters = self.parameters().into_iter().chain(&self.puzzle_embedding);
        let initial = [("initial_y", &self.initial_y), ("initial_z", &self.initial_z)];
        parameters.map(|p| (p.name(), p.value())).chain(initial).collect()
    }

    fn from_safetensors(config: &Config, device: &Device, bytes: &[u8]) -> Result<Model, Error> {
        from_file(bytes, device, |source| Model::build(config, device, source))
    }
}
