//! One puzzle as a model thinks about it, draft by draft.

use crate::report::{Cell, Fill, Thinking, ThinkingStep};
use crate::{Effort, Error, SearchOptions, Trail, TrailStep, mismatch};
use trm::{Question, Search, Solver};
use trm_data::text::percent;
use trm_data::{Dataset, load_model};
use trm_puzzles::{Domain, Look};
use trm_train::{EvalOptions, Run};

/// A puzzle, what a model thought about it, and the right answer, of which 0 is not known.
pub struct Watched {
    /// Its place in the data set.
    pub puzzle: usize,
    /// Every draft.
    pub trail: Trail,
    /// `[S]` tokens.
    pub right: Vec<u8>,
}

/// Of the first puzzles, the one worth watching as a run's model thinks about it.
///
/// # Errors
/// As [`worth_watching`], or if the run has no model.
pub fn most_thoughtful(run: &Run, data: &Dataset, limit: usize) -> Result<Watched, Error> {
    let model = load_model(&run.folder, run.trainer().model().device())?;
    let EvalOptions { steps, batch, dtype, .. } = run.eval_options();
    worth_watching(&Solver::new(model, dtype).batch(batch), data, limit, steps)
}

/// Of the first puzzles, the solved one with most revised cells, then most steps, then most blanks:
/// there is most to see. Its trail has so many steps at most.
///
/// # Errors
/// If there are no puzzles, or of no domain, or the model cannot read them.
pub fn worth_watching(
    solver: &Solver,
    data: &Dataset,
    limit: usize,
    steps: usize,
) -> Result<Watched, Error> {
    let domain = data.judged_by_or(&data.metadata.domain).map_err(mismatch)?;
    let few = data.len().min(limit);
    let tokens = &data.inputs[..few * data.metadata.seq_len];
    let question = Question { tokens, puzzles: &data.example_identifiers()[..few] };
    let search = Search { steps, rollouts: 1, ..Search::default() };
    let effort = Effort::Judged(SearchOptions { search, time: None });
    let trails = Trail::follow_all(solver, &domain, question, effort)?.into_iter();
    let blanks = |t: &Trail| t.question.iter().filter(|token| !domain.is_given(**token)).count();
    let revised = |t: &Trail| t.steps.iter().map(|s| s.changed.len()).sum::<usize>();
    let best = trails
        .enumerate()
        .max_by_key(|(_, t)| (t.last().verdict.is_solved(), revised(t), t.steps.len(), blanks(t)));
    let (puzzle, trail) = best.ok_or_else(|| mismatch("there are no puzzles to think about"))?;
    let right = match trail.last().verdict.is_solved() {
        true => trail.last().answer.clone(), // there may be others
        false => known(data, puzzle),
    };
    Ok(Watched { puzzle, trail, right })
}

/// The recorded answer to a puzzle; 0 where a cell is not recorded.
fn known(data: &Dataset, puzzle: usize) -> Vec<u8> {
    let ignored = data.ignore_label();
    data.label(puzzle).iter().map(|token| if *token == ignored { 0 } else { *token }).collect()
}

/// The section of a run's page.
pub(super) fn thinking(domain: &Domain, Watched { trail, right, .. }: &Watched) -> Thinking {
    let solved = trail.last().verdict.is_solved();
    let which = if solved { "the solved one" } else { "the one" };
    let caption = format!(
        "A puzzle it was not trained on, draft by draft: of those looked at, {which} that it revised most."
    );
    let told = |(i, step): (usize, &TrailStep)| {
        let note = format!("sure to {} · {}", percent(step.halt_probability), step.verdict);
        (format!("step {}", i + 1), note)
    };
    let notes: Vec<_> = trail.steps.iter().enumerate().map(told).collect();
    Thinking {
        title: "Thinking, step by step".into(),
        caption,
        ..grids(domain, trail, &notes, right)
    }
}

/// The grids of a trail, with a label and a note each. Cells that differ from the right answer are marked, but
/// not where it is unknown (0) or the cell is still open; so are those that the judge holds for broken.
pub fn grids(domain: &Domain, trail: &Trail, notes: &[(String, String)], right: &[u8]) -> Thinking {
    let layout = domain.layout();
    let drafts = trail.steps.iter().map(|step| &step.answer[..]);
    let extents = drafts.chain([&trail.question[..]]).map(|tokens| domain.extent(tokens));
    let (width, height) =
        extents.fold((1, 1), |(width, height), (w, h)| (width.max(w), height.max(h)));
    let places = || (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
    let place = |(row, column): (usize, usize)| row * layout.columns + column;
    let cells = |tokens: &[u8]| -> Vec<Cell> {
        let (columns, rows) = domain.extent(tokens);
        let look = |(row, column): (usize, usize)| match row < rows && column < columns {
            true => domain.look(tokens[place((row, column))]),
            false => Look::Empty,
        };
        places().map(|at| cell(look(at))).collect()
    };
    let is_wrong = |step: &TrailStep, i: usize| {
        right[i] != 0 && step.answer[i] != right[i] && step.answer[i] != trail.question[i]
    };
    let is_kept = |step: &TrailStep, i: usize| {
        domain.is_given(trail.question[i]) && step.answer[i] == trail.question[i]
    };
    let marked = |step: &TrailStep, (cell, i): (Cell, usize)| Cell {
        given: is_kept(step, i),
        changed: step.changed.contains(&i),
        wrong: is_wrong(step, i),
        broken: step.verdict.broken().contains(&i),
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

/// How a cell is drawn.
fn cell(look: Look<'_>) -> Cell {
    let filled = |fill| Cell { fill, ..Cell::default() };
    match look {
        Look::Empty => Cell::default(),
        Look::Symbol(symbol) => Cell::answer(symbol),
        Look::Ink => filled(Fill::Ink),
        Look::Accent => filled(Fill::Accent),
        Look::Colour(colour) => filled(Fill::Colour(colour)),
    }
}
