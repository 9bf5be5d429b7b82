//! Sums during an evaluation.

use crate::Error;
use crate::evaluate::score::Score;
use crate::evaluate::validity::Validity;
use crate::evaluate::{Bin, EvalOptions, Evaluation, Outputs, StepScore};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use trm::Thought;
use trm_data::Dataset;
use trm_puzzles::Domain;
use trm_team::Team;

/// Sums over the puzzles that are done. They end in an order that depends on the batch; what is kept by puzzle is
/// summed in the order of the data set, so that the result does not.
pub(crate) struct Tally<'d> {
    data: &'d Dataset,
    /// The rules of the puzzle, unless a referee judges in their place.
    rules: Option<Domain>,
    evaluation: Evaluation,
    /// Drafts of the puzzles that are being thought about.
    drafts: HashMap<usize, Vec<Mark>>,
    /// What is kept of the puzzles that are done.
    done: Vec<Option<Done>>,
}

/// What a draft is worth.
struct Mark {
    exact: bool,
    cells: f32,
    halted: bool,
}

/// What is kept of a puzzle.
#[derive(Clone, Serialize, Deserialize)]
struct Done {
    /// The first step at which the model was sure, from 1.
    first_halt: Option<usize>,
    steps: usize,
    /// Of the last draft.
    halt_probability: f64,
    exact: bool,
    loss: Option<f64>,
    /// For the judge, if there is one.
    answer: Option<Vec<u8>>,
    /// What the rules say that it is.
    kind: Option<String>,
}

