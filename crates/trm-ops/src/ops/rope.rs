use std::sync::Arc;

/// Rotary position embedding, half-split form: feature pair (j, j + E/2) of a head of width E is
/// rotated by the angle `position · base^(−2j/E)`.
#[derive(Clone, Debug)]
pub struct Rope {
    cos: Arc<[f32]>,
    sin: Arc<[f32]>,
    half: usize,
}

impl Rope {
    /// Tables for positions `0..len` of heads of width `head_dim`.
    ///
    /// # Panics
    /// If `head_dim` is odd.
    pub fn new(len: usize, head_dim: usize, base: f32) -> Rope {
        Rope::of_places((0..len).map(|position| [position]), head_dim, base)
    }

    /// Tables for `prefix` tokens that are not rotated and the cells of a grid of `[rows, columns]`, row by row. The first
    /// half of the pairs is rotated by the row, the second half by the column, each as if heads had half their width.
    ///
    /// # Panics
    /// If `head_dim` is no multiple of 4.
    pub fn of_grid(prefix: usize, [rows, columns]: [usize; 2], head_dim: usize, base: f32) -> Rope {
        let cells = (0..rows * columns).map(|cell| [cell / columns, cell % columns]);
        Rope::of_places(std::iter::repeat_n([0, 0], prefix).chain(cells), head_dim, base)
    }

    /// Tables for places of N coordinates, which share the pairs of features.
    fn of_places<const N: usize>(
        places: impl Iterator<Item = [usize; N]>,
        head_dim: usize,
        base: f32,
    ) -> Rope {
        assert_eq!(
            head_dim % (2 * N),
            0,
            "{N} coordinates cannot share a head of width {head_dim}"
        );
        let half = head_dim / 2;
        let pairs = half / N; // of each coordinate
        let frequency =
            |pair: usize| base.powf(-((2 * (pair % pairs)) as f32) / (2 * pairs) as f32);
        let angles: Vec<f32> = places
            .flat_map(|place| {
                (0..half).map(move |pair| place[pair / pairs] as f32 * frequency(pair))
            })
            .collect();
        let table = |f: fn(f32) -> f32| angles.iter().map(|angle| f(*angle)).collect();
        Rope { cos: table(f32::cos), sin: table(f32::sin), half }
    }

    /// Cosines and sines of all angles, `[positions, E/2]` each.
    pub fn tables(&self) -> [&[f32]; 2] {
        [&self.cos, &self.sin]
    }

    /// Whether it is a clone of the other one.
    pub fn is(&self, other: &Rope) -> bool {
        Arc::ptr_eq(&self.cos, &other.cos)
    }

    /// Of every position the cosines of its E/2 angles, then their sines.
    pub fn table(&self) -> Vec<f32> {
        let rows = self.cos.chunks(self.half).zip(self.sin.chunks(self.half));
        rows.flat_map(|(cos, sin)| [cos, sin]).flatten().copied().collect()
    }

    /// Rotates one row, `[E]`.
    #[inline(always)]
    pub fn rotate_row(&self, position: usize, row: &mut [f32], inverse: bool) {
        let half = self.half;
        let sign = if inverse { -1.0 } else { 1.0 };
        let (left, right) = row.split_at_mut(half);
        let table = position * half..(position + 1) * half;
        let (cos, sin) = (&self.cos[table.clone()], &self.sin[table]);
        for j in 0..half {
            let (a, b, s) = (left[j], right[j], sign * sin[j]);
            left[j] = a * cos[j] - b * s;
            right[j] = b * cos[j] + a * s;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::close;

    #[test]
    fn rotation_keeps_lengths_and_depends_on_distance_only() {
        let rope = Rope::new(9, 6, 10_000.0);
        let (a, b) = ([0.3, -1.0, 0.5, 2.0, 0.1, -0.7f32], [1.0, 0.2, -0.4, 0.6, 0.9, 0.0f32]);
        let dot = |i: usize, j: usize| {
            let place = |v: &[f32; 6], position: usize| {
                let mut row = *v;
                rope.rotate_row(position, &mut row, false);
                row
            };
            place(&a, i).iter().zip(place(&b, j)).map(|(x, y)| x * y).sum::<f32>()
        };
        close(&[dot(1, 4), dot(3, 3)], &[dot(5, 8), dot(0, 0)], 1e-5);
    }

    #[test]
    fn on_a_grid_it_depends_on_the_way_from_cell_to_cell_in_both_directions() {
        let rope = Rope::of_grid(1, [3, 4], 8, 100.0);
        let (a, b) = ([0.3, -1.0, 0.5, 2.0, 0.1, -0.7, 0.9, 1.1f32], [1.0f32; 8]);
        let dot = |from: usize, to: usize| {
            let [mut x, mut y] = [a, b];
            rope.rotate_row(from, &mut x, false);
            rope.rotate_row(to, &mut y, false);
            x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>()
        };
        let cell = |row: usize, column: usize| 1 + 4 * row + column;
        // a row down and a column to the left
        let ways = [dot(cell(0, 1), cell(1, 0)), dot(cell(1, 3), cell(2, 2))];
        close(&ways[..1], &ways[1..], 1e-5);
        // three cells on in reading order too
        assert!((dot(cell(0, 0), cell(0, 3)) - ways[0]).abs() > 0.1);
        let mut prefix = a;
        rope.rotate_row(0, &mut prefix, false);
        assert_eq!(prefix, a);
    }
}
