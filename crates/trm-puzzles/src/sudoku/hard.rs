//! Hard puzzles in numbers: children of hard puzzles.

use super::generate::{Givens, Puzzle, generate};
use super::grid::Grid;
use super::shape::{MAX_CELLS, Shape};
use super::solve::{Solutions, has_other_solution, rate, rate_up_to, solutions};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use std::collections::HashMap;

/// Breeds puzzles whose ratings ([`rate_fairly`]) fall into given ranges in given shares.
///
/// Nearly all puzzles are easy. But a puzzle that differs from a hard one in a given or two is hard
/// some twenty times as often as a random one. So the breeder keeps many parents of every range, drops
/// a given of one of them, and puts others in until there is one solution again. What is not wanted at
/// the moment is thrown away. A child of its parent's range takes the parent's place, another one that
/// of any parent, so that lines which breed well spread. Neighbours repeat: leave out classes that have
/// been there ([`class_hash`](super::class_hash)).
///
/// ```
/// use rand::SeedableRng;
/// use trm_puzzles::sudoku::{Breeder, Shape, check_question};
///
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
/// let mut breeder = Breeder::new(Shape::Nine, &[(0, 0.5), (10, 0.5)], 20);
/// let puzzles: Vec<_> = (0..20).filter_map(|_| breeder.breed(&mut rng)).collect();
/// assert_eq!(puzzles.iter().filter(|puzzle| puzzle.rating >= 10).count(), 10);
/// assert_eq!(check_question(&puzzles[0].question), Ok(puzzles[0].answer));
/// ```
#[derive(Clone, Debug)]
pub struct Breeder {
    shape: Shape,
    ranges: Vec<Range>,
    lines: usize,
    most_givens: usize,
    made: usize,
    /// Children of ranges with fixed parents, before and after givens were left out.
    seen: HashMap<Grid, usize>,
}

#[derive(Clone, Debug)]
struct Range {
    lowest: u32,
    share: f64,
    made: usize,
    parents: Vec<Puzzle>,
    /// Whether the parents stay as they are.
    settled: bool,
}

/// Parents that every range has when a breeder is ready.
const READY: usize = 40;

/// Children that are easier than this before givens are left out are not looked at further.
const PROMISING: u32 = 6;

impl Breeder {
    /// A breeder for ranges that begin at rising ratings, the first at 0, with their shares; it keeps
    /// `lines` parents of each.
    ///
    /// # Panics
    /// If the ratings do not rise from 0, a share is not positive, or there are no lines.
    pub fn new(shape: Shape, ranges: &[(u32, f64)], lines: usize) -> Breeder {
        assert!(ranges.first().is_some_and(|(lowest, _)| *lowest == 0), "the first is from 0");
        assert!(ranges.is_sorted_by(|a, b| a.0 < b.0), "rising ratings");
        assert!(ranges.iter().all(|(_, share)| *share > 0.0), "positive shares");
        assert!(lines > 0, "lines");
        let total: f64 = ranges.iter().map(|(_, share)| share).sum();
        let range = |&(lowest, share): &(u32, f64)| {
            let share = share / total;
            Range { lowest, share, made: 0, parents: Vec::new(), settled: false }
        };
        let ranges = ranges.iter().map(range).collect();
        let seen = HashMap::new();
        Breeder { shape, ranges, lines, most_givens: shape.cells(), made: 0, seen }
    }

    /// Leaves out children with more givens. Without a limit, many-givens puzzles that are hard for the
    /// rating solver alone take over.
    pub fn most_givens(self, most: usize) -> Breeder {
        Breeder { most_givens: most, ..self }
    }

