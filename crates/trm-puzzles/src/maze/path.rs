//! Shortest paths.

use super::grid::{Cell, Maze, MazeError};
use std::collections::VecDeque;

/// The parent of a cell that has not been reached.
const UNSEEN: u32 = u32::MAX;

/// The answer by the rule of Maze-Hard: of all shortest paths the one that a breadth-first search from the
/// start finds first, which looks down, left, right and up from every cell in turn. Turning or mirroring a
/// maze and its answer gives a shortest path still, but in general not the one of this rule: label the
/// turned maze anew where exact accuracy is to count.
///
/// ```
/// use trm_puzzles::maze::{Maze, label};
///
/// let maze = Maze::parse("S..\n...\n..G")?;
/// assert_eq!(label(&maze)?.to_string(), "S  o  ooG");
/// # Ok::<(), trm_puzzles::maze::MazeError>(())
/// ```
///
/// # Errors
/// If the goal cannot be reached.
pub fn label(maze: &Maze) -> Result<Maze, MazeError> {
    let (start, goal) = maze.ends();
    let parents = search(maze);
    if parents[goal] == UNSEEN {
        return Err(MazeError::NoPath);
    }
    let mut answer = maze.question();
    let mut cell = parents[goal] as usize;
    while cell != start {
        answer.mark(cell);
        cell = parents[cell] as usize;
    }
    Ok(answer)
}

/// Cells of a shortest path, counting both ends; none if the goal cannot be reached.
pub fn shortest(maze: &Maze) -> Option<usize> {
    let answer = label(maze).ok()?;
    Some(answer.cells().iter().filter(|cell| **cell == Cell::Path).count() + 2)
}

/// For every cell the one it was first reached from; the start's is itself.
fn search(maze: &Maze) -> Vec<u32> {
    let (start, goal) = maze.ends();
    let mut parents = vec![UNSEEN; maze.cells().len()];
    parents[start] = start as u32;
    let mut queue = VecDeque::from([start]);
    while let Some(cell) = queue.pop_front() {
        if cell == goal {
            break;
        }
        for next in neighbours(maze, cell) {
            if parents[next] == UNSEEN && maze.cells()[next] != Cell::Wall {
                parents[next] = cell as u32;
                queue.push_back(next);
            }
        }
    }
    parents
}

/// The cells below, to the left, to the right and above, as far as there are any.
pub(super) fn neighbours(maze: &Maze, cell: usize) -> impl Iterator<Item = usize> + use<> {
    let (width, column) = (maze.width(), cell % maze.width());
    let below = (cell + width < maze.cells().len()).then_some(cell + width);
    let left = (column > 0).then(|| cell - 1);
    let right = (column + 1 < width).then_some(cell + 1);
    [below, left, right, cell.checked_sub(width)].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_are_gone_around_and_dead_ends_refused() {
        let maze = Maze::parse("S#..\n.#.#\n...G").unwrap();
        assert_eq!(label(&maze).unwrap().to_string(), "S#  o# #oooG");
        assert_eq!(shortest(&maze), Some(6));
        let closed = Maze::parse("S#G\n.#.\n.#.").unwrap();
        assert_eq!((label(&closed), shortest(&closed)), (Err(MazeError::NoPath), None));
        assert_eq!(shortest(&Maze::parse("SG\n..").unwrap()), Some(2));
    }
}
