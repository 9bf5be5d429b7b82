//! The puzzles that are asked, and the shipped model for them.

use super::Arguments;
use anyhow::{Context, Result, anyhow, bail};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use trm::{Autoregressive, Model, Network, Question};
use trm_data::{Dataset, SHIPPED, Shipped};
use trm_ops::Device;
use trm_puzzles::{Domain, QuestionError};
use trm_train::{check_fit, check_fit_autoregressive, fit};

/// Where puzzles come from, read once.
pub(super) enum Source<'a> {
    /// The test example of this name or number of a data set.
    Data { data: Box<Dataset>, folder: &'a Path, wanted: &'a str },
    /// A text, and where it stood.
    Text { text: String, place: String },
}

impl<'a> Source<'a> {
    pub(super) fn read(arguments: &'a Arguments, puzzle: Option<&'a str>) -> Result<Source<'a>> {
        if let Some(folder) = &arguments.data {
            let data = Box::new(Dataset::load(folder, "test")?);
            return Ok(Source::Data { data, folder, wanted: puzzle.unwrap_or_default() });
        }
        let (text, place) = match (&arguments.file, puzzle) {
            (Some(path), _) => (trm_data::files::read_text(path)?, path.display().to_string()),
            (None, Some("-")) => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("standard input: not text")?;
                (text, "standard input".into())
            }
            (None, Some(name)) if Path::new(name).is_file() => {
                bail!("the puzzle: `{name}` is a file: give it with --file")
            }
            (None, puzzle) => (puzzle.unwrap_or_default().into(), "the puzzle".into()),
        };
        let text = trm_puzzles::puzzles_of_csv(&text).unwrap_or(text);
        Ok(Source::Text { text, place })
    }

    /// The puzzles, and the shipped model for their form.
    pub(super) fn asked_shipped(&self, device: &Device) -> Result<(Arc<Model>, Asked)> {
        let shipped = match self {
            Source::Data { data, .. } => {
                Shipped::of_domain(&data.metadata.domain).unwrap_or(SHIPPED[0])
            }
            Source::Text { text, .. } => Shipped::of(text),
        };
        self.asked(shipped.load(device)?).map_err(|error| match self {
            Source::Data { .. } => error,
            Source::Text { text, .. } => with_sizes(error, text, &shipped.domain()),
        })
    }

    /// The puzzles, and the model: of their size, where its weights are those of any.
    pub(super) fn asked(&self, model: Arc<Model>) -> Result<(Arc<Model>, Asked)> {
        match self {
            Source::Data { data, folder, wanted } => {
                let model = fit(model, &data.metadata.domain);
                check_fit(&model, data)?;
                Ok((model, Asked::of_data(data, folder, wanted)?))
            }
            Source::Text { text, place } => of_text(model, place, text),
        }
    }

    /// The puzzles, for a model that writes.
    pub(super) fn written(&self, model: &Autoregressive) -> Result<Asked> {
        match self {
            Source::Data { data, folder, wanted } => {
                check_fit_autoregressive(model, data)?;
                Asked::of_data(data, folder, wanted)
            }
            Source::Text { text, place } => {
                let domain = model.config().domain.parse()?;
                Ok(Asked::of_text(questions(&domain, place, text)?))
            }
        }
    }
}

/// The puzzles of a text for a model; if they are of another size the model with that size, where its weights are
/// those of any.
fn of_text(model: Arc<Model>, place: &str, text: &str) -> Result<(Arc<Model>, Asked)> {
    let own: Domain = model.config().domain.parse()?;
    let refused = match questions(&own, place, text) {
        Ok(questions) => return Ok((model, Asked::of_text(questions))),
        Err(refused) => refused,
    };
    let sized = own.sized_for(text).ok_or(refused)?;
    let model = fit(model, &sized.name());
    let questions = questions(&model.config().domain.parse()?, place, text)?;
    Ok((model, Asked::of_text(questions)))
}

/// Adds what to do about a puzzle of another size than that of the shipped model, whose domain this is.
fn with_sizes(error: anyhow::Error, text: &str, own: &Domain) -> anyhow::Error {
    if own.sized_for(text).is_none_or(|sized| sized == *own) {
        return error;
    }
    let columns = own.layout().columns;
    let rows = own.seq_len() / columns;
    anyhow!(
        "{error}; the shipped model is for {columns}×{rows}: name another model before the puzzle"
    )
}

/// The puzzles of a text; all are checked before the first is solved.
fn questions(domain: &Domain, place: &str, text: &str) -> Result<Vec<Vec<u8>>> {
    trm_puzzles::questions(domain, text).map_err(|QuestionError { line, source }| match line {
        Some(line) => anyhow!("{place}, line {line}: {source}"),
        None => anyhow!("{place}: {source}"),
    })
}

/// Puzzles, who they are, and their answers where a data set has them.
pub(super) struct Asked {
    pub(super) tokens: Vec<u8>,
    puzzles: Vec<u32>,
    answers: Vec<Vec<u8>>,
}

impl Asked {
    fn of_text(questions: Vec<Vec<u8>>) -> Asked {
        Asked { tokens: questions.concat(), puzzles: vec![0; questions.len()], answers: Vec::new() }
    }

    /// The test examples with this name or number of a data set.
    fn of_data(data: &Dataset, folder: &Path, wanted: &str) -> Result<Asked> {
        let ids = data.example_identifiers();
        let examples: Vec<usize> = match &data.augmented {
            Some(tasks) => {
                let is_wanted = |id: u32| tasks.name(id) == Some(wanted) && !tasks.is_image(id);
                (0..ids.len()).filter(|i| is_wanted(ids[*i])).collect()
            }
            None => wanted.parse().ok().filter(|i| *i < ids.len()).into_iter().collect(),
        };
        if examples.is_empty() {
            let known = match &data.augmented {
                Some(tasks) => {
                    format!("a test task, such as {}", tasks.name(ids[0]).unwrap_or_default())
                }
                None => format!("the number of a test example, 0 to {}", ids.len() - 1),
            };
            bail!("{}: `{wanted}` is not {known}", folder.display());
        }
        let answers = examples.iter().map(|i| data.label(*i).to_vec());
        Ok(Asked {
            tokens: examples.iter().flat_map(|i| data.input(*i)).copied().collect(),
            puzzles: examples.iter().map(|i| ids[*i]).collect(),
            answers: answers.collect(),
        })
    }

    pub(super) fn question(&self) -> Question<'_> {
        Question { tokens: &self.tokens, puzzles: &self.puzzles }
    }

    /// Whether an answer is the recorded one, if there is one: what lies outside a grid does not count.
    pub(super) fn is_recorded(
        &self,
        domain: &Domain,
        puzzle: usize,
        answer: &[u8],
    ) -> Option<bool> {
        let recorded = self.answers.get(puzzle)?;
        let is_known = recorded.iter().any(|token| *token != 0);
        let is_same =
            !answer.is_empty() && domain.format_line(answer) == domain.format_line(recorded);
        is_known.then_some(is_same)
    }
}
