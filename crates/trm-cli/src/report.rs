//! `report.html` of a run.

use crate::compute;
use crate::display::{duration, percent};
use anyhow::{Context, Result};
use std::path::PathBuf;
use trm::{Config, Network, Question, Search, Solver};
use trm_puzzles::Domain;
use trm_train::report::{
    Cell, Chart, Fill, Headline, Report, Series, Table, Thinking, ThinkingStep, render,
};
use trm_train::{
    AutoregressiveTrainer, Dataset, Effort, EvalOptions, Evaluation, Learner, Line, Provenance,
    Run, SearchOptions, Trail, TrailStep, Trainer, evaluate, files::write_atomic, load_model,
    read_log, wilson,
};

/// A learner whose runs have a report of their own.
pub(crate) trait Reported: Learner {
    /// Writes that of a run that has just ended.
    fn report(run: &Run<Self>, command: &str) -> Result<PathBuf>;
}

impl Reported for Trainer {
    fn report(run: &Run, command: &str) -> Result<PathBuf> {
        write_for_run(run, command)
    }
}

impl Reported for AutoregressiveTrainer {
    fn report(run: &Run<AutoregressiveTrainer>, command: &str) -> Result<PathBuf> {
        let config = run.trainer().core().network().config();
        let fact = |name: &str, value: String| (name.to_owned(), value);
        let network = format!("{} blocks, {} features", config.blocks, config.hidden);
        let own = vec![
            fact("network", format!("causal attention, {network}")),
            fact("order of writing", format!("{:?}", config.order).to_lowercase()),
        ];
        let (exact, seconds) = (run.progress().best_exact, run.progress().seconds);
        let mut headline = vec![size_headline(run, config.parameters(), seconds)];
        if exact >= 0.0 {
            let note = format!("of {} held-out puzzles, written greedily", run.validation().len());
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
fn write_for_run(run: &Run, command: &str) -> Result<PathBuf> {
    let model = load_model(&run.folder, run.trainer().model().device())?;
    let seconds = run.progress().seconds;
    let held_out = run.validation();
    let domain: Option<Domain> = model.config().domain.parse().ok();
    let (Some(domain), false) = (domain, held_out.is_empty()) else {
        let page = page(run, None, None, command, seconds)?;
        return save(run, &page);
    };
    let few: Vec<usize> = (0..held_out.groups().min(256)).collect();
    let few = held_out.select_groups(&few);
    let options = run.eval_options();
    let evaluation = evaluate(&model, &few, options, &mut |_| ())?;
    let trail = most_thoughtful(run, &few, 32)?;
    let page =
        page(run, Some((&evaluation, "held-out")), Some((domain, &trail)), command, seconds)?;
    save(run, &page)
}

/// Of the first puzzles, the one worth watching as a run's model thinks about it.
pub(crate) fn most_thoughtful(run: &Run, data: &Dataset, limit: usize) -> Result<Trail> {
    let model = load_model(&run.folder, run.trainer().model().device())?;
    let EvalOptions { steps, batch, dtype, .. } = run.eval_options();
    let solver = Solver::new(&model, dtype);
    let (_, trail) = worth_watching(solver, data, limit, (steps, batch))?;
    Ok(trail)
}

/// Of the first puzzles, the solved one with most revised cells, then most steps, then most blanks:
/// there is most to see. Its place, and its trail of so many steps at most; so many puzzles at a time.
pub(crate) fn worth_watching(
    solver: Solver<'_>,
    data: &Dataset,
    limit: usize,
    (steps, batch): (usize, usize),
) -> Result<(usize, Trail)> {
    let domain: Domain = data.metadata.domain.parse()?;
    let few = data.len().min(limit);
    let tokens = &data.inputs[..few * data.metadata.seq_len];
    let question = Question { tokens, puzzles: &data.example_identifiers()[..few] };
    let search = Search { steps, batch, rollouts: 1, ..Search::default() };
    let effort = Effort::Judged(SearchOptions { search, time: None });
    let trails = Trail::follow_all(solver, domain, question, effort)?.into_iter();
    let blanks = |t: &Trail| t.question.iter().filter(|token| !domain.is_given(**token)).count();
    let revised = |t: &Trail| t.steps.iter().map(|s| s.changed.len()).sum::<usize>();
    let best = trails
        .enumerate()
        .max_by_key(|(_, t)| (t.last().verdict.is_solved(), revised(t), t.steps.len(), blanks(t)));
    best.context("there are no puzzles to think about")
}

/// The report of a run with a measurement on unseen puzzles.
pub(crate) fn write(
    run: &Run,
    measured: Option<(&Evaluation, &str)>,
    trail: &Trail,
    command: &str,
    seconds: f64,
) -> Result<PathBuf> {
    let domain: Domain = run.trainer().model().config().domain.parse()?;
    let page = page(run, measured, Some((domain, trail)), command, seconds)?;
    save(run, &page)
}

fn save<L: Learner>(run: &Run<L>, page: &Report) -> Result<PathBuf> {
    let path = run.folder.join("report.html");
    write_atomic(&path, render(page).as_bytes())?;
    Ok(path)
}

fn page(
    run: &Run,
    measured: Option<(&Evaluation, &str)>,
    trail: Option<(Domain, &Trail)>,
    command: &str,
    seconds: f64,
) -> Result<Report> {
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
        thinking: trail.map(|(domain, trail)| thinking(domain, trail)).into_iter().collect(),
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
                "of {} {kind} puzzles; 95 % interval {:.1}–{:.1} %",
                evaluation.puzzles,
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
        note: format!("trained for {} steps in {}", run.progress().step, duration(seconds)),
    }
}

fn training_charts(log: &[Line]) -> Vec<Chart> {
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
            "Thinking longer helps: the same weights, measured after every step. The model counts \
             as sure above {}.",
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

fn calibration(evaluation: &Evaluation) -> Table {
    let bins = evaluation.calibration.iter().filter(|bin| bin.puzzles > 0);
    let row = |bin: &trm_train::Bin| {
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
    let network = format!("{:?}, {} blocks, {} features", config.mix, config.blocks, config.hidden);
    let recursion = format!(
        "{} cycles of {} recursions, at most {} supervision steps",
        config.cycles, config.recursions, config.supervision_steps
    );
    vec![("network".into(), network), ("recursion".into(), recursion)]
}

/// What is known of any run.
fn facts<L: Learner>(run: &Run<L>) -> Result<Vec<(String, String)>> {
    let settings = &run.recipe.train;
    let provenance = Provenance::load(&run.folder)?.context("the run has no model")?;
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
        fact("trained for", duration(provenance.seconds)),
        fact("data", provenance.data.display().to_string()),
        fact("data digest", provenance.data_digest),
        fact("weight digest", format!("{} (step {})", provenance.weights, provenance.step)),
        fact("program", provenance.program),
        fact("machine", format!("{}, {} threads", provenance.machine, provenance.threads)),
    ])
}

fn thinking(domain: Domain, trail: &Trail) -> Thinking {
    let solved = trail.last().verdict.is_solved();
    let which = if solved { "the solved one" } else { "the one" };
    let caption = format!(
        "A puzzle it was not trained on, draft by draft: of those looked at, {which} that it revised most."
    );
    let right = solved.then(|| trail.last().answer.clone());
    let told = |(i, step): (usize, &TrailStep)| {
        let note = format!("sure to {} · {}", percent(step.halt_probability), step.verdict);
        (format!("step {}", i + 1), note)
    };
    let notes: Vec<_> = trail.steps.iter().enumerate().map(told).collect();
    Thinking {
        title: "Thinking, step by step".into(),
        caption,
        ..grids(domain, trail, &notes, right.as_deref())
    }
}

/// The grids of a trail, with a label and a note each; cells that differ from the right answer, if one is
/// given, are marked.
pub(crate) fn grids(
    domain: Domain,
    trail: &Trail,
    notes: &[(String, String)],
    right: Option<&[u8]>,
) -> Thinking {
    let layout = domain.layout();
    let drafts = trail.steps.iter().map(|step| &step.answer[..]);
    let extents = drafts.chain([&trail.question[..]]).map(|tokens| domain.extent(tokens));
    let (width, height) =
        extents.fold((1, 1), |(width, height), (w, h)| (width.max(w), height.max(h)));
    let places = || (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
    let place = |(row, column): (usize, usize)| row * layout.columns + column;
    let cells = |tokens: &[u8]| -> Vec<Cell> {
        let (columns, rows) = domain.extent(tokens);
        let symbol = |(row, column): (usize, usize)| match row < rows && column < columns {
            true => domain.symbol(tokens[place((row, column))]),
            false => ' ',
        };
        places().map(|at| cell(domain, symbol(at))).collect()
    };
    let is_wrong = |step: &TrailStep, i: usize| {
        right.is_some_and(|right| step.answer[i] != right[i] && step.answer[i] != trail.question[i])
    };
    let marked = |step: &TrailStep, (cell, i): (Cell, usize)| Cell {
        given: domain.is_given(trail.question[i]),
        changed: step.changed.contains(&i),
        wrong: is_wrong(step, i),
        ..cell
    };
    let step = |(step, (label, note)): (&TrailStep, &(String, String))| ThinkingStep {
        label: label.clone(),
        note: note.clone(),
        cells: cells(&step.answer)
            .into_iter()
            .zip(places().map(place))
            .map(|cell| marked(step, cell))
            .collect(),
    };
    Thinking {
        columns: width,
        box_rows: layout.boxes.0,
        box_cols: layout.boxes.1,
        question: cells(&trail.question).into_iter().map(|c| Cell { given: true, ..c }).collect(),
        steps: trail.steps.iter().zip(notes).map(step).collect(),
        ..Thinking::default()
    }
}

/// How a symbol is drawn.
fn cell(domain: Domain, symbol: char) -> Cell {
    match (domain, symbol) {
        (Domain::Arc, '0'..='9') => {
            Cell { fill: Fill::Colour(symbol as u8 - b'0'), ..Cell::default() }
        }
        (Domain::Sudoku(_) | Domain::Maze(_), '.') | (_, ' ') => Cell::default(),
        (Domain::Maze(_), '#') => Cell { fill: Fill::Ink, ..Cell::default() },
        (Domain::Maze(_), 'o') => Cell { fill: Fill::Accent, ..Cell::default() },
        _ => Cell::answer(symbol),
    }
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
