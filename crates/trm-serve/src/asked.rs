//! What a request asks for, checked.

use crate::engine::Engine;
use crate::models::{Mind, Served};
use crate::refusal::Refusal;
use crate::settings::Settings;
use serde::Deserialize;
use std::time::Duration;
use trm::{Config, Search};
use trm_puzzles::{Domain, QuestionError, questions};
use trm_study::{Effort, SampleOptions, SearchOptions, Wish};

/// The body of `POST /v1/solve`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SolveRequest {
    /// The name of a model; if there is none, the first one served for puzzles of this form.
    pub model: Option<String>,
    /// A puzzle.
    pub puzzle: Option<Puzzle>,
    /// Several puzzles, of one size.
    pub puzzles: Option<Vec<Puzzle>>,
    /// The puzzle identifier of models that know their tasks by one.
    pub identifier: u32,
    /// Supervision steps of a chain, at most.
    pub steps: Option<usize>,
    /// Lets the model alone decide: it stops at the first step with a halting probability above this.
    pub halt: Option<f32>,
    /// The model alone, as the paper has it.
    pub one_pass: bool,
    /// How to search.
    pub search: Option<SearchRequest>,
    /// How an autoregressive model writes.
    pub write: Option<WriteRequest>,
    /// Which drafts to give besides the answer.
    pub drafts: Drafts,
}

/// A search; what is not given is as in `trm solve`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SearchRequest {
    pub rollouts: Option<usize>,
    pub noise: Option<f32>,
    pub restart: Option<f32>,
    pub symmetries: Option<bool>,
    pub patience: Option<usize>,
    pub seed: Option<u64>,
    /// Time for all puzzles of the request.
    pub milliseconds: Option<u64>,
}

/// Which drafts a response has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Drafts {
    /// The answer alone.
    #[default]
    Last,
    /// Those of every step.
    All,
}

/// A puzzle: a text, or rows of cells.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Puzzle {
    Text(String),
    Rows(Vec<Row>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Row {
    Text(String),
    Cells(Vec<Cell>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    Number(u32),
    Text(String),
}

impl Puzzle {
    /// As a person would type it.
    fn text(&self) -> String {
        let cell = |cell: &Cell| match cell {
            Cell::Number(number) => number.to_string(),
            Cell::Text(text) => text.clone(),
        };
        let row = |row: &Row| match row {
            Row::Text(text) => text.clone(),
            Row::Cells(cells) => {
                let cells: Vec<String> = cells.iter().map(cell).collect();
                let apart =
                    if cells.iter().any(|cell| cell.chars().count() > 1) { " " } else { "" };
                cells.join(apart)
            }
        };
        match self {
            Puzzle::Text(text) => text.clone(),
            Puzzle::Rows(rows) => rows.iter().map(row).collect::<Vec<_>>().join("\n"),
        }
    }

    pub(crate) fn is_read_by(&self, model: &Served) -> bool {
        self.tokens(&model.domain).is_ok()
    }

    /// Whether a model is for puzzles of this form and size; it may still refuse this one.
    pub(crate) fn has_form_of(&self, model: &Served) -> bool {
        let own = &model.domain;
        own.sized_for(&self.text()).is_some_and(|sized| sized == *own || model.any_size())
    }

    /// `[S]` tokens of the question; rows are one puzzle, a text may hold several and is refused then.
    fn tokens(&self, domain: &Domain) -> Result<Vec<u8>, String> {
        let text = self.text();
        if let Puzzle::Rows(_) = self {
            let question = domain.parse(&text);
            let question = question.and_then(|q| domain.check_question(&q).map(|_| q));
            return question.map_err(|error| error.to_string());
        }
        match questions(domain, &text) {
            Ok(mut one) if one.len() == 1 => Ok(one.remove(0)),
            Ok(several) => Err(format!("{} puzzles in one text: give a list", several.len())),
            Err(QuestionError { source, .. }) => Err(source.to_string()),
        }
    }
}

/// Several written answers of which the best is taken; what is not given is as in `trm solve`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WriteRequest {
    pub samples: Option<usize>,
    pub temperature: Option<f32>,
    pub seed: Option<u64>,
}

/// How an answer comes about, and in which engine.
#[derive(Debug)]
pub(crate) enum Way<'a> {
    Think(&'a Engine<Effort>, Effort),
    Write(&'a Engine<SampleOptions>, SampleOptions),
}

/// Puzzles of one size, and how to answer them.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub domain: Domain,
    pub tokens: Vec<u8>,
    pub puzzles: Vec<u32>,
    pub way: Way<'a>,
    pub time: Duration,
    pub drafts: Drafts,
}

impl SolveRequest {
    /// The puzzles.
    pub(crate) fn puzzles(&self) -> &[Puzzle] {
        let several = self.puzzles.as_deref().unwrap_or_default();
        self.puzzle.as_ref().map_or(several, std::slice::from_ref)
    }

    /// What is asked of a model.
    ///
    /// # Errors
    /// 422 with one line, that of the command line where it has one.
    pub(crate) fn check<'a>(
        &self,
        model: &'a Served,
        settings: &Settings,
    ) -> Result<Asked<'a>, Refusal> {
        let puzzles: Vec<&Puzzle> = match (&self.puzzle, &self.puzzles) {
            (Some(one), None) => vec![one],
            (None, Some(several)) if !several.is_empty() => several.iter().collect(),
            (Some(_), Some(_)) => return Err(Refusal::content("`puzzle` or `puzzles`, not both")),
            _ => return Err(Refusal::content("no puzzle: give `puzzle`, or a list as `puzzles`")),
        };
        if puzzles.len() > settings.queue {
            return Err(Refusal::too_many(puzzles.len(), settings.queue));
        }
        let (domain, tokens) = read(model, &puzzles, settings.cells)?;
        let (way, identifiers) = match &model.mind {
            Mind::Recursive(thinker) => {
                let effort = self.effort(&thinker.config, &domain, settings)?;
                (Way::Think(&thinker.engine, effort), thinker.config.puzzle_identifiers)
            }
            Mind::Autoregressive(engine) => (Way::Write(engine, self.options(settings)?), 0),
        };
        if self.identifier as usize >= identifiers.max(1) {
            let message = format!("`identifier`: the model knows 0 to {}", identifiers.max(1) - 1);
            return Err(Refusal::content(message));
        }
        let asked = self.search.as_ref().and_then(|search| search.milliseconds);
        let time = asked.map_or(settings.time, Duration::from_millis).min(settings.time);
        let identifiers = vec![self.identifier; puzzles.len()];
        Ok(Asked { domain, tokens, puzzles: identifiers, way, time, drafts: self.drafts })
    }

    /// As `trm solve` does it: judged by the rules where there are any, unless the model alone is asked for.
    fn effort(
        &self,
        config: &Config,
        domain: &Domain,
        settings: &Settings,
    ) -> Result<Effort, Refusal> {
        if self.write.is_some() {
            return Err(Refusal::content(
                "`write` is for autoregressive models, and this is a recursive one",
            ));
        }
        if self.one_pass && self.search.is_some() {
            return Err(Refusal::content("`search` goes without `one_pass`"));
        }
        if let Some(halt) = self.halt.filter(|halt| !(*halt > 0.0 && *halt <= 1.0)) {
            let message = format!("`halt`: {halt} is no probability above 0 and at most 1");
            return Err(Refusal::content(message));
        }
        let search = self.search.as_ref().map(|search| search.options(settings)).transpose()?;
        let wish = Wish { steps: self.steps, halt: self.halt, alone: self.one_pass, search };
        let usual = config.supervision_steps;
        within("steps", wish.steps(config), 1, settings.steps.max(usual))?;
        Ok(wish.effort(config, domain))
    }

    /// How an autoregressive model writes.
    fn options(&self, settings: &Settings) -> Result<SampleOptions, Refusal> {
        let others = [
            ("search", self.search.is_some()),
            ("one_pass", self.one_pass),
            ("steps", self.steps.is_some()),
            ("halt", self.halt.is_some()),
        ];
        if let Some((name, _)) = others.iter().find(|(_, given)| *given) {
            let message =
                format!("`{name}` is for recursive models, and this is an autoregressive one");
            return Err(Refusal::content(message));
        }
        let usual = SampleOptions::default();
        let write = self.write.unwrap_or_default();
        let options = SampleOptions {
            samples: write.samples.unwrap_or(usual.samples),
            temperature: write.temperature.unwrap_or(usual.temperature),
            seed: write.seed.unwrap_or(usual.seed),
            ..usual
        };
        within("write.samples", options.samples, 1, settings.rollouts)?;
        if !(options.temperature.is_finite() && options.temperature > 0.0) {
            let message =
                format!("`write.temperature`: {} is not a positive number", options.temperature);
            return Err(Refusal::content(message));
        }
        Ok(options)
    }
}

