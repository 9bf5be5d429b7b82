//! Every task of the five ARC subsets beside the checkout, into every augmentation and back.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use trm_puzzles::Dihedral;
use trm_puzzles::arc::{Augmentation, Grid, Task, decode, encode, read_challenges, room};

fn tasks(subset: &str) -> Vec<Task> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/arc");
    if !folder.exists() {
        eprintln!("skipped: no ../shared beside the checkout");
        return Vec::new();
    }
    let read = |kind| std::fs::read(folder.join(format!("arc-agi_{subset}_{kind}.json"))).unwrap();
    read_challenges(&read("challenges"), Some(&read("solutions"))).unwrap()
}

/// The grids of a canvas on which nothing lies above or to the left of `offset`.
fn moved_back(canvas: &[u8], (top, left): (usize, usize)) -> Vec<u8> {
    let mut back = vec![0; canvas.len()];
    for row in top..30 {
        let from = &canvas[row * 30 + left..(row + 1) * 30];
        back[(row - top) * 30..][..from.len()].copy_from_slice(from);
    }
    back
}

#[test]
fn all_tasks_come_back_from_every_augmentation_and_place() {
    let sizes = [
        ("training", 400),
        ("evaluation", 400),
        ("training2", 1000),
        ("evaluation2", 120),
        ("concept", 160),
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (subset, count) in sizes {
        let tasks = tasks(subset);
        if tasks.is_empty() {
            return;
        }
        assert_eq!(tasks.len(), count, "{subset}");
        for task in &tasks {
            for dihedral in Dihedral::ALL {
                let augmentation = Augmentation::random(&mut rng).turned(dihedral);
                let image = augmentation.apply_to_task(task);
                let (name, found) = Augmentation::from_name(&image.name).unwrap();
                assert_eq!((name, found), (&task.name[..], augmentation));
                assert_eq!(
                    Task { name: task.name.clone(), ..found.inverse().apply_to_task(&image) },
                    *task
                );
                for pair in image.train.iter().chain(&image.test) {
                    let grids: Vec<&Grid> = [&pair.input].into_iter().chain(&pair.output).collect();
                    let (rows, columns) = room(grids.iter().copied());
                    let offset = (rng.random_range(0..=rows), rng.random_range(0..=columns));
                    for grid in grids {
                        let canvas = moved_back(&encode(grid, offset), offset);
                        assert_eq!(decode(&canvas).as_ref(), Some(grid), "{subset} {}", image.name);
                    }
                }
            }
        }
    }
}

#[test]
fn the_second_training_set_contains_tasks_to_be_evaluated_on() {
    let (training, evaluation) = (tasks("training2"), tasks("evaluation"));
    let known = |task: &&Task| training.iter().any(|other| other.shows_the_same(task));
    let leaked = evaluation.iter().filter(known).count();
    assert!(evaluation.is_empty() || leaked > 300, "{leaked}");
}
