//! Small mazes out of large ones.

use super::grid::{Cell, Maze};
use super::rules::Size;
use super::verify;
use rand::{Rng, RngExt};

/// Cuts a window of a size out of a solved maze, anywhere, with a stretch of the path inside it that has at least
/// `path` cells: its first cell becomes the start, its last one the goal. None if the window holds no such stretch.
///
/// A stretch of a shortest path is a shortest path itself, and of the path of the labelling rule
/// ([`label`](super::label)) it is again that of the rule. So a few large mazes give many small ones, to begin with,
/// and nothing is asked but their recorded answers.
///
/// ```
/// use rand::SeedableRng;
/// use trm_puzzles::maze::{Maze, Size, cut};
///
/// let question = Maze::parse("S..\n...\n..G")?;
/// let answer = Maze::parse("S..\no..\nooG")?;
/// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let column = Size { width: 1, height: 3 }; // two of the three hold less of the path
/// let mut pieces = (0..100).filter_map(|_| cut(&question, &answer, column, 3, &mut rng));
/// let (question, answer) = pieces.next().unwrap();
/// assert_eq!([question.to_tokens(), answer.to_tokens()], [[3, 2, 4], [3, 5, 4]]);
/// # Ok::<(), trm_puzzles::maze::MazeError>(())
/// ```
pub fn cut<R: Rng + ?Sized>(
    question: &Maze,
    answer: &Maze,
    size: Size,
    path: usize,
    rng: &mut R,
) -> Option<(Maze, Maze)> {
    let line = verify::path(question, &answer.to_tokens()).ok()?;
    let left = rng.random_range(0..=question.width().checked_sub(size.width)?);
    let top = rng.random_range(0..=question.height().checked_sub(size.height)?);
    let within = |cell: &usize| {
        let row = (cell / question.width()).checked_sub(top).filter(|row| *row < size.height)?;
        let column = (cell % question.width()).checked_sub(left);
        Some(row * size.width + column.filter(|column| *column < size.width)?)
    };
    let line: Vec<Option<usize>> = line.iter().map(within).collect();
    let long = |stretch: &&[Option<usize>]| stretch.len() >= path.max(2);
    let stretches: Vec<_> = line.split(Option::is_none).filter(long).collect();
    let chosen = rng.random_range(0..stretches.len().max(1));
    let stretch: Vec<usize> = stretches.get(chosen)?.iter().flatten().copied().collect();

    let rows = question.cells().chunks(question.width()).skip(top).take(size.height);
    let window = rows.flat_map(|row| &row[left..left + size.width]);
    let open = |cell: &Cell| if *cell == Cell::Wall { Cell::Wall } else { Cell::Free };
    let mut cells: Vec<Cell> = window.map(open).collect();
    cells[stretch[0]] = Cell::Start;
    cells[stretch[stretch.len() - 1]] = Cell::Goal;
    let question = Maze::new(size.width, cells).expect("one start and one goal");
    let mut answer = question.clone();
    stretch[1..stretch.len() - 1].iter().for_each(|cell| answer.mark(*cell));
    Some((question, answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maze::{Law, generate, label, shortest};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn what_is_cut_out_has_the_path_of_the_labelling_rule() {
        let law = Law { width: 14, height: 12, walls: 30..=60, path: 24 };
        let size = Size { width: 7, height: 6 };
        let (mut cut_out, mut several) = (0, 0);
        for seed in 0..300 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let maze = generate(&law, 100_000, &mut rng).unwrap();
            let answer = label(&maze).unwrap();
            let Some((piece, marked)) = cut(&maze, &answer, size, 8, &mut rng) else { continue };
            assert_eq!((piece.width(), piece.height()), (7, 6));
            assert!(shortest(&piece).unwrap() >= 8);
            assert_eq!(label(&piece).unwrap(), marked);
            cut_out += 1;
            // a rule that is another one would tell apart what has several shortest paths
            let back: Vec<u8> = piece.to_tokens().into_iter().rev().collect();
            let back = label(&Maze::from_tokens(7, &back).unwrap()).unwrap();
            several += usize::from(back.to_tokens().iter().rev().ne(&marked.to_tokens()));
        }
        assert!(cut_out > 100 && several > 20, "{cut_out} {several}");
    }

    #[test]
    fn a_window_that_is_too_large_or_has_too_little_gives_nothing() {
        let maze = Maze::parse("S..\n...\n..G").unwrap();
        let (answer, mut rng) = (label(&maze).unwrap(), ChaCha8Rng::seed_from_u64(1));
        let mut cut = |width, height, path| {
            cut(&maze, &answer, Size { width, height }, path, &mut rng).map(|(piece, _)| piece)
        };
        assert_eq!(cut(4, 1, 2), None);
        assert_eq!(cut(3, 3, 6), None);
        assert_eq!(cut(3, 3, 5), Some(maze.clone()));
    }
}
