//! The model that comes with the program: it solves 9×9 Sudoku (`models/sudoku-extreme`).

use anyhow::{Context, Result};
use std::sync::Arc;
use trm::{Model, Network};
use trm_data::parse_config;
use trm_ops::Device;

/// Its name.
pub(crate) const NAME: &str = "sudoku-extreme";

const CONFIG: &[u8] = include_bytes!("../../../models/sudoku-extreme/config.json");
const WEIGHTS: &[u8] = include_bytes!("../../../models/sudoku-extreme/model.safetensors");

pub(crate) fn model(device: &Device) -> Result<Arc<Model>> {
    let config = parse_config(CONFIG).map_err(anyhow::Error::msg);
    let config = config.context("the configuration of the shipped model")?;
    let model = Model::from_safetensors(&config, device, WEIGHTS);
    model.map(Arc::new).context("the weights of the shipped model")
}
