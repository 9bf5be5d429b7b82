//! f32 matrix products through the `gemm` crate, on strided views, in pieces of fixed size.

#![allow(unsafe_code)]

use crate::storage::with_scratch;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// Rows of activations that one task works on; small enough for the caches, large enough that
/// packing the weights is cheap beside multiplying with them. Part of the result's definition only
/// in that it must not depend on the number of threads.
pub(crate) const ROW_BLOCK: usize = 128;

/// Columns of products that one task works on, so that few rows still make work for all threads.
pub(crate) const COLUMN_BLOCK: usize = 256;

/// Side of the output tiles of [`matmul_sum`].
const SUM_TILE: usize = 64;

/// A strided, read-only matrix.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Mat<'a> {
    /// A row-major matrix: `data` holds exactly `rows * cols` values.
    pub(crate) fn new(data: &'a [f32], rows: usize, cols: usize) -> Mat<'a> {
        assert_eq!(data.len(), rows * cols, "matrix of {rows} x {cols}");
        Mat { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transposed view.
    pub(crate) fn t(self) -> Mat<'a> {
        Mat {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Some rows and columns.
    pub(crate) fn block(self, rows: Range<usize>, cols: Range<usize>) -> Mat<'a> {
        let start = rows.start * self.row_stride + cols.start * self.col_stride;
        Mat { data: &self.data[start..], rows: rows.len(), cols: cols.len(), ..self }
    }
}

/// A writable row-major matrix inside a larger one.
pub(crate) struct MatMut<'a> {
    data: *mut f32,
    rows: usize,
    cols: usize,
    row_stride: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: a MatMut is an exclusive borrow of its elements, like `&mut [f32]`.
unsafe impl Send for MatMut<'_> {}

impl<'a> MatMut<'a> {
    /// A row-major matrix: `data` holds exactly `rows * cols` values.
    pub(crate) fn new(data: &'a mut [f32], rows: usize, cols: usize) -> MatMut<'a> {
        assert_eq!(data.len(), rows * cols, "matrix of {rows} x {cols}");
        MatMut { data: data.as_mut_ptr(), rows, cols, row_stride: cols, lifetime: PhantomData }
    }

    fn reborrow(&mut self) -> MatMut<'_> {
        MatMut { lifetime: PhantomData, ..*self }
    }

    /// Splits into tiles of at most `height` x `width`, each with its place.
    pub(crate) fn tiles(
        self,
        height: usize,
        width: usize,
    ) -> Vec<(Range<usize>, Range<usize>, MatMut<'a>)> {
        let tile = |rows: Range<usize>, cols: Range<usize>| MatMut {
            // SAFETY: the offset of an element inside the matrix; tiles do not overlap.
            data: unsafe { self.data.add(rows.start * self.row_stride + cols.start) },
            rows: rows.len(),
            cols: cols.len(),
            row_stride: self.row_stride,
            lifetime: PhantomData,
        };
        let places = places([self.rows, self.cols], [height, width]);
        places.map(|(rows, cols)| (rows.clone(), cols.clone(), tile(rows, cols))).collect()
    }
}

/// The places of tiles of at most `[height, width]` in a matrix of `[rows, cols]`.
pub(crate) fn places(
    [rows, cols]: [usize; 2],
    [height, width]: [usize; 2],
) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let starts = |n: usize, side| (0..n).step_by(side).map(move |i| i..(i + side).min(n));
    starts(rows, height)
        .flat_map(move |rows| starts(cols, width).map(move |cols| (rows.clone(), cols)))
}

/// `dst = a · b`, or `dst += a · b` when `accumulate`, on the calling thread. A row's result does not
/// depend on how many there are.
pub(crate) fn matmul(dst: MatMut<'_>, a: Mat<'_>, b: Mat<'_>, accumulate: bool) {
    assert_eq!((a.rows, a.cols, b.cols), (dst.rows, b.rows, dst.cols), "shapes of a product");
    match (dst.rows, dst.cols) {
        (0, _) | (_, 0) => {}
        (1, _) => twice(dst, a, b, accumulate), // gemm sums single rows in another order
        _ => product(dst, a, b, accumulate),
    }
}

/// A product of one row, taken as two equal ones.
fn twice(dst: MatMut<'_>, a: Mat<'_>, b: Mat<'_>, accumulate: bool) {
    let cols = dst.cols;
    with_scratch(2 * cols, |rows| {
        // SAFETY: `dst` is one row of `cols` values, exclusively borrowed.
        let row = unsafe { std::slice::from_raw_parts_mut(dst.data, cols) };
        rows.chunks_exact_mut(cols).for_each(|copy| copy.copy_from_slice(row));
        let a = Mat { rows: 2, row_stride: 0, ..a };
        product(MatMut::new(rows, 2, cols), a, b, accumulate);
        row.copy_from_slice(&rows[..cols]);
    });
}

fn product(dst: MatMut<'_>, a: Mat<'_>, b: Mat<'_>, accumulate: bool) {
    let last = |m: &Mat| (m.rows - 1) * m.row_stride + (m.cols - 1) * m.col_stride;
    assert!(a.cols > 0 && last(&a) < a.data.len() && last(&b) < b.data.len(), "a view too small");
    // SAFETY: the views contain all their elements (checked above), and `dst` is exclusively
    // borrowed, so it overlaps neither.
    unsafe {
        gemm::gemm(
            dst.rows,
            dst.cols,
            a.cols,
            dst.data,
            1,
            dst.row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// [`matmul`] on all threads, in tiles of the output.
pub(crate) fn parallel_matmul(dst: MatMut<'_>, a: Mat<'_>, b: Mat<'_>, accumulate: bool) {
    dst.tiles(ROW_BLOCK, COLUMN_BLOCK).into_par_iter().for_each(|(rows, cols, out)| {
        let (a, b) = (a.block(rows, 0..a.cols), b.block(0..b.rows, cols));
        matmul(out, a, b, accumulate);
    });
}

/// `dst = Σ a · b` over the pairs, or `dst += …` when `accumulate`, on all threads, tile by tile of
/// the output; each tile takes the pairs in order.
pub(crate) fn matmul_sum(dst: MatMut<'_>, pairs: &[(Mat<'_>, Mat<'_>)], accumulate: bool) {
    for (a, b) in pairs {
        assert_eq!((a.rows, b.cols), (dst.rows, dst.cols), "shapes of a product");
    }
    dst.tiles(SUM_TILE, SUM_TILE).into_par_iter().for_each(|(rows, cols, mut out)| {
        for (i, (a, b)) in pairs.iter().enumerate() {
            let (a, b) = (a.block(rows.clone(), 0..a.cols), b.block(0..b.rows, cols.clone()));
            matmul(out.reborrow(), a, b, accumulate || i > 0);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::random_vec;

    fn slow(a: Mat, b: Mat) -> Vec<f32> {
        let at = |m: &Mat, i: usize, j: usize| m.data[i * m.row_stride + j * m.col_stride] as f64;
        let mut out = Vec::new();
        for i in 0..a.rows {
            for j in 0..b.cols {
                out.push((0..a.cols).map(|k| at(&a, i, k) * at(&b, k, j)).sum::<f64>() as f32);
            }
        }
        out
    }

    #[test]
    fn rows_do_not_depend_on_how_many_there_are() {
        for (k, n) in [(5, 7), (64, 161), (161, 32), (700, 128), (128, 700), (3, 1)] {
            let (rows, y) = (131, random_vec(k * n, 2));
            let x = random_vec(rows * k, 1);
            let some = |count: usize| {
                let mut out = vec![0.0; count * n];
                let a = Mat::new(&x[..count * k], count, k);
                parallel_matmul(MatMut::new(&mut out, count, n), a, Mat::new(&y, k, n), false);
                out
            };
            let all = some(rows);
            for count in [1, 2, 3, 5, 8, 17, 64] {
                assert_eq!(some(count), all[..count * n], "{count} rows, {k} x {n}");
            }
        }
    }

    #[test]
    fn products_equal_the_triple_loop_on_odd_sizes() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (17, 33, 65), (300, 31, 270), (1, 700, 2)] {
            let (x, y) = (random_vec(m * k, 1), random_vec(k * n, 2));
            let pairs = [
                (Mat::new(&x, m, k), Mat::new(&y, k, n)),
                (Mat::new(&x, k, m).t(), Mat::new(&y, n, k).t()),
            ];
            for (a, b) in pairs {
                let want = slow(a, b);
                let mut got = vec![1.0; m * n];
                matmul_sum(MatMut::new(&mut got, m, n), &[(a, b)], true);
                let mut again = vec![1.0; m * n];
                parallel_matmul(MatMut::new(&mut again, m, n), a, b, true);
                assert_eq!(got, again);
                for (g, w) in got.iter().zip(&want) {
                    assert!((g - 1.0 - w).abs() < 1e-5 * (k as f32).sqrt().max(4.0), "{g} {w}");
                }
            }
        }
    }
}
