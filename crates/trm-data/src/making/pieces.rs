//! Data sets of small mazes that are cut out of large ones.

use crate::Error;
use crate::dataset::splits::{Splits, dataset, origin_of};
use crate::random::{Purpose, stream};
use rand::RngExt;
use rand::seq::SliceRandom;
use std::collections::HashSet;
use std::path::Path;
use trm_puzzles::maze::{Maze, Size, class_hash, cut, read_csv};
use trm_puzzles::{Domain, Pair};

/// Windows drawn in a row without a new piece, at most.
const IN_VAIN: usize = 100_000;

/// Which pieces of mazes are wanted.
#[derive(Clone, Debug)]
pub struct Pieces {
    /// Columns and rows.
    pub size: Size,
    /// Cells of the path, both ends counted, at least.
    pub path: usize,
    /// Training mazes.
    pub train: usize,
    /// Test mazes.
    pub test: usize,
    /// Seed.
    pub seed: u64,
}

/// Cuts different mazes out of those of a CSV file ([`cut`]): the stretches of their recorded paths are the answers.
/// Those to train on and those to test on are cut out of different mazes of the file.
///
/// # Errors
/// If the file cannot be read, has fewer than two mazes, or not so many different pieces.
pub fn pieces_of_mazes(
    file: &Path,
    wanted: &Pieces,
    progress: &mut dyn FnMut(usize),
) -> Result<Splits, Error> {
    let text = crate::files::read(file)?;
    let refused = |message: String| Error::file(file, message);
    let mut mazes = read_csv(&text[..]).map_err(|error| refused(error.to_string()))?;
    if mazes.len() < 2 {
        return Err(refused(
            "at least two mazes, to train on pieces of one and to test on another's".into(),
        ));
    }
    mazes.shuffle(&mut stream(wanted.seed, Purpose::Data, 0));
    let total = wanted.train.saturating_add(wanted.test);
    let tested = (mazes.len() as f64 * wanted.test as f64 / total as f64).round() as usize;
    let (tested, trained) = mazes.split_at(tested.clamp(1, mazes.len() - 1));
    let mut classes = HashSet::new();
    let mut draw = |mazes: &[(Maze, Maze)], count, number| {
        let done = classes.len();
        let drawn =
            draw(mazes, count, wanted, number, &mut classes, &mut |more| progress(done + more));
        drawn.map_err(refused)
    };
    let test = draw(tested, wanted.test, 1)?;
    let train = draw(trained, wanted.train, 2)?;
    let domain = Domain::new(wanted.size);
    let mut origin = origin_of(file, wanted.seed)?;
    origin.source = format!("pieces of {}, paths of {} cells and more", origin.source, wanted.path);
    let split = |pairs| dataset(&domain, pairs, origin.clone());
    Ok(Splits::new(split(train), split(test), 0))
}

/// Draws mazes and windows, by the numbered stream of the seed, until there are so many pieces of classes that are new.
fn draw(
    mazes: &[(Maze, Maze)],
    count: usize,
    wanted: &Pieces,
    number: u64,
    classes: &mut HashSet<u128>,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Pair>, String> {
    let mut rng = stream(wanted.seed, Purpose::Data, number);
    let (mut pairs, mut in_vain) = (Vec::new(), 0);
    while pairs.len() < count && in_vain < IN_VAIN {
        in_vain += 1;
        let (question, answer) = &mazes[rng.random_range(0..mazes.len())];
        let Some((question, answer)) = cut(question, answer, wanted.size, wanted.path, &mut rng)
        else {
            continue;
        };
        if classes.insert(class_hash(&question)) {
            pairs.push([question.to_tokens(), answer.to_tokens()]);
            progress(pairs.len());
            in_vain = 0;
        }
    }
    if pairs.len() < count {
        let (size, found) = (Domain::new(wanted.size).name(), pairs.len());
        return Err(format!(
            "only {found} different pieces {size} with a path of {} cells in {} mazes, not {count}: ask for fewer, or \
             a shorter path",
            wanted.path,
            mazes.len()
        ));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mazes, generate_mazes};
    use trm_puzzles::maze::{Law, label, write_csv};

    /// A file of mazes of 12×12.
    fn file(folder: &Path) -> std::path::PathBuf {
        let law = Law { width: 12, height: 12, walls: 30..=50, path: 22 };
        let wanted = Mazes { law, train: 40, test: 1, seed: 1 };
        let data = generate_mazes(&wanted, &mut |_| ()).unwrap().train;
        let maze = |tokens: &[u8]| Maze::from_tokens(12, tokens).unwrap();
        let pairs: Vec<_> = (0..40).map(|i| (maze(data.input(i)), maze(data.label(i)))).collect();
        let path = folder.join("mazes.csv");
        write_csv(&pairs, std::fs::File::create(&path).unwrap()).unwrap();
        path
    }

    #[test]
    fn pieces_differ_follow_the_rule_and_are_the_seeds() {
        let folder = tempfile::tempdir().unwrap();
        let (file, size) = (file(folder.path()), Size { width: 7, height: 6 });
        let wanted = Pieces { size, path: 8, train: 200, test: 30, seed: 3 };
        let splits = pieces_of_mazes(&file, &wanted, &mut |_| ()).unwrap();
        assert_eq!((splits.train.len(), splits.test.len()), (200, 30));
        assert_eq!(splits.train.metadata.domain, "maze7x6");
        let mut classes = HashSet::new();
        for data in [&splits.train, &splits.test] {
            for i in 0..data.len() {
                let maze = Maze::from_tokens(7, data.input(i)).unwrap();
                assert_eq!(label(&maze).unwrap().to_tokens(), data.label(i));
                assert!(classes.insert(class_hash(&maze)));
            }
        }
        let again = pieces_of_mazes(&file, &wanted, &mut |_| ()).unwrap();
        assert_eq!((again.train, again.test), (splits.train, splits.test));
    }

    #[test]
    fn what_the_mazes_do_not_have_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (file, size) = (file(folder.path()), Size { width: 7, height: 6 });
        let message = |size, path| {
            let wanted = Pieces { size, path, train: 20, test: 2, seed: 3 };
            pieces_of_mazes(&file, &wanted, &mut |_| ()).err().unwrap().to_string()
        };
        let long = message(size, 40);
        assert!(
            long.contains("mazes.csv: only 0 different pieces maze7x6 with a path of 40"),
            "{long}"
        );
        assert!(message(Size { width: 13, height: 6 }, 8).contains("only 0 different pieces"));
        let one = folder.path().join("one.csv");
        std::fs::write(&one, "question,answer\nS# G,S#oG\n").unwrap();
        let wanted = Pieces { size, path: 8, train: 20, test: 2, seed: 3 };
        let message = pieces_of_mazes(&one, &wanted, &mut |_| ()).err().unwrap().to_string();
        assert!(message.contains("at least two mazes"), "{message}");
    }
}