    /// Breeds from these questions alone, as many as there are lines, in all ranges that they fall into:
    /// their children take no place there, so that nothing drifts away from them.
    pub fn parents<'q>(mut self, questions: impl Iterator<Item = &'q (Grid, Grid)>) -> Breeder {
        for (question, answer) in questions {
            let parent =
                Puzzle { question: *question, answer: *answer, rating: rate_fairly(question) };
            let place = self.place(&parent);
            let range = &mut self.ranges[place];
            range.settled = true;
            if range.parents.len() < self.lines {
                range.parents.push(parent);
            }
        }
        self
    }

    /// Breeds until every range has parents to begin with; what was made does not count. Clones of a
    /// breeder that is ready spare this. `watch` is called after every puzzle.
    pub fn make_ready<R: Rng + ?Sized>(&mut self, rng: &mut R, watch: &mut dyn FnMut()) {
        let enough = READY.min(self.lines);
        while self.ranges.iter().any(|range| !range.settled && range.parents.len() < enough) {
            self.breed(rng);
            watch();
        }
        self.made = 0;
        self.ranges.iter_mut().for_each(|range| range.made = 0);
    }

    fn place(&self, puzzle: &Puzzle) -> usize {
        self.ranges.partition_point(|range| range.lowest <= puzzle.rating) - 1
    }

    /// The next puzzle, of a range that has had less than its share so far. `None` where it is a repeat: fixed parents
    /// have only so many children. A repeat counts for its range and is not given out again.
    pub fn breed<R: Rng + ?Sized>(&mut self, rng: &mut R) -> Option<Puzzle> {
        loop {
            let parent = self.parent(rng);
            let child = match parent {
                Some((range, line)) => {
                    let parent = &self.ranges[range].parents[line].question;
                    let child = neighbour(parent, rng);
                    let known = self.seen.get(&child.question).copied();
                    let pruned = if known.is_none() { prune(child, rng) } else { child };
                    if let Some(place) = known.or_else(|| self.note(&child, &pruned)) {
                        if self.take(place) {
                            return None;
                        }
                        continue;
                    }
                    pruned
                }
                None => generate(self.shape, rng, &Givens::Minimal),
            };
            if child.question.filled() > self.most_givens {
                continue;
            }
            let place = self.place(&child);
            self.keep(child, place, parent, rng);
            if self.take(place) {
                return Some(child);
            }
        }
    }

    /// Notes a new child of a range with fixed parents before and after givens were left out; if that has
    /// been there, its range.
    fn note(&mut self, child: &Puzzle, pruned: &Puzzle) -> Option<usize> {
        let place = self.place(pruned);
        if !self.ranges[place].settled {
            return None;
        }
        self.seen.insert(child.question, place);
        let changed = child.question != pruned.question;
        if changed { self.seen.insert(pruned.question, place) } else { None }
    }

    /// Makes a child a parent.
    fn keep<R: Rng + ?Sized>(
        &mut self,
        child: Puzzle,
        place: usize,
        parent: Option<(usize, usize)>,
        rng: &mut R,
    ) {
        let range = &mut self.ranges[place];
        match parent {
            _ if range.settled => {}
            Some((of, line)) if of == place => range.parents[line] = child,
            _ if range.parents.len() < self.lines => range.parents.push(child),
            _ => {
                let line = rng.random_range(0..self.lines);
                range.parents[line] = child;
            }
        }
    }

    /// Counts a puzzle of a range that has had less than its share.
    fn take(&mut self, place: usize) -> bool {
        let range = &mut self.ranges[place];
        let lacks = (range.made as f64) < range.share * (self.made + 1) as f64;
        range.made += usize::from(lacks);
        self.made += usize::from(lacks);
        lacks
    }

    /// A line of the range that lacks most, or of the hardest one below it that has any. The easiest
    /// range needs no parents.
    fn parent<R: Rng + ?Sized>(&self, rng: &mut R) -> Option<(usize, usize)> {
        let lack = |place: usize| {
            let range = &self.ranges[place];
            range.share * (self.made + 1) as f64 - range.made as f64
        };
        let wanted = (0..self.ranges.len()).max_by(|a, b| lack(*a).total_cmp(&lack(*b)))?;
        let place = (1..=wanted).rev().find(|place| !self.ranges[*place].parents.is_empty())?;
        Some((place, rng.random_range(0..self.ranges[place].parents.len())))
    }
}

/// The fewest guesses that [`rate`] takes for a question or three of its images: what is hard only for
/// the order in which one solver tries cells and digits is not hard.
pub fn rate_fairly(question: &Grid) -> u32 {
    fair(question, rate(question))
}

