//! From an operation over rows to launches: what does not fit into a binding is taken piece by piece.

use crate::buffers::Buffer;
use crate::gpu::{Counting, Gpu};
use crate::opened::Launch;
use crate::programs::{Access, Program};
use std::ops::Range;
use std::time::Instant;
use trm_ops::Tensor;

/// Groups along the first dimension of a launch, at most.
const ACROSS: usize = 65_535;

/// What a program sees of a buffer.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'a> {
    buffer: &'a Buffer,
    access: Access,
    span: Span,
}

#[derive(Clone, Copy)]
enum Span {
    /// All of it, so many bytes.
    Whole(usize),
    /// The rows that are worked on, each of so many bytes.
    Rows(usize),
    /// From a byte on, so many.
    Part(usize, usize),
}

/// The buffer of a tensor of this device.
pub(crate) fn buffer(x: &Tensor) -> &Buffer {
    x.storage().downcast_ref().expect("a tensor of a GPU")
}

fn bytes(x: &Tensor) -> usize {
    x.len() * x.dtype().size()
}

/// Read, all of it at once.
pub(crate) fn whole(x: &Tensor) -> Operand<'_> {
    Operand { buffer: buffer(x), access: Access::Read, span: Span::Whole(bytes(x)) }
}

/// Read, as `rows` equal parts.
pub(crate) fn each(x: &Tensor, rows: usize) -> Operand<'_> {
    Operand { buffer: buffer(x), access: Access::Read, span: Span::Rows(bytes(x) / rows.max(1)) }
}

/// Read, some of its `rows` equal parts, from [`Gpu::windows`].
pub(crate) fn window<'a>(x: &'a Tensor, rows: usize, range: &Range<usize>) -> Operand<'a> {
    let row = bytes(x) / rows.max(1);
    Operand {
        buffer: buffer(x),
        access: Access::Read,
        span: Span::Part(range.start * row, range.len() * row),
    }
}

/// Read, elements from `first` on, and how many elements before `first` the program sees: bindings begin at multiples
/// of the device's alignment only.
pub(crate) fn from<'a>(
    gpu: &Gpu,
    x: &'a Tensor,
    first: usize,
    count: usize,
) -> (Operand<'a>, usize) {
    let (size, alignment) = (x.dtype().size(), gpu.alignment as usize);
    let start = first * size / alignment * alignment;
    let span = Span::Part(start, (first + count) * size - start);
    (Operand { buffer: buffer(x), access: Access::Read, span }, first - start / size)
}

/// Read bytes that are no tensor.
pub(crate) fn list(x: &Buffer) -> Operand<'_> {
    Operand { buffer: x, access: Access::Read, span: Span::Whole(x.raw.size() as usize) }
}

impl Operand<'_> {
    /// The same, to be written.
    pub(crate) fn out(self) -> Self {
        Operand { access: Access::Write, ..self }
    }
}

impl Gpu {
    /// Runs a program over `rows` rows. Its numbers begin with how many rows a launch has and which is its first;
    /// `groups` says how many groups of threads so many rows need.
    pub(crate) fn run(
        &self,
        program: &Program,
        rows: usize,
        operands: &[Operand<'_>],
        numbers: &[u32],
        groups: impl Fn(usize) -> usize,
    ) {
        if rows == 0 || self.fault().is_some() {
            return;
        }
        let sizes = operands.iter().map(|o| if let Span::Rows(bytes) = o.span { bytes } else { 0 });
        let at_once = self.rows_at_once(rows, &sizes.collect::<Vec<_>>());
        for first in (0..rows).step_by(at_once) {
            let count = at_once.min(rows - first);
            self.launch_rows(program, (first, count), operands, (numbers, groups(count)));
        }
    }

    /// Records one launch.
    fn launch_rows<'a>(
        &self,
        program: &Program,
        (first, count): (usize, usize),
        operands: &[Operand<'a>],
        (numbers, groups): (&[u32], usize),
    ) {
        let part = |o: Operand<'a>| match o.span {
            Span::Whole(bytes) => (o.buffer, 0, bytes as u64),
            Span::Rows(bytes) => (o.buffer, (first * bytes) as u64, (count * bytes) as u64),
            Span::Part(first, bytes) => (o.buffer, first as u64, bytes as u64),
        };
        let parts: Vec<_> = operands.iter().copied().map(part).collect();
        let bytes = parts.iter().map(|(_, _, bytes)| bytes).sum();
        if self.limits.counting == Counting::Dry {
            return self.count(program.name(), bytes, 0.0);
        }
        let accesses: Vec<Access> = operands.iter().map(|o| o.access).collect();
        let (opened, started) = (self.opened(), Instant::now());
        let (pipeline, layout) = &opened.programs.get(program, &accesses);
        let bound = &opened.bind(layout, &parts);
        let numbers = &[&[count as u32, first as u32], numbers].concat();
        let across = groups.clamp(1, ACROSS);
        let groups = [across as u32, groups.div_ceil(across).max(1) as u32];
        opened.launch(&Launch { pipeline, bound, numbers, groups });
        self.count(program.name(), bytes, started.elapsed().as_secs_f64());
    }

    /// One launch whose rows begin at `first`: all of a window at once, in so many groups.
    pub(crate) fn run_window(
        &self,
        program: &Program,
        (first, rows): (usize, usize),
        operands: &[Operand<'_>],
        numbers: &[u32],
        groups: usize,
    ) {
        if rows > 0 && self.fault().is_none() {
            self.launch_rows(program, (first, rows), operands, (numbers, groups));
        }
    }

    /// [`Gpu::run`] with one thread for each of so many elements of every row.
    pub(crate) fn run_each(
        &self,
        program: Program,
        rows: usize,
        of_row: usize,
        operands: &[Operand<'_>],
        numbers: &[u32],
    ) {
        let group = self.sizes.group;
        let program = program.with("GROUP", group);
        self.run(&program, rows, operands, numbers, |rows| (rows * of_row).div_ceil(group));
    }

    /// Ranges of rows whose parts of the tensors fit into bindings; for programs that see all rows of a launch at once.
    pub(crate) fn windows(&self, rows: usize, tensors: &[&Tensor]) -> Vec<Range<usize>> {
        let sizes: Vec<usize> = tensors.iter().map(|x| bytes(x) / rows.max(1)).collect();
        let at_once = self.rows_at_once(rows, &sizes);
        (0..rows).step_by(at_once.max(1)).map(|first| first..(first + at_once).min(rows)).collect()
    }

    /// How many rows of these sizes fit into bindings, beginning at offsets that a binding may have.
    fn rows_at_once(&self, rows: usize, sizes: &[usize]) -> usize {
        let limit = self.limits.binding as usize;
        let largest = sizes.iter().copied().max().unwrap_or(0);
        if rows * largest <= limit {
            return rows;
        }
        let alignment = self.alignment as usize;
        // powers of two: the largest is a multiple of all
        let steps =
            sizes.iter().filter(|size| **size > 0).map(|size| alignment / gcd(*size, alignment));
        let step = steps.max().unwrap_or(1);
        (limit / largest / step * step).max(step)
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
