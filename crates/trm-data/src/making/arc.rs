//! ARC data sets: tasks to learn from, tasks to be evaluated on, and identifiers for their augmentations.

use super::leaks::given_away;
use crate::Error;
use crate::dataset::Dataset;
use crate::dataset::augmented::Augmented;
use crate::dataset::metadata::{Metadata, Origin};
use crate::dataset::splits::Splits;
use crate::files;
use crate::random::{Purpose, stream};
use crate::text::foreign;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use trm_puzzles::Rules;
use trm_puzzles::arc::{CELLS, Canvas, Pair, Task, VOCABULARY, encode, read_tasks};

/// Tasks that a data set is made of.
#[derive(Clone, Debug)]
pub struct ArcTasks {
    /// To learn from: all pairs with outputs.
    pub training: Vec<Task>,
    /// To be evaluated on: what shows the rule is learned from too, the test inputs are asked.
    pub evaluation: Vec<Task>,
    /// Augmentations of every task, each with an identifier of its own.
    pub augmentations: usize,
    /// Seed of the augmentations.
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

/// Most augmentations of a task that are drawn; there are 2,903,040.
const MOST_AUGMENTATIONS: usize = 100_000;

/// Reads tasks from files of a single task, files of challenges with the solutions beside them (`…challenges…` and
/// `…solutions…`, where there are any), and folders of such files, at most `limit` of each path. Also tells how
/// many tasks were found again, with the same pairs.
///
/// # Errors
/// If something cannot be read, or two tasks of one name differ; the file is named.
pub fn read_arc(paths: &[PathBuf], limit: usize) -> Result<(Vec<Task>, usize), Error> {
    let (mut tasks, mut places, mut again) = (Vec::<Task>::new(), HashMap::new(), 0);
    for path in paths {
        let mut of_path = Vec::new();
        read_path(path, &mut of_path)?;
        of_path.truncate(limit);
        for task in of_path {
            match places.get(&task.name) {
                None => {
                    places.insert(task.name.clone(), tasks.len());
                    tasks.push(task);
                }
                Some(place) if tasks[*place] == task => again += 1,
                Some(_) => {
                    let name = foreign(&task.name);
                    let message = format!("another task than before is called `{name}`");
                    return Err(Error::file(path, message));
                }
            }
        }
    }
    Ok((tasks, again))
}

/// Adds the tasks of a file, or of all files of a folder and of the folders in it.
fn read_path(path: &Path, tasks: &mut Vec<Task>) -> Result<(), Error> {
    if !path.is_dir() {
        let beside = solutions_of(path);
        let solutions = beside.filter(|file| file.exists()).map(|file| files::read(&file));
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let read = read_tasks(&name, &files::read(path)?, solutions.transpose()?.as_deref());
        tasks.extend(read.map_err(|error| Error::file(path, error.to_string()))?);
        return Ok(());
    }
    let before = tasks.len();
    let entries = std::fs::read_dir(path).map_err(Error::io("read", path))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let solutions: Vec<PathBuf> = paths.iter().filter_map(|path| solutions_of(path)).collect();
    let is_json = |path: &Path| path.extension().is_some_and(|end| end == "json");
    for path in &paths {
        let has_tasks = path.is_dir() && !path.is_symlink() && holds_json(path);
        if has_tasks || is_json(path) && !solutions.contains(path) {
            read_path(path, tasks)?;
        }
    }
    match tasks.len() == before {
        true => Err(Error::file(path, "no files of tasks (NAME.json)")),
        false => Ok(()),
    }
}

/// Whether there are files of tasks in a folder or in folders of it.
fn holds_json(folder: &Path) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        path.extension().is_some_and(|end| end == "json") || is_folder && holds_json(&path)
    })
}

/// Where the solutions of a file of challenges lie.
fn solutions_of(challenges: &Path) -> Option<PathBuf> {
    let name = challenges.file_name()?.to_str()?;
    name.contains("challenges")
        .then(|| challenges.with_file_name(name.replace("challenges", "solutions")))
}

