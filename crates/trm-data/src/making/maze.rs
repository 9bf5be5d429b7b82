//! Maze data sets: generated or from CSV, with no maze, turned or not, in both splits.

use super::parallel::in_team;
use crate::Error;
use crate::dataset::metadata::Origin;
use crate::dataset::splits::{Splits, dataset};
use crate::program;
use crate::random::{Purpose, stream};
use std::collections::HashSet;
use std::path::Path;
use trm_puzzles::maze::{Law, Maze, Size, class_hash, generate, label, read_pairs};
use trm_puzzles::{Domain, Pair};
use trm_team::Team;

/// Mazes drawn at a time, at most.
const BATCH: u64 = 256;

/// Draws before a law is given up.
const TRIES: usize = 200_000;

/// Which mazes to generate.
#[derive(Clone, Debug)]
pub struct Mazes {
    /// Size, walls, length of the path.
    pub law: Law,
    /// Training mazes.
    pub train: usize,
    /// Test mazes.
    pub test: usize,
    /// Seed.
    pub seed: u64,
}

/// Draws different mazes until both splits are full. `progress` hears how many there are.
///
/// # Errors
/// If no maze, or not so many, keep the law.
pub fn generate_mazes(wanted: &Mazes, progress: &mut dyn FnMut(usize)) -> Result<Splits, Error> {
    generate_mazes_in_team(&Team::alone(), wanted, progress)
}

/// [`generate_mazes`], the draws shared by a team: all its processes get the same.
///
/// # Errors
/// As [`generate_mazes`], on all of them.
pub fn generate_mazes_in_team(
    team: &Team,
    wanted: &Mazes,
    progress: &mut dyn FnMut(usize),
) -> Result<Splits, Error> {
    team.compare(&[("the version of trm", program())])?;
    let Mazes { law, train, test, seed } = wanted;
    let total = train.saturating_add(*test);
    let domain = Domain::new(Size { width: law.width, height: law.height });
    let (mut pairs, mut classes, mut drawn) = (Vec::new(), HashSet::new(), 0);
    while pairs.len() < total {
        if drawn > 1000 + 50 * total as u64 {
            let message = format!("only {} different mazes in {drawn}: ask for fewer", pairs.len());
            return Err(Error::Mismatch(message));
        }
        let draw = |number| generate(law, TRIES, &mut stream(*seed, Purpose::Data, number));
        if drawn == 0 && draw(0).is_none() {
            return Err(too_rare(law)); // before a batch of them is tried
        }
        let batch = BATCH.min((total - pairs.len()) as u64);
        let tokens = |number| draw(number).map(|maze| maze.to_tokens());
        for tokens in in_team(team, drawn..drawn + batch, tokens, &mut || ()) {
            let tokens = tokens.ok_or_else(|| too_rare(law))?;
            let maze = Maze::from_tokens(law.width, &tokens).expect("a maze that was drawn");
            if classes.insert(class_hash(&maze)) {
                let answer = label(&maze).expect("a maze with a path");
                pairs.push((maze, answer));
            }
        }
        drawn += batch;
        progress(pairs.len());
    }
    let source = format!("generated, paths of {} cells and more", law.path);
    let origin = Origin { source, seed: *seed, digest: String::new() };
    let (train, test) = pairs.split_at(*train);
    let split = |pairs: &[_]| dataset(&domain, pairs.iter().map(tokens), origin.clone());
    Ok(Splits::new(split(train), split(test), 0))
}

fn too_rare(law: &Law) -> Error {
    let (least, most) = (law.walls.start(), law.walls.end());
    let message = format!(
        "none of {TRIES} mazes with {least} to {most} walls has a path of {} cells: ask for a shorter path",
        law.path
    );
    Error::Mismatch(message)
}

