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
        assert_eq!(head_dim % 2, 0, "rotary embedding of an odd head width");
        let half = head_dim / 2;
        let angle = |i: usize| {
            let frequency = base.powf(-((2 * (i % half)) as f32) / head_dim as f32);
            (i / half) as f32 * frequency
        };
        let table = |f: fn(f32) -> f32| (0..len * half).map(|i| f(angle(i))).collect();
        Rope { cos: table(f32::cos), sin: table(f32::sin), half }
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
}
