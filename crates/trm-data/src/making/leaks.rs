//! Tasks to learn from that give tasks away that are evaluated on.

use crate::dataset::Dataset;
use crate::dataset::augmented::Augmented;
use std::collections::{BTreeMap, HashMap, HashSet};
use trm_puzzles::arc::{Pair, Task, decode_anywhere, pair_class};

/// Training tasks and the evaluation task that each gives away: it shows all that this one shows, or knows one of
/// its answers. Pairs are compared up to the augmentations that are drawn of them.
pub(crate) fn given_away(training: &[Task], evaluation: &[Task]) -> BTreeMap<String, String> {
    let mut shown: HashMap<u128, Vec<(HashSet<u128>, &str)>> = HashMap::new();
    let mut asked = HashMap::new();
    for task in evaluation {
        let name = &task.name[..];
        asked.extend(task.test.iter().filter_map(pair_class).map(|class| (class, name)));
        let classes: HashSet<u128> = task.train.iter().filter_map(pair_class).collect();
        if let Some(first) = classes.iter().min() {
            shown.entry(*first).or_default().push((classes, name));
        }
    }
    let found = training.iter().filter_map(|task| {
        let pairs = task.train.iter().chain(&task.test);
        let known: HashSet<u128> = pairs.filter_map(pair_class).collect();
        let same = known.iter().filter_map(|class| shown.get(class)).flatten();
        let same = same.filter(|(classes, _)| classes.is_subset(&known)).map(|(_, name)| *name);
        let answers = known.iter().filter_map(|class| asked.get(class).copied());
        Some((task.name.clone(), same.chain(answers).min()?.to_owned()))
    });
    found.collect()
}

/// The same for a data set that has been made: every training task of which the other task is evaluated on.
pub fn arc_leaks(train: &Dataset, test: &Dataset) -> BTreeMap<String, String> {
    let (mut learned, asked) = (tasks_of(train), tasks_of(test));
    let evaluation: Vec<Task> = asked
        .into_iter()
        .map(|(name, test)| {
            let train = learned.remove(&name).unwrap_or_default();
            Task { name, train, test }
        })
        .collect();
    let training: Vec<Task> =
        learned.into_iter().map(|(name, train)| Task { name, train, test: Vec::new() }).collect();
    given_away(&training, &evaluation)
}

/// The pairs of every task, as they are first stored.
fn tasks_of(data: &Dataset) -> BTreeMap<String, Vec<Pair>> {
    let mut tasks = BTreeMap::new();
    for (range, id) in data.puzzle_indices.windows(2).zip(&data.puzzle_identifiers) {
        let name = |augmented: &Augmented| augmented.name(*id).map(str::to_owned);
        let Some(name) = data.augmented.as_deref().and_then(name) else { continue };
        let pair = |example| {
            let input = decode_anywhere(data.input(example))?;
            Some(Pair { input, output: decode_anywhere(data.label(example)) })
        };
        tasks.entry(name).or_insert_with(|| (range[0]..range[1]).filter_map(pair).collect());
    }
    tasks
}
