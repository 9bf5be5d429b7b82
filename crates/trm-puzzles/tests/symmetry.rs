//! Symmetries keep what makes a puzzle, and the canonical form forgets them.

use std::collections::HashSet;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use trm_puzzles::sudoku::{
    Givens, Grid, Shape, Symmetry, canonical, check_question, class_hash, generate,
    random_solution, verify,
};

fn shapes() -> impl Strategy<Value = Shape> {
    proptest::sample::select(&Shape::ALL)
}

/// Any grid, most of them breaking the rules.
fn grids() -> impl Strategy<Value = Grid> {
    shapes().prop_flat_map(|shape| {
        let digit = prop_oneof![3 => Just(0), 1 => 1..=shape.size() as u8];
        proptest::collection::vec(digit, shape.cells()).prop_map(move |digits| {
            let mut grid = Grid::empty(shape);
            digits.iter().enumerate().for_each(|(cell, &digit)| grid.set(cell, digit));
            grid
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_inverse_undoes(grid in grids(), seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shape = grid.shape();
        let (a, b) = (Symmetry::random(shape, &mut rng), Symmetry::random(shape, &mut rng));
        prop_assert_eq!(a.inverse().apply(&a.apply(&grid)), grid);
        prop_assert_eq!(a.then(&a.inverse()), Symmetry::identity(shape));
        prop_assert_eq!(a.then(&b).apply(&grid), b.apply(&a.apply(&grid)));
        prop_assert_eq!(a.then(&b).inverse(), b.inverse().then(&a.inverse()));
    }

    #[test]
    fn tokens_move_like_digits(grid in grids(), seed: u64) {
        let symmetry = Symmetry::random(grid.shape(), &mut ChaCha8Rng::seed_from_u64(seed));
        let mut tokens = grid.to_tokens();
        symmetry.apply_tokens(&mut tokens);
        prop_assert_eq!(tokens, symmetry.apply(&grid).to_tokens());
    }

    #[test]
    fn images_have_the_same_canonical_form(grid in grids(), seed: u64) {
        let symmetry = Symmetry::random(grid.shape(), &mut ChaCha8Rng::seed_from_u64(seed));
        let form = canonical(&grid);
        prop_assert_eq!(canonical(&symmetry.apply(&grid)), form);
        prop_assert_eq!(canonical(&form), form);
        prop_assert!(form <= grid);
    }

    #[test]
    fn images_of_puzzles_are_puzzles(shape in shapes(), seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let puzzle = generate(shape, &mut rng, &Givens::Minimal);
        let symmetry = Symmetry::random(shape, &mut rng);
        let (question, answer) = (symmetry.apply(&puzzle.question), symmetry.apply(&puzzle.answer));
        prop_assert_eq!(check_question(&question), Ok(answer));
        prop_assert!(verify(&question, &answer).is_solved());
        prop_assert_eq!(class_hash(&question), class_hash(&puzzle.question));
        prop_assert_eq!(canonical(&answer), canonical(&puzzle.answer));
    }

    #[test]
    fn every_grid_survives_printing(grid in grids()) {
        let drawn = trm_puzzles::sudoku::render(&grid);
        prop_assert_eq!(Grid::parse(&grid.to_string(), None), Ok(grid));
        prop_assert_eq!(Grid::parse(&drawn, None), Ok(grid));
        prop_assert_eq!(Grid::from_tokens(grid.shape(), &grid.to_tokens()), Ok(grid));
    }
}

#[test]
fn padding_and_strangers_move_but_keep_their_value() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..20 {
        let symmetry = Symmetry::random(Shape::Four, &mut rng);
        let mut tokens = [0, 1, 6, 255, 0, 1, 6, 255, 0, 1, 6, 255, 0, 1, 6, 255];
        symmetry.apply_tokens(&mut tokens);
        tokens.sort_unstable();
        assert_eq!(tokens, [0, 0, 0, 0, 1, 1, 1, 1, 6, 6, 6, 6, 255, 255, 255, 255]);
    }
}

#[test]
fn the_group_is_as_large_as_it_should_be() {
    // Cell rearrangements of 4×4: 8 orders of rows, 8 of columns, 2 for the transpose.
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut marked = Grid::empty(Shape::Four);
    for (cell, digit) in [(0, 1), (1, 2), (6, 1), (11, 3)] {
        marked.set(cell, digit);
    }
    let images: HashSet<_> =
        (0..60_000).map(|_| Symmetry::random(Shape::Four, &mut rng).apply(&marked)).collect();
    // The marks are moved by every symmetry but those that swap what is blank or equal.
    assert_eq!(images.len(), 8 * 8 * 2 * 24);
}

#[test]
fn full_grids_fall_into_the_known_number_of_classes() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (shape, samples, classes) in [(Shape::Four, 500, 2), (Shape::Six, 20_000, 49)] {
        let forms: HashSet<_> =
            (0..samples).map(|_| canonical(&random_solution(shape, &mut rng))).collect();
        let hashes: HashSet<_> = forms.iter().map(class_hash).collect();
        assert_eq!((forms.len(), hashes.len()), (classes, classes), "{shape}");
    }
}
