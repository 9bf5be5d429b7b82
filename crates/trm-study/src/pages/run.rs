//! `report.html` of a run.

use super::compute;
use super::watched::{Watched, most_thoughtful, thinking};
use crate::report::{Chart, Headline, Report, Series, Table, render};
use crate::{Error, mismatch, wilson};
use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;
use trm::{Config, Network};
use trm_data::files::write_atomic;
use trm_data::text::{counted, duration, percent};
use trm_data::{Provenance, load_model};
use trm_puzzles::Domain;
use trm_train::{
    AutoregressiveTrainer, Evaluation, Learner, Line, Run, Trainer, evaluate, read_log,
};

/// A learner whose runs have a report of their own.
pub trait Reported: Learner {
    /// Writes that of a run that has just ended; `command` is how it is made again.
    ///
    /// # Errors
    /// If files of the run cannot be read, or the report cannot be written.
    fn report(run: &Run<Self>, command: &str) -> Result<PathBuf, Error>;
}

impl Reported for Trainer {
    fn report(run: &Run, command: &str) -> Result<PathBuf, Error> {
        write_for_run(run, command)
    }
}

impl Reported for AutoregressiveTrainer {
    fn report(run: &Run<AutoregressiveTrainer>, command: &str) -> Result<PathBuf, Error> {
        let config = run.trainer().core().network().config();
        let fact = |name: &str, value: String| (name.to_owned(), value);
        let network =
            format!("{}, {}", counted(config.blocks, "block"), counted(config.hidden, "feature"));
        let own = vec![
            fact("network", format!("causal attention, {network}")),
            fact("order of writing", format!("{:?}", config.order).to_lowercase()),
        ];
        let (exact, seconds) = (run.progress().best_exact, run.progress().seconds);
        let mut headline = vec![size_headline(run, config.parameters(), seconds)];
        if exact >= 0.0 {
            let puzzles = counted(run.validation().len(), "held-out puzzle");
            let note = format!("of {puzzles}, written greedily");
            let label = "exactly right".into();
            headline.insert(0, Headline { label, value: percent(exact), note });
        }
        let page = Report {
            title: format!("An autoregressive model for {}", config.domain),
            subtitle: "It writes its answer token by token, each from all before it.".into(),
            headline,
            charts: training_charts(&read_log(&run.folder)?),
            thinking: Vec::new(),
            tables: Vec::new(),
            facts: own.into_iter().chain(facts(run)?).collect(),
            command: command.into(),
        };
        save(run, &page)
    }
}

/// The report of a run that has just ended, on its held-out puzzles.
fn write_for_run(run: &Run, command: &str) -> Result<PathBuf, Error> {
    let model = Arc::new(load_model(&run.folder, run.trainer().model().device())?);
    let seconds = run.progress().seconds;
    let held_out = run.validation();
    let domain = held_out.judged_by_or(&model.config().domain).ok();
    let (Some(domain), false) = (domain, held_out.is_empty()) else {
        let page = page(run, None, None, command, seconds)?;
        return save(run, &page);
    };
    let few: Vec<usize> = (0..held_out.groups().min(256)).collect();
    let few = held_out.select_groups(&few);
    let options = run.eval_options();
    let evaluation = evaluate(&model, &few, options, &mut |_| ())?;
    let watched = most_thoughtful(run, &few, 32)?;
    let measured = Some((&evaluation, "held-out"));
    let page = page(run, measured, Some((&domain, &watched)), command, seconds)?;
    save(run, &page)
}

/// Writes the report of a run with a measurement on unseen puzzles; `command` is how it is made again.
///
/// # Errors
/// If files of the run cannot be read, or the report cannot be written.
pub fn write(
    run: &Run,
    measured: Option<(&Evaluation, &str)>,
    watched: &Watched,
    command: &str,
    seconds: f64,
) -> Result<PathBuf, Error> {
    let name = &run.trainer().model().config().domain;
    let domain: Domain = name.parse().map_err(mismatch)?;
    let page = page(run, measured, Some((&domain, watched)), command, seconds)?;
    save(run, &page)
}

fn save<L: Learner>(run: &Run<L>, page: &Report) -> Result<PathBuf, Error> {
    let path = run.folder.join("report.html");
    write_atomic(&path, render(page).as_bytes())?;
    Ok(path)
}

