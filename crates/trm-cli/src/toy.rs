//! A whole domain in one file, which the commands check, learn, measure, solve and show. In `trm-puzzles` it would be
//! a folder, and its family a line of the list there.

use crate::{Arguments, Outcome, run};
use clap::Parser;
use rand::{Rng, RngExt};
use std::path::Path;
use trm_data::{Dataset, Origin, Splits};
use trm_puzzles::{
    ConstraintVerdict, Domain, Error, Family, Layout, Look, Pair, Rules, Undo, Verdict, register,
};
use trm_train::evaluate;

/// Rows of cells that are red and blue in turn: `r.r.` is answered by `rbrb`.
#[derive(Clone, Copy)]
struct Stripes(usize);

const OPEN: u8 = 1;
const RED: u8 = 2;
const BLUE: u8 = 3;

const FAMILY: Family = Family {
    name: "stripes",
    examples: "stripes such as stripes8",
    find: |name| Some(Domain::new(Stripes(name.strip_prefix("stripes")?.parse().ok()?))),
    public: None,
};

impl Stripes {
    /// All questions with an answer.
    fn pairs(self) -> Vec<Pair> {
        let answers = [RED, BLUE].map(|first| -> Vec<u8> {
            (0..self.0).map(|i| if i % 2 == 0 { first } else { RED + BLUE - first }).collect()
        });
        let question = |answer: &[u8], kept: usize| -> Vec<u8> {
            let cells = answer.iter().enumerate();
            cells.map(|(i, token)| if kept >> i & 1 == 1 { *token } else { OPEN }).collect()
        };
        let kept = 1..1 << self.0;
        let pairs = kept.flat_map(|kept| {
            answers.each_ref().map(|answer| [question(answer, kept), answer.clone()])
        });
        pairs.collect()
    }
}

fn exchange(tokens: &mut [u8]) {
    tokens.iter_mut().filter(|token| **token > OPEN).for_each(|token| *token = RED + BLUE - *token);
}

impl Rules for Stripes {
    fn name(&self) -> String {
        format!("stripes{}", self.0)
    }

    fn kind(&self) -> String {
        "stripes".into()
    }

    fn vocab_size(&self) -> usize {
        4
    }

    fn seq_len(&self) -> usize {
        self.0
    }

    fn layout(&self) -> Layout {
        Layout { columns: self.0, boxes: (0, 0) }
    }

    fn parse(&self, text: &str) -> Result<Vec<u8>, Error> {
        let cells = text.trim().chars();
        let tokens = cells.map(|c| Some(1 + ".rb".find(c)? as u8)).collect::<Option<Vec<u8>>>();
        let fits = tokens.filter(|tokens| tokens.len() == self.0);
        fits.ok_or_else(|| Error::new(format!("not {} cells r, b and dots", self.0)))
    }

    fn sized_for(&self, text: &str) -> Option<Domain> {
        let sized = Stripes(text.trim().len());
        sized.parse(text).ok().map(|_| Domain::new(sized))
    }

    fn is_given(&self, token: u8) -> bool {
        token != OPEN
    }

    fn can_suppose(&self, token: u8) -> bool {
        token == OPEN
    }

    fn has_rules(&self) -> bool {
        true
    }

    fn verify(&self, question: &[u8], answer: &[u8]) -> Verdict {
        let changed = question.iter().zip(answer).filter(|(q, a)| self.is_given(**q) && q != a);
        Verdict::Constraints(ConstraintVerdict {
            givens_changed: changed.count(),
            blanks: answer.iter().filter(|token| ![RED, BLUE].contains(token)).count(),
            violations: answer.windows(2).filter(|pair| pair[0] == pair[1]).count(),
            checks: self.0 - 1,
            checked: "neighbours",
        })
    }

    fn symbol(&self, token: u8) -> &str {
        ["?", ".", "r", "b"].get(usize::from(token)).copied().unwrap_or("?")
    }

