//! The models that come with the programs (`models/`): 9×9 Sudoku and mazes.

use super::model_folder::parse_config;
use crate::Error;
use std::cmp::Reverse;
use std::sync::Arc;
use trm::{Config, Model, Network};
use trm_ops::Device;
use trm_puzzles::Domain;

/// A model that comes with the programs.
#[derive(Clone, Copy)]
pub struct Shipped {
    /// Its name, that of its folder in `models/`.
    pub name: &'static str,
    config: &'static [u8],
    weights: &'static [u8],
}

macro_rules! shipped {
    ($name:literal) => {
        Shipped {
            name: $name,
            config: include_bytes!(concat!("../../../../models/", $name, "/config.json")),
            weights: include_bytes!(concat!("../../../../models/", $name, "/model.safetensors")),
        }
    };
}

/// All of them; the first is taken where nothing says which.
pub const SHIPPED: [Shipped; 2] = [shipped!("sudoku-extreme"), shipped!("maze-hard")];

impl Shipped {
    /// The one for puzzles of this form, whatever their size; for what is of no form, the one that knows most of its
    /// characters, which can say best what is wrong.
    ///
    /// ```
    /// assert_eq!(trm_data::Shipped::of("S.#\n#..\n#.G").name, "maze-hard");
    /// ```
    pub fn of(text: &str) -> Shipped {
        let mut chosen = SHIPPED.map(|shipped| (shipped, shipped.domain()));
        chosen.sort_by_key(|(_, domain)| {
            let is_of_form = domain.sized_for(text).is_some();
            Reverse((is_of_form, known_characters(domain, text)))
        });
        chosen[0].0
    }

    /// The one for a domain of this name, whatever its size.
    pub fn of_domain(name: &str) -> Option<Shipped> {
        let wanted: Domain = name.parse().ok()?;
        SHIPPED.into_iter().find(|shipped| shipped.domain().kind() == wanted.kind())
    }

    /// What it solves.
    pub fn domain(&self) -> Domain {
        self.config().domain.parse().expect("a domain of this program")
    }

    fn config(&self) -> Config {
        parse_config(self.config).expect("a configuration of this program")
    }

    /// Its weights on a device.
    ///
    /// # Errors
    /// If the device cannot hold them.
    pub fn load(&self, device: &Device) -> Result<Arc<Model>, Error> {
        Ok(Arc::new(Model::from_safetensors(&self.config(), device, self.weights)?))
    }
}

fn known_characters(domain: &Domain, text: &str) -> usize {
    let symbols: Vec<&str> =
        (0..domain.vocab_size()).map(|token| domain.symbol(token as u8)).collect();
    text.split("").filter(|character| symbols.contains(character)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_models_can_be_loaded_and_are_chosen_by_the_form_of_a_puzzle() {
        let name = |text: &str| Shipped::of(text).name;
        for shipped in SHIPPED {
            let model = shipped.load(&Device::cpu(1)).unwrap();
            assert_eq!(model.config().domain, shipped.domain().name());
        }
        assert_eq!(name(&".".repeat(81)), "sudoku-extreme");
        assert_eq!(name(&".".repeat(16)), "sudoku-extreme"); // which says that it is for 9×9
        assert_eq!(name("S.#\n#..\n#.G\n"), "maze-hard");
        assert_eq!(name("S.#\n#..\n#..\n"), "maze-hard"); // which says that the goal is missing
        assert_eq!(name(""), "sudoku-extreme");
        let of_domain = |name: &str| Shipped::of_domain(name).map(|shipped| shipped.name);
        assert_eq!(of_domain("maze5x7"), Some("maze-hard"));
        assert_eq!(of_domain("arc"), None);
    }
}
