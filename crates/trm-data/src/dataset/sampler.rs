use crate::dataset::Dataset;
use crate::dataset::example::Example;
use crate::random::{Purpose, stream};
use rand::RngExt;
use rand::seq::SliceRandom;
use trm_puzzles::Domain;

/// What is drawn of an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Augment {
    /// The example itself.
    None,
    /// A random equivalent of it.
    Symmetries(Domain),
    /// Of tasks: a random augmentation, with its identifier.
    Tasks,
}

/// Draws training examples without end: epochs visit groups in random order and take one random
/// puzzle of each, and one random example of that. Position in the sequence is its only state.
pub struct Sampler<'d> {
    data: &'d Dataset,
    groups: &'d [usize],
    augment: Augment,
    seed: u64,
    drawn: u64,
    order: (u64, Vec<usize>),
}

impl<'d> Sampler<'d> {
    /// A sampler of these groups that has already drawn `drawn` examples.
    pub fn new(
        (data, groups): (&'d Dataset, &'d [usize]),
        augment: Augment,
        seed: u64,
        drawn: u64,
    ) -> Self {
        Sampler { data, groups, augment, seed, drawn, order: (u64::MAX, Vec::new()) }
    }

    /// How many examples have been drawn.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }

    /// Goes to the place where so many have been drawn.
    pub fn seek(&mut self, drawn: u64) {
        self.drawn = drawn;
    }

    /// The next example.
    pub fn draw(&mut self) -> Example {
        let groups = self.groups.len() as u64;
        let (epoch, place) = (self.drawn / groups, (self.drawn % groups) as usize);
        if self.order.0 != epoch {
            let mut order = self.groups.to_vec();
            order.shuffle(&mut stream(self.seed, Purpose::Order, epoch));
            self.order = (epoch, order);
        }
        let mut rng = stream(self.seed, Purpose::Example, self.drawn);
        self.drawn += 1;
        let mut within = |indices: &[usize], i: usize| rng.random_range(indices[i]..indices[i + 1]);
        let puzzle = within(&self.data.group_indices, self.order.1[place]);
        let example = within(&self.data.puzzle_indices, puzzle);
        let id = self.data.puzzle_identifiers[puzzle];
        let (question, answer) = (self.data.input(example), self.data.label(example));
        if let (Augment::Tasks, Some(augmented)) = (&self.augment, &self.data.augmented) {
            let (first, end) =
                (self.data.puzzle_indices[puzzle], self.data.puzzle_indices[puzzle + 1]);
            let place = (example - first, end - first);
            return augmented.draw(id, place, [question, answer], &mut rng);
        }
        let (mut question, mut answer) = (question.to_vec(), answer.to_vec());
        if let Augment::Symmetries(domain) = &self.augment {
            domain.augment(&mut question, &mut answer, &mut rng);
        }
        Example { question, answer, puzzle: id }
    }
}