impl<'d> Tally<'d> {
    pub(crate) fn new(options: EvalOptions, data: &'d Dataset) -> Tally<'d> {
        let (n, cells, vocab) = (data.len(), data.metadata.seq_len, data.metadata.vocab_size);
        let outputs = || Outputs {
            logits: vec![0.0; n * cells * vocab],
            answers: vec![0; n * cells],
            halt_logits: vec![0.0; n],
        };
        let evaluation = Evaluation {
            puzzles: 0,
            halt: options.halt,
            steps: vec![StepScore::default(); options.steps.max(1)],
            calibration: vec![Bin::default(); 10],
            mean_halt_step: 0.0,
            mean_steps: 0.0,
            loss: None,
            validity: None,
            kinds: BTreeMap::new(),
            seconds: 0.0,
            outputs: options.keep_outputs.then(outputs),
        };
        let rules = data.metadata.domain.parse().ok().filter(|_| data.referee.is_none());
        Tally { data, rules, evaluation, drafts: HashMap::new(), done: vec![None; n] }
    }

    /// Takes the next draft of a puzzle.
    pub(crate) fn add(&mut self, thought: &Thought) {
        let (label, ignore) = (self.data.label(thought.puzzle), self.data.ignore_label());
        let score = Score::new(&thought.answer, label, 1, ignore);
        let (exact, cells) = (score.exact[0], score.cells[0]);
        let halted = thought.is_sure(self.evaluation.sure_above());
        self.drafts.entry(thought.puzzle).or_default().push(Mark { exact, cells, halted });
        if thought.last {
            let marks = self.drafts.remove(&thought.puzzle).unwrap_or_default();
            self.sum(&marks);
            self.done[thought.puzzle] = Some(Done {
                first_halt: marks.iter().position(|mark| mark.halted).map(|place| place + 1),
                steps: thought.step,
                halt_probability: thought.halt_probability(),
                exact,
                loss: cross_entropy(&thought.logits, label, ignore),
                answer: self.data.referee.as_ref().map(|_| thought.answer.clone()),
                kind: self.kind(thought),
            });
            self.keep_outputs(thought);
        }
    }

    fn kind(&self, thought: &Thought) -> Option<String> {
        let question = self.data.input(thought.puzzle);
        self.rules.as_ref()?.verify(question, &thought.answer).ok()?.kind().map(str::to_owned)
    }

    /// Adds the drafts of a puzzle to the sums by steps; beyond its last one a puzzle keeps it.
    fn sum(&mut self, marks: &[Mark]) {
        for (i, sums) in self.evaluation.steps.iter_mut().enumerate() {
            let mark = &marks[i.min(marks.len() - 1)];
            sums.exact += usize::from(mark.exact);
            // shares are f32: their sum is exact in f64 for any order of half a million puzzles
            sums.cells += f64::from(mark.cells);
            sums.halted += usize::from(mark.halted);
            sums.halted_exact += usize::from(mark.halted && mark.exact);
        }
    }

    fn keep_outputs(&mut self, thought: &Thought) {
        let Some(outputs) = &mut self.evaluation.outputs else { return };
        let (puzzle, cells) = (thought.puzzle, thought.answer.len());
        let values = thought.logits.len();
        outputs.logits[puzzle * values..][..values].copy_from_slice(&thought.logits);
        outputs.answers[puzzle * cells..][..cells].copy_from_slice(&thought.answer);
        outputs.halt_logits[puzzle] = thought.halt_logit;
    }

    /// Adds what the other processes of a team have, and they what this one has.
    fn join(&mut self, team: &Team) {
        let done = self.done.iter_mut().enumerate();
        let done = done.filter_map(|(puzzle, done)| Some((puzzle, done.take()?))).collect();
        let steps = std::mem::take(&mut self.evaluation.steps);
        for part in team.share(vec![Part { steps, done }]) {
            let sums = &mut self.evaluation.steps;
            sums.resize_with(part.steps.len(), StepScore::default);
            for (sum, of_part) in sums.iter_mut().zip(part.steps) {
                sum.exact += of_part.exact;
                sum.cells += of_part.cells;
                sum.halted += of_part.halted;
                sum.halted_exact += of_part.halted_exact;
            }
            part.done.into_iter().for_each(|(puzzle, done)| self.done[puzzle] = Some(done));
        }
        if let Some(Outputs { logits, answers, halt_logits }) = &mut self.evaluation.outputs {
            let puzzles = halt_logits.len();
            collect(team, logits, puzzles);
            collect(team, answers, puzzles);
            collect(team, halt_logits, puzzles);
        }
        if !team.leads() {
            self.evaluation.outputs = None;
        }
    }

    /// From sums to means over the puzzles that are done, of all processes of a team, and on rank 0 what the judge says of
    /// them.
    ///
    /// # Errors
    /// If it does not.
    pub(crate) fn finish(mut self, team: &Team) -> Result<Evaluation, Error> {
        if team.size() > 1 {
            self.join(team);
        }
        let Tally { data, mut evaluation, mut done, .. } = self;
        let answers = done.iter_mut().enumerate();
        let answers: Vec<(usize, Vec<u8>)> =
            answers.filter_map(|(i, done)| Some((i, done.as_mut()?.answer.take()?))).collect();
        if team.leads() {
            evaluation.validity = team.busy(|| Validity::of(data, &answers))?;
        }
        let done: Vec<Done> = done.into_iter().flatten().collect();
        for puzzle in &done {
            let place = (puzzle.halt_probability * 10.0) as usize;
            let bin = &mut evaluation.calibration[place.min(9)];
            bin.puzzles += 1;
            bin.probability += puzzle.halt_probability;
            bin.exact += f64::from(u8::from(puzzle.exact));
            if let Some(kind) = &puzzle.kind {
                *evaluation.kinds.entry(kind.clone()).or_default() += 1;
            }
        }
        evaluation.puzzles = done.len();
        let (steps, puzzles) = (evaluation.steps.len(), done.len().max(1) as f64);
        let mean =
            |of: &dyn Fn(&Done) -> usize| done.iter().map(of).sum::<usize>() as f64 / puzzles;
        evaluation.mean_halt_step = mean(&|puzzle| puzzle.first_halt.unwrap_or(steps));
        evaluation.mean_steps = mean(&|puzzle| puzzle.steps);
        let loss: Option<f64> = done.iter().map(|puzzle| puzzle.loss).sum();
        evaluation.loss = loss.map(|sum| sum / puzzles);
        evaluation.steps.iter_mut().for_each(|s| s.cells /= puzzles);
        for bin in &mut evaluation.calibration {
            bin.probability /= bin.puzzles.max(1) as f64;
            bin.exact /= bin.puzzles.max(1) as f64;
        }
        Ok(evaluation)
    }
}

/// What a process has of an evaluation.
#[derive(Serialize, Deserialize)]
struct Part {
    /// Sums by steps.
    steps: Vec<StepScore>,
    done: Vec<(usize, Done)>,
}

/// Values by puzzles, of which every process has those of its part, with those of all on rank 0.
fn collect<T: bytemuck::Pod>(team: &Team, values: &mut Vec<T>, puzzles: usize) {
    let (of_puzzle, part) = (values.len() / puzzles.max(1), team.part(puzzles));
    let own = &values[part.start * of_puzzle..part.end * of_puzzle];
    let bytes = |rank| team.part_of(rank, puzzles).len() * of_puzzle * size_of::<T>();
    let lengths: Vec<usize> = (0..team.size()).map(bytes).collect();
    *values = bytemuck::pod_collect_to_vec(&team.collect(bytemuck::cast_slice(own), &lengths));
}

/// Mean cross-entropy of the labelled cells of a puzzle; `None` without logits.
fn cross_entropy(logits: &[f32], label: &[u8], ignore: u8) -> Option<f64> {
    let cells = logits.chunks_exact((logits.len() / label.len()).max(1)).zip(label);
    let of_cell = |(logits, token): (&[f32], &u8)| {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|x| f64::from(x - largest).exp()).sum();
        sum.ln() - f64::from(logits[usize::from(*token)] - largest)
    };
    let labelled = cells.filter(|(_, token)| **token != ignore);
    let (count, sum) =
        labelled.map(of_cell).fold((0, 0.0), |(count, sum), loss| (count + 1, sum + loss));
    (!logits.is_empty()).then(|| sum / f64::from(count.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_entropy_is_the_textbook_one_over_labelled_cells() {
        let logits = [0.0, 0.0, 0.0, 3f32.ln(), 9.0, 0.0];
        let loss = cross_entropy(&logits, &[1, 1, 0], 0).unwrap();
        assert!((loss - (2f64.ln() + (4.0f64 / 3.0).ln()) / 2.0).abs() < 1e-6, "{loss}");
        assert_eq!(cross_entropy(&[], &[1, 1], 0), None);
    }
}
