//! Products of matrices: where their numbers lie, and what follows while sums are in registers.

use super::dims;
use crate::gpu::Gpu;
use crate::job::{Operand, each, list, whole, window};
use crate::programs::{Program, source};
use trm_ops::{DType, NORM_EPS, Tensor};

/// How far apart the numbers of an operand are: from one z to the next, one o, one row or column, one k.
#[derive(Clone, Copy)]
pub(super) struct Strides {
    pub(super) z: usize,
    pub(super) o: usize,
    pub(super) line: usize,
    pub(super) k: usize,
}

impl Strides {
    /// A matrix with rows (of a) or columns (of b) that lie together: `k` is the fast direction.
    pub(super) fn along_k(k: usize) -> Strides {
        Strides { z: 0, o: 0, line: k, k: 1 }
    }

    /// A matrix whose k are `lines` apart.
    pub(super) fn across(lines: usize) -> Strides {
        Strides { z: 0, o: 0, line: 1, k: lines }
    }

    pub(super) fn each(self, z: usize) -> Strides {
        Strides { z, ..self }
    }
}

/// What is done with a sum, as `FOLLOW` in the program.
#[derive(Clone, Copy)]
pub(super) enum Follow<'a> {
    Store,
    Bias(Operand<'a>),
    /// Along columns or rows; what goes into the gate is kept where it is given.
    Gate(Axis, Option<Operand<'a>>),
    /// h, and along what it is normed.
    Norm(Axis, Operand<'a>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Columns,
    Rows,
}

/// A product: `out[z, m, n] = Σ a[z, m, (o, k)] · b[z, (o, k), n]`.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    /// M, N, K.
    pub(super) sizes: [usize; 3],
    /// How many o.
    pub(super) outer: usize,
    pub(super) a: (Operand<'a>, Strides),
    pub(super) b: (Operand<'a>, Strides),
    pub(super) out: Operand<'a>,
    pub(super) follow: Follow<'a>,
    /// Number format of a and b, and of what is stored.
    pub(super) formats: [DType; 2],
    pub(super) parts: Parts,
}

/// What the rows of a launch are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// Rows of a, so many: M.
    RowsOfA,
    /// z, so many.
    Batch(usize),
    /// Parts of k, or of o, so many, with so many terms each.
    OfK(usize, usize),
    OfO(usize, usize),
}

impl Gpu {
    /// Threads of a group along columns and rows.
    fn tile(&self, [m, n]: [usize; 2], follow: Follow<'_>) -> [usize; 2] {
        let (sizes, threads) = (self.sizes, self.sizes.product[0] * self.sizes.product[1]);
        let needed = |lines: usize| lines.div_ceil(8).next_power_of_two();
        match follow {
            Follow::Norm(Axis::Columns, _) => [n.div_ceil(8), (threads / n.div_ceil(8)).max(1)],
            Follow::Norm(Axis::Rows, _) => {
                [(threads / m.div_ceil(8)).clamp(1, needed(n)), m.div_ceil(8)]
            }
            _ => {
                let x = sizes.product[0].min(needed(n));
                let y = (threads / x).min(needed(m));
                [(threads / y).clamp(x, needed(n).max(x)), y]
            }
        }
    }

    /// Whether a group has room for whole lines of so many numbers.
    pub(super) fn holds(&self, len: usize) -> bool {
        let threads = len.div_ceil(8);
        let other = (self.sizes.product[0] * self.sizes.product[1] / threads).max(1);
        let tiles = self.depth(8 * (threads + other)) * 8 * (threads + other) * 4;
        threads <= self.sizes.most
            && threads <= 64
            && tiles + 8 * threads * other * 4 <= self.sizes.shared
    }

    /// Terms at a time for tiles with so many lines.
    fn depth(&self, lines: usize) -> usize {
        let fitting = self.sizes.shared / 2 / (4 * lines);
        self.sizes.depth.min(1 << fitting.max(1).ilog2())
    }

    pub(super) fn product(&self, product: &Product<'_>) {
        let [m, n, k] = product.sizes;
        let [rows_of_a, columns_of_b] = match product.follow {
            Follow::Gate(Axis::Columns, _) => [m, 2 * n],
            Follow::Gate(Axis::Rows, _) => [2 * m, n],
            _ => [m, n],
        };
        let [x, y] = self.tile([rows_of_a, columns_of_b], product.follow);
        let nothing = [self.buffer(4), self.buffer(4)]; // bound and not looked at
        let (no_term, no_pre) = (list(&nothing[0]), list(&nothing[1]).out());
        let (follow, term, pre) = match product.follow {
            Follow::Store => (0, no_term, None),
            Follow::Bias(bias) => (1, bias, None),
            Follow::Gate(axis, pre) => (2 + usize::from(axis == Axis::Rows), no_term, pre),
            Follow::Norm(axis, h) => (4 + usize::from(axis == Axis::Rows), h, None),
        };
        let (rows, split, chunk) = match product.parts {
            Parts::RowsOfA => (m, 0, 0),
            Parts::Batch(z) => (z, 0, 0),
            Parts::OfK(parts, chunk) => (parts, 1, chunk),
            Parts::OfO(parts, chunk) => (parts, 2, chunk),
        };
        let ((a, at), (b, bt)) = (product.a, product.b);
        let program = Program::new(source::product, "product", product.formats[0])
            .with("TX", x)
            .with("TY", y)
            .with("DEPTH", self.depth(8 * (x + y)))
            .with("FOLLOW", follow)
            .with("KEEP", usize::from(pre.is_some()))
            .with("SUMS", if follow >= 4 { 8 * x * y } else { 1 })
            .with("SPLIT", split)
            .with("ROWS_OF_A", usize::from(product.parts == Parts::RowsOfA))
            .with("A_ALONG_K", usize::from(at.k == 1))
            .with("B_ALONG_K", usize::from(bt.k == 1))
            .storing(product.formats[1]);
        let sizes = [m, n, k, product.outer, chunk];
        let strides = [at.z, at.o, at.line, at.k, bt.z, bt.o, bt.k, bt.line];
        let numbers: Vec<u32> =
            sizes.iter().chain(&strides).map(|x| *x as u32).chain([NORM_EPS.to_bits()]).collect();
        let operands = [a, b, product.out, term, pre.unwrap_or(no_pre)];
        let z = if let Parts::Batch(z) = product.parts { z } else { 1 };
        self.count_flops(program.name(), z * rows_of_a * columns_of_b * k * product.outer);
        let of_rows = product.parts == Parts::RowsOfA;
        let tiles_n = columns_of_b.div_ceil(8 * x);
        self.run(&program, rows, &operands, &numbers, |rows| match of_rows {
            true => rows.div_ceil(8 * y) * tiles_n,
            false => rows * rows_of_a.div_ceil(8 * y) * tiles_n,
        });
    }

    /// `x · Wᵀ` for the rows of x, into `out`; W is a matrix in the format of x.
    pub(super) fn rows_times(
        &self,
        x: &Tensor,
        w: &Tensor,
        [n, k]: [usize; 2],
        out: &Tensor,
        follow: Follow<'_>,
    ) {
        let rows = x.len() / k;
        self.product(&Product {
            sizes: [rows, n, k],
            outer: 1,
            a: (each(x, rows), Strides::along_k(k)),
            b: (whole(w), Strides::along_k(k)),
            out: each(out, rows).out(),
            follow,
            formats: [x.dtype(), out.dtype()],
            parts: Parts::RowsOfA,
        });
    }

    /// `d · W` for the rows of d, `[.., n]`, into `out`, `[.., k]`.
    pub(super) fn rows_times_turned(
        &self,
        d: &Tensor,
        w: &Tensor,
        [n, k]: [usize; 2],
        out: &Tensor,
    ) {
        let rows = d.len() / n;
        self.product(&Product {
            sizes: [rows, k, n],
            outer: 1,
            a: (each(d, rows), Strides::along_k(n)),
            b: (whole(w), Strides::across(k)),
            out: each(out, rows).out(),
            follow: Follow::Store,
            formats: [d.dtype(), out.dtype()],
            parts: Parts::RowsOfA,
        });
    }

    /// For every puzzle `W · h`, h `[B, l, d]`, into `out`, `[B, m, d]`; W `[m, l]`, or `[l, m]` where it is turned.
    pub(super) fn times_tokens(
        &self,
        (w, turned): (&Tensor, bool),
        h: &Tensor,
        m: usize,
        out: &Tensor,
        follow: Follow<'_>,
    ) {
        let [batch, l, d] = *h.shape() else { panic!("[B, L, D]") };
        let strides = if turned { Strides::across(m) } else { Strides::along_k(l) };
        self.product(&Product {
            sizes: [m, d, l],
            outer: 1,
            a: (whole(w), strides),
            b: (each(h, batch), Strides::across(d).each(l * d)),
            out: each(out, batch).out(),
            follow,
            formats: [h.dtype(), out.dtype()],
            parts: Parts::Batch(batch),
        });
    }

    /// Adds `d_outᵀ · x`, summed over rows, to `sum`, or begins it.
    pub(crate) fn add_rows_product(
        &self,
        sum: &mut Tensor,
        started: bool,
        d_out: &Tensor,
        x: &Tensor,
    ) {
        let (n, k) = (*d_out.shape().last().expect("[.., N]"), *x.shape().last().expect("[.., K]"));
        let rows = x.len() / k;
        self.own(sum);
        let windows = self.windows(rows, &[d_out, x]);
        self.add_parts(sum, started, windows, |range, started, sum| {
            let (parts, chunk) = self.parts_of(range.len(), n * k);
            let partial = self.partial(sum, parts, n * k);
            self.product(&Product {
                sizes: [n, k, range.len()],
                outer: 1,
                a: (window(d_out, rows, range), Strides::across(n)),
                b: (window(x, rows, range), Strides::across(k)),
                out: whole(&partial).out(),
                follow: Follow::Store,
                formats: [x.dtype(), DType::F32],
                parts: Parts::OfK(parts, chunk),
            });
            self.join(&partial, parts, sum, started);
        });
    }

    /// Adds `Σ_b a_b · b_bᵀ`, for a `[B, N, D]` and b `[B, K, D]`.
    pub(crate) fn add_tokens_product(
        &self,
        sum: &mut Tensor,
        started: bool,
        a: &Tensor,
        b: &Tensor,
    ) {
        let ([batch, n, d], [_, k, _]) = (dims(a), dims(b));
        self.own(sum);
        let windows = self.windows(batch, &[a, b]);
        self.add_parts(sum, started, windows, |range, started, sum| {
            let (parts, chunk) = self.parts_of(range.len(), n * k);
            let partial = self.partial(sum, parts, n * k);
            let strides = |lines: usize| Strides { o: lines * d, ..Strides::along_k(d) };
            self.product(&Product {
                sizes: [n, k, d],
                outer: range.len(),
                a: (window(a, batch, range), strides(n)),
                b: (window(b, batch, range), strides(k)),
                out: whole(&partial).out(),
                follow: Follow::Store,
                formats: [a.dtype(), DType::F32],
                parts: Parts::OfO(parts, chunk),
            });
            self.join(&partial, parts, sum, started);
        });
    }
}
