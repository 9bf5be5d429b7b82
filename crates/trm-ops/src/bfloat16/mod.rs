//! bf16 matrix products with f32 sums, built from one micro-kernel.
//!
//! Every product is taken panel by panel: [`panel_product`] multiplies some rows of a left operand
//! with 32 columns of a right one and leaves a dense `[rows, 32]` tile of f32, small enough to stay
//! in the first caches while the caller turns it into what it needs. Both operands hold their
//! elements in pairs along the summed axis, as the processor's `vdpbf16ps` takes them.

mod kernel;
mod pack;
mod products;

pub(crate) use kernel::{Lhs, multiplies_bf16, panel_product};
pub(crate) use pack::{PackedRhs, even_rows, interleave, pack_columns, pack_rows};
pub(crate) use products::{add_transposed_product, scratch, store_columns, times, times_block};

/// Columns of a panel.
pub(crate) const PANEL: usize = 32;

/// Rows of a full micro-tile: 14 x 2 vectors of sums leave four registers for the operands.
pub(crate) const TILE_ROWS: usize = 14;

/// Most rows that one task works on: eight micro-tiles.
const MAX_ROW_BLOCK: usize = 8 * TILE_ROWS;

/// Rows per task, so that every thread gets the same number of tasks, of whole or half micro-tiles.
/// A row's result does not depend on the rows beside it.
pub(crate) fn row_block(rows: usize) -> usize {
    let tasks = rows.div_ceil(MAX_ROW_BLOCK).next_multiple_of(rayon::current_num_threads());
    rows.div_ceil(tasks).next_multiple_of(TILE_ROWS / 2).min(MAX_ROW_BLOCK)
}
