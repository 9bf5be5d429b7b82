//! Micro-kernels: some rows times one panel.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod pairs;
mod portable;
#[cfg(target_arch = "x86_64")]
mod single;
mod transpose;

pub(super) use transpose::transpose;

use super::{PANEL, STRIP};
use crate::cpu::element::Element;
use crate::cpu::level::{CpuLevel, level};
use half::bf16;
use std::ops::Range;

/// Elements of the summed axis that one pass over the rows takes in single precision.
const RUN: usize = 256;

/// What the kernels multiply.
pub(crate) trait Operand: Element {
    /// Elements that lie beside each other along the summed axis.
    const GROUP: usize;
    /// Rows of a micro-tile, at most; as many rows a packed tile has room for.
    const TILE_ROWS: usize;

    /// `out = lhs · panel`, or `out += …` when `accumulate`; panel `[2, K / GROUP, 16, GROUP]`, out `[rows, 32]`. A
    /// panel with more rows than K is taken as if it had K.
    fn panel_product(lhs: Lhs<'_, Self>, panel: &[Self], out: &mut [f32], accumulate: bool);

    /// Rounds of multiply-adds in registers alone; returns the multiplications.
    fn peak(rounds: usize) -> usize;
}

impl Operand for f32 {
    const GROUP: usize = 1;
    const TILE_ROWS: usize = 6;

