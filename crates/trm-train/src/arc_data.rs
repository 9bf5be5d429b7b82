//! ARC data sets: tasks to learn from, tasks to be evaluated on, and identifiers for their images.

use crate::Error;
use crate::augmented::Augmented;
use crate::dataset::{Dataset, Metadata, Origin};
use crate::random::{Purpose, stream};
use crate::splits::Splits;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use trm_puzzles::arc::{CELLS, Pair, Task, VOCABULARY, encode, read_challenges, read_task};

/// What an ARC data set is called.
pub const ARC: &str = "arc";

/// Tasks that a data set is made of.
#[derive(Clone, Debug)]
pub struct ArcTasks {
    /// To learn from: all pairs with outputs.
    pub training: Vec<Task>,
    /// To be evaluated on: what shows the rule is learned from too, the test inputs are asked.
    pub evaluation: Vec<Task>,
    /// Images of every task, each with an identifier of its own.
    pub images: usize,
    /// Seed of the images.
    pub seed: u64,
    /// Where the tasks come from.
    pub source: String,
}

/// What to do with training tasks that are tasks to be evaluated on, by what they show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaks {
    /// Make no data set.
    Refuse,
    /// Leave them out.
    Drop,
    /// Learn from them, as published results do.
    Allow,
}

/// Most images of a task that are drawn; there are 2,903,040.
const MOST_IMAGES: usize = 100_000;

/// Reads a file of challenges with the solutions beside it (`…challenges…` and `…solutions…`, where there are
/// any), or a folder with a file per task.
///
/// # Errors
/// If something cannot be read; the file is named.
pub fn read_arc(path: &Path) -> Result<Vec<Task>, Error> {
    if path.is_dir() {
        return read_folder(path);
    }
    let refuse = |error: trm_puzzles::arc::FileError| Error::file(path, error.to_string());
    let challenges = crate::files::read(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(name.replace("challenges", "solutions"));
    let solutions = match beside != path && beside.exists() {
        true => Some(crate::files::read(&beside)?),
        false => None,
    };
    read_challenges(&challenges, solutions.as_deref()).map_err(refuse)
}

fn read_folder(folder: &Path) -> Result<Vec<Task>, Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let task = |file: std::path::PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        read_task(&name, &crate::files::read(&file)?)
            .map_err(|error| Error::file(&file, error.to_string()))
    };
    match files.is_empty() {
        true => Err(Error::file(folder, "no files of tasks (NAME.json)")),
        false => files.into_iter().map(task).collect(),
    }
}

/// The data set of some tasks, in the layout of the public code: a group is a task, a puzzle one of its images,
/// of which only the first, the task itself, is stored.
///
/// # Errors
/// If two tasks have the same name, or leaks are refused and there is one.
pub fn arc_splits(tasks: &ArcTasks, leaks: Leaks) -> Result<Splits, Error> {
    let ArcTasks { training, evaluation, images, seed, source } = tasks;
    let mut training = training.clone();
    if *images > MOST_IMAGES {
        return Err(Error::Mismatch(format!("{images} images of a task: at most {MOST_IMAGES}")));
    }
    let given_away = given_away(&training, evaluation);
    match (leaks, given_away.iter().next()) {
        (Leaks::Refuse, Some((known, asked))) => {
            return Err(Error::Mismatch(format!(
                "task {known} of the training set is task {asked} of the evaluation set: --leaks drop leaves \
                 such tasks out, --leaks allow learns from them"
            )));
        }
        (Leaks::Drop, _) => training.retain(|task| !given_away.contains_key(&task.name)),
        _ => {}
    }
    let dropped = tasks.training.len() - training.len();
    let names: Vec<&str> = training.iter().chain(evaluation).map(|task| &task.name[..]).collect();
    let mut known = HashSet::new();
    if let Some(twice) = names.iter().find(|name| !known.insert(**name)) {
        let message = format!("two tasks are called {twice}: identifiers would clash");
        return Err(Error::Mismatch(message));
    }
    let identifiers = Augmented::names(&names, *images, |task| stream(*seed, Purpose::Data, task));
    let origin = Origin { source: source.clone(), seed: *seed, digest: String::new() };
    let dataset =
        |groups: Vec<(u32, Vec<Pair>)>| dataset(groups, identifiers.len(), origin.clone());
    let id = |place: usize| (1 + place * (images + 1)) as u32;
    let learned = training.iter().map(|task| [&task.train[..], &task.test].concat());
    let shown = evaluation.iter().map(|task| task.train.clone());
    let train = learned.chain(shown).enumerate().map(|(place, pairs)| {
        (id(place), pairs.into_iter().filter(|pair| pair.output.is_some()).collect())
    });
    let asked = (training.len()..).zip(evaluation).map(|(i, task)| (id(i), task.test.clone()));
    Ok(Splits {
        train: dataset(train.collect())?,
        test: dataset(asked.collect())?,
        duplicates: dropped,
        identifiers,
    })
}

