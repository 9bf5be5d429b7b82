//! The page as files that any host can give out: the model thinks in the browser, by ONNX Runtime.

use crate::models::Description;
use crate::routes::PAGE;
use serde_json::{Value, json};
use trm::{Model, Network};
use trm_onnx::Weights;
use trm_puzzles::Domain;

/// The npm package that the page runs models with, and its version.
pub const RUNTIME: &str = "onnxruntime-web@1.30.0";

/// Its files that have to lie beside the page.
pub const RUNTIME_FILES: [&str; 3] =
    ["ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];

const ENGINE: &str = include_str!("engine-onnx.js");
const OWN_SCRIPT: &str = "<script>\n\"use strict\";";
const OTHER_ENGINE: &str =
    "<script src=\"ort.wasm.min.js\"></script>\n<script src=\"engine-onnx.js\"></script>\n";

/// The files of a page on which a model thinks, by name; those of [`RUNTIME`] go beside them.
///
/// # Errors
/// One line, if the page cannot ask puzzles of this model, or the device is lost.
pub fn web_page(
    name: &str,
    model: &Model,
    weights: Weights,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let domain: Domain = model.config().domain.parse().map_err(readable)?;
    let has_canvas = || (1..domain.vocab_size() as u8).any(|token| domain.symbol(token) == " ");
    if domain.kind() == "arc" || has_canvas() {
        return Err(format!(
            "{domain}: its puzzles have several sizes, and the page without a server reads one: use `trm serve`"
        ));
    }
    let graph = trm_onnx::recursive(model, weights).map_err(readable)?;
    let file = format!("{name}.onnx");
    let models =
        json!({"object": "list", "data": [described(name, &file, model, (&domain, weights))?]});
    let page = PAGE.replacen(OWN_SCRIPT, &format!("{OTHER_ENGINE}{OWN_SCRIPT}"), 1);
    Ok(vec![
        ("index.html".into(), page.into()),
        ("engine-onnx.js".into(), ENGINE.into()),
        ("models.json".into(), serde_json::to_vec_pretty(&models).expect("it is JSON")),
        (file, graph),
    ])
}

/// What `GET /v1/models` tells, and what the engine in the browser needs besides.
fn described(
    name: &str,
    file: &str,
    model: &Model,
    (domain, weights): (&Domain, Weights),
) -> Result<Value, String> {
    let config = model.config();
    let mut description = Description {
        name,
        domain,
        any_size: false,
        parameters: model.parameters().into_iter().map(|p| p.value().len()).sum(),
        steps: Some(config.supervision_steps),
        precision: &weights.to_string(),
    }
    .json();
    let initial = |name: &str| {
        let (_, vector) = model.tensors().into_iter().find(|(own, _)| *own == name)?;
        Some(vector.to_f32_vec().map_err(readable))
    };
    let [y, z] = ["initial_y", "initial_z"].map(|name| initial(name).expect("a model has it"));
    description["onnx"] = json!({"file": file, "tokens": config.len(), "y": y?, "z": z?});
    Ok(description)
}

fn readable(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_place_for_another_engine() {
        assert_eq!(PAGE.matches(OWN_SCRIPT).count(), 1);
        assert!(PAGE.contains("window.trmEngine"));
        assert!(ENGINE.contains("window.trmEngine"));
        assert!(RUNTIME_FILES.iter().any(|file| OTHER_ENGINE.contains(file)));
        assert!(ENGINE.contains(RUNTIME), "the engine says how to get its runtime");
    }
}