/// The data set of some tasks, in the layout of the public code: a group is a task, a puzzle one of its augmentations,
/// of which only the first, the task itself, is stored.
///
/// # Errors
/// If two tasks have the same name, or leaks are refused and there is one.
pub fn arc_splits(tasks: &ArcTasks, leaks: Leaks) -> Result<Splits, Error> {
    let ArcTasks { training, evaluation, augmentations, seed, source } = tasks;
    let mut training = training.clone();
    if *augmentations > MOST_AUGMENTATIONS {
        return Err(Error::Mismatch(format!(
            "{augmentations} augmentations of a task: at most {MOST_AUGMENTATIONS}"
        )));
    }
    let given_away = given_away(&training, evaluation);
    match (leaks, given_away.iter().next()) {
        (Leaks::Refuse, Some((known, asked))) => {
            return Err(Error::Mismatch(format!(
                "task {} of the training set is task {} of the evaluation set, or knows an answer of it, turned and \
                 in other colours perhaps: --leaks drop leaves such tasks out, --leaks allow learns from them",
                foreign(known),
                foreign(asked)
            )));
        }
        (Leaks::Drop, _) => training.retain(|task| !given_away.contains_key(&task.name)),
        _ => {}
    }
    let dropped = tasks.training.len() - training.len();
    let names: Vec<&str> = training.iter().chain(evaluation).map(|task| &task.name[..]).collect();
    let mut known = HashSet::new();
    if let Some(twice) = names.iter().find(|name| !known.insert(**name)) {
        let message = format!("two tasks are called {}: identifiers would clash", foreign(twice));
        return Err(Error::Mismatch(message));
    }
    let identifiers =
        Augmented::names(&names, *augmentations, |task| stream(*seed, Purpose::Data, task));
    let origin = Origin { source: source.clone(), seed: *seed, digest: String::new() };
    let dataset =
        |groups: Vec<(u32, Vec<Pair>)>| dataset(groups, identifiers.len(), origin.clone());
    let id = |place: usize| (1 + place * (augmentations + 1)) as u32;
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
        shared: 0,
        identifiers,
    })
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
        domain: Canvas.name(),
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
        referee: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::making::leaks::arc_leaks;
    use trm_puzzles::arc::{Augmentation, Grid};

    /// Different colours make grids that are no augmentations of one another.
    fn grid(colour: i64) -> Grid {
        Grid::from_rows(&[vec![1; colour as usize], vec![0; colour as usize]]).unwrap()
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
            augmentations: 3,
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
        assert_eq!((augmented.of_task(5), augmented.name(5)), (&[5, 6, 7, 8][..], Some("b")));
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
    fn tasks_that_are_given_away_in_another_image_are_found() {
        let augmentation = Augmentation::from_name("x|||t3|||0987654321").unwrap().1;
        for given in [tasks().evaluation[0].clone(), task("c", vec![pair(8, 8)], vec![pair(2, 6)])]
        {
            let mut leaked = tasks();
            leaked.training.push(Task { name: "c".into(), ..augmentation.apply_to_task(&given) });
            let message = arc_splits(&leaked, Leaks::Refuse).err().unwrap().to_string();
            assert!(message.starts_with("task c of the training set is task b"), "{message}");
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().join("arc");
            let found = |leaks| {
                arc_splits(&leaked, leaks).unwrap().save(&folder).unwrap();
                let [train, test] = ["train", "test"].map(|s| Dataset::load(&folder, s).unwrap());
                std::fs::remove_dir_all(&folder).unwrap();
                arc_leaks(&train, &test).into_iter().collect::<Vec<_>>()
            };
            assert_eq!(found(Leaks::Allow), [("c".to_owned(), "b".to_owned())]);
            assert_eq!(found(Leaks::Drop), []);
        }
    }

    #[test]
    fn files_that_share_tasks_and_folders_in_folders_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            files::create_folder(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        let json = |colour: u8| {
            let pair = format!(r#"{{"input": [[{colour}]], "output": [[1]]}}"#);
            format!(r#"{{"train": [{pair}], "test": [{pair}]}}"#)
        };
        write("tasks/a/one.json", &json(1));
        write("tasks/b/two.json", &json(2));
        write("tasks/docs/readme.txt", "");
        let tasks = folder.path().join("tasks");
        let same = write("same.json", &format!(r#"{{"two": {}}}"#, json(2)));
        let (read, again) = read_arc(&[tasks.clone(), same], usize::MAX).unwrap();
        assert_eq!(read.iter().map(|t| &t.name[..]).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(again, 1);
        let other = write("two.json", &json(3));
        let message = read_arc(&[tasks, other], usize::MAX).unwrap_err().to_string();
        assert!(
            message.ends_with("two.json: another task than before is called `two`"),
            "{message}"
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
            let file = folder.join(format!("arc-agi_{subset}_challenges.json"));
            read_arc(&[file], usize::MAX).unwrap().0
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