/// Training tasks and the evaluation task that each gives away: the same pairs show the same rule, or a pair
/// that is to be found is known.
fn given_away(training: &[Task], evaluation: &[Task]) -> BTreeMap<String, String> {
    let sorted = |pairs: &[Pair]| {
        let mut pairs = pairs.to_vec();
        pairs.sort();
        pairs
    };
    let shown: HashMap<Vec<Pair>, &str> =
        evaluation.iter().map(|task| (sorted(&task.train), &task.name[..])).collect();
    let tests =
        evaluation.iter().flat_map(|task| task.test.iter().map(|pair| (pair, &task.name[..])));
    let asked: HashMap<&Pair, &str> = tests.filter(|(pair, _)| pair.output.is_some()).collect();
    let found = training.iter().filter_map(|task| {
        let known = task.train.iter().chain(&task.test).find_map(|pair| asked.get(pair));
        let found = shown.get(&sorted(&task.train)).or(known)?;
        Some((task.name.clone(), (*found).to_owned()))
    });
    found.collect()
}

/// A split with a group per task; outputs that are not known have no label.
fn dataset(
    groups: Vec<(u32, Vec<Pair>)>,
    identifiers: usize,
    origin: Origin,
) -> Result<Dataset, Error> {
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    let (mut ids, mut puzzle_indices) = (Vec::new(), vec![0]);
    for (id, pairs) in groups {
        for pair in &pairs {
            inputs.extend(encode(&pair.input, (0, 0)));
            labels.extend(pair.output.as_ref().map_or([0; CELLS], |output| encode(output, (0, 0))));
        }
        ids.push(id);
        puzzle_indices.push(inputs.len() / CELLS);
    }
    if ids.is_empty() {
        return Err(Error::Mismatch("no tasks to train on, or none to be evaluated on".into()));
    }
    let metadata = Metadata {
        ignore_label_id: Some(0),
        vocab_size: VOCABULARY,
        seq_len: CELLS,
        num_puzzle_identifiers: identifiers,
        total_groups: ids.len(),
        total_puzzles: ids.len(),
        mean_puzzle_examples: (inputs.len() / CELLS) as f64 / ids.len() as f64,
        sets: vec!["all".into()],
        domain: ARC.into(),
        origin,
        ..Metadata::default()
    };
    Ok(Dataset {
        metadata,
        inputs,
        labels,
        group_indices: (0..=ids.len()).collect(),
        puzzle_identifiers: ids,
        puzzle_indices,
        augmented: None, // it lies beside both splits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use trm_puzzles::arc::Grid;

    fn grid(colour: i64) -> Grid {
        Grid::from_rows(&[vec![colour, 0]]).unwrap()
    }

    fn pair(a: i64, b: i64) -> Pair {
        Pair { input: grid(a), output: Some(grid(b)) }
    }

    fn task(name: &str, train: Vec<Pair>, test: Vec<Pair>) -> Task {
        Task { name: name.into(), train, test }
    }

    fn tasks() -> ArcTasks {
        ArcTasks {
            training: vec![task("a", vec![pair(1, 2), pair(2, 3)], vec![pair(3, 4)])],
            evaluation: vec![task(
                "b",
                vec![pair(1, 5)],
                vec![pair(2, 6), Pair { output: None, ..pair(4, 4) }],
            )],
            images: 3,
            seed: 1,
            source: "test".into(),
        }
    }

    #[test]
    fn tasks_are_laid_out_as_in_the_public_code() {
        let splits = arc_splits(&tasks(), Leaks::Refuse).unwrap();
        assert_eq!((splits.train.len(), splits.train.puzzle_identifiers.clone()), (4, vec![1, 5]));
        assert_eq!((splits.test.len(), splits.test.puzzle_identifiers.clone()), (2, vec![5]));
        assert_eq!(splits.train.puzzle_indices, [0, 3, 4]);
        assert!(splits.test.label(1).iter().all(|token| *token == 0), "not known");
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("arc");
        splits.save(&folder).unwrap();
        let read = Dataset::load(&folder, "train").unwrap();
        assert_eq!(read.inputs, splits.train.inputs);
        let augmented = read.augmented.unwrap();
        assert_eq!((augmented.of_task(5), augmented.name(5)), (5..9, Some("b")));
        std::fs::write(folder.join("identifiers.json"), "[\"<blank>\", \"a\"]").unwrap();
        let message = Dataset::load(&folder, "train").unwrap_err().to_string();
        assert!(
            message.contains("identifiers.json: 2 names for 9 puzzle identifiers"),
            "{message}"
        );
    }

    #[test]
    fn tasks_that_are_given_away_are_refused_by_content() {
        let refused = |stranger: Task| {
            let mut leaked = tasks();
            leaked.training.push(stranger);
            let allowed = arc_splits(&leaked, Leaks::Allow).unwrap();
            assert_eq!((allowed.train.groups(), allowed.duplicates), (3, 0));
            let dropped = arc_splits(&leaked, Leaks::Drop).unwrap();
            assert_eq!((dropped.train.groups(), dropped.duplicates), (2, 1));
            arc_splits(&leaked, Leaks::Refuse).err().unwrap().to_string()
        };
        let same_rule = task("other name", vec![pair(1, 5)], vec![pair(7, 7)]);
        assert!(refused(same_rule).starts_with("task other name of the training set is task b"));
        let answer = task("c", vec![pair(8, 8), pair(2, 6)], vec![pair(7, 7)]);
        assert!(refused(answer).starts_with("task c of the training set is task b"));
        let mut twice = tasks();
        twice.training.push(task("a", vec![pair(9, 9)], vec![pair(9, 8)]));
        assert!(
            arc_splits(&twice, Leaks::Refuse)
                .err()
                .unwrap()
                .to_string()
                .contains("two tasks are called a")
        );
    }

    #[test]
    fn training_sets_that_give_evaluation_tasks_away_are_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/arc");
        if !folder.exists() {
            eprintln!("skipped: no ../shared beside the checkout");
            return;
        }
        let read = |subset: &str| {
            read_arc(&folder.join(format!("arc-agi_{subset}_challenges.json"))).unwrap()
        };
        let with =
            |training: Vec<Task>| ArcTasks { training, evaluation: read("evaluation"), ..tasks() };
        assert!(arc_splits(&with(read("training2")), Leaks::Refuse).is_err());
        let splits = arc_splits(&with(read("training2")), Leaks::Drop).unwrap();
        assert!(splits.duplicates > 300, "{}", splits.duplicates);
        // even the first training set knows an answer of the first evaluation set
        let message = arc_splits(&with(read("training")), Leaks::Refuse).err().unwrap().to_string();
        assert!(
            message.contains("task 40853293 of the training set is task 070dd51e"),
            "{message}"
        );
        let splits = arc_splits(&with(read("training")), Leaks::Allow).unwrap();
        assert_eq!((splits.train.groups(), splits.test.groups()), (800, 400));
        assert_eq!(splits.identifiers.len(), 1 + 800 * 4);
    }
}
