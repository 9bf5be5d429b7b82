//! Questions and answers as sequences, and back.

use super::config::{AutoregressiveConfig, Order};

/// The label of places that no loss is taken of.
pub const UNLABELLED: u8 = u8::MAX;

impl AutoregressiveConfig {
    /// The answer as it is to be written: of all cells, or of the open `cells` in their order.
    pub fn write(&self, answer: &[u8], cells: &[usize]) -> Vec<u8> {
        match self.order {
            Order::Raster => answer.to_vec(),
            Order::Solver => {
                let pair = |cell: &usize| [(self.vocab_size + cell) as u8, answer[*cell]];
                cells.iter().flat_map(pair).collect()
            }
        }
    }

    /// The answer that was written, put into the question's open cells; what was not written stays.
    pub fn read(&self, question: &[u8], written: &[u8]) -> Vec<u8> {
        match self.order {
            Order::Raster => written.iter().chain(&question[written.len()..]).copied().collect(),
            Order::Solver => {
                let mut answer = question.to_vec();
                for pair in written.chunks_exact(2) {
                    let cell = (pair[0] as usize).checked_sub(self.vocab_size);
                    if let Some(place) = cell.and_then(|cell| answer.get_mut(cell)) {
                        *place = pair[1];
                    }
                }
                answer
            }
        }
    }
}

/// A batch to learn from: what is read, and what each read token is to be followed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// `[B · N]`: questions and answers without their last token, padded with 0 to the longest.
    pub tokens: Vec<u8>,
    /// `[B · A]`: of the last token of the question and all after it, the next; [`UNLABELLED`] beyond the
    /// answer.
    pub labels: Vec<u8>,
    /// A: answer tokens of the longest.
    pub answer: usize,
}

impl Lesson {
    /// From questions, `[S]` each, and answers as they are to be written.
    pub fn new(seq_len: usize, pairs: &[(&[u8], Vec<u8>)]) -> Lesson {
        let answer = pairs.iter().map(|(_, written)| written.len()).max().unwrap_or(0).max(1);
        let (mut tokens, mut labels) = (Vec::new(), Vec::new());
        for (question, written) in pairs {
            assert_eq!(question.len(), seq_len, "cells of a question");
            let read = question.iter().chain(written.iter().take(answer - 1));
            tokens.extend(read.copied().chain(std::iter::repeat(0)).take(seq_len + answer - 1));
            labels
                .extend(written.iter().copied().chain(std::iter::repeat(UNLABELLED)).take(answer));
        }
        Lesson { tokens, labels, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(order: Order) -> AutoregressiveConfig {
        AutoregressiveConfig { vocab_size: 6, seq_len: 4, order, ..AutoregressiveConfig::default() }
    }

    #[test]
    fn labels_are_the_next_tokens_of_the_answer_and_nothing_else() {
        let pairs: [(&[u8], Vec<u8>); 2] =
            [(&[1, 2, 3, 4], vec![5, 2, 3]), (&[4, 3, 2, 1], vec![1])];
        let lesson = Lesson::new(4, &pairs);
        assert_eq!(lesson.tokens, [1, 2, 3, 4, 5, 2, /**/ 4, 3, 2, 1, 1, 0]);
        let none = UNLABELLED;
        assert_eq!(lesson.labels, [5, 2, 3, /**/ 1, none, none]);
        // a label is what the sequence goes on with after the token that it stands at
        for (place, label) in lesson.labels[..2].iter().enumerate() {
            assert_eq!(lesson.tokens[4 + place], *label);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let (question, answer) = ([2, 1, 1, 5], [2, 3, 4, 5]);
        for (order, written) in
            [(Order::Raster, vec![2, 3, 4, 5]), (Order::Solver, vec![8, 4, 7, 3])]
        {
            let config = config(order);
            assert_eq!(config.write(&answer, &[2, 1]), written);
            assert_eq!(config.read(&question, &written), answer);
        }
        assert_eq!(config(Order::Solver).read(&question, &[8, 4]), [2, 1, 4, 5]);
        assert_eq!(config(Order::Raster).read(&question, &[2, 3]), [2, 3, 1, 5]);
    }
}
