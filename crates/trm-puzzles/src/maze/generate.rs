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
    match law.width.div_ceil(64) {
        0 | 1 => draw_of_words::<1, R>(law, most, tries, rng),
        2 => draw_of_words::<2, R>(law, most, tries, rng),
        3 => draw_of_words::<3, R>(law, most, tries, rng),
        _ => draw_of_words::<4, R>(law, most, tries, rng),
    }
}

fn draw_of_words<const W: usize, R: Rng + ?Sized>(
    law: &Law,
    most: usize,
    tries: usize,
    rng: &mut R,
) -> Option<Maze> {
    let cells = law.width * law.height;
    let mut field = Field::<W>::new(law.width, law.height);
    (0..tries).find_map(|_| {
        let walls = rng.random_range(law.walls.clone());
        let start = (walls + 2 <= cells).then(|| field.scatter(walls, rng))?;
        let goals = field.far_from(start, law.path.max(2) - 1);
        let kept = goals > 0 && rng.random_range(0..most) < goals;
        let goal = kept.then(|| field.goal(rng.random_range(0..goals)))?;
        Maze::new(law.width, field.cells(start, goal)).ok()
    })
}

/// A row of cells, one a bit.
type Row<const W: usize> = [u64; W];

/// Sets of cells, a row of bits each, between two empty rows: floods go over all cells at once. Cells are
/// numbered as if rows were as long as their words.
struct Field<const W: usize> {
    width: usize,
    /// All cells; the first ones are the walls of the moment.
    order: Vec<u32>,
    open: Vec<Row<W>>,
    reached: Vec<Row<W>>,
    /// What will have been reached a step later; at the end, what is too near.
    other: Vec<Row<W>>,
}

impl<const W: usize> Field<W> {
    fn new(width: usize, height: usize) -> Field<W> {
        let empty = vec![[0; W]; height + 2];
        let (open, reached, other) = (empty.clone(), empty.clone(), empty);
        let mut field = Field { width, order: Vec::new(), open, reached, other };
        field.order = field.all().map(|cell| cell as u32).collect();
        field
    }

    /// All cells, row by row.
    fn all(&self) -> impl Iterator<Item = usize> + use<W> {
        let (width, height) = (self.width, self.open.len() - 2);
        (0..height).flat_map(move |row| (0..width).map(move |column| row * 64 * W + column))
    }

    /// The row, the word and the bit of a cell.
    fn place(cell: usize) -> (usize, usize, u64) {
        let column = cell % (64 * W);
        (1 + cell / (64 * W), column / 64, 1 << (column % 64))
    }

    fn has(cells: &[Row<W>], cell: usize) -> bool {
        let (row, word, bit) = Self::place(cell);
        cells[row][word] & bit != 0
    }

    /// Puts up so many walls; returns a start.
    fn scatter<R: Rng + ?Sized>(&mut self, walls: usize, rng: &mut R) -> usize {
        let count = self.order.len() as u32;
        for i in 0..=walls as u32 {
            self.order.swap(i as usize, rng.random_range(i..count) as usize);
        }
        let inner = 1..self.open.len() - 1;
        let bits = |word: usize| self.width.saturating_sub(64 * word).min(64) as u32;
        let full = std::array::from_fn(|word| u64::MAX.checked_shr(64 - bits(word)).unwrap_or(0));
        self.open[inner].fill(full);
        for i in 0..walls {
            let (row, word, bit) = Self::place(self.order[i] as usize);
            self.open[row][word] &= !bit;
        }
        self.order[walls] as usize
    }

    /// How many cells are at least so many steps away: those of `reached` that are not in `other`.
    fn far_from(&mut self, start: usize, steps: usize) -> usize {
        self.reached.fill([0; W]);
        let (row, word, bit) = Self::place(start);
        self.reached[row][word] = bit;
        for _ in 1..steps {
            if !self.spread() {
                return 0;
            }
        }
        let near = self.reached.clone();
        while self.spread() {}
        self.other = near;
        let far = self.reached.iter().flatten().zip(self.other.iter().flatten());
        far.map(|(reached, near)| (reached & !near).count_ones() as usize).sum()
    }

    /// Reaches the neighbours of all cells that are reached; whether there were any new ones.
    fn spread(&mut self) -> bool {
        let mut news = [0; W];
        let rows = self.reached.windows(3).zip(&self.open[1..]);
        for (next, (reached, open)) in self.other[1..].iter_mut().zip(rows) {
            let [above, row, below] = [reached[0], reached[1], reached[2]];
            for w in 0..W {
                let left = row[w] << 1 | if w > 0 { row[w - 1] >> 63 } else { 0 };
                let right = row[w] >> 1 | if w + 1 < W { row[w + 1] << 63 } else { 0 };
                next[w] = (row[w] | left | right | above[w] | below[w]) & open[w];
                news[w] |= next[w] ^ row[w];
            }
        }
        std::mem::swap(&mut self.reached, &mut self.other);
        news != [0; W]
    }

    /// One of the cells that [`far_from`](Field::far_from) counted.
    fn goal(&self, number: usize) -> usize {
        let is_far =
            |cell: &usize| Self::has(&self.reached, *cell) && !Self::has(&self.other, *cell);
        self.all().filter(is_far).nth(number).expect("as many as were counted")
    }

    fn cells(&self, start: usize, goal: usize) -> Vec<Cell> {
        let cell = |cell: usize| match cell {
            _ if cell == start => Cell::Start,
            _ if cell == goal => Cell::Goal,
            _ if Self::has(&self.open, cell) => Cell::Free,
            _ => Cell::Wall,
        };
        self.all().map(cell).collect()
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
        let full = Law { walls: 35..=35, ..law.clone() };
        assert_eq!(generate(&full, 10, &mut ChaCha8Rng::seed_from_u64(1)), None);
    }

    #[test]
    fn rows_of_any_length_are_flooded() {
        for width in [1, 63, 64, 65, 130, 200, 255] {
            let law = Law { width, height: 3, walls: width / 4..=width / 2, path: width.max(3) };
            let maze = generate(&law, 100_000, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
            assert!(shortest(&maze).unwrap() >= law.path, "{width}");
        }
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
