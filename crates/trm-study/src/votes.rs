//! Evaluation on ARC: every augmentation of a task predicts, and equal predictions are votes. Nothing is kept from
//! one evaluation to the next.

use crate::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;
use trm::{Limits, Model, Question, Solver};
use trm_data::{Augmented, Dataset};
use trm_ops::{DType, Stop};
use trm_puzzles::arc::{Grid, decode, encode, write_submission};
use trm_team::Team;
use trm_train::check_fit;

/// Numbers of attempts that are scored; two are the official ones.
pub const ATTEMPTS: [usize; 6] = [1, 2, 5, 10, 100, 1000];

/// How to let augmentations vote.
#[derive(Clone, Copy, Debug)]
pub struct VoteOptions {
    /// Augmentations of a task that vote at most, the task itself first.
    pub votes: usize,
    /// Supervision steps, halting.
    pub limits: Limits,
    /// Puzzles at a time; no number but the speed depends on it.
    pub batch: usize,
    /// Number format of activations.
    pub dtype: DType,
    /// Ask without saying which puzzle it is, to see what its embedding is worth.
    pub blank_identifiers: bool,
}

/// What voting found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VoteReport {
    /// Tasks of the data set.
    pub asked: usize,
    /// Tasks that are done: all, unless it was stopped. All numbers are of these.
    pub tasks: usize,
    /// Test inputs of all tasks, and those whose output is known.
    pub inputs: (usize, usize),
    /// Augmentations that voted, on average over test inputs.
    pub votes: f64,
    /// For each number of attempts the share of known outputs that are among as many of the predictions with
    /// most votes: averaged over the inputs of a task, then over tasks.
    pub pass: Vec<(usize, f64)>,
    /// Wall time.
    pub seconds: f64,
    /// `submission.json`: two attempts for every test input.
    #[serde(skip)]
    pub submission: Value,
}

