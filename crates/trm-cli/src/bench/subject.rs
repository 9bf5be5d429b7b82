use anyhow::{Error, Result, bail};
use std::path::Path;
use std::str::FromStr;
use trm::{Config, Mix, Positions};
use trm_data::{Dataset, load_model};
use trm_ops::Device;
use trm_train::{Recipe, TrainConfig};

/// A network and a way to train it.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) config: Config,
    pub(super) train: TrainConfig,
}

impl FromStr for Subject {
    type Err = Error;

    fn from_str(text: &str) -> Result<Subject> {
        let attention =
            || Config { mix: Mix::Attention, positions: Positions::Rope, ..Config::default() };
        let path = Path::new(text);
        let (config, train) = match text {
            "sudoku" => (Config::default(), TrainConfig::default()),
            "attention" => (attention(), TrainConfig::default()),
            // the public preset for 30 × 30 mazes
            "long" => {
                let sizes = Config { vocab_size: 6, seq_len: 900, recursions: 4, ..attention() };
                (sizes, TrainConfig::default())
            }
            _ if path.is_dir() => {
                (load_model(path, &Device::cpu(1))?.config().clone(), TrainConfig::default())
            }
            _ if path.is_file() => {
                let recipe = Recipe::load(path, &[])?;
                (recipe.model_for(&Dataset::load(&recipe.data, "train")?), recipe.train)
            }
            _ => bail!(
                "--preset {text}: choose sudoku, attention or long, or name a model folder or a \
                 recipe that exists"
            ),
        };
        Ok(Subject { name: text.into(), config, train })
    }
}

impl Subject {
    /// Itself, or the same network on square grids of other sizes.
    pub(super) fn with_sides(&self, sides: &[usize]) -> Vec<Subject> {
        let on_grid = |side: &usize| Subject {
            config: Config { seq_len: side * side, ..self.config.clone() },
            ..self.clone()
        };
        if sides.is_empty() { vec![self.clone()] } else { sides.iter().map(on_grid).collect() }
    }
}