fn page(
    run: &Run,
    measured: Option<(&Evaluation, &str)>,
    watched: Option<(&Domain, &Watched)>,
    command: &str,
    seconds: f64,
) -> Result<Report, Error> {
    let model = run.trainer().model();
    let headline = headlines(run, measured, seconds);
    let mut charts = training_charts(&read_log(&run.folder)?);
    let mut tables = Vec::new();
    if let Some((evaluation, _)) = measured {
        charts.push(depth_chart(evaluation));
        charts.push(compute::of_evaluation(model.config(), evaluation));
        tables.push(calibration(evaluation));
    }
    Ok(Report {
        title: format!("A tiny recursive model for {}", model.config().domain),
        subtitle: "It drafts a whole answer, thinks, and revises it.".into(),
        headline,
        charts,
        thinking: watched.map(|(domain, watched)| thinking(domain, watched)).into_iter().collect(),
        tables,
        facts: network_facts(model.config()).into_iter().chain(facts(run)?).collect(),
        command: command.into(),
    })
}

fn headlines(run: &Run, measured: Option<(&Evaluation, &str)>, seconds: f64) -> Vec<Headline> {
    let (parameters, _) = run.trainer().model().parameter_count();
    let mut headline = Vec::new();
    if let Some((evaluation, kind)) = measured {
        let exact = evaluation.steps.last().map_or(0, |s| s.exact);
        let (low, high) = wilson(exact, evaluation.puzzles);
        headline.push(Headline {
            label: "exactly right".into(),
            value: percent(evaluation.exact()),
            note: format!(
                "of {}; 95 % interval {:.1}–{:.1} %",
                counted(evaluation.puzzles, &format!("{kind} puzzle")),
                100.0 * low,
                100.0 * high
            ),
        });
        headline.push(Headline {
            label: "thinks for".into(),
            value: format!("{:.1} steps", evaluation.mean_halt_step),
            note: format!(
                "on average, until it is sure to more than {}",
                percent(evaluation.sure_above().into())
            ),
        });
    }
    headline.push(size_headline(run, parameters, seconds));
    headline
}

fn size_headline<L: Learner>(run: &Run<L>, parameters: usize, seconds: f64) -> Headline {
    Headline {
        label: "parameters".into(),
        value: grouped(parameters),
        note: format!(
            "trained for {} in {}",
            counted(run.progress().step as usize, "step"),
            duration(seconds)
        ),
    }
}

/// The curves of a run: loss, and accuracy while training.
pub fn training_charts(log: &[Line]) -> Vec<Chart> {
    let mut loss = Vec::new();
    let mut training = Vec::new();
    let mut validation = Vec::new();
    let mut finished = (0.0, 0.0);
    for line in log {
        match line {
            Line::Step { metrics: m, .. } => {
                loss.push((m.step as f64, f64::from(m.loss)));
                finished = (finished.0 + f64::from(m.exact), finished.1 + f64::from(m.halted));
                if m.step % 10 == 0 && finished.1 > 0.0 {
                    training.push((m.step as f64, 100.0 * finished.0 / finished.1));
                    finished = (0.0, 0.0);
                }
            }
            Line::Validation { step, exact, .. } => {
                validation.push((*step as f64, 100.0 * exact.last().copied().unwrap_or(0.0)));
            }
            Line::Rollback { .. } => {}
        }
    }
    let series = |name: &str, points| Series { name: name.into(), points, band: Vec::new() };
    let chart = |title: &str, y_label: &str, caption: &str, y_range, series| Chart {
        title: title.into(),
        caption: caption.into(),
        x_label: "optimiser step".into(),
        y_label: y_label.into(),
        y_range,
        series,
        ..Chart::default()
    };
    vec![
        chart("Loss", "loss per puzzle", "", None, vec![series("training", loss)]),
        chart(
            "Exact accuracy",
            "% of puzzles",
            "Training: puzzles as they leave the batch, with the latest weights. Held out: with \
             averaged weights, after all supervision steps.",
            Some((0.0, 100.0)),
            vec![series("training", training), series("held out", validation)],
        ),
    ]
}

