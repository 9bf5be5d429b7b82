//! The best of several written answers.

use trm::{Autoregressive, AutoregressiveConfig, Order};
use trm_data::{Generated, Kind, Purpose, generate_sudoku, stream};
use trm_ops::{Device, Stop};
use trm_puzzles::sudoku::{Givens, Shape};
use trm_study::{Chosen, SampleOptions, best_of, write_best};

#[test]
fn the_best_of_several_answers_is_the_first_that_keeps_the_rules_or_the_likeliest() {
    let kind = Kind::Random(Givens::AtLeast(6..=10));
    let wanted = Generated { shape: Shape::Four, train: 1, test: 40, kind, seed: 5 };
    let mut data = generate_sudoku(&wanted, None, &mut |_| ()).unwrap().test;
    data.inputs.clone_from(&data.labels);
    (0..40).for_each(|puzzle| data.inputs[16 * puzzle + puzzle % 16] = 1); // one cell is left to fill
    let config = AutoregressiveConfig {
        domain: "sudoku4".into(),
        vocab_size: 6,
        seq_len: 16,
        order: Order::Solver,
        hidden: 16,
        heads: 2,
        ..AutoregressiveConfig::default()
    };
    let rng = &mut stream(1, Purpose::Weights, 0);
    let model = Autoregressive::new(&config, &Device::cpu(1), rng).unwrap();
    let options = SampleOptions { samples: 30, temperature: 2.0, seed: 9, batch: 40 };
    let never = Stop::default();
    let scores = best_of(&model, &data, options, &never, &mut |_| ()).unwrap();
    assert!(scores.iter().all(|score| score.puzzles == 40));
    let domain = config.domain.parse().unwrap();
    let choose = |batch: usize| {
        let mut all = Vec::new();
        let options = SampleOptions { batch, ..options };
        write_best(&model, (&domain, &data.questions()), options, &mut |puzzle, chosen| {
            assert_eq!(puzzle, all.len());
            all.push(chosen.clone());
        })
        .unwrap();
        all
    };
    let chosen = choose(40);
    let solved = chosen.iter().filter(|c| c.verdict.as_ref().unwrap().is_solved()).count();
    assert!(scores[0].by_rules < solved && solved < 40, "a test that tells nothing: {solved}");
    assert_eq!((scores[29].by_rules, scores[29].any), (solved, solved)); // a puzzle has one solution
    for (k, score) in scores.iter().enumerate() {
        let found = |c: &&Chosen| c.sample <= k + 1 && c.verdict.as_ref().unwrap().is_solved();
        assert_eq!(score.by_rules, chosen.iter().filter(found).count());
        assert!(score.by_probability <= score.by_rules);
    }
    // stopped when the first ten have all their answers
    let (some, stop) = (SampleOptions { batch: 10, ..options }, Stop::default());
    let stopped = best_of(&model, &data, some, &stop, &mut |_| stop.request()).unwrap();
    let first = data.select_groups(&(0..10).collect::<Vec<_>>());
    assert_eq!(stopped, best_of(&model, &first, some, &never, &mut |_| ()).unwrap());
    assert_eq!(stopped[0].puzzles, 10);
    // whoever else is in a batch
    for (a, b) in chosen.iter().zip(choose(7)) {
        assert_eq!((&a.answer, a.sample), (&b.answer, b.sample));
    }
}