    fn panel_product(lhs: Lhs<'_, f32>, panel: &[f32], out: &mut [f32], accumulate: bool) {
        if !lhs.is_to_multiply(panel, out, accumulate) {
            return;
        }
        match level() {
            // SAFETY: the instructions are there, and the operands hold all elements (checked above).
            #[cfg(target_arch = "x86_64")]
            CpuLevel::Avx2 => unsafe { single::avx2::panel_product(lhs, panel, out, accumulate) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            CpuLevel::Avx512 | CpuLevel::Avx512Bf16 => unsafe {
                single::avx512::panel_product(lhs, panel, out, accumulate);
            },
            _ => portable::single(lhs, panel, out, accumulate),
        }
    }

    fn peak(rounds: usize) -> usize {
        match level() {
            // SAFETY: the instructions are there.
            #[cfg(target_arch = "x86_64")]
            CpuLevel::Avx2 => unsafe { single::avx2::peak(rounds) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            CpuLevel::Avx512 | CpuLevel::Avx512Bf16 => unsafe { single::avx512::peak(rounds) },
            _ => portable::peak(rounds),
        }
    }
}

/// Pairs; where the processor does not multiply them, by the slow twin.
impl Operand for bf16 {
    const GROUP: usize = 2;
    const TILE_ROWS: usize = 14;

    fn panel_product(lhs: Lhs<'_, bf16>, panel: &[bf16], out: &mut [f32], accumulate: bool) {
        if !lhs.is_to_multiply(panel, out, accumulate) {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if level().multiplies_bf16() {
            // SAFETY: the instructions are there, and the operands hold all elements (checked above).
            return unsafe { pairs::panel_product(lhs, panel, out, accumulate) };
        }
        portable::plain(lhs, panel, out, accumulate);
    }

    fn peak(rounds: usize) -> usize {
        #[cfg(target_arch = "x86_64")]
        if level().multiplies_bf16() {
            // SAFETY: the instructions are there.
            return unsafe { pairs::peak(rounds) };
        }
        portable::peak(rounds)
    }
}

/// Whether rows are packed into tiles before they are multiplied, so that a micro-tile reads one stream. Pairs are
/// read as they lie; so are the rows that another crate multiplies.
pub(crate) fn packs_tiles<T: Operand>() -> bool {
    T::GROUP == 1 && level() >= CpuLevel::Avx2
}

/// Rows of the tiles of a product, at most `most` each: as equal as possible, as a tile of few rows waits for its
/// own sums.
pub(crate) fn tiles(rows: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let (tiles, mut row) = (rows.div_ceil(most), 0);
    (0..tiles).map(move |tile| {
        let first = row;
        row += (rows - row).div_ceil(tiles - tile);
        first..row
    })
}

/// A left operand, in which element (row, k) of a tile is
/// `data[offset + row * row_stride + k / GROUP * group_stride + k % GROUP]`.
#[derive(Clone, Copy)]
pub(crate) struct Lhs<'a, T> {
    data: &'a [T],
    rows: usize,
    groups: usize,
    row_stride: usize,
    group_stride: usize,
    /// Distance of packed tiles; 0 where rows follow each other.
    tile_stride: usize,
    /// Groups of the panel that are passed over: the left operand begins later on the summed axis.
    skip: usize,
}

impl<'a, T: Operand> Lhs<'a, T> {
    /// A row-major matrix `[rows, k]` with k a multiple of GROUP.
    pub(crate) fn row_major(data: &'a [T], rows: usize, k: usize) -> Lhs<'a, T> {
        Lhs::strided(data, rows, k, k)
    }

    /// The first k columns, a multiple of GROUP, of a row-major matrix `[rows, stride]`.
    pub(crate) fn strided(data: &'a [T], rows: usize, k: usize, stride: usize) -> Lhs<'a, T> {
        assert!(k.is_multiple_of(T::GROUP) && k <= stride, "{k} of {stride} columns");
        assert!(data.len() >= rows * stride, "{rows} x {stride}: {}", data.len());
        let (groups, group_stride) = (k / T::GROUP, T::GROUP);
        Lhs { data, rows, groups, row_stride: stride, group_stride, tile_stride: 0, skip: 0 }
    }

    /// Rows packed into [`tiles`] of at most TILE_ROWS, group by group: `[tiles, groups, TILE_ROWS, GROUP]`.
    pub(crate) fn packed(data: &'a [T], rows: usize, groups: usize) -> Lhs<'a, T> {
        let group_stride = T::TILE_ROWS * T::GROUP;
        let tile_stride = groups * group_stride;
        assert_eq!(data.len(), rows.div_ceil(T::TILE_ROWS) * tile_stride, "{rows} packed rows");
        Lhs { data, rows, groups, row_stride: T::GROUP, group_stride, tile_stride, skip: 0 }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The same for the rows of a panel from `first` on, a multiple of GROUP.
    pub(crate) fn after(self, first: usize) -> Lhs<'a, T> {
        Lhs { skip: first / T::GROUP, ..self }
    }

    /// Some of the columns, multiples of GROUP, as an operand of their own.
    pub(crate) fn columns(self, range: Range<usize>) -> Lhs<'a, T> {
        let (first, end) = (range.start / T::GROUP, range.end / T::GROUP);
        assert!(end <= self.groups, "columns {range:?} of {}", self.groups);
        Lhs { data: &self.data[first * self.group_stride..], groups: end - first, ..self }
    }

    /// Where the tile begins that has this place among all and this first row.
    #[inline(always)]
    fn offset(&self, tile: usize, row: usize) -> usize {
        if self.tile_stride == 0 { row * self.row_stride } else { tile * self.tile_stride }
    }

    /// Offset of the last element, plus one.
    fn extent(&self) -> usize {
        let last_of_tile = |rows: usize| {
            (rows - 1) * self.row_stride + (self.groups - 1) * self.group_stride + T::GROUP
        };
        match self.tile_stride {
            0 => last_of_tile(self.rows),
            stride => {
                let tiles = self.rows.div_ceil(T::TILE_ROWS);
                (tiles - 1) * stride + last_of_tile(T::TILE_ROWS)
            }
        }
    }

    /// Checks the sizes of a product; fills what has nothing to sum. Returns whether there is something left to do.
    fn is_to_multiply(&self, panel: &[T], out: &mut [f32], accumulate: bool) -> bool {
        assert_eq!(out.len(), self.rows * PANEL, "a tile of {} rows", self.rows);
        let half = panel.len() / 2;
        let needed = (self.skip + self.groups) * STRIP * T::GROUP;
        assert!(half >= needed, "half a panel of {half}: {needed}");
        let is_empty = self.rows == 0 || self.groups == 0;
        if is_empty && !accumulate {
            out.fill(0.0);
        }
        assert!(is_empty || self.extent() <= self.data.len(), "a left operand too short");
        !is_empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{close, random_vec};

    fn values<T: Element>(len: usize, seed: u64) -> Vec<T> {
        random_vec(len, seed).into_iter().map(T::from_f32).collect()
    }

    type Product<T> = fn(Lhs<'_, T>, &[T], &mut [f32], bool);

    fn equals_its_slow_twin<T: Operand>(product: Product<T>) {
        for rows in 1..=31 {
            for groups in [1, 7, 48, 600] {
                let k = groups * T::GROUP;
                let (a, panel) = (values(rows * (k + 2), 1), values(k * PANEL, 2));
                let lhs = Lhs::strided(&a, rows, k, k + 2);
                let (mut fast, mut slow) = (vec![0.5; rows * PANEL], vec![0.5; rows * PANEL]);
                for accumulate in [true, false] {
                    product(lhs, &panel, &mut fast, accumulate);
                    portable::plain(lhs, &panel, &mut slow, accumulate);
                    close(&fast, &slow, 2e-6 * (k as f32).sqrt());
                }
                let mut first = vec![0.0; PANEL];
                product(Lhs::strided(&a, 1, k, k + 2), &panel, &mut first, false);
                assert_eq!(first, fast[..PANEL], "a row alone");
            }
        }
    }

    #[test]
    fn kernels_equal_their_slow_twin_on_all_row_counts() {
        equals_its_slow_twin::<f32>(f32::panel_product);
        equals_its_slow_twin::<f32>(portable::single);
        equals_its_slow_twin::<bf16>(bf16::panel_product);
    }

    fn packed_rows_are_read_tile_by_tile<T: Operand>(product: Product<T>) {
        let groups = 5;
        for rows in 1..=40usize {
            let tile_size = groups * T::TILE_ROWS * T::GROUP;
            let packed: Vec<T> = values(rows.div_ceil(T::TILE_ROWS) * tile_size, 3);
            let panel = values(groups * PANEL * T::GROUP, 4);
            let mut plain = Vec::new();
            for (tile, rows) in tiles(rows, T::TILE_ROWS).enumerate() {
                for row in 0..rows.len() {
                    plain.extend((0..groups * T::GROUP).map(|k| {
                        let place = (k / T::GROUP * T::TILE_ROWS + row) * T::GROUP + k % T::GROUP;
                        packed[tile * tile_size + place]
                    }));
                }
            }
            let (mut got, mut want) = (vec![0.0; rows * PANEL], vec![0.0; rows * PANEL]);
            product(Lhs::packed(&packed, rows, groups), &panel, &mut got, false);
            product(Lhs::row_major(&plain, rows, groups * T::GROUP), &panel, &mut want, false);
            assert_eq!(got, want);
        }
    }

    #[test]
    fn packed_tiles_are_read_group_by_group() {
        packed_rows_are_read_tile_by_tile::<f32>(f32::panel_product);
        packed_rows_are_read_tile_by_tile::<f32>(portable::single);
        packed_rows_are_read_tile_by_tile::<f32>(portable::plain);
        packed_rows_are_read_tile_by_tile::<bf16>(bf16::panel_product);
        packed_rows_are_read_tile_by_tile::<bf16>(portable::plain);
    }

    #[test]
    fn tiles_are_as_equal_as_possible() {
        let sizes = |rows| tiles(rows, 6).map(|rows| rows.len()).collect::<Vec<_>>();
        assert_eq!(sizes(13), [5, 4, 4]);
        assert_eq!(sizes(12), [6, 6]);
        assert!(sizes(0).is_empty());
    }
}
