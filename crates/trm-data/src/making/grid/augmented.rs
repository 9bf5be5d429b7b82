//! Augmentations by a program of the user's own.

use super::Grids;
use crate::Error;
use crate::RefereeCommand;
use crate::dataset::metadata::Origin;
use crate::dataset::splits::{Splits, grouped};
use crate::random::{Purpose, stream};
use crate::referee::process::{Fault, Process};
use rand::RngExt;
use std::collections::HashSet;
use std::time::Duration;
use trm_puzzles::Pair;

/// How long a program may take for an answer.
const LIMIT: Duration = Duration::from_secs(30);

/// What came of augmenting training puzzles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Examples that were added.
    pub added: usize,
    /// Those left out because their class is in the test split.
    pub in_test: usize,
    /// Those left out because they are the puzzle itself, or one of its others.
    pub duplicates: usize,
}

/// Asks a program for `count` augmentations of every training puzzle, each of which becomes an example of the puzzle
/// that it is made of. The program gets a JSON object a line, `input`, `output` (lists of rows of symbols) and `seed`,
/// a number; it writes one with `input` and `output`. A referee judges them, if there is one.
///
/// # Errors
/// If the program ends, is late, or writes what is no example of this format, or an answer that the referee holds for
/// wrong; if the referee fails.
pub fn augment_grids(
    grids: &Grids,
    splits: &mut Splits,
    (command, count): (&str, usize),
    seed: u64,
    referee: Option<&RefereeCommand>,
) -> Result<Added, Error> {
    let failed = |message: String| Error::Failed(format!("--augment `{command}`: {message}"));
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let words =
        words.ok_or_else(|| failed("no program is named, or a quote is not closed".into()))?;
    let mut program =
        Process::start(&words).map_err(|error| failed(format!("cannot be started: {error}")))?;
    let domain = grids.domain();
    let judge = referee.map(|referee| referee.start(&domain)).transpose()?;
    let class = |question: &[u8]| domain.class_hash(question).expect("a question of its own");
    let tested: HashSet<u128> = splits.test.questions().into_iter().map(class).collect();
    let mut rng = stream(seed, Purpose::Data, 1);
    let (mut done, mut groups) = (Added::default(), Vec::new());
    for example in 0..splits.train.len() {
        let own = [splits.train.input(example), splits.train.label(example)].map(<[u8]>::to_vec);
        let mut examples: Vec<Pair> = vec![own.clone()];
        for _ in 0..count {
            let line = grids.format.to_json(&own, rng.random::<u32>()) + "\n";
            let told = program.ask(&[line], LIMIT, |told| grids.format.read_json(told));
            let pair = told.map_err(|fault| refused(command, fault))?.remove(0);
            if let Some(judge) = &judge {
                let verdict = judge.verify(&pair[0], &pair[1])?;
                if verdict.decision() == Some(false) {
                    let [asked, made] = [&own, &pair].map(|pair| domain.format_line(&pair[0]));
                    return Err(failed(format!(
                        "of {asked} it made {made}, whose answer is {verdict}"
                    )));
                }
            }
            if tested.contains(&class(&pair[0])) {
                done.in_test += 1;
            } else if examples.contains(&pair) {
                done.duplicates += 1;
            } else {
                done.added += 1;
                examples.push(pair);
            }
        }
        groups.push(examples);
    }
    let origin = splits.train.metadata.origin.clone();
    let source = format!("{}, {count} augmentations each by `{command}`", origin.source);
    splits.train = grouped(&domain, groups, Origin { source, ..origin });
    Ok(done)
}

fn refused(command: &str, fault: Fault) -> Error {
    let failed = |message: String| Error::Failed(format!("--augment `{command}`: {message}"));
    match fault {
        Fault::Late => {
            let seconds = LIMIT.as_secs();
            failed(format!(
                "no answer in {seconds} s: it must write a line for every line, and flush"
            ))
        }
        Fault::Ended(status) => failed(format!("ended before its last answer, {status}")),
        Fault::Wrote(what) => Error::Mismatch(format!("--augment `{command}`: {what}")),
    }
}
