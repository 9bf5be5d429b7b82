//! Evaluation on ARC: every image of a task predicts, and equal predictions are votes. Nothing is kept from
//! one evaluation to the next.

use crate::Error;
use crate::augmented::Augmented;
use crate::dataset::Dataset;
use crate::evaluate::check_fit;
use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Instant;
use trm::{Limits, Model, Question, Solver};
use trm_ops::DType;
use trm_puzzles::arc::{Grid, decode, encode, write_submission};

/// Numbers of attempts that are scored; two are the official ones.
pub const ATTEMPTS: [usize; 6] = [1, 2, 5, 10, 100, 1000];

/// How to let images vote.
#[derive(Clone, Copy, Debug)]
pub struct VoteOptions {
    /// Images of a task that vote at most, the task itself first.
    pub votes: usize,
    /// Supervision steps, puzzles at a time, halting.
    pub limits: Limits,
    /// Number format of activations.
    pub dtype: DType,
    /// Ask without saying which puzzle it is, to see what its embedding is worth.
    pub blank_identifiers: bool,
}

/// What voting found.
#[derive(Clone, Debug, Serialize)]
pub struct VoteReport {
    /// Tasks.
    pub tasks: usize,
    /// Test inputs of all tasks, and those whose output is known.
    pub inputs: (usize, usize),
    /// Images that voted, on average over test inputs.
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

/// Lets images of all tasks of a data set vote. `progress` hears how many test inputs are done, of
/// how many.
///
/// # Errors
/// If the data do not fit the model, or are not of ARC.
pub fn vote(
    model: &Model,
    data: &Dataset,
    options: VoteOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<VoteReport, Error> {
    check_fit(model, data)?;
    let Some(augmented) = &data.augmented else {
        return Err(Error::Mismatch("the data set has no images that could vote".into()));
    };
    let (started, mut done, mut voters, mut known) = (Instant::now(), 0, 0, 0);
    let (mut scores, mut submission) = (Vec::new(), Vec::new());
    let tasks = asked(data, augmented)?;
    let all = tasks.iter().map(|task| task.examples.len()).sum();
    for Asked { id, examples } in tasks {
        let voting = augmented.of_task(id);
        let voting = &voting[..voting.len().min(options.votes.max(1))];
        let undo = augmented.image(id).inverse();
        let (mut attempts, mut hits) = (Vec::new(), Vec::new());
        for example in examples {
            let input = decode(data.input(example))
                .ok_or_else(|| Error::Mismatch(format!("input {example} holds no grid")))?;
            let input = undo.apply(&input);
            let ranked = rank(predictions(model, data, (&input, voting), options)?);
            if let Some(output) = decode(data.label(example)) {
                let output = undo.apply(&output);
                hits.push(ranked.iter().position(|grid| *grid == output));
            }
            attempts.push(two_attempts(&ranked));
            voters += voting.len();
            done += 1;
            progress(done, all);
        }
        known += hits.len();
        scores.push(hits);
        submission.push((augmented.name(id).unwrap_or_default(), attempts));
    }
    let tasks = scores.len();
    scores.retain(|hits: &Vec<Option<usize>>| !hits.is_empty());
    let share = |most: usize| {
        let of_task = |hits: &Vec<Option<usize>>| {
            let found = hits.iter().filter(|place| place.is_some_and(|place| place < most));
            found.count() as f64 / hits.len() as f64
        };
        scores.iter().map(of_task).sum::<f64>() / scores.len().max(1) as f64
    };
    Ok(VoteReport {
        tasks,
        inputs: (done, known),
        votes: voters as f64 / done.max(1) as f64,
        pass: ATTEMPTS.map(|most| (most, share(most))).to_vec(),
        seconds: started.elapsed().as_secs_f64(),
        submission: write_submission(submission),
    })
}

/// A task whose test inputs are asked.
struct Asked {
    /// Identifier of the image that is stored.
    id: u32,
    /// Its test inputs.
    examples: Range<usize>,
}

/// The tasks of a data set. Where their images are stored too, the first of each has all its test inputs.
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

/// What the images of a task make of a test input, turned back; with the halting logits.
fn predictions(
    model: &Model,
    data: &Dataset,
    (input, ids): (&Grid, &[u32]),
    options: VoteOptions,
) -> Result<Vec<(Grid, f32)>, Error> {
    let augmented = data.augmented.as_ref().expect("checked");
    let tokens: Vec<u8> =
        ids.iter().flat_map(|id| encode(&augmented.image(*id).apply(input), (0, 0))).collect();
    let blank = vec![data.metadata.blank_identifier_id; ids.len()];
    let puzzles = if options.blank_identifiers { &blank[..] } else { ids };
    let mut found = Vec::new();
    let solver = Solver::new(model, options.dtype);
    for thought in solver.solve_all(Question { tokens: &tokens, puzzles }, options.limits)? {
        let thought = thought?;
        if thought.last
            && let Some(grid) = decode(&thought.answer)
        {
            let image = augmented.image(ids[thought.puzzle]);
            found.push((image.inverse().apply(&grid), thought.halt_logit));
        }
    }
    Ok(found)
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
    use crate::metadata::Metadata;

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
