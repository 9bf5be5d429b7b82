//! What a judge from outside says of answers.

use crate::Error;
use serde::Serialize;
use trm_data::Dataset;
use trm_puzzles::{Asked, Verdict};

/// What the judge of a data set says of answers to it, whether they are the recorded ones or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Validity {
    /// Answers that were judged.
    pub answers: usize,
    /// Those that are right.
    pub valid: usize,
    /// Mean cost of the right ones that have a cost, if there are any.
    pub mean_cost: Option<f64>,
    /// Right answers with a cost to puzzles whose recorded answer is right and has a cost other than 0.
    pub compared: usize,
    /// Mean of how much more these cost than the recorded answers, in per cent of those; below 0 if they cost less.
    pub mean_gap_percent: Option<f64>,
}

impl Validity {
    /// Lets the judge of a data set, if it has one, judge answers to some of its puzzles, given by their places, and
    /// the recorded answers to these.
    ///
    /// # Errors
    /// If the judge gives no ruling.
    pub fn of(data: &Dataset, answers: &[(usize, Vec<u8>)]) -> Result<Option<Validity>, Error> {
        let Some(domain) = &data.referee else { return Ok(None) };
        let given: Vec<Asked<'_>> =
            answers.iter().map(|(puzzle, answer)| (data.input(*puzzle), &answer[..])).collect();
        let verdicts = domain.verify_all(&given)?;
        let costs: Vec<(usize, f64)> = answers
            .iter()
            .zip(&verdicts)
            .filter_map(|((puzzle, _), verdict)| Some((*puzzle, cost(verdict)?)))
            .collect();
        let is_recorded =
            |puzzle: &usize| data.label(*puzzle).iter().any(|token| *token != data.ignore_label());
        let priced: Vec<(usize, f64)> =
            costs.iter().copied().filter(|(puzzle, _)| is_recorded(puzzle)).collect();
        let recorded: Vec<Asked<'_>> =
            priced.iter().map(|(puzzle, _)| (data.input(*puzzle), data.label(*puzzle))).collect();
        let gaps: Vec<f64> = domain
            .verify_all(&recorded)?
            .iter()
            .zip(&priced)
            .filter_map(|(verdict, (_, cost))| gap(*cost, self::cost(verdict)?))
            .collect();
        Ok(Some(Validity {
            answers: answers.len(),
            valid: verdicts.iter().filter(|verdict| verdict.is_solved()).count(),
            mean_cost: mean(costs.iter().map(|(_, cost)| *cost)),
            compared: gaps.len(),
            mean_gap_percent: mean(gaps.into_iter()),
        }))
    }

    /// Share of the answers that are right.
    pub fn share(&self) -> f64 {
        self.valid as f64 / self.answers.max(1) as f64
    }
}

/// The cost of a right answer.
fn cost(verdict: &Verdict) -> Option<f64> {
    verdict.ruling().filter(|_| verdict.is_solved())?.cost
}

fn gap(cost: f64, recorded: f64) -> Option<f64> {
    (recorded != 0.0).then(|| 100.0 * (cost - recorded) / recorded.abs())
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trm_data::Metadata;
    use trm_puzzles::{Domain, Judge, RefereeError, Ruling};

    /// Right are answers without a 3; the sum of their tokens is the cost, unless they begin with 2.
    struct Sums;

    impl Judge for Sums {
        fn judge(&self, _: &[u8], answer: &[u8]) -> Result<Ruling, RefereeError> {
            let sum = answer.iter().map(|token| f64::from(*token)).sum();
            let cost = (answer[0] != 2).then_some(sum);
            Ok(Ruling { right: Some(!answer.contains(&3)), cost, ..Ruling::default() })
        }
    }

    #[test]
    fn right_answers_are_counted_and_compared_with_the_recorded_ones() {
        let domain: Domain = "grid:2x1:abc".parse().unwrap();
        let metadata = Metadata { vocab_size: 4, seq_len: 2, ..Metadata::default() };
        let labels = vec![1, 1, 1, 2, 3, 1, 0, 0, 1, 1];
        let mut data = Dataset::from_pairs(metadata, vec![1; 10], labels);
        let answers = [[1, 2], [1, 2], [1, 1], [1, 2], [2, 1]];
        let answers: Vec<_> = answers.iter().map(|a| a.to_vec()).enumerate().collect();
        assert_eq!(Validity::of(&data, &answers).unwrap(), None);
        data.referee = Some(domain.judged_by(Sums));
        let found = Validity::of(&data, &answers).unwrap().unwrap();
        let costs = [3.0, 3.0, 2.0, 3.0];
        let expected = Validity {
            answers: 5,
            valid: 5,
            mean_cost: Some(costs.iter().sum::<f64>() / 4.0),
            compared: 2,
            mean_gap_percent: Some((50.0 + 0.0) / 2.0),
        };
        assert_eq!(found, expected);
        let none = Validity::of(&data, &[(0, vec![3, 3])]).unwrap().unwrap();
        assert_eq!(none, Validity { answers: 1, ..Validity::default() });
    }
}
