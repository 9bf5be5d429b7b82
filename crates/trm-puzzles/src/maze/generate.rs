//! Random mazes.

use super::grid::{Cell, Maze};
use super::path::shortest;
use rand::{Rng, RngExt};
use std::ops::RangeInclusive;

/// Which mazes are generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Law {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Walls, all numbers being equally frequent before mazes are refused.
    pub walls: RangeInclusive<usize>,
    /// Cells of the shortest path, counting both ends, at least.
    pub path: usize,
}

/// Draws mazes of evenly scattered walls, start and goal until one has a path that is long enough; none in
/// `tries`.
pub fn generate<R: Rng + ?Sized>(law: &Law, tries: usize, rng: &mut R) -> Option<Maze> {
    (0..tries).find_map(|_| {
        let maze = scatter(law, rng)?;
        shortest(&maze).is_some_and(|cells| cells >= law.path).then_some(maze)
    })
}

/// A maze without regard to its path; none if the walls leave no room for both ends.
fn scatter<R: Rng + ?Sized>(law: &Law, rng: &mut R) -> Option<Maze> {
    let count = law.width * law.height;
    let walls = rng.random_range(law.walls.clone());
    let mut cells = vec![Cell::Free; count];
    let things = std::iter::repeat_n(Cell::Wall, walls).chain([Cell::Start, Cell::Goal]);
    let mut places: Vec<usize> = (0..count).collect();
    for (i, thing) in things.enumerate() {
        if i >= count {
            return None;
        }
        places.swap(i, rng.random_range(i..count));
        cells[places[i]] = thing;
    }
    Maze::new(law.width, cells).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn mazes_keep_the_law_and_the_seed_repeats_them() {
        let law = Law { width: 7, height: 5, walls: 8..=12, path: 9 };
        let draw = |seed| generate(&law, 10_000, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
        for seed in 0..50 {
            let maze = draw(seed);
            let walls = maze.cells().iter().filter(|cell| **cell == Cell::Wall).count();
            assert!((8..=12).contains(&walls) && (maze.width(), maze.height()) == (7, 5));
            assert!(shortest(&maze).unwrap() >= 9);
            assert_eq!(maze, draw(seed));
        }
        let full = Law { walls: 35..=35, ..law };
        assert_eq!(generate(&full, 10, &mut ChaCha8Rng::seed_from_u64(1)), None);
    }
}