/// Reads mazes from CSV files. Without a test file, `test` mazes are split off by the seed. Training mazes
/// that are in the test split too, turned or not, or earlier in the training file, are left out.
///
/// # Errors
/// If a file cannot be read, holds mazes of several sizes, or has too few.
pub fn mazes_from_csv(
    train_file: &Path,
    test_file: Option<&Path>,
    (test, seed): (usize, u64),
) -> Result<Splits, Error> {
    let read = |file: &Path| {
        let text = crate::files::read(file)?;
        read_pairs(&text[..]).map_err(|error| Error::file(file, error.to_string()))
    };
    Splits::from_files(train_file, test_file, (test, seed), read)
}

fn tokens((question, answer): &(Maze, Maze)) -> Pair {
    [question.to_tokens(), answer.to_tokens()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;

    fn shared(name: &str) -> Option<std::path::PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/maze-hard");
        let path = folder.join(name);
        if !path.exists() {
            eprintln!("skipped: no ../shared beside the checkout");
        }
        path.exists().then_some(path)
    }

    #[test]
    fn real_mazes_become_the_public_codes_bytes_and_all_follow_the_labelling_rule() {
        let (Some(train), Some(test)) = (shared("train.csv"), shared("test_500.csv")) else {
            return;
        };
        let splits = mazes_from_csv(&train, Some(&test), (0, 0)).unwrap();
        assert_eq!((splits.train.len(), splits.test.len(), splits.duplicates), (1000, 500, 0));
        let reference = Dataset::load(train.parent().unwrap(), "reference-npy-train").unwrap();
        assert!(splits.train.inputs == reference.inputs && splits.train.labels == reference.labels);
        let folder = tempfile::tempdir().unwrap();
        splits.train.save(folder.path(), "train").unwrap();
        for name in ["inputs", "labels"] {
            let read =
                |folder: &Path| std::fs::read(folder.join(format!("all__{name}.npy"))).unwrap();
            let reference = read(&train.parent().unwrap().join("reference-npy-train"));
            assert!(
                read(&folder.path().join("train")) == reference,
                "{name}: the bytes of the file"
            );
        }
        let domain: Domain = splits.train.metadata.domain.parse().unwrap();
        for data in [&splits.train, &splits.test] {
            for i in 0..data.len() {
                let label = domain.check_question(data.input(i)).unwrap();
                assert!(label.as_deref() == Some(data.label(i)), "maze {i}");
            }
        }
    }

    #[test]
    fn generated_mazes_differ_and_the_seed_repeats_them() {
        let law = Law { width: 6, height: 5, walls: 5..=9, path: 7 };
        let wanted = Mazes { law, train: 60, test: 20, seed: 3 };
        let splits = generate_mazes(&wanted, &mut |_| ()).unwrap();
        let domain: Domain = splits.train.metadata.domain.parse().unwrap();
        let classes = |data: &Dataset| -> HashSet<u128> {
            (0..data.len()).map(|i| domain.class_hash(data.input(i)).unwrap()).collect()
        };
        let (train, test) = (classes(&splits.train), classes(&splits.test));
        assert_eq!((train.len(), test.len()), (60, 20));
        assert!(train.is_disjoint(&test));
        let shared = Team::of_threads(3, |team| {
            let splits = generate_mazes_in_team(&team, &wanted, &mut |_| ()).unwrap();
            [splits.train.digest(), splits.test.digest()]
        });
        assert_eq!(shared, vec![[splits.train.digest(), splits.test.digest()]; 3]);
        assert_eq!(generate_mazes(&wanted, &mut |_| ()).unwrap().train, splits.train);
        let few =
            Mazes { law: Law { width: 2, height: 2, walls: 0..=1, path: 2 }, ..wanted.clone() };
        let message = generate_mazes(&few, &mut |_| ()).err().unwrap().to_string();
        assert!(message.contains("different mazes"), "{message}");
        let long = Mazes { law: Law { path: 40, ..few.law.clone() }, ..few };
        let message = generate_mazes(&long, &mut |_| ()).err().unwrap().to_string();
        assert!(message.contains("ask for a shorter path"), "{message}");
    }
}