/// [`rate_fairly`] of a question with a known rating.
fn fair(question: &Grid, rating: u32) -> u32 {
    let (size, cells) = (question.shape().size(), question.shape().cells());
    let image = |turn: bool, transpose: bool| {
        let mut image = Grid::empty(question.shape());
        for cell in 0..cells {
            let place = if turn { cells - 1 - cell } else { cell };
            let place = if transpose { place % size * size + place / size } else { place };
            let digit = question.get(cell);
            image.set(place, if digit == 0 || !turn { digit } else { size as u8 + 1 - digit });
        }
        image
    };
    let square = question.shape().box_rows() == question.shape().box_cols();
    let mut rating = rating;
    for (turn, transpose) in [(true, false), (false, square), (true, square)] {
        if rating < PROMISING {
            break;
        }
        rating = rate_up_to(&image(turn, transpose), rating);
    }
    rating
}

/// A puzzle that has a given of `question` less, and others until there is one solution.
fn neighbour<R: Rng + ?Sized>(question: &Grid, rng: &mut R) -> Puzzle {
    let mut question = *question;
    let mut order: [usize; MAX_CELLS] = std::array::from_fn(|cell| cell);
    let order = &mut order[..question.shape().cells()];
    order.shuffle(rng);
    if let Some(cell) = order.iter().find(|cell| question.get(**cell) != 0) {
        question.set(*cell, 0);
    }
    loop {
        let (first, other) = match solutions(&question) {
            Solutions::None => panic!("givens of a puzzle, or of a solution found"),
            Solutions::One(answer, rating) => return Puzzle { question, answer, rating },
            Solutions::Several(first, other) => (first, other),
        };
        let kept = if rng.random() { first } else { other };
        let differ = |cell: &&usize| first.get(**cell) != other.get(**cell);
        let cell = *order.iter().find(differ).expect("two solutions differ");
        question.set(cell, kept.get(cell));
    }
}

/// The puzzle, fairly rated; a promising one without givens that it does not need.
fn prune<R: Rng + ?Sized>(puzzle: Puzzle, rng: &mut R) -> Puzzle {
    let Puzzle { mut question, answer, rating } = puzzle;
    let rating = fair(&question, rating);
    if rating < PROMISING {
        return Puzzle { rating, ..puzzle };
    }
    let mut order: [usize; MAX_CELLS] = std::array::from_fn(|cell| cell);
    let order = &mut order[..question.shape().cells()];
    order.shuffle(rng);
    for cell in order.iter().copied().filter(|cell| puzzle.question.get(*cell) != 0) {
        let digit = question.get(cell);
        question.set(cell, 0);
        if has_other_solution(&question, cell, digit) {
            question.set(cell, digit);
        }
    }
    Puzzle { question, answer, rating: rate_fairly(&question) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::collections::HashSet;

    #[test]
    fn parents_stay_and_ranges_without_any_are_bred_all_the_same() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let easy = std::iter::repeat_with(|| generate(Shape::Nine, &mut rng, &Givens::Minimal))
            .filter(|puzzle| rate_fairly(&puzzle.question) < 3);
        let easy: Vec<_> = easy.take(5).map(|puzzle| (puzzle.question, puzzle.answer)).collect();
        let breeder = Breeder::new(Shape::Nine, &[(0, 0.5), (10, 0.5)], 20);
        let mut breeder = breeder.parents(easy.iter());
        let puzzles: Vec<_> = (0..200).filter_map(|_| breeder.breed(&mut rng)).collect();
        let hard = puzzles.iter().filter(|puzzle| puzzle.rating >= 10).count();
        assert_eq!(hard, 100, "of a range without fixed parents nothing is missing");
        let made: Vec<Grid> =
            puzzles.iter().filter(|p| p.rating < 10).map(|p| p.question).collect();
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len(), "none made again");
        let parents: Vec<_> = breeder.ranges[0].parents.iter().map(|p| p.question).collect();
        assert_eq!(parents, easy.iter().map(|(question, _)| *question).collect::<Vec<_>>());
        assert!(!breeder.ranges[1].parents.is_empty());
    }

    #[test]
    fn a_fair_rating_is_no_higher_than_that_of_the_puzzle_itself() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (mut same, mut lower) = (0, 0);
        for _ in 0..200 {
            let question = generate(Shape::Nine, &mut rng, &Givens::Minimal).question;
            let (fair, own) = (rate_fairly(&question), rate(&question));
            assert!(fair <= own, "{fair} for {own}: {question}");
            same += u32::from(fair == own);
            lower += u32::from(fair < own);
        }
        assert!(same > 50 && lower > 5, "{same} the same, {lower} lower");
    }
}