    fn look(&self, token: u8) -> Look<'_> {
        match token {
            RED => Look::Accent,
            OPEN => Look::Empty,
            _ => Look::Symbol(self.symbol(token)),
        }
    }

    fn augment(&self, question: &mut [u8], answer: &mut [u8], rng: &mut dyn Rng) {
        if rng.random() {
            exchange(question);
            exchange(answer);
        }
    }

    fn augment_question(&self, question: &mut [u8], rng: &mut dyn Rng) -> Undo {
        let exchanges: bool = rng.random();
        let turn = move |tokens: &mut [u8]| {
            if exchanges {
                exchange(tokens)
            }
        };
        turn(question);
        Box::new(turn)
    }

    fn class_hash(&self, question: &[u8]) -> Result<u128, Error> {
        self.check_question(question)?;
        let mut other = question.to_vec();
        exchange(&mut other);
        let number = |tokens: &[u8]| tokens.iter().fold(1, |n, token| 4 * n + u128::from(*token));
        Ok(number(question).min(number(&other)))
    }
}

/// What `trm WORDS` does.
fn trm(words: &str) -> Outcome {
    let words = std::iter::once("trm").chain(words.split_whitespace());
    let arguments = Arguments::try_parse_from(words).unwrap_or_else(|usage| panic!("{usage}"));
    run(arguments.verb).unwrap_or_else(|error| panic!("{error:#}"))
}

/// Every fourth pair to be asked, the others to learn from.
fn make_data(folder: &Path) {
    let stripes = Stripes(8);
    let (mut test, mut train) = (Vec::new(), Vec::new());
    for (i, pair) in stripes.pairs().into_iter().enumerate() {
        if i / 2 % 4 == 0 { test.push(pair) } else { train.push(pair) }
    }
    let origin = Origin { source: "all".into(), ..Origin::default() };
    let splits = Splits::of(&Domain::new(stripes), (train, origin.clone()), (test, origin));
    splits.unwrap().save(folder).unwrap();
}

#[test]
fn a_domain_in_one_file_is_learned_measured_solved_and_shown() {
    register(FAMILY).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [data, out] = ["data", "run"].map(|name| folder.path().join(name));
    make_data(&data);
    let (data, out) = (data.display(), out.display());
    assert!(trm(&format!("data check {data}")) == Outcome::Done);
    let settings = "--set train.steps=150 --set train.batch=16 --set model.hidden=32 --set model.cycles=1 \
                    --set model.supervision_steps=4 --precision f32";
    assert!(trm(&format!("train --data {data} --out {out} {settings}")) == Outcome::Done);
    assert!(trm(&format!("eval {out} --data {data} --precision f32")) == Outcome::Done);
    assert!(trm(&format!("solve {out} ...b....")) == Outcome::Done, "verified by its rules");
    assert!(trm(&format!("solve {out} .....r....")) == Outcome::Done, "a longer row");

    let device = trm_ops::Device::cpu(1);
    let model = trm_data::load_model(out.to_string().as_ref(), &device).unwrap().into();
    let test = Dataset::load(data.to_string().as_ref(), "test").unwrap();
    let options = trm_train::EvalOptions {
        steps: 4,
        batch: 64,
        halt: None,
        dtype: trm_ops::DType::F32,
        keep_outputs: false,
    };
    let evaluation = evaluate(&model, &test, options, &mut |_| ()).unwrap();
    assert!(evaluation.exact() > 0.95, "{} of unseen rows", evaluation.exact());
    let page = std::fs::read_to_string(format!("{out}/report.html")).unwrap();
    for part in
        ["A tiny recursive model for stripes8", "class=\"accent\"", ">b</text>", "neighbours right"]
    {
        assert!(page.contains(part), "{part}");
    }
    let stranger = "checks8".parse::<Domain>().unwrap_err().to_string();
    assert!(stranger.ends_with(" and stripes such as stripes8"), "{stranger}");
}
