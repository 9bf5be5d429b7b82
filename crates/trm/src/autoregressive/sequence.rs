//! Questions and answers as sequences, and back.

use super::config::{AutoregressiveConfig, Order};

/// The label of places that no loss is taken of.
pub const UNLABELLED: u8 = u8::MAX;

impl AutoregressiveConfig {
    /// The question as a prompt; `is_open` says which of its cells are to be filled.
    pub fn prompt(&self, question: &[u8], is_open: impl Fn(u8) -> bool) -> Vec<u8> {
        match self.order {
            Order::Raster => question.to_vec(),
            Order::Solver => {
                let given = (0..question.len()).filter(|cell| !is_open(question[*cell]));
                self.pairs(question, given)
            }
        }
    }

    /// The answer as it is to be written: of all cells, or of the open `cells` in their order.
    pub fn write(&self, answer: &[u8], cells: &[usize]) -> Vec<u8> {
        match self.order {
            Order::Raster => answer.to_vec(),
            Order::Solver => self.pairs(answer, cells.iter().copied()),
        }
    }

    fn pairs(&self, tokens: &[u8], cells: impl Iterator<Item = usize>) -> Vec<u8> {
        cells.flat_map(|cell| [(self.vocab_size + cell) as u8, tokens[cell]]).collect()
    }

    /// The cells that were written, in order; what names none is [`usize::MAX`].
    pub fn cells(&self, written: &[u8]) -> Vec<usize> {
        match self.order {
            Order::Raster => (0..written.len()).collect(),
            Order::Solver => {
                let cell = |pair: &[u8]| usize::from(pair[0]).checked_sub(self.vocab_size);
                written.chunks_exact(2).map(|pair| cell(pair).unwrap_or(usize::MAX)).collect()
            }
        }
    }

    /// The answer that was written, put into the question's cells; what was not written stays.
    pub fn read(&self, question: &[u8], written: &[u8]) -> Vec<u8> {
        match self.order {
            Order::Raster => written.iter().chain(&question[written.len()..]).copied().collect(),
            Order::Solver => {
                let mut answer = question.to_vec();
                for (cell, pair) in self.cells(written).into_iter().zip(written.chunks_exact(2)) {
                    if let Some(place) = answer.get_mut(cell) {
                        *place = pair[1];
                    }
                }
                answer
            }
        }
    }
}

/// A batch to learn from: what is read, and what each token read is to be followed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// `[B · N]`: prompts and answers, without the last token.
    pub tokens: Vec<u8>,
    /// First place whose next token has a label in any sequence.
    pub first: usize,
    /// `[B · (N − first)]`: of every token read from `first` on, the next; [`UNLABELLED`] inside prompts.
    pub labels: Vec<u8>,
}

impl Lesson {
    /// From pairs of a prompt and an answer as it is to be written, all of one length together.
    ///
    /// # Panics
    /// If a pair is longer or shorter than the others, or has no prompt.
    pub fn new(pairs: &[(Vec<u8>, Vec<u8>)]) -> Lesson {
        let len = |(prompt, written): &(Vec<u8>, Vec<u8>)| prompt.len() + written.len();
        assert!(pairs.iter().all(|pair| len(pair) == len(&pairs[0])), "sequences of one length");
        // one without an answer has its last place, unlabelled
        let shortest = pairs.iter().map(|pair| pair.0.len().min(len(pair) - 1)).min();
        let shortest = shortest.expect("a pair");
        let first = shortest.checked_sub(1).expect("a prompt");
        let mut lesson = Lesson { tokens: Vec::new(), first, labels: Vec::new() };
        for (prompt, written) in pairs {
            let sequence = [&prompt[..], written].concat();
            lesson.tokens.extend(&sequence[..sequence.len() - 1]);
            lesson.labels.resize(lesson.labels.len() + prompt.len() - shortest, UNLABELLED);
            lesson.labels.extend(written);
        }
        lesson
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
        let pairs = [(vec![1, 2, 3, 4], vec![5, 2, 3]), (vec![4, 3, 2, 1, 2, 3], vec![1])];
        let lesson = Lesson::new(&pairs);
        assert_eq!(lesson.tokens, [1, 2, 3, 4, 5, 2, /**/ 4, 3, 2, 1, 2, 3]);
        let none = UNLABELLED;
        assert_eq!((lesson.first, lesson.labels), (3, vec![5, 2, 3, /**/ none, none, 1]));
        // a label is what the sequence goes on with after the token that it stands at
        assert_eq!(lesson.tokens[lesson.first + 1..6], [5, 2]);
        let lesson = Lesson::new(&[(vec![1, 2, 3], vec![])]);
        assert_eq!((lesson.first, lesson.labels), (1, vec![none]));
    }

    #[test]
    fn what_is_written_reads_back() {
        let (question, answer) = ([2, 1, 1, 5], [2, 3, 4, 5]);
        let all = [
            (Order::Raster, vec![2, 1, 1, 5], vec![2, 3, 4, 5]),
            (Order::Solver, vec![6, 2, 9, 5], vec![8, 4, 7, 3]),
        ];
        for (order, prompt, written) in all {
            let config = config(order);
            assert_eq!(config.prompt(&question, |token| token == 1), prompt);
            assert_eq!(config.write(&answer, &[2, 1]), written);
            assert_eq!(prompt.len() + written.len(), config.sequence());
            assert_eq!(config.read(&question, &written), answer);
            assert_eq!(config.answer_len(2), written.len());
            let cells = if order == Order::Solver { vec![2, 1] } else { vec![0, 1, 2, 3] };
            assert_eq!(config.cells(&written), cells);
        }
        assert_eq!(config(Order::Solver).read(&question, &[8, 4]), [2, 1, 4, 5]);
        assert_eq!(config(Order::Raster).read(&question, &[2, 3]), [2, 3, 1, 5]);
    }
}
