//! A folder that is ready for the hub: a model with its card.

use super::model_folder::{Content, exported, save_files};
use super::provenance::Provenance;
use crate::Error;
use crate::text::{duration, foreign};
use std::path::Path;
use trm::{Autoregressive, Model, Network};
use trm_ops::DType;

/// What a card says of a network.
pub trait Carded: Network {
    /// The name of its domain.
    fn domain(&self) -> &str;

    /// One sentence: what it is, and how large.
    fn in_words(&self) -> String;
}

impl Carded for Model {
    fn domain(&self) -> &str {
        &self.config().domain
    }

    fn in_words(&self) -> String {
        let config = self.config();
        let mix = format!("{:?}", config.mix).to_lowercase();
        format!(
            "A tiny recursive model of {} parameters ({mix}, {} features, T = {}, n = {}): it drafts the whole answer \
             and revises it in {} supervision steps.",
            self.parameter_count().0,
            config.hidden,
            config.cycles,
            config.recursions,
            config.supervision_steps
        )
    }
}

impl Carded for Autoregressive {
    fn domain(&self) -> &str {
        &self.config().domain
    }

    fn in_words(&self) -> String {
        let (count, blocks) = (self.config().parameters(), self.config().blocks);
        format!(
            "An autoregressive model of {count} parameters in {blocks} blocks: it writes cell after cell."
        )
    }
}

/// Writes what [`export_model`](crate::export_model) writes, and a model card as `README.md`, called as the folder.
///
/// # Errors
/// As [`export_model`](crate::export_model).
pub fn export_for_hub<N: Carded>(
    source: &Path,
    model: &N,
    dtype: DType,
    folder: &Path,
) -> Result<(), Error> {
    let (mut files, provenance) = exported(source, model, dtype)?;
    let name = folder.file_name().map_or("model".into(), |name| name.to_string_lossy());
    let card = card(&name, model, provenance.as_ref());
    files.push(("README.md", Content::Bytes(card.into_bytes())));
    save_files(folder, files)
}

fn card(name: &str, model: &impl Carded, provenance: Option<&Provenance>) -> String {
    let (domain, words) = (model.domain(), model.in_words());
    let kind = domain.split(':').next().unwrap_or_default();
    let origin = provenance.map_or_else(
        || "Where these weights come from is not recorded.\n".to_owned(),
        |origin| {
            format!(
                "- {} steps in {} on {}, seed {}\n- training data of digest `{}`\n- {}\n- weights of digest `{}`\n\n\
                 `recipe.toml` has all settings; with the same data `{}` trains the same weights.\n",
                origin.step,
                duration(origin.seconds),
                origin.machine.processor,
                origin.seed,
                origin.data_digest,
                origin.program,
                origin.weights,
                origin.command,
            )
        },
    );
    format!(
        "---\nlibrary_name: trm\ntags:\n- tiny-recursive-model\n- {kind}\n---\n\n# {name}\n\n{words}\n\nPuzzles: \
         `{}`.\n\n## Use\n\n```sh\ntrm solve hf:OWNER/{name} PUZZLE\ntrm serve hf:OWNER/{name}\n```\n\n\
         ## Training\n\n{origin}",
        foreign(domain)
    )
}
