//! Suppositions: a chain writes one of its own beliefs into its question, and thinks on.
//!
//! A supposition that is right makes a hard puzzle an easier one; a wrong one costs the chain. Nothing
//! is concluded from it: an answer is judged by the question as it was asked.

use super::Referee;
use crate::solve::batch::Batch;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Lets one row of a batch suppose a token: the cell is drawn by the model's doubt among those that
/// are open, the token by its belief. `logits` are the row's, `[S · V]`.
pub(super) fn suppose(
    (batch, row): (&mut Batch, usize),
    logits: &[f32],
    referee: &dyn Referee,
    rng: &mut ChaCha8Rng,
) {
    let question = batch.question(row);
    let cells = question.len();
    let vocab = logits.len() / cells;
    let open = (0..cells).filter(|cell| referee.is_open(question[*cell]));
    let beliefs: Vec<(usize, Vec<f32>)> =
        open.map(|cell| (cell, softmax(&logits[cell * vocab..][..vocab]))).collect();
    let doubts =
        beliefs.iter().map(|(_, belief)| 1.0 - belief.iter().fold(0.0, |a: f32, b| a.max(*b)));
    let doubts: Vec<f32> = doubts.collect();
    let Some(choice) = draw(&doubts, rng) else { return };
    let (cell, belief) = &beliefs[choice];
    if let Some(token) = draw(belief, rng) {
        batch.replace(row, *cell, token as u8);
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let total: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / total).collect()
}

/// An index, drawn in proportion to the weights; `None` if they are all 0.
fn draw(weights: &[f32], rng: &mut ChaCha8Rng) -> Option<usize> {
    let total: f32 = weights.iter().sum();
    let mut at = rng.random::<f32>() * total;
    let last = weights.iter().rposition(|weight| *weight > 0.0)?;
    let found = weights.iter().position(|weight| {
        at -= weight;
        at < 0.0
    });
    Some(found.unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn draws_are_in_proportion_to_the_weights_and_never_of_none() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut counts = [0; 4];
        (0..4000).for_each(|_| counts[draw(&[0.0, 3.0, 1.0, 0.0], &mut rng).unwrap()] += 1);
        assert_eq!((counts[0], counts[3]), (0, 0));
        assert!((2900..3100).contains(&counts[1]), "{counts:?}");
        assert_eq!(draw(&[0.0, 0.0], &mut rng), None);
        assert_eq!(draw(&[], &mut rng), None);
    }

    #[test]
    fn beliefs_are_probabilities_however_large_the_logits() {
        let belief = softmax(&[1000.0, 1000.0, -1000.0]);
        assert_eq!(belief, [0.5, 0.5, 0.0]);
    }
}