/// Lets augmentations of all tasks of a data set vote, or of those that are done when `stop` is requested.
/// `progress` hears how many test inputs are done, of how many.
///
/// # Errors
/// If the data do not fit the model, or are not of ARC.
pub fn vote(
    model: &Arc<Model>,
    data: &Dataset,
    options: VoteOptions,
    stop: &Stop,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<VoteReport, Error> {
    vote_in_team(model, data, options, (&Team::alone(), stop), progress)
}

/// [`vote`], the tasks shared by a team: all its processes get the report. `progress` hears of those of this process.
///
/// # Errors
/// As [`vote`].
pub fn vote_in_team(
    model: &Arc<Model>,
    data: &Dataset,
    options: VoteOptions,
    (team, stop): (&Team, &Stop),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<VoteReport, Error> {
    check_fit(model, data)?;
    let Some(augmented) = &data.augmented else {
        return Err(Error::Mismatch("the data set has no augmentations that could vote".into()));
    };
    let started = Instant::now();
    let tasks = asked(data, augmented)?;
    let all = tasks.iter().map(|task| task.examples.len()).sum();
    let (mut ballots, mut inputs) = (Vec::new(), 0);
    let solver = Solver::new(model.clone(), options.dtype).batch(options.batch).until(stop);
    let voters = Voters { solver, data, augmented, options };
    for task in &tasks[team.part(tasks.len())] {
        let Some(ballot) = voters.ask(task, &mut |n| progress(inputs + n, all))? else { break };
        inputs += ballot.attempts.len();
        ballots.push(ballot);
    }
    let report = count(&team.share(ballots), augmented);
    Ok(VoteReport { asked: tasks.len(), seconds: started.elapsed().as_secs_f64(), ..report })
}

/// What ballots say together.
fn count(ballots: &[Ballot], augmented: &Augmented) -> VoteReport {
    let sum = |of: fn(&Ballot) -> usize| ballots.iter().map(of).sum();
    let inputs: (usize, usize) = (sum(|b| b.attempts.len()), sum(|b| b.places.len()));
    let votes: usize = sum(|b| b.votes);
    let votes = votes as f64 / f64::max(1.0, inputs.0 as f64);
    let known: Vec<_> =
        ballots.iter().map(|b| b.places.clone()).filter(|p| !p.is_empty()).collect();
    let pass = ATTEMPTS.map(|most| (most, solved(&known, most))).to_vec();
    let tasks = ballots.len();
    let name = |id| augmented.name(id).unwrap_or_default();
    let submission = write_submission(ballots.iter().map(|b| (name(b.id), b.attempts.clone())));
    VoteReport { tasks, inputs, votes, pass, submission, ..VoteReport::default() }
}

/// The share of known outputs among the first predictions, at most `most`: averaged over the inputs of a task,
/// then over tasks. Given is the place of every known output among the predictions.
fn solved(tasks: &[Vec<Option<usize>>], most: usize) -> f64 {
    let of_task = |places: &Vec<Option<usize>>| {
        let found = places.iter().filter(|place| place.is_some_and(|place| place < most));
        found.count() as f64 / places.len() as f64
    };
    tasks.iter().map(of_task).sum::<f64>() / tasks.len().max(1) as f64
}

/// Augmentations of tasks, and who asks them.
struct Voters<'a> {
    solver: Solver,
    data: &'a Dataset,
    augmented: &'a Augmented,
    options: VoteOptions,
}

/// What was predicted for the test inputs of a task.
#[derive(Default, Serialize, Deserialize)]
struct Ballot {
    /// Identifier of the task.
    id: u32,
    attempts: Vec<[Grid; 2]>,
    /// Of every known output, its place among the predictions.
    places: Vec<Option<usize>>,
    /// Augmentations that voted, summed over test inputs.
    votes: usize,
}

impl Voters<'_> {
    /// Lets the augmentations of a task vote on its test inputs; nothing if that was stopped.
    fn ask(&self, task: &Asked, progress: &mut dyn FnMut(usize)) -> Result<Option<Ballot>, Error> {
        let Voters { data, augmented, options, .. } = self;
        let voting = augmented.of_task(task.id);
        let voting = &voting[..voting.len().min(options.votes.max(1))];
        let undo = augmented.augmentation(task.id).inverse();
        let mut ballot = Ballot { id: task.id, ..Ballot::default() };
        for example in task.examples.clone() {
            let input = decode(data.input(example))
                .ok_or_else(|| Error::Mismatch(format!("input {example} holds no grid")))?;
            let Some(found) = self.predictions(&undo.apply(&input), voting)? else {
                return Ok(None);
            };
            let ranked = rank(found);
            if let Some(output) = decode(data.label(example)) {
                let output = undo.apply(&output);
                ballot.places.push(ranked.iter().position(|grid| *grid == output));
            }
            ballot.attempts.push(two_attempts(&ranked));
            ballot.votes += voting.len();
            progress(ballot.attempts.len());
        }
        Ok(Some(ballot))
    }

    /// What the augmentations of a task make of a test input, turned back; with the halting logits.
    fn predictions(&self, input: &Grid, ids: &[u32]) -> Result<Option<Vec<(Grid, f32)>>, Error> {
        let Voters { solver, data, augmented, options } = self;
        let tokens: Vec<u8> = ids
            .iter()
            .flat_map(|id| encode(&augmented.augmentation(*id).apply(input), (0, 0)))
            .collect();
        let blank = vec![data.metadata.blank_identifier_id; ids.len()];
        let puzzles = if options.blank_identifiers { &blank[..] } else { ids };
        let mut found = Vec::new();
        let mut session = solver.session();
        session.push(Question { tokens: &tokens, puzzles }, options.limits)?;
        for thought in session.thoughts() {
            let thought = match thought {
                Err(trm::Error::Stopped) => return Ok(None),
                thought => thought?,
            };
            if thought.last
                && let Some(grid) = decode(&thought.answer)
            {
                let augmentation = augmented.augmentation(ids[thought.puzzle]);
                found.push((augmentation.inverse().apply(&grid), thought.halt_logit));
            }
        }
        Ok(Some(found))
    }
}

/// A task whose test inputs are asked.
struct Asked {
    /// Identifier of the augmentation that is stored.
    id: u32,
    /// Its test inputs.
    examples: Range<usize>,
}

