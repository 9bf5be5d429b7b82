//! Images of tasks: turned, mirrored, with other colours.

use super::grid::{Grid, Pair, Task};
use crate::Dihedral;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use std::fmt;

/// What stands between the parts of a name.
const SEPARATOR: &str = "|||";

/// A symmetry and a permutation of the colours, in which 0 stays.
///
/// Its name is that of the public code, `task|||tK|||PERMUTATION`, so that predictions can be mapped back:
///
/// ```
/// use trm_puzzles::arc::Augmentation;
///
/// let name = "007bbfb7|||t3|||0213456789";
/// let (task, augmentation) = Augmentation::from_name(name)?;
/// assert_eq!((task, augmentation.name(task)), ("007bbfb7", name.into()));
/// # Ok::<(), trm_puzzles::arc::NameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Augmentation {
    /// How grids are turned.
    dihedral: Dihedral,
    /// What becomes of every colour.
    colours: [u8; 10],
}

/// A name that stands for no augmentation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}: expected TASK|||tK|||PERMUTATION with K from 0 to 7 and ten different digits, 0 first"
)]
pub struct NameError(String);

impl Augmentation {
    /// The one that changes nothing.
    pub const NONE: Augmentation =
        Augmentation { dihedral: Dihedral::ALL[0], colours: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] };

    /// A symmetry with a permutation of the colours; none if that is none, or moves colour 0.
    pub fn new(dihedral: Dihedral, colours: [u8; 10]) -> Option<Augmentation> {
        let mut sorted = colours;
        sorted.sort_unstable();
        let allowed = colours[0] == 0 && sorted == Augmentation::NONE.colours;
        allowed.then_some(Augmentation { dihedral, colours })
    }

    /// One at random.
    pub fn random<R: Rng + ?Sized>(rng: &mut R) -> Augmentation {
        let mut augmentation = Augmentation::NONE;
        augmentation.dihedral = Dihedral::ALL[rng.random_range(0..8)];
        augmentation.colours[1..].shuffle(rng);
        augmentation
    }

    /// The same colours, turned another way.
    pub fn turned(self, dihedral: Dihedral) -> Augmentation {
        Augmentation { dihedral, ..self }
    }

    /// The name of a task's image; the task's own name for the one that changes nothing.
    pub fn name(&self, task: &str) -> String {
        match *self == Augmentation::NONE {
            true => task.to_owned(),
            false => format!("{task}{SEPARATOR}{self}"),
        }
    }

    /// The task and the augmentation that a name stands for.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_name(name: &str) -> Result<(&str, Augmentation), NameError> {
        let refuse = || NameError(name.to_owned());
        let mut parts = name.split(SEPARATOR);
        let task = parts.next().unwrap_or_default();
        let (turn, colours) = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => return Ok((task, Augmentation::NONE)),
            (Some(turn), Some(colours), None) => (turn, colours),
            _ => return Err(refuse()),
        };
        let number = turn.strip_prefix('t').and_then(|number| number.parse().ok());
        let dihedral = number.and_then(Dihedral::from_number);
        let digits: Option<Vec<u8>> =
            colours.chars().map(|c| c.to_digit(10).map(|digit| digit as u8)).collect();
        let colours = digits.and_then(|digits| digits.try_into().ok());
        let found = dihedral.zip(colours).and_then(|(d, c)| Augmentation::new(d, c));
        found.map(|augmentation| (task, augmentation)).ok_or_else(refuse)
    }

    /// The one that undoes it.
    pub fn inverse(&self) -> Augmentation {
        let mut colours = [0; 10];
        for (from, to) in (0..).zip(self.colours) {
            colours[usize::from(to)] = from;
        }
        Augmentation { dihedral: self.dihedral.inverse(), colours }
    }

    /// The image of a grid.
    pub fn apply(&self, grid: &Grid) -> Grid {
        let recoloured: Vec<u8> =
            grid.cells().iter().map(|colour| self.colours[usize::from(*colour)]).collect();
        let (cells, width) = self.dihedral.apply(&recoloured, grid.width());
        Grid::new(width, cells)
    }

    /// The image of a task.
    pub fn apply_to_task(&self, task: &Task) -> Task {
        let image = |pair: &Pair| Pair {
            input: self.apply(&pair.input),
            output: pair.output.as_ref().map(|output| self.apply(output)),
        };
        Task {
            name: self.name(&task.name),
            train: task.train.iter().map(image).collect(),
            test: task.test.iter().map(image).collect(),
        }
    }
}

/// `tK|||PERMUTATION`.
impl fmt::Display for Augmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}{SEPARATOR}", self.dihedral.number())?;
        self.colours.iter().try_for_each(|colour| write!(f, "{colour}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn names_that_stand_for_nothing_are_refused() {
        for name in [
            "a|||t8|||0123456789",
            "a|||t1|||1023456789",
            "a|||t1|||0123456788",
            "a|||t1|||012345678",
            "a|||t1",
            "a|||3|||0123456789",
            "a|||t1|||0123456789|||x",
        ] {
            assert!(Augmentation::from_name(name).is_err(), "{name}");
        }
        assert_eq!(Augmentation::from_name("a"), Ok(("a", Augmentation::NONE)));
    }

    #[test]
    fn what_is_done_is_undone() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let grid = Grid::new(3, (0..12).map(|i| i % 10).collect());
        for _ in 0..100 {
            let augmentation = Augmentation::random(&mut rng);
            let image = augmentation.apply(&grid);
            assert_eq!(augmentation.inverse().apply(&image), grid);
            let name = augmentation.name("task");
            assert_eq!(Augmentation::from_name(&name), Ok(("task", augmentation)));
        }
    }
}
