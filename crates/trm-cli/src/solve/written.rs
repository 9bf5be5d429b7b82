//! Puzzles answered by an autoregressive model: the order of writing, and the answer.

use super::source::Source;
use super::{Arguments, with_comparison};
use crate::Outcome;
use crate::display::{print_comparison, print_written};
use crate::output::out;
use crate::referee::with_ruling;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;
use trm::{Autoregressive, Network};
use trm_puzzles::Domain;
use trm_study::{Chosen, write_best};

pub(super) fn run(
    arguments: &Arguments,
    (folder, puzzle): (&Path, Option<&str>),
    model: &Autoregressive,
) -> Result<Outcome> {
    let options = arguments.writing.options(
        folder,
        arguments.batch,
        arguments.precision,
        &[
            ("search", arguments.search),
            ("one-pass", arguments.one_pass),
            ("steps", arguments.steps.is_some()),
            ("halt", arguments.halt.is_some()),
        ],
    )?;
    let config = model.config();
    let domain: Domain = config.domain.parse()?;
    let domain = arguments.refereeing.judging(domain, model.device().threads())?;
    let asked = Source::read(arguments, puzzle)?.written(model)?;
    let all: Vec<&[u8]> = asked.tokens.chunks_exact(config.seq_len).collect();
    let mut outcome = Outcome::Done;
    write_best(model, (&domain, &all), options, &mut |puzzle, chosen| {
        let question = all[puzzle];
        let is_recorded = asked.is_recorded(&domain, puzzle, &chosen.answer);
        if arguments.json {
            out!("{}", with_comparison(as_json(model, &domain, question, chosen), is_recorded));
        } else {
            print_written(&domain, question, chosen, &model.config().cells(&chosen.written.tokens));
            is_recorded.inspect(|is_recorded| print_comparison(*is_recorded));
        }
        let decision = chosen.verdict.as_ref().and_then(|verdict| verdict.decision());
        if is_recorded.or(decision) == Some(false) {
            outcome = Outcome::NotSolved;
        }
    })?;
    Ok(outcome)
}

fn as_json(model: &Autoregressive, domain: &Domain, question: &[u8], chosen: &Chosen) -> Value {
    let json = json!({
        "question": domain.format_line(question),
        "answer": domain.format_line(&chosen.answer),
        "solved": chosen.verdict.as_ref().and_then(|verdict| verdict.decision()),
        "verdict": chosen.verdict.as_ref().map(|verdict| verdict.to_string()),
        "probability": chosen.written.log_probability.exp(),
        "sample": chosen.sample,
        "cells": model.config().cells(&chosen.written.tokens),
    });
    let ruling = chosen.verdict.as_ref().and_then(|verdict| verdict.ruling());
    with_ruling(json, domain, ruling)
}