impl SearchRequest {
    fn options(&self, settings: &Settings) -> Result<SearchOptions, Refusal> {
        let usual = Search::default();
        let search = Search {
            rollouts: self.rollouts.unwrap_or(usual.rollouts),
            noise: self.noise.unwrap_or(usual.noise),
            restart: self.restart.unwrap_or(usual.restart),
            symmetries: self.symmetries.unwrap_or(usual.symmetries),
            patience: self.patience.unwrap_or(usual.patience),
            seed: self.seed.unwrap_or(usual.seed),
            ..usual
        };
        within("search.rollouts", search.rollouts, 1, settings.rollouts)?;
        for (name, sigma) in [("noise", search.noise), ("restart", search.restart)] {
            if !(sigma.is_finite() && sigma >= 0.0) {
                let message = format!("`search.{name}`: {sigma} is not 0 or a positive number");
                return Err(Refusal::content(message));
            }
        }
        Ok(SearchOptions { search, time: None })
    }
}

fn within(name: &str, value: usize, least: usize, most: usize) -> Result<(), Refusal> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(Refusal::content(format!("`{name}`: {value} is not {least} to {most}"))),
    }
}

/// The puzzles in the size of the first one.
fn read(
    model: &Served,
    puzzles: &[&Puzzle],
    most_cells: usize,
) -> Result<(Domain, Vec<u8>), Refusal> {
    let refuse = |place: usize, why: String| match puzzles.len() {
        1 => Refusal::content(format!("the puzzle: {why}")),
        _ => Refusal::content(format!("puzzle {}: {why}", place + 1)),
    };
    let own = &model.domain;
    let domain = match (puzzles[0].tokens(own), own.sized_for(&puzzles[0].text())) {
        (Ok(_), _) => own.clone(),
        (Err(_), Some(sized)) if sized == *own || model.any_size() => sized,
        (Err(why), _) => return Err(refuse(0, why)),
    };
    let (cells, most) = (domain.seq_len(), own.seq_len().max(most_cells));
    if cells > most {
        return Err(refuse(0, format!("{cells} cells: at most {most} are thought about here")));
    }
    let tokens = (0..)
        .zip(puzzles)
        .map(|(place, puzzle)| puzzle.tokens(&domain).map_err(|why| refuse(place, why)));
    Ok((domain.clone(), tokens.collect::<Result<Vec<_>, _>>()?.concat()))
}
