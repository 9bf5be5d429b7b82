//! Pairs up to the images that are drawn of them.

use super::grid::{Grid, Pair};
use crate::Dihedral;
use crate::hash::fnv;

/// A hash that pairs share exactly if one is an image of the other ([`Augmentation`](super::Augmentation)), up to
/// collisions of 128 bits. None without an output.
///
/// ```
/// use trm_puzzles::arc::{Grid, Pair, pair_class};
///
/// let grid = |rows: &[Vec<i64>]| Grid::from_rows(rows);
/// let pair = |input, output| Pair { input, output: Some(output) };
/// let one = pair(grid(&[vec![1, 0], vec![0, 2]])?, grid(&[vec![1, 2]])?);
/// let turned = pair(grid(&[vec![0, 7], vec![4, 0]])?, grid(&[vec![7], vec![4]])?);
/// let other = pair(grid(&[vec![0, 7], vec![4, 0]])?, grid(&[vec![4], vec![4]])?);
/// assert_eq!(pair_class(&one), pair_class(&turned));
/// assert_ne!(pair_class(&one), pair_class(&other));
/// # Ok::<(), trm_puzzles::arc::GridError>(())
/// ```
pub fn pair_class(pair: &Pair) -> Option<u128> {
    let output = pair.output.as_ref()?;
    let turned = Dihedral::ALL.iter().map(|turn| recoloured([&pair.input, output], *turn));
    turned.min().map(|least| fnv(&least))
}

/// Two grids turned, their colours but for black numbered as they appear.
fn recoloured(grids: [&Grid; 2], turn: Dihedral) -> Vec<u8> {
    let (mut numbers, mut next) = ([0; 10], 1);
    let mut bytes = Vec::new();
    for grid in grids {
        let (cells, width) = turn.apply(grid.cells(), grid.width());
        bytes.extend([width as u8, (cells.len() / width) as u8]);
        for colour in cells {
            let number = &mut numbers[usize::from(colour)];
            if colour != 0 && *number == 0 {
                *number = next;
                next += 1;
            }
            bytes.push(*number);
        }
    }
    bytes
}
