//! Who takes which rows of a batch, and whom it meets to add up.

use std::ops::Range;

/// How a batch is shared between processes: each takes a subtree of the tree in which one process alone would join
/// its parts (`Device::in_parts` of `trm-ops`), so that the order of every sum stays.
#[derive(Clone, Debug)]
pub struct Shares {
    rows: Vec<Range<usize>>,
    tree: Tree,
}

#[derive(Clone, Debug)]
enum Tree {
    Process(usize),
    Node(Box<[Tree; 2]>),
}

/// A piece of the values that two processes hold sums of: one keeps a half and adds the other's to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Half {
    /// The other process.
    pub(crate) with: usize,
    /// What this process adds up.
    pub(crate) kept: Range<usize>,
    /// What the other one does.
    pub(crate) given: Range<usize>,
}

/// A piece of the values whose sum, so far, a process holds.
type Held = (Range<usize>, usize);

impl Shares {
    /// `rows` in parts of `part`, shared by so many processes. `None` if some would have nothing to do.
    ///
    /// # Panics
    /// If `part` is 0.
    pub fn new(rows: usize, part: usize, processes: usize) -> Option<Shares> {
        if processes == 0 || rows.div_ceil(part) < processes {
            return None;
        }
        let mut shares = Vec::new();
        let tree = tree(0..rows, part, processes, &mut shares);
        Some(Shares { rows: shares, tree })
    }

    /// How many processes share the rows.
    pub fn processes(&self) -> usize {
        self.rows.len()
    }

    /// The rows of a process. Those of the next one follow them.
    pub fn rows(&self, rank: usize) -> Range<usize> {
        self.rows[rank].clone()
    }

    /// Whom a process meets, level after level of the tree, to sum so many values. Pieces of a meeting are in order.
    pub(crate) fn meetings(&self, rank: usize, values: usize) -> Vec<Vec<Half>> {
        let mut meetings = Vec::new();
        meet(&self.tree, rank, values, &mut meetings);
        meetings
    }
}

/// Shares rows as `in_parts` halves them: processes go to both sides as parts do, at least one, at most as many as parts.
fn tree(rows: Range<usize>, part: usize, processes: usize, shares: &mut Vec<Range<usize>>) -> Tree {
    if processes == 1 {
        shares.push(rows);
        return Tree::Process(shares.len() - 1);
    }
    let parts = rows.len().div_ceil(part);
    let left = parts / 2;
    let middle = rows.start + left * part;
    let wished = (processes * left + parts / 2) / parts;
    let first =
        wished.max(1).max(processes.saturating_sub(parts - left)).min(processes - 1).min(left);
    let one = tree(rows.start..middle, part, first, shares);
    let two = tree(middle..rows.end, part, processes - first, shares);
    Tree::Node(Box::new([one, two]))
}

/// Who holds which piece of the sum of a subtree; adds the meetings of `rank`.
fn meet(tree: &Tree, rank: usize, values: usize, meetings: &mut Vec<Vec<Half>>) -> Vec<Held> {
    let [one, two] = match tree {
        Tree::Process(process) => return vec![(0..values, *process)],
        Tree::Node(both) => both.each_ref().map(|tree| meet(tree, rank, values, meetings)),
    };
    let (mut held, mut meeting) = (Vec::new(), Vec::new());
    for (piece, a, b) in common(&one, &two) {
        // whole cache lines, where there are several
        let middle = piece.start + (piece.len() / 2).next_multiple_of(16).min(piece.len());
        let (low, high) = (piece.start..middle, middle..piece.end);
        if rank == a {
            meeting.push(Half { with: b, kept: low.clone(), given: high.clone() });
        } else if rank == b {
            meeting.push(Half { with: a, kept: high.clone(), given: low.clone() });
        }
        held.extend([(low, a), (high, b)].into_iter().filter(|(piece, _)| !piece.is_empty()));
    }
    if !meeting.is_empty() {
        meetings.push(meeting);
    }
    held
}

/// The pieces that both sides cut alike, with the holder on either side.
fn common(one: &[Held], two: &[Held]) -> Vec<(Range<usize>, usize, usize)> {
    let (mut i, mut j, mut at, mut pieces) = (0, 0, 0, Vec::new());
    while let (Some((a, first)), Some((b, second))) = (one.get(i), two.get(j)) {
        let end = a.end.min(b.end);
        pieces.push((at..end, *first, *second));
        (i, j, at) = (i + usize::from(a.end == end), j + usize::from(b.end == end), end);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The sum of the parts of a batch as one process adds them.
    fn in_tree(rows: Range<usize>, part: usize, of: &dyn Fn(Range<usize>) -> Vec<f32>) -> Vec<f32> {
        let parts = rows.len().div_ceil(part);
        if parts <= 1 {
            return of(rows);
        }
        let middle = rows.start + parts / 2 * part;
        let (one, two) =
            (in_tree(rows.start..middle, part, of), in_tree(middle..rows.end, part, of));
        one.iter().zip(&two).map(|(a, b)| a + b).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn any_number_of_processes_sums_to_the_same_bits(
            rows in 1usize..60, part in 1usize..5, processes in 1usize..9, values in 0usize..200, seed: u32
        ) {
            let of = move |rows: Range<usize>| -> Vec<f32> {
                let noise = |i: usize| (seed as usize).wrapping_mul(i + 77).wrapping_mul(2_654_435_761) % 1000;
                (0..values).map(|i| noise(i * 64 + rows.start) as f32 / 7.0 - 70.0).collect()
            };
            let Some(shares) = Shares::new(rows, part, processes) else {
                prop_assert!(rows.div_ceil(part) < processes);
                return Ok(());
            };
            prop_assert_eq!((shares.rows(0).start, shares.rows(processes - 1).end), (0, rows));
            let whole = in_tree(0..rows, part, &of);
            let sums = crate::Team::of_threads(processes, |team| {
                let mut sums = in_tree(shares.rows(team.rank()), part, &of);
                team.sum(&shares, &mut sums);
                sums
            });
            for sum in sums {
                prop_assert!(sum.iter().map(|x| x.to_bits()).eq(whole.iter().map(|x| x.to_bits())));
            }
        }
    }

    #[test]
    fn few_values_are_summed_by_many_processes() {
        for (processes, values) in (2..=9).flat_map(|p| (0..40).map(move |values| (p, values))) {
            let shares = Shares::new(9, 1, processes).unwrap();
            let sums = crate::Team::of_threads(processes, |team| {
                let mut sums = vec![team.rank() as f32; values];
                team.sum(&shares, &mut sums);
                sums
            });
            let whole = (processes * (processes - 1) / 2) as f32;
            assert_eq!(sums, vec![vec![whole; values]; processes]);
        }
    }

    #[test]
    fn a_power_of_two_shares_alike_and_sends_less_than_twice_the_values() {
        for processes in [2, 4, 8, 16] {
            let shares = Shares::new(64, 2, processes).unwrap();
            for rank in 0..processes {
                assert_eq!(shares.rows(rank).len(), 64 / processes);
                let meetings = shares.meetings(rank, 1 << 14);
                let given: usize = meetings.iter().flatten().map(|half| half.given.len()).sum();
                assert_eq!(
                    (meetings.len(), given),
                    (processes.ilog2() as usize, (1 << 14) / processes * (processes - 1))
                );
            }
        }
    }
}
