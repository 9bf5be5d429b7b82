//! Every fuzz target for a moment: its corpus, then random changes of it. Time and memory stay within
//! what the size of the input explains. The long run is `scripts/fuzz`; TRM_FUZZ_TARGET names one target alone.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use trm_fuzz::{TARGETS, bounded, tiny_weights};

/// Changed inputs per target, unless TRM_FUZZ_CHANGES says how many.
const CHANGES: usize = 3000;

/// Flips, cuts, repeats, joins.
fn change(input: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut changed = input.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let place = rng.random_range(0..=changed.len());
        match rng.random_range(0..6) {
            0 if place < changed.len() => changed[place] = rng.random(),
            1 if place < changed.len() => changed[place] ^= 1 << rng.random_range(0..8),
            2 => changed.truncate(place),
            3 => changed.insert(place, rng.random()),
            4 => {
                let part = changed[place..].to_vec();
                changed.extend(part);
            }
            _ => {
                changed.truncate(place);
                changed.extend(&other[rng.random_range(0..=other.len())..]);
            }
        }
    }
    changed.truncate(1 << 16);
    changed
}

#[test]
fn nothing_that_reads_files_or_requests_panics_hangs_or_takes_too_much_memory() {
    let wanted = std::env::var("TRM_FUZZ_CHANGES").ok();
    let changes = wanted.map_or(CHANGES, |wanted| wanted.parse().expect("a number"));
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let only = std::env::var("TRM_FUZZ_TARGET").ok();
    let is_wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    for (name, target) in TARGETS.iter().filter(|(name, _)| is_wanted(name)) {
        let files = std::fs::read_dir(corpora.join(name)).unwrap();
        let mut paths: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let mut inputs: Vec<Vec<u8>> =
            paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
        assert!(!inputs.is_empty(), "{name} has no corpus");
        if *name == "safetensors" {
            inputs.push(tiny_weights());
        }
        inputs.iter().for_each(|input| bounded(*target, input));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..changes {
            let [first, second] = [(); 2].map(|()| &inputs[rng.random_range(0..inputs.len())]);
            bounded(*target, &change(first, second, &mut rng));
        }
    }
}
