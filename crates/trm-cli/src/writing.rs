//! The options of an autoregressive model, which writes its answer instead of revising a draft.

use crate::machine::PrecisionArgument;
use anyhow::{Result, bail};
use clap::Args;
use std::path::Path;
use trm_study::SampleOptions;

#[derive(Args)]
pub(crate) struct WritingArguments {
    /// Of an autoregressive model: answers per puzzle, of which the best is taken: the first that keeps the
    /// rules, or else the likeliest. The first answer is written greedily, the others at random.
    #[arg(long, value_name = "K", help_heading = "Autoregressive models")]
    samples: Option<usize>,
    /// Temperature of the answers written at random [default: 0.7].
    #[arg(
        long,
        value_name = "T",
        requires = "samples",
        allow_negative_numbers = true,
        help_heading = "Autoregressive models"
    )]
    temperature: Option<f32>,
    /// Seed of the answers written at random [default: 1].
    #[arg(long, value_name = "SEED", requires = "samples", help_heading = "Autoregressive models")]
    sample_seed: Option<u64>,
}

impl WritingArguments {
    /// How to write, some puzzles at a time; `others` are options of recursive models, and whether they were
    /// given: they are refused.
    pub(crate) fn options(
        &self,
        model: &Path,
        batch: usize,
        precision: PrecisionArgument,
        others: &[(&str, bool)],
    ) -> Result<SampleOptions> {
        if let Some((name, _)) = others.iter().find(|(_, given)| *given) {
            bail!(
                "--{name} is for recursive models, and {} is an autoregressive one",
                model.display()
            );
        }
        if matches!(precision, PrecisionArgument::Bf16 | PrecisionArgument::F16) {
            bail!(
                "--precision: {} is an autoregressive model, which writes in f32",
                model.display()
            );
        }
        let usual = SampleOptions::default();
        let samples = self.samples.unwrap_or(usual.samples);
        let temperature = self.temperature.unwrap_or(usual.temperature);
        if samples == 0 || batch == 0 || samples > 1 << 16 {
            bail!("--samples and --batch must be at least 1, --samples at most 65536");
        }
        if !(temperature.is_finite() && temperature > 0.0) {
            bail!("--temperature {temperature}: must be a positive number");
        }
        Ok(SampleOptions {
            samples,
            temperature,
            seed: self.sample_seed.unwrap_or(usual.seed),
            batch,
        })
    }

    /// Refuses what only an autoregressive model has.
    pub(crate) fn refuse(&self) -> Result<()> {
        match self.samples {
            Some(_) => bail!("--samples is for autoregressive models, and this is a recursive one"),
            None => Ok(()),
        }
    }
}
