//! Random mazes.

use super::grid::{Cell, Maze};
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
///
/// Every pair of ends that are far enough apart is as likely as any other, over all mazes, as if both had been
/// drawn at random. But all distances from a drawn start are looked at, and a maze is kept in proportion to the
/// number of goals that there are: to that of the cells, or where long paths are wanted, which leave few goals,
/// to an eighth of it.
pub fn generate<R: Rng + ?Sized>(law: &Law, tries: usize, rng: &mut R) -> Option<Maze> {
    let cells = law.width * law.height;
    let long = law.path > 3 * law.width.max(law.height);
    draw(law, if long { cells.div_ceil(8) } else { cells }, tries, rng)
}

/// [`generate`], where mazes and starts with `most` goals and more are always kept.
fn draw<R: Rng + ?Sized>(law: &Law, most: usize, tries: usize, rng: &mut R) -> Option<Maze> {
    let cells = law.width * law.height;
    let mut field = Field::new(law.width, law.height);
    (0..tries).find_map(|_| {
        let walls = rng.random_range(law.walls.clone());
        let start = (walls + 2 <= cells).then(|| field.scatter(walls, rng))?;
        let goals = field.far_from(start, law.path.max(2) - 1);
        let kept = rng.random_range(0..most) < goals.len();
        let goal = kept.then(|| goals[rng.random_range(0..goals.len())])?;
        Maze::new(law.width, field.cells(start, goal)).ok()
    })
}

/// A rectangle with walls around it, so that every cell has four neighbours.
struct Field {
    width: usize,
    /// Places of the inner cells; the first ones are the walls of the moment.
    places: Vec<usize>,
    is_wall: Vec<bool>,
    /// When each place was last reached, as a number of searches.
    reached: Vec<u32>,
    searches: u32,
    /// Places in the order in which they were reached.
    queue: Vec<usize>,
}

impl Field {
    fn new(width: usize, height: usize) -> Field {
        let (row, count) = (width + 2, (width + 2) * (height + 2));
        let inner = (1..=height).flat_map(|r| (1..=width).map(move |c| r * row + c));
        let places: Vec<usize> = inner.collect();
        let (is_wall, reached) = (vec![true; count], vec![0; count]);
        Field { width, places, is_wall, reached, searches: 0, queue: Vec::new() }
    }

    /// Puts up so many walls; returns the place of a start.
    fn scatter<R: Rng + ?Sized>(&mut self, walls: usize, rng: &mut R) -> usize {
        let count = self.places.len();
        for i in 0..=walls {
            self.places.swap(i, rng.random_range(i..count));
        }
        for (i, place) in self.places.iter().enumerate() {
            self.is_wall[*place] = i < walls;
        }
        self.places[walls]
    }

    /// Places at least so many steps away.
    fn far_from(&mut self, start: usize, steps: usize) -> &[usize] {
        self.searches += 1;
        self.reached[start] = self.searches;
        self.queue.clear();
        self.queue.push(start);
        let (mut next, mut ring) = (0, 0);
        // the queue holds one ring of equal distance after the other
        while ring < steps && next < self.queue.len() {
            let end = self.queue.len();
            (next..end).for_each(|i| self.expand(i));
            next = end;
            ring += 1;
        }
        if ring < steps {
            return &[];
        }
        let mut i = next;
        while i < self.queue.len() {
            self.expand(i);
            i += 1;
        }
        &self.queue[next..]
    }

    /// Reaches the neighbours of a place of the queue.
    fn expand(&mut self, i: usize) {
        let (place, row) = (self.queue[i], self.width + 2);
        for neighbour in [place + row, place - 1, place + 1, place - row] {
            if !self.is_wall[neighbour] && self.reached[neighbour] != self.searches {
                self.reached[neighbour] = self.searches;
                self.queue.push(neighbour);
            }
        }
    }

    fn cells(&self, start: usize, goal: usize) -> Vec<Cell> {
        let mut inner: Vec<usize> = self.places.clone();
        inner.sort_unstable();
        let cell = |place: usize| match place {
            _ if place == start => Cell::Start,
            _ if place == goal => Cell::Goal,
            _ if self.is_wall[place] => Cell::Wall,
            _ => Cell::Free,
        };
        inner.into_iter().map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maze::shortest;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn mazes_keep_the_law_and_the_seed_repeats_them() {
        let law = Law { width: 7, height: 5, walls: 8..=12, path: 9 };
        let of_seed = |seed| generate(&law, 10_000, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
        for seed in 0..50 {
            let maze = of_seed(seed);
            let walls = maze.cells().iter().filter(|cell| **cell == Cell::Wall).count();
            assert!((8..=12).contains(&walls) && (maze.width(), maze.height()) == (7, 5));
            assert!(shortest(&maze).unwrap() >= 9);
            assert_eq!(maze, of_seed(seed));
        }
        let full = Law { walls: 35..=35, ..law };
        assert_eq!(generate(&full, 10, &mut ChaCha8Rng::seed_from_u64(1)), None);
    }

    #[test]
    fn long_paths_are_found_sooner_and_are_the_same() {
        let far = Law { width: 7, height: 5, walls: 8..=12, path: 15 };
        // few goals are that far away: an eighth of the cells is as good a measure as all of them
        let mean = |most: usize, of: &dyn Fn(&Maze) -> usize| {
            let maze =
                |seed| draw(&far, most, 100_000, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap();
            (0..1000).map(|seed| of(&maze(seed)) as f64).sum::<f64>() / 1000.0
        };
        let walls = |maze: &Maze| maze.cells().iter().filter(|c| **c == Cell::Wall).count();
        let path = |maze: &Maze| shortest(maze).unwrap();
        for of in [&walls as &dyn Fn(&Maze) -> usize, &path] {
            let (quick, slow) = (mean(35 / 8, of), mean(35, of));
            assert!((quick - slow).abs() < 0.15, "{quick} against {slow}");
        }
    }
}
