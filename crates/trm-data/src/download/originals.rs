//! Where the original data sets are published: addresses of one revision, sizes and digests.
//!
//! docs/decisions/0009-downloads.md says where every revision and digest comes from.

/// A published data set: files beside each other.
pub struct Originals {
    /// What comes before the names of the files; names the revision.
    pub base: &'static str,
    /// They lie beside each other.
    pub files: &'static [Original],
}

/// A file as it was published.
pub struct Original {
    /// Its name there and here.
    pub name: &'static str,
    /// Number of bytes, where it is known.
    pub size: Option<u64>,
    /// Its digest, in small hexadecimal digits.
    pub sha256: &'static str,
}

impl Original {
    /// More bytes than that are not this file.
    pub(super) fn most(&self) -> u64 {
        const UNKNOWN: u64 = 1 << 27; // the largest file without a known size has about 79 MB
        self.size.unwrap_or(UNKNOWN)
    }
}

/// Sudoku-Extreme: 3.8 million puzzles to train on, 423 thousand to test on.
pub const SUDOKU_EXTREME: Originals = Originals {
    base: "https://huggingface.co/datasets/sapientinc/sudoku-extreme/resolve/58942f96baeb572ca3127e2a9e9c70f330783d6b",
    files: &[
        Original {
            name: "train.csv",
            size: Some(718_819_925),
            sha256: "64b46674db0148e0d73a16346dadeb2b1c00824d3fca3f85b2ae7037f6b4b38e",
        },
        Original {
            name: "test.csv",
            size: None,
            sha256: "a2fd52aea23d331d5b4ee723c856236e838a9fb9a70e66f4e0e0cf26c338c6a8",
        },
    ],
};

/// Maze-Hard: 1000 mazes of 30×30 to train on and as many to test on.
pub const MAZE_HARD: Originals = Originals {
    base: "https://huggingface.co/datasets/sapientinc/maze-30x30-hard-1k/resolve/549754de3d67eebe57b6b22c7d226b9412d55b07",
    files: &[
        Original {
            name: "train.csv",
            size: Some(1_807_030),
            sha256: "25f9e39b5aee16967da41ba63b2d1d75cf608c2360d8a1419d827f9859dbafa0",
        },
        Original {
            name: "test.csv",
            size: None,
            sha256: "5120d52088fb3f8036e62e90103808a79ba58847d8601f9451f40991b0903a62",
        },
    ],
};

/// The folder in which the public TRM repository keeps the tasks of ARC-AGI and ConceptARC.
const TASKS: &str = "https://raw.githubusercontent.com/SamsungSAILMontreal/TinyRecursiveModels/c01103738605ba39d1430519b1ee0c62f4c707f8/kaggle/combined";

/// ARC-AGI-1: 400 training and 400 evaluation tasks.
pub const ARC_AGI_1: Originals = Originals {
    base: TASKS,
    files: &[
        Original {
            name: "arc-agi_training_challenges.json",
            size: Some(1_269_733),
            sha256: "5b02a4753e9088134744d952b048a03f6f23abf4eb6c04e3f27822cf3d439634",
        },
        Original {
            name: "arc-agi_training_solutions.json",
            size: Some(184_616),
            sha256: "47212ad04ef4211221ac6141cba8c8d425e20e90da90ace575ef286c5f992534",
        },
        Original {
            name: "arc-agi_evaluation_challenges.json",
            size: Some(2_062_906),
            sha256: "2b05f8f7d33b73fdbefd69914c399e9409d1949c7f16aabc78e677443a64b208",
        },
        Original {
            name: "arc-agi_evaluation_solutions.json",
            size: Some(312_989),
            sha256: "629622b0eecf42c6cb4da628955ef76ec43214f0d00081f8cf63082ade496c52",
        },
    ],
};

/// ARC-AGI-2: 1000 training and 120 evaluation tasks.
pub const ARC_AGI_2: Originals = Originals {
    base: TASKS,
    files: &[
        Original {
            name: "arc-agi_training2_challenges.json",
            size: Some(4_010_050),
            sha256: "779eaba89790ebad9af02514a7efc0aefaf2cf8236f046a31bbf8b9ec48f20f5",
        },
        Original {
            name: "arc-agi_training2_solutions.json",
            size: Some(658_743),
            sha256: "9f07a38bd25af5e83aa5bf85c5cb1a1fefdb30f6a755256fa65429e697ca97f9",
        },
        Original {
            name: "arc-agi_evaluation2_challenges.json",
            size: Some(984_679),
            sha256: "e7c62a4bd211867c6b538f66b8013b81f299663c82ca062f49a52bf439d6e4e8",
        },
        Original {
            name: "arc-agi_evaluation2_solutions.json",
            size: Some(223_838),
            sha256: "84be4f4f39b79e82c36d565fc878830988b094917f052ee7069aef30b33ca8f1",
        },
    ],
};

/// ConceptARC: 160 tasks more to train on.
pub const CONCEPT_ARC: Originals = Originals {
    base: TASKS,
    files: &[
        Original {
            name: "arc-agi_concept_challenges.json",
            size: Some(804_217),
            sha256: "4e60bd1de956c2519c3236ba9f2c352c971d5971bfc568ceafa716dd9b1a91fd",
        },
        Original {
            name: "arc-agi_concept_solutions.json",
            size: Some(209_979),
            sha256: "3ec5e95e416e49c85dac28475fc5b73f6998d13b7e91ff0219eee48881c327ee",
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    const ALL: [&Originals; 5] =
        [&SUDOKU_EXTREME, &MAZE_HARD, &ARC_AGI_1, &ARC_AGI_2, &CONCEPT_ARC];

    #[test]
    fn every_address_names_a_revision_and_every_file_a_digest() {
        let is_hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        for originals in ALL {
            assert!(originals.base.split('/').any(|part| is_hex(part, 40)), "{}", originals.base);
            for file in originals.files {
                assert!(is_hex(file.sha256, 64), "{}", file.name);
            }
        }
    }

    #[test]
    fn copies_at_hand_are_the_published_files() {
        let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
        let Ok(mazes) = std::fs::read(format!("{shared}/maze-hard/train.csv")) else {
            eprintln!("skipped: no ../shared beside the checkout");
            return;
        };
        // this copy went through a program that ends lines with \r\n
        let mazes: Vec<u8> = mazes.into_iter().filter(|byte| *byte != b'\r').collect();
        check(&MAZE_HARD.files[0], &mazes);
        for file in ARC_AGI_1.files.iter().chain(ARC_AGI_2.files).chain(CONCEPT_ARC.files) {
            check(file, &std::fs::read(format!("{shared}/arc/{}", file.name)).unwrap());
        }
    }

    fn check(file: &Original, bytes: &[u8]) {
        assert_eq!(file.size, Some(bytes.len() as u64), "{}", file.name);
        let digest: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(digest, file.sha256, "{}", file.name);
    }
}
