//! What others have reached on Sudoku-Extreme (docs/REFERENCE.md, section 5).

use crate::Published;

/// Of the public preset, the mixer of 5 M parameters.
pub(super) const PUBLISHED: Published = Published {
    flops: 25_632_306_176.0,
    results: &[
        ("TRM mixer, 5 M, one pass of 16, 64, 256 steps", &[(16, 79.3), (64, 83.5), (256, 86.3)]),
        ("TRM mixer, 100 × 64 steps, noise, chosen by halting head", &[(100 * 64, 98.8)]),
        ("TRM mixer, 128 × 64 steps, restarts, checked by rules", &[(128 * 64, 97.5)]),
    ],
    note: "Published points are of the whole test set of Sudoku-Extreme; how many steps a search spent before it \
           stopped is not published, so that theirs are the most.",
};
