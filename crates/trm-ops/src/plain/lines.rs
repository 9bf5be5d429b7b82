//! Lines of a grid, number by number.

use super::values::{like, tensor, values};
use crate::Tensor;
use crate::ops::lines::Lines;

/// The features of the cells of every line, one list after the other: of the puzzles, their lines, their features.
fn members(x: &Tensor, lines: Lines) -> Vec<Vec<f32>> {
    let [batch, cells, d] = *x.shape() else { panic!("{:?} is not [B, S, D]", x.shape()) };
    let mut members = vec![Vec::new(); batch * lines.count(cells) * d];
    for (at, x) in values(x).iter().enumerate() {
        let (i, cell, puzzle) = (at % d, at / d % cells, at / (d * cells));
        members[(puzzle * lines.count(cells) + lines.of(cell)) * d + i].push(*x);
    }
    members
}

fn of_lines(x: &Tensor, lines: Lines, width: usize, values: Vec<f32>) -> Tensor {
    tensor(x.device(), &[x.shape()[0], lines.count(x.shape()[1]), width], x.dtype(), values)
}

pub(super) fn forward(h: &Tensor, lines: Lines) -> Tensor {
    let d = h.last_dim();
    let rows = members(h, lines);
    let said = |features: &[Vec<f32>]| {
        let mean = features.iter().map(|line| line.iter().sum::<f32>() / line.len() as f32);
        let largest = features.iter().map(|line| line.iter().copied().fold(f32::MIN, f32::max));
        mean.chain(largest).collect::<Vec<_>>()
    };
    of_lines(h, lines, 2 * d, rows.chunks(d).flat_map(said).collect())
}

pub(super) fn backward(h: &Tensor, d_out: &Tensor, lines: Lines) -> Tensor {
    let (cells, d) = (h.shape()[1], h.last_dim());
    let (hs, owed) = (values(h), values(d_out));
    like(h, |at| {
        let (i, cell, puzzle) = (at % d, at / d % cells, at / (d * cells));
        let line: Vec<usize> = (0..cells).filter(|c| lines.of(*c) == lines.of(cell)).collect();
        let of = |cell: usize| hs[(puzzle * cells + cell) * d + i];
        let first = line.iter().copied().reduce(|a, b| if of(b) > of(a) { b } else { a });
        let owed = &owed[(puzzle * lines.count(cells) + lines.of(cell)) * 2 * d..][..2 * d];
        let held = if first == Some(cell) { owed[d + i] } else { 0.0 };
        owed[i] / line.len() as f32 + held
    })
}

pub(super) fn add(x: &Tensor, rows: &Tensor, columns: &Tensor) -> Tensor {
    let (cells, d, count) = (x.shape()[1], x.last_dim(), columns.shape()[1]);
    like(x, |at| {
        let (i, cell, puzzle) = (at % d, at / d % cells, at / (d * cells));
        let row = values(rows)[(puzzle * (cells / count) + cell / count) * d + i];
        values(x)[at] + row + values(columns)[(puzzle * count + cell % count) * d + i]
    })
}

pub(super) fn sums(x: &Tensor, lines: Lines) -> Tensor {
    let sums = members(x, lines).iter().map(|line| line.iter().sum()).collect();
    of_lines(x, lines, x.last_dim(), sums)
}
