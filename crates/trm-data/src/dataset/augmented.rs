//! Puzzle identifiers that stand for augmentations of ARC tasks, drawn when they are needed.

use crate::dataset::example::Example;
use crate::text::foreign;
use rand::{Rng, RngExt};
use std::collections::{HashMap, HashSet};
use trm_puzzles::arc::{Augmentation, Grid, decode, encode, room};

/// Which augmentation of which task every puzzle identifier stands for, as `identifiers.json` lists them: the blank
/// one, then every task followed by its augmentations. Data sets hold the tasks as they are; their augmentations are made
/// on the fly, and still have identifiers of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Augmented {
    /// The task, by its place, and its augmentation, by identifier. The blank identifier has no task.
    augmentations: Vec<(usize, Augmentation)>,
    tasks: Vec<Task>,
}

#[derive(Clone, Debug, PartialEq)]
struct Task {
    name: String,
    /// Identifiers of its augmentations, rising.
    ids: Vec<u32>,
}

impl Augmented {
    /// From the names of all identifiers. A task without a name of its own may have augmentations.
    ///
    /// # Errors
    /// If a name is none, or occurs twice.
    pub fn from_names(names: &[String]) -> Result<Augmented, String> {
        let mut augmented =
            Augmented { augmentations: vec![(usize::MAX, Augmentation::NONE)], tasks: Vec::new() };
        let (mut places, mut known) = (HashMap::new(), HashSet::new());
        for (id, full) in (0u32..).zip(names).skip(1) {
            if !known.insert(full) {
                return Err(format!("`{}` occurs twice", foreign(full)));
            }
            let (name, augmentation) =
                Augmentation::from_name(full).map_err(|error| error.to_string())?;
            let place = *places.entry(name).or_insert_with(|| {
                augmented.tasks.push(Task { name: name.into(), ids: Vec::new() });
                augmented.tasks.len() - 1
            });
            augmented.tasks[place].ids.push(id);
            augmented.augmentations.push((place, augmentation));
        }
        Ok(augmented)
    }

    /// The names of tasks and of `count` augmentations of each, drawn by `rng` for a task's place in the list.
    pub(crate) fn names<R: Rng>(
        tasks: &[&str],
        count: usize,
        mut rng: impl FnMut(u64) -> R,
    ) -> Vec<String> {
        let mut names = vec!["<blank>".to_owned()];
        for (place, task) in (0..).zip(tasks) {
            let mut rng = rng(place);
            let mut drawn = vec![Augmentation::NONE];
            let mut known = HashSet::from([Augmentation::NONE]);
            while drawn.len() <= count {
                let augmentation = Augmentation::random(&mut rng);
                if known.insert(augmentation) {
                    drawn.push(augmentation);
                }
            }
            names.extend(drawn.iter().map(|augmentation| augmentation.name(task)));
        }
        names
    }

    /// All that examples depend on.
    pub(crate) fn hash(&self, hasher: &mut blake3::Hasher) {
        for (_, augmentation) in &self.augmentations {
            hasher.update(augmentation.to_string().as_bytes());
        }
    }

    /// Identifiers of a task's augmentations, the task itself first, given one of them; none of the blank one.
    pub fn of_task(&self, id: u32) -> &[u32] {
        self.task(id).map_or(&[], |task| &task.ids)
    }

    /// The augmentation that an identifier stands for.
    pub fn augmentation(&self, id: u32) -> Augmentation {
        self.augmentations[id as usize].1
    }

    /// Whether an identifier stands for another augmentation of a task than the task itself.
    pub fn is_image(&self, id: u32) -> bool {
        let is_later = |task: &Task| task.ids[0] != id;
        self.augmentation(id) != Augmentation::NONE || self.task(id).is_some_and(is_later)
    }

    /// The name of the task that an identifier stands for an augmentation of.
    pub fn name(&self, id: u32) -> Option<&str> {
        self.task(id).map(|task| &task.name[..])
    }

    fn task(&self, id: u32) -> Option<&Task> {
        self.tasks.get(self.augmentations[id as usize].0)
    }

