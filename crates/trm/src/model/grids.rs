//! Weights that grids of every size share.

use super::Model;
use crate::config::Config;
use crate::error::Error;
use crate::network::Network;
use trm_ops::DType;

impl Model {
    /// The same weights on a grid of another size; `None` where they are bound to one
    /// ([`Config::fits_any_grid`]).
    ///
    /// # Errors
    /// If there is no such grid.
    ///
    /// ```
    /// use rand::SeedableRng;
    /// use trm::{Config, Mix, Model, Network};
    ///
    /// let config = Config { mix: Mix::Neighbours, hidden: 16, seq_len: 121, columns: 11, ..Config::default() };
    /// let config = Config { prefix_len: 0, puzzle_embedding: 0, ..config };
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    /// let model = Model::new(&config, &trm_ops::Device::cpu(1), &mut rng)?;
    /// let larger = model.on_grid("maze30x20", [20, 30])?.expect("neighbours");
    /// assert_eq!(larger.config().seq_len, 600);
    /// # Ok::<(), trm::Error>(())
    /// ```
    pub fn on_grid(
        &self,
        domain: &str,
        [rows, columns]: [usize; 2],
    ) -> Result<Option<Model>, Error> {
        if !self.config.fits_any_grid() {
            return Ok(None);
        }
        let (domain, seq_len) = (domain.to_owned(), rows * columns);
        let config = Config { domain, seq_len, ..self.config.clone() }.with_columns(columns);
        Model::from_safetensors(&config, &self.device, &self.to_safetensors(DType::F32)?).map(Some)
    }
}
