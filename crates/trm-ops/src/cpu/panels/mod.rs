//! Matrix products with f32 sums, built from one micro-kernel.
//!
//! Every product is taken panel by panel: [`Format::panel_product`] multiplies some rows of a left operand
//! with 32 columns of a right one and leaves a dense `[rows, 32]` tile of f32, small enough to stay
//! in the first caches while the caller turns it into what it needs. A [`Format`] says how tensors store
//! the elements and how the kernel reads them.

mod format;
mod kernel;
mod left;
mod pack;
mod products;

pub(crate) use format::{Bf16Pairs, Bf16Wide, F32, Format, dispatch_format};
pub(crate) use kernel::{Lhs, Operand};
pub(crate) use left::{PackedLhs, with_rows};
pub(crate) use pack::{PackedRhs, grouped, interleave, pack_columns, pack_rows};
pub(crate) use products::{
    add_transposed_product, product, scratch, store_columns, times, times_block,
};

/// Columns of a panel.
pub(crate) const PANEL: usize = 32;

/// Columns of half a panel. In memory a panel is `[2, K / GROUP, 16, GROUP]`: what a kernel reads of a half lies
/// together, so that it fills all sets of a cache evenly.
pub(crate) const STRIP: usize = PANEL / 2;

/// Most rows that one task works on: as many as stay in the second cache with what they become. Of pairs eight tiles.
const fn max_row_block<F: Format>() -> usize {
    if F::Operand::GROUP > 1 { 8 * F::Operand::TILE_ROWS } else { 192 }
}

/// Rows per task, so that every thread gets the same number of tasks of nearly the same size. A row's result
/// does not depend on the rows beside it.
pub(crate) fn row_block<F: Format>(rows: usize) -> usize {
    let tasks = rows.div_ceil(max_row_block::<F>()).next_multiple_of(crate::cpu::tasks::hands());
    rows.div_ceil(tasks)
}
