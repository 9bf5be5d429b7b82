//! The model that comes with the programs: it solves 9×9 Sudoku (`models/sudoku-extreme`).

use super::model_folder::parse_config;
use crate::Error;
use std::sync::Arc;
use trm::{Model, Network};
use trm_ops::Device;

/// Its name.
pub const SHIPPED: &str = "sudoku-extreme";

const CONFIG: &[u8] = include_bytes!("../../../../models/sudoku-extreme/config.json");
const WEIGHTS: &[u8] = include_bytes!("../../../../models/sudoku-extreme/model.safetensors");

/// The model that comes with the programs.
///
/// # Errors
/// If the device cannot hold it.
pub fn shipped_model(device: &Device) -> Result<Arc<Model>, Error> {
    let config = parse_config(CONFIG).map_err(Error::Mismatch)?;
    Ok(Arc::new(Model::from_safetensors(&config, device, WEIGHTS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_is_of_its_domain() {
        let model = shipped_model(&Device::cpu(1)).unwrap();
        assert_eq!(model.config().domain, "sudoku9");
    }
}