/// The tasks of a data set. Where their augmentations are stored too, the first of each has all its test inputs.
fn asked(data: &Dataset, augmented: &Augmented) -> Result<Vec<Asked>, Error> {
    let mut known = HashSet::new();
    let mut tasks = Vec::new();
    for (puzzle, range) in data.puzzle_indices.windows(2).enumerate() {
        let id = data.puzzle_identifiers[puzzle];
        let Some(name) = augmented.name(id) else {
            let message = format!("puzzle {puzzle} has the blank identifier, which is no task");
            return Err(Error::Mismatch(message));
        };
        if known.insert(name) {
            tasks.push(Asked { id, examples: range[0]..range[1] });
        }
    }
    Ok(tasks)
}

/// Different predictions, those with most votes first; of as many, those that the model believes in most.
fn rank(predictions: Vec<(Grid, f32)>) -> Vec<Grid> {
    let mut votes: HashMap<Grid, (usize, f64)> = HashMap::new();
    for (grid, halt_logit) in predictions {
        let (count, belief) = votes.entry(grid).or_default();
        *count += 1;
        *belief += 1.0 / (1.0 + (-f64::from(halt_logit)).exp());
    }
    let mut ranked: Vec<(Grid, usize, f64)> =
        votes.into_iter().map(|(grid, (count, sum))| (grid, count, sum / count as f64)).collect();
    ranked.sort_by(|a, b| (b.1.cmp(&a.1)).then(b.2.total_cmp(&a.2)).then_with(|| a.0.cmp(&b.0)));
    ranked.into_iter().map(|(grid, ..)| grid).collect()
}

/// The two best predictions; where there are fewer, the best again, or a single black cell.
fn two_attempts(ranked: &[Grid]) -> [Grid; 2] {
    let black = || Grid::from_rows(&[vec![0]]).expect("a grid");
    let first = ranked.first().cloned().unwrap_or_else(black);
    let second = ranked.get(1).cloned().unwrap_or_else(|| first.clone());
    [first, second]
}

#[cfg(test)]
mod tests {
    use super::*;
    use trm_data::Metadata;

    #[test]
    fn stored_images_are_no_tasks() {
        let names = ["<blank>", "a", "a|||t1|||0213456789", "b|||t2|||0123456789", "b"];
        let augmented = Augmented::from_names(&names.map(String::from)).unwrap();
        let canvas = encode(&Grid::from_rows(&[vec![1, 2]]).unwrap(), (0, 0));
        let metadata = Metadata { vocab_size: 12, seq_len: canvas.len(), ..Metadata::default() };
        let mut data = Dataset::from_pairs(metadata, canvas.repeat(5), canvas.repeat(5));
        data.puzzle_indices = vec![0, 2, 4, 5];
        data.group_indices = vec![0, 2, 3];
        data.puzzle_identifiers = vec![1, 2, 3];
        let tasks = asked(&data, &augmented).unwrap();
        let tasks: Vec<_> = tasks.into_iter().map(|task| (task.id, task.examples)).collect();
        assert_eq!(tasks, [(1, 0..2), (3, 4..5)]);
        data.puzzle_identifiers[2] = 0;
        let message = asked(&data, &augmented).err().unwrap().to_string();
        assert!(message.contains("puzzle 2 has the blank identifier"), "{message}");
    }

    #[test]
    fn votes_count_before_beliefs() {
        let grid = |colour| Grid::from_rows(&[vec![colour]]).unwrap();
        let votes = [(1, -3.0), (2, 5.0), (1, -4.0), (3, 6.0), (4, -9.0)];
        let ranked = rank(votes.map(|(colour, logit)| (grid(colour), logit)).into());
        assert_eq!(ranked, [1, 3, 2, 4].map(grid));
        assert_eq!(two_attempts(&ranked), [grid(1), grid(3)]);
        assert_eq!(two_attempts(&ranked[..1]), [grid(1), grid(1)]);
        assert_eq!(two_attempts(&[]), [grid(0), grid(0)]);
    }
}