fn depth_chart(evaluation: &Evaluation) -> Chart {
    let points = |f: &dyn Fn(usize) -> f64| {
        (0..evaluation.steps.len()).map(|i| ((i + 1) as f64, 100.0 * f(i))).collect::<Vec<_>>()
    };
    let series = |name: &str, points| Series { name: name.into(), points, band: Vec::new() };
    Chart {
        title: "Accuracy by supervision step".into(),
        caption: format!(
            "{} The same weights, measured after every step. The model counts as sure above {}.",
            what_thinking_brings(evaluation),
            percent(evaluation.sure_above().into())
        ),
        x_label: "supervision step".into(),
        y_label: "%".into(),
        y_range: Some((0.0, 100.0)),
        series: vec![
            series(
                "puzzles exactly right",
                points(&|i| evaluation.share(evaluation.steps[i].exact)),
            ),
            series("cells right", points(&|i| evaluation.steps[i].cells)),
            series("model is sure", points(&|i| evaluation.share(evaluation.steps[i].halted))),
        ],
        ..Chart::default()
    }
}

/// What the curve of exact accuracy says, in a sentence.
fn what_thinking_brings(evaluation: &Evaluation) -> String {
    let exact: Vec<usize> = evaluation.steps.iter().map(|step| step.exact).collect();
    let (Some(first), Some(last)) = (exact.first(), exact.last()) else { return String::new() };
    let after =
        |step: usize| format!("{} after step {step}", percent(evaluation.share(exact[step - 1])));
    let most = exact.iter().max().expect("there is a first");
    let peak = exact.iter().position(|count| count == most).expect("it is one of them") + 1;
    let ends = format!("{}, {}", after(1), after(exact.len()));
    match last.cmp(first) {
        _ if exact.len() == 1 => format!("{}.", after(1)),
        _ if most > last && most > first => {
            format!("Thinking longer helps at first, and then harms: {}, {}.", after(peak), ends)
        }
        Ordering::Greater => format!("Thinking longer helps: {ends}."),
        Ordering::Equal => format!("Thinking longer changes nothing: {ends}."),
        Ordering::Less => format!("Thinking longer harms: {ends}."),
    }
}

fn calibration(evaluation: &Evaluation) -> Table {
    let bins = evaluation.calibration.iter().filter(|bin| bin.puzzles > 0);
    let row = |bin: &crate::Bin| {
        vec![bin.puzzles.to_string(), percent(bin.probability), percent(bin.exact)]
    };
    Table {
        title: "Is it right when it is sure?".into(),
        caption: "Puzzles by the model's own belief after the last step.".into(),
        header: ["puzzles", "believed right", "are right"].map(String::from).to_vec(),
        rows: bins.map(row).collect(),
    }
}

fn network_facts(config: &Config) -> Vec<(String, String)> {
    let (blocks, features) = (counted(config.blocks, "block"), counted(config.hidden, "feature"));
    let network = format!("{:?}, {blocks}, {features}", config.mix);
    let recursion = format!(
        "{} of {}, at most {}",
        counted(config.cycles, "cycle"),
        counted(config.recursions, "recursion"),
        counted(config.supervision_steps, "supervision step")
    );
    vec![("network".into(), network), ("recursion".into(), recursion)]
}

/// What is known of any run.
fn facts<L: Learner>(run: &Run<L>) -> Result<Vec<(String, String)>, Error> {
    let settings = &run.recipe.train;
    let provenance =
        Provenance::load(&run.folder)?.ok_or_else(|| mismatch("the run has no model"))?;
    let fact = |name: &str, value: String| (name.to_owned(), value);
    Ok(vec![
        fact(
            "training",
            format!(
                "{:?}, rate {}, batch {}, {:?}",
                settings.optimizer, settings.lr, settings.batch, settings.precision
            ),
        ),
        fact("seed", run.recipe.seed.to_string()),
        fact("data", provenance.data.display().to_string()),
        fact("data digest", provenance.data_digest),
        fact("weight digest", provenance.weights),
        fact("weights of", format!("step {}", provenance.step)),
        fact("program", provenance.program),
        fact(
            "machine",
            match provenance.device.as_str() {
                "cpu" => {
                    format!("{}, {}", provenance.machine, counted(provenance.threads, "thread"))
                }
                gpu => format!("{gpu}; {}", provenance.machine),
            },
        ),
    ])
}

/// 293378 as 293,378.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let groups =
        digits.as_bytes()[first..].chunks(3).map(|g| String::from_utf8_lossy(g).into_owned());
    let head = (first > 0).then(|| digits[..first].to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}
