//! A recipe for data that come without one.

use super::Recipe;
use trm_data::Dataset;
use trm_puzzles::Domain;

/// Work that a training should take at most, in floating-point operations: some twenty minutes of two cores.
const WORK: f64 = 6e13;
/// Visits of an example after which a small network has seen enough, fresh symmetries included.
const VISITS: usize = 200;
const MOST_STEPS: u64 = 5000;
const FEWEST_STEPS: u64 = 300;

impl Recipe {
    /// The text of a recipe that suits these data and a CPU: how tokens exchange information by the kind of puzzle,
    /// sizes by its cells, steps by the number of examples and the work. `data` and other keys outside of sections
    /// are the caller's to put before it.
    pub fn suited(data: &Dataset) -> String {
        let one_step = text(data, FEWEST_STEPS);
        let recipe = Recipe::parse(&one_step, &[]).expect("a recipe of ours");
        let batch = recipe.train.batch as u64;
        let by_work = WORK / (recipe.model_for(data).training_flops() * batch as f64);
        let by_visits = (VISITS * data.len()) as u64 / batch;
        let steps = by_visits.min(by_work as u64).clamp(FEWEST_STEPS, MOST_STEPS) / 100 * 100;
        text(data, steps)
    }
}

fn text(data: &Dataset, steps: u64) -> String {
    let metadata = &data.metadata;
    let cells = metadata.seq_len;
    let domain: Option<Domain> = metadata.domain.parse().ok();
    let mix = match &domain {
        Some(domain) if domain.has_units() => {
            let (rows, columns) = domain.layout().boxes;
            format!(
                "\"units\"           # by what a row, a column and a box share\nboxes = [{rows}, {columns}]"
            )
        }
        Some(domain) if domain.has_unordered_lines() => {
            "\"axes\"            # rows and columns without order".to_owned()
        }
        Some(domain) if domain.is_plane() => "\"neighbours\"      # as on a grid".to_owned(),
        _ if cells <= 100 => "\"mixer\"           # few places, always the same".to_owned(),
        _ => "\"attention\"\npositions = \"rope\"\nheads = 4".to_owned(),
    };
    let has_tasks = domain.as_ref().is_some_and(|domain| domain.has_tasks());
    let hidden = match &domain {
        Some(domain) if domain.has_units() || has_tasks => 64,
        Some(domain) if domain.is_plane() => 96,
        _ => 128,
    };
    let (prefix, embedding) = match metadata.num_puzzle_identifiers {
        0 | 1 => (0, 0),
        _ => (1, hidden), // a vector for every puzzle identifier
    };
    let symmetries = domain.is_some();
    let validation = if has_tasks { 0 } else { (data.groups() / 10).min(200) };
    let batch = if cells > 400 { 16 } else { 32 };
    let every = (steps / 20).max(25);
    format!(
        "[model]\nmix = {mix}\nhidden = {hidden}\ninner_multiple = 32\nexpansion = 3.0\ncycles = 2\n\
         recursions = 3\nsupervision_steps = 8\nprefix_len = {prefix}\npuzzle_embedding = {embedding}\n\n\
         [train]\nsteps = {steps}\nbatch = {batch}\noptimizer = \"muon\"\nmuon_lr = 0.01\nlr = 2e-3\n\
         puzzle_lr = 1e-2\nweight_decay = 0.01\nwarmup = {}\nlr_min_ratio = 0.02\nlikelihood = \"softmax\"\n\
         grad_clip = 1.0\nema = 0.99\nsymmetries = {symmetries}\nvalidation = {validation}\n\
         validate_every = {every}\ntarget = 1.0\ncheckpoint_every = {every}\n",
        every.min(100)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use trm::Mix;
    use trm_data::{Generated, Kind, generate_sudoku};
    use trm_puzzles::sudoku::{Givens, Shape};

    fn suited(data: &Dataset) -> Recipe {
        let text = format!("data = \"d\"\n{}", Recipe::suited(data));
        let recipe = Recipe::parse(&text, &[]).unwrap();
        recipe.model_for(data).check().unwrap();
        recipe
    }

    #[test]
    fn every_kind_of_data_has_a_recipe_of_minutes() {
        let kind = Kind::Random(Givens::AtLeast(6..=10));
        let wanted = Generated { shape: Shape::Four, train: 60, test: 1, kind, seed: 5 };
        let mut data = generate_sudoku(&wanted, None, &mut |_| ()).unwrap().train;
        let recipe = suited(&data);
        assert_eq!((recipe.model.mix, recipe.model.boxes), (Mix::Units, [2, 2]));
        assert_eq!((recipe.train.steps, recipe.train.validation), (300, data.groups() / 10));

        let mut of = |domain: &str, seq_len: usize, vocab_size: usize| {
            let metadata = &mut data.metadata;
            metadata.domain = domain.to_owned();
            (metadata.seq_len, metadata.vocab_size) = (seq_len, vocab_size);
            suited(&data)
        };
        for (domain, cells, vocab, mix) in [
            ("maze11x11", 121, 6, Mix::Neighbours),
            ("arc", 900, 12, Mix::Neighbours),
            ("grid:4x4:ab", 16, 3, Mix::Neighbours),
            ("grid:4x4:ab:rows:columns", 16, 3, Mix::Axes),
            ("grid:16x1:ab", 16, 3, Mix::Mixer),
            ("grid:4x4to1x1:ab", 16, 3, Mix::Mixer),
            ("grid:200x1:ab", 200, 3, Mix::Attention),
            ("", 16, 4, Mix::Mixer),
            ("", 900, 12, Mix::Attention),
        ] {
            let recipe = of(domain, cells, vocab);
            assert_eq!(recipe.model.mix, mix, "{domain}");
            assert!((FEWEST_STEPS..=MOST_STEPS).contains(&recipe.train.steps));
            assert_eq!(recipe.train.symmetries, !domain.is_empty());
        }
    }
}
