//! The best of several written answers.

use crate::Error;
use serde::Serialize;
use trm::{Autoregressive, Network, Sampling, Written};
use trm_data::Dataset;
use trm_ops::Stop;
use trm_puzzles::{Domain, Verdict};
use trm_train::{OpenCells, Score, check_fit_autoregressive, write_some};

/// How to sample.
#[derive(Clone, Copy, Debug)]
pub struct SampleOptions {
    /// Answers per puzzle: the greedy one, the others at random.
    pub samples: usize,
    /// What logits are divided by for the random ones.
    pub temperature: f32,
    /// Of the random ones.
    pub seed: u64,
    /// Puzzles at a time.
    pub batch: usize,
}

impl Default for SampleOptions {
    fn default() -> SampleOptions {
        SampleOptions { samples: 1, temperature: 0.7, seed: 1, batch: 64 }
    }
}

impl SampleOptions {
    /// How one of the answers is written, by its place from 0.
    pub fn sampling(&self, sample: usize) -> Sampling {
        let seed = self.seed.wrapping_add(sample as u64);
        let random = Sampling::Temperature { temperature: self.temperature, seed };
        if sample == 0 { Sampling::Greedy } else { random }
    }
}

/// An answer that was chosen from several.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// `[S]` tokens.
    pub answer: Vec<u8>,
    /// How it was written.
    pub written: Written,
    /// Which of the answers it is, from 1.
    pub sample: usize,
    /// What the rules say of it; `None` where there are none.
    pub verdict: Option<Verdict>,
}

impl Chosen {
    fn keeps_the_rules(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.is_solved())
    }
}

/// The answers to one question so far.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    likeliest: Option<Chosen>,
    /// The first that keeps the rules.
    kept: Option<Chosen>,
}

impl Choice {
    /// One more answer.
    pub fn offer(&mut self, candidate: Chosen) {
        if self.kept.is_none() && candidate.keeps_the_rules() {
            self.kept = Some(candidate.clone());
        }
        let likelihood = |c: &Chosen| c.written.log_probability;
        if self.likeliest.as_ref().is_none_or(|best| likelihood(&candidate) > likelihood(best)) {
            self.likeliest = Some(candidate);
        }
    }

    /// Whether one of them keeps the rules: no other is chosen any more.
    pub fn is_settled(&self) -> bool {
        self.kept.is_some()
    }

    /// The first that keeps the rules, or else the likeliest; `None` before the first.
    pub fn best(&self) -> Option<&Chosen> {
        self.kept.as_ref().or(self.likeliest.as_ref())
    }
}

/// One more answer to each of some questions.
struct Round<'a> {
    /// Place of the first of these questions among all.
    first: usize,
    /// Place of the answers among those of their questions, from 0.
    sample: usize,
    answers: &'a [(Vec<u8>, Written)],
    /// The answers so far, these included.
    choices: &'a [Choice],
}

/// Writes the first, second, … answer to some questions at a time. `hear` says whether they need another; none
/// does as soon as `stop` is requested.
fn rounds(
    model: &Autoregressive,
    (domain, questions): (Option<&Domain>, &[&[u8]]),
    options: SampleOptions,
    stop: &Stop,
    hear: &mut dyn FnMut(Round<'_>) -> bool,
) -> Result<(), Error> {
    let open = OpenCells::of(model.config())?;
    let mut first = 0;
    for some in questions.chunks(options.batch.max(1)) {
        let mut choices = vec![Choice::default(); some.len()];
        for sample in 0..options.samples {
            if stop.is_requested() {
                return Ok(());
            }
            let sampling = options.sampling(sample);
            let answers = write_some(model, &open, some, (sampling, first as u64))?;
            for ((answer, written), (question, choice)) in
                answers.iter().zip(some.iter().zip(&mut choices))
            {
                let (mut answer, written) = (answer.clone(), written.clone());
                domain.iter().for_each(|domain| domain.clip(&mut answer));
                let verdict = domain.map(|d| d.verify(question, &answer)).transpose()?;
                choice.offer(Chosen { answer, written, sample: sample + 1, verdict });
            }
            if !hear(Round { first, sample, answers: &answers, choices: &choices }) {
                break;
            }
        }
        first += some.len();
    }
    Ok(())
}

/// Writes answers to every question until one keeps the rules of its domain, `options.samples` at most. `take` gets the place of
/// the question and the first answer that keeps them, or else the likeliest.
///
/// # Errors
/// If the model is to write in an order that its domain does not have, or a question gives it nothing to begin
/// with.
///
/// # Panics
/// If a question is not as long as the model's puzzles.
pub fn write_best(
    model: &Autoregressive,
    (domain, questions): (&Domain, &[&[u8]]),
    options: SampleOptions,
    take: &mut dyn FnMut(usize, &Chosen),
) -> Result<(), Error> {
    rounds(model, (Some(domain), questions), options, &Stop::default(), &mut |round| {
        let more = round.sample + 1 < options.samples
            && round.choices.iter().any(|choice| !choice.is_settled());
        if !more {
            for (i, choice) in round.choices.iter().enumerate() {
                take(round.first + i, choice.best().expect("an answer has been offered"));
            }
        }
        more
    })
}

/// Exact answers if one of the first k of every puzzle is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BestOf {
    /// k: answers to choose from.
    pub answers: usize,
    /// Puzzles that were answered.
    pub puzzles: usize,
    /// Puzzles right if the answer is chosen that the model holds for likeliest.
    pub by_probability: usize,
    /// Puzzles right if the first one is chosen that keeps the rules, or the likeliest if none does.
    pub by_rules: usize,
    /// Puzzles right in any of the answers.
    pub any: usize,
}

impl BestOf {
    fn add(&mut self, other: BestOf) {
        self.puzzles += other.puzzles;
        self.by_probability += other.by_probability;
        self.by_rules += other.by_rules;
        self.any += other.any;
    }
}

/// Scores of the best of 1, 2, … answers, over the puzzles that have all of them when `stop` is requested.
/// `progress` hears how many puzzles are done.
///
/// # Errors
/// If the data do not fit the model.
pub fn best_of(
    model: &Autoregressive,
    data: &Dataset,
    options: SampleOptions,
    stop: &Stop,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<BestOf>, Error> {
    check_fit_autoregressive(model, data)?;
    let of_answers = |answers| BestOf { answers, ..BestOf::default() };
    let mut scores: Vec<BestOf> = (1..=options.samples).map(of_answers).collect();
    let mut of_some = Vec::new();
    let mut any = vec![false; data.len()];
    let right = |puzzle: usize, answer: &[u8]| {
        Score::new(answer, data.label(puzzle), 1, data.ignore_label()).exact[0]
    };
    let domain = data.judged_by_or(&model.config().domain).ok();
    rounds(model, (domain.as_ref(), &data.questions()), options, stop, &mut |round| {
        let mut score = BestOf { puzzles: round.choices.len(), ..BestOf::default() };
        for (i, choice) in round.choices.iter().enumerate() {
            let puzzle = round.first + i;
            let is_right = |chosen: &Chosen| right(puzzle, &chosen.answer);
            any[puzzle] |= right(puzzle, &round.answers[i].0);
            score.by_probability += usize::from(choice.likeliest.as_ref().is_some_and(is_right));
            score.by_rules += usize::from(choice.best().is_some_and(is_right));
            score.any += usize::from(any[puzzle]);
        }
        of_some.push(score);
        if of_some.len() == options.samples {
            scores.iter_mut().zip(of_some.drain(..)).for_each(|(sum, score)| sum.add(score));
            progress(round.first + round.choices.len());
        }
        true
    })?;
    Ok(scores)
}
