//! What is told of many puzzles at a time, handed on in the order of the puzzles.

use std::collections::BTreeMap;

/// Hands on at once what is told of the first puzzle that has not ended, and of later ones when their turn comes.
#[derive(Debug)]
pub(crate) struct InOrder<T> {
    turn: usize,
    /// By puzzle, what waits for its turn, and whether the puzzle has ended.
    waiting: BTreeMap<usize, (Vec<T>, bool)>,
}

impl<T> InOrder<T> {
    /// Begins with puzzle 0.
    pub(crate) fn new() -> InOrder<T> {
        InOrder { turn: 0, waiting: BTreeMap::new() }
    }

    /// Something is told of a puzzle, for the last time if `ended`.
    pub(crate) fn tell(
        &mut self,
        puzzle: usize,
        item: T,
        ended: bool,
        hear: &mut dyn FnMut(usize, T),
    ) {
        let (items, end) = self.waiting.entry(puzzle).or_insert_with(|| (Vec::new(), false));
        items.push(item);
        *end |= ended;
        while let Some((items, end)) = self.waiting.remove(&self.turn) {
            items.into_iter().for_each(|item| hear(self.turn, item));
            if !end {
                return;
            }
            self.turn += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_the_order_of_puzzles_and_those_of_the_first_at_once() {
        let mut order = InOrder::new();
        let mut tell = |puzzle, item, ended| {
            let mut heard = Vec::new();
            order.tell(puzzle, item, ended, &mut |puzzle, item| heard.push((puzzle, item)));
            heard
        };
        assert_eq!(tell(1, 'a', false), []);
        assert_eq!(tell(0, 'b', false), [(0, 'b')]);
        assert_eq!(tell(1, 'c', true), []);
        assert_eq!(tell(2, 'd', false), []);
        assert_eq!(tell(0, 'e', true), [(0, 'e'), (1, 'a'), (1, 'c'), (2, 'd')]);
        assert_eq!(tell(2, 'f', true), [(2, 'f')]);
    }
}