    /// A training example of a random augmentation of a task: one example of every augmentation lies at the top left of
    /// its canvas, the others anywhere, question and answer alike (docs/REFERENCE.md section 4).
    pub(crate) fn draw(
        &self,
        task: u32,
        (place, examples): (usize, usize),
        [question, answer]: [&[u8]; 2],
        rng: &mut impl Rng,
    ) -> Example {
        let ids = self.of_task(task);
        if ids.is_empty() {
            return Example { question: question.into(), answer: answer.into(), puzzle: task };
        }
        let id = ids[rng.random_range(0..ids.len() as u32) as usize];
        let augmentation = self.augmentation(id);
        let grids: Vec<Grid> = [question, answer]
            .into_iter()
            .filter_map(|canvas| decode(canvas).map(|grid| augmentation.apply(&grid)))
            .collect();
        let [question, answer] = &grids[..] else {
            return Example { question: question.into(), answer: answer.into(), puzzle: id };
        };
        let (rows, columns) = room(&grids);
        let offset = match place == id as usize % examples {
            true => (0, 0),
            false => (rng.random_range(0..=rows), rng.random_range(0..=columns)),
        };
        let canvas = |grid: &Grid| encode(grid, offset).to_vec();
        Example { question: canvas(question), answer: canvas(answer), puzzle: id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn names_and_identifiers_belong_together() {
        let rng = |task| stream(3, Purpose::Data, task);
        let names = Augmented::names(&["a", "b"], 4, rng);
        assert_eq!(
            (names.len(), &names[0][..], &names[1][..], &names[6][..]),
            (11, "<blank>", "a", "b")
        );
        assert_eq!(names, Augmented::names(&["a", "b"], 4, rng));
        let augmented = Augmented::from_names(&names).unwrap();
        assert_eq!(
            (augmented.of_task(1), augmented.of_task(6)),
            (&[1, 2, 3, 4, 5][..], &[6, 7, 8, 9, 10][..])
        );
        assert_eq!(
            (augmented.name(6), augmented.name(7), augmented.name(0)),
            (Some("b"), Some("b"), None)
        );
        for (id, name) in (1..).zip(&names[1..]) {
            assert_eq!(Augmentation::from_name(name).unwrap().1, augmented.augmentation(id));
        }
        let twice = ["<blank>", "a", "b", "a"].map(String::from);
        assert_eq!(Augmented::from_names(&twice), Err("`a` occurs twice".into()));
        let apart =
            ["<blank>", "a", "b|||t1|||0123456789", "a|||t1|||0123456789"].map(String::from);
        let apart = Augmented::from_names(&apart).unwrap();
        assert_eq!((apart.of_task(3), apart.name(2)), (&[1, 3][..], Some("b")));
        assert_eq!([1, 2, 3].map(|id| apart.is_image(id)), [false, true, true]);
    }

    #[test]
    fn examples_are_augmentations_of_their_identifier_somewhere_on_the_canvas() {
        let names = Augmented::names(&["a"], 20, |task| stream(3, Purpose::Data, task));
        let augmented = Augmented::from_names(&names).unwrap();
        let rows = |rows: &[Vec<i64>]| Grid::from_rows(rows).unwrap();
        let (input, output) = (rows(&[vec![1, 2, 3], vec![4, 5, 6]]), rows(&[vec![7, 8]]));
        let canvases = [&input, &output].map(|grid| encode(grid, (0, 0)));
        let mut rng = stream(1, Purpose::Example, 0);
        let (mut moved, mut ids) = (0, HashSet::new());
        for place in 0..200 {
            let canvases = canvases.each_ref().map(|canvas| &canvas[..]);
            let example = augmented.draw(1, (place % 3, 3), canvases, &mut rng);
            let augmentation = augmented.augmentation(example.puzzle);
            ids.insert(example.puzzle);
            let first = |canvas: &[u8]| canvas.iter().position(|token| *token > 1).unwrap();
            let offset = (first(&example.question) / 30, first(&example.question) % 30);
            assert_eq!(example.question, encode(&augmentation.apply(&input), offset));
            assert_eq!(example.answer, encode(&augmentation.apply(&output), offset));
            moved += usize::from(offset != (0, 0));
            assert!(place % 3 != example.puzzle as usize % 3 || offset == (0, 0));
        }
        assert!(moved > 100 && ids.len() > 15, "{moved} moved, {} identifiers", ids.len());
    }
}
