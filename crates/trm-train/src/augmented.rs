//! Puzzle identifiers that stand for images of ARC tasks, drawn when they are needed.

use crate::carry::Example;
use rand::{Rng, RngExt};
use std::collections::HashSet;
use std::ops::Range;
use trm_puzzles::arc::{Augmentation, Grid, decode, encode, room};

/// Which image of which task every puzzle identifier stands for, as `identifiers.json` lists them: the blank
/// one, then every task followed by its images. Data sets hold the tasks as they are; their images are made
/// on the fly, and still have identifiers of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Augmented {
    /// By identifier.
    images: Vec<Augmentation>,
    /// First identifier and name of every task, rising.
    tasks: Vec<(u32, String)>,
}

impl Augmented {
    /// From the names of all identifiers.
    ///
    /// # Errors
    /// If a name is none, or an image stands apart from its task.
    pub fn from_names(names: &[String]) -> Result<Augmented, String> {
        let mut augmented = Augmented { images: vec![Augmentation::NONE], tasks: Vec::new() };
        for (id, name) in (0u32..).zip(names).skip(1) {
            let (task, image) = Augmentation::from_name(name).map_err(|error| error.to_string())?;
            if image == Augmentation::NONE {
                augmented.tasks.push((id, task.to_owned()));
            } else if augmented.tasks.last().is_none_or(|(_, last)| last != task) {
                return Err(format!("{name} does not follow its task"));
            }
            augmented.images.push(image);
        }
        Ok(augmented)
    }

    /// The names of tasks and of `count` images of each, drawn by `rng` for a task's place in the list.
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
                let image = Augmentation::random(&mut rng);
                if known.insert(image) {
                    drawn.push(image);
                }
            }
            names.extend(drawn.iter().map(|image| image.name(task)));
        }
        names
    }

    /// All that examples depend on.
    pub(crate) fn hash(&self, hasher: &mut blake3::Hasher) {
        for image in &self.images {
            hasher.update(image.to_string().as_bytes());
        }
    }

    /// Identifiers of a task and its images, given that of the task.
    pub fn of_task(&self, id: u32) -> Range<u32> {
        let next = self.tasks.partition_point(|(first, _)| *first <= id);
        id..self.tasks.get(next).map_or(self.images.len() as u32, |(first, _)| *first)
    }

    /// The image that an identifier stands for.
    pub fn image(&self, id: u32) -> Augmentation {
        self.images[id as usize]
    }

    /// The name of the task with this identifier.
    pub fn name(&self, id: u32) -> Option<&str> {
        let place = self.tasks.binary_search_by_key(&id, |(first, _)| *first).ok()?;
        Some(&self.tasks[place].1)
    }

    /// A training example of a random image of a task: one example of every image lies at the top left of
    /// its canvas, the others anywhere, question and answer alike (REFERENCE.md section 4).
    pub(crate) fn draw(
        &self,
        task: u32,
        (place, examples): (usize, usize),
        [question, answer]: [&[u8]; 2],
        rng: &mut impl Rng,
    ) -> Example {
        let id = rng.random_range(self.of_task(task));
        let image = self.image(id);
        let grids: Vec<Grid> = [question, answer]
            .into_iter()
            .filter_map(|canvas| decode(canvas).map(|grid| image.apply(&grid)))
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
        assert_eq!((augmented.of_task(1), augmented.of_task(6)), (1..6, 6..11));
        assert_eq!((augmented.name(6), augmented.name(7)), (Some("b"), None));
        for (id, name) in (1..).zip(&names[1..]) {
            assert_eq!(Augmentation::from_name(name).unwrap().1, augmented.image(id));
        }
        let astray = ["<blank>", "a", "b|||t1|||0123456789"].map(String::from);
        assert!(Augmented::from_names(&astray).unwrap_err().contains("does not follow its task"));
    }

    #[test]
    fn examples_are_images_of_their_identifier_somewhere_on_the_canvas() {
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
            let image = augmented.image(example.puzzle);
            ids.insert(example.puzzle);
            let first = |canvas: &[u8]| canvas.iter().position(|token| *token > 1).unwrap();
            let offset = (first(&example.question) / 30, first(&example.question) % 30);
            assert_eq!(example.question, encode(&image.apply(&input), offset));
            assert_eq!(example.answer, encode(&image.apply(&output), offset));
            moved += usize::from(offset != (0, 0));
            assert!(place % 3 != example.puzzle as usize % 3 || offset == (0, 0));
        }
        assert!(moved > 100 && ids.len() > 15, "{moved} moved, {} identifiers", ids.len());
    }
}
